//! Exact search by cosine, a chunk of documents at a time.

use crate::error::same_count;
use crate::vectors::dot;
use crate::{Error, Hit, Run, Vectors};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashSet};

/// Documents that are compared at one time.
const BLOCK_ROWS: usize = 4_096;
/// Those of them that are one product, on one thread.
const PRODUCT_ROWS: usize = 256;
/// Queries of one product: with the block they bound the memory.
const PRODUCT_QUERIES: usize = 1_024;

/// A document that a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Its cosine with the query.
    pub score: f32,
    /// Its position among all documents that were added.
    pub document: usize,
}

impl Eq for Neighbour {}

impl Ord for Neighbour {
    /// A better one is greater. Of equal scores the earlier document is better.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.document.cmp(&self.document))
    }
}

impl PartialOrd for Neighbour {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The best documents of each query so far. It holds the queries and `k` neighbours of each,
/// however many documents are added.
///
/// A score depends on the two vectors alone, not on what else is in a chunk.
#[derive(Clone, Debug)]
pub struct Search {
    queries: Vec<f32>,
    width: usize,
    k: usize,
    documents: usize,
    best: Vec<BinaryHeap<Reverse<Neighbour>>>,
}

impl Search {
    /// Begins a search for the `k` best documents of each query.
    ///
    /// # Errors
    /// [`Error::Setting`] if `k` is 0.
    pub fn new(queries: &Vectors, k: usize) -> Result<Self, Error> {
        if k == 0 {
            let value = k.to_string();
            return Err(Error::Setting { setting: "k", value, range: "must be at least 1" });
        }
        let best = vec![BinaryHeap::new(); queries.len()];
        let (width, queries) = (queries.width(), unit_rows(queries.numbers(), queries.width()));
        Ok(Self { queries, width, k, documents: 0, best })
    }

    /// Compares the next documents with every query.
    ///
    /// # Errors
    /// [`Error::Width`] if they have another width than the queries.
    pub fn add(&mut self, documents: &Vectors) -> Result<(), Error> {
        if documents.width() != self.width {
            return Err(Error::Width { found: documents.width(), expected: self.width });
        }
        for block in documents.numbers().chunks(BLOCK_ROWS * self.width) {
            self.add_block(&unit_rows(block, self.width));
        }
        Ok(())
    }

    fn add_block(&mut self, rows: &[f32]) {
        let (first, width, k) = (self.documents, self.width, self.k);
        let queries = self.queries.chunks(PRODUCT_QUERIES * width);
        for (queries, best) in queries.zip(self.best.chunks_mut(PRODUCT_QUERIES)) {
            let pieces = rows.par_chunks(PRODUCT_ROWS * width);
            let pieces: Vec<_> = pieces.map(|piece| products(queries, piece, width)).collect();
            best.par_iter_mut().enumerate().for_each(|(query, best)| {
                let mut document = first;
                for piece in &pieces {
                    let scores = piece.row(query);
                    offer(best, k, document, scores.to_slice().expect("a row is in one piece"));
                    document += scores.len();
                }
            });
        }
        self.documents += rows.len() / width;
    }

    /// How many documents were added.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// The neighbours of each query, best first; of equal scores the earlier document.
    pub fn finish(self) -> Vec<Vec<Neighbour>> {
        let sorted = self.best.into_iter().map(BinaryHeap::into_sorted_vec);
        sorted.map(|best| best.into_iter().map(|Reverse(found)| found).collect()).collect()
    }
}

/// Finds the best `k` of all documents for each query.
///
/// # Errors
/// If `k` is 0, or queries and documents have other widths.
pub fn nearest(
    queries: &Vectors,
    documents: &Vectors,
    k: usize,
) -> Result<Vec<Vec<Neighbour>>, Error> {
    let mut search = Search::new(queries, k)?;
    search.add(documents)?;
    Ok(search.finish())
}

/// Scores the candidates of each query, for reranking with vectors. `candidates` are positions
/// of documents.
///
/// # Errors
/// If there are other numbers of queries and lists, or a candidate isn't there or is there twice.
pub fn rescore(
    queries: &Vectors,
    documents: &Vectors,
    candidates: &[Vec<usize>],
) -> Result<Vec<Vec<Neighbour>>, Error> {
    queries.same_width(documents)?;
    same_count("lists of candidates", candidates.len(), queries.len())?;
    let score = |(row, list): (usize, &Vec<usize>)| {
        let query = unit_rows(queries.row(row), queries.width());
        let mut seen = HashSet::new();
        let one = |&document: &usize| {
            let len = documents.len();
            if document >= len {
                return Err(Error::Index { what: "candidate of query", row, index: document, len });
            }
            if !seen.insert(document) {
                let place = format!("the candidates of query {row}, counted from 0,");
                return Err(Error::DuplicateId { place, id: document.to_string() });
            }
            let candidate = unit_rows(documents.row(document), documents.width());
            let score = products(&query, &candidate, documents.width())[(0, 0)];
            Ok(Neighbour { score, document })
        };
        let mut found: Vec<Neighbour> = list.iter().map(one).collect::<Result<_, _>>()?;
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found)
    };
    candidates.iter().enumerate().map(score).collect()
}

/// Names what was found, for [`retrieval`](crate::retrieval).
///
/// # Errors
/// If ids are missing or stand twice.
pub fn run_of(
    found: &[Vec<Neighbour>],
    query_ids: &[String],
    document_ids: &[String],
) -> Result<Run, Error> {
    same_count("query ids", query_ids.len(), found.len())?;
    let mut run = Run::default();
    for (row, (query, list)) in query_ids.iter().zip(found).enumerate() {
        let len = document_ids.len();
        let hit = |found: &Neighbour| {
            let index = found.document;
            let id = document_ids.get(index);
            let id = id.ok_or(Error::Index { what: "neighbour of query", row, index, len })?;
            Ok(Hit { document: id.clone(), score: found.score })
        };
        run.insert(query, list.iter().map(hit).collect::<Result<_, _>>()?)?;
    }
    Ok(run)
}

/// Keeps the best of what was there and of the next documents. They come in their order, so
/// that one of an equal score is never better.
fn offer(best: &mut BinaryHeap<Reverse<Neighbour>>, k: usize, first: usize, scores: &[f32]) {
    let worst_of = |best: &BinaryHeap<Reverse<Neighbour>>| match best.peek() {
        Some(worst) if best.len() == k => worst.0.score,
        _ => f32::NEG_INFINITY,
    };
    let mut worst = worst_of(best);
    for (i, &score) in scores.iter().enumerate() {
        if score > worst {
            let found = Reverse(Neighbour { score, document: first + i });
            if best.len() < k {
                best.push(found);
            } else if let Some(mut place) = best.peek_mut() {
                *place = found;
            }
            worst = worst_of(best);
        }
    }
}

/// Rows divided by their length; one of zeros stays.
fn unit_rows(numbers: &[f32], width: usize) -> Vec<f32> {
    let unit = |row: &[f32]| {
        let norm = dot(row, row).sqrt();
        let scale = if norm > 0.0 { norm.recip() } else { 0.0 };
        row.iter().map(|x| (f64::from(*x) * scale) as f32).collect::<Vec<_>>()
    };
    numbers.par_chunks_exact(width).flat_map_iter(unit).collect()
}

/// The products of each query with each row, in float32. Each is added up in the same order
/// whatever the others are: the crate's loops over rows and columns are outside of that over a
/// row's numbers.
fn products(queries: &[f32], rows: &[f32], width: usize) -> Array2<f32> {
    let matrix = |numbers| {
        ArrayView2::from_shape((<[f32]>::len(numbers) / width, width), numbers)
            .expect("rows are whole")
    };
    let (queries, rows) = (matrix(queries), matrix(rows));
    // With `dot` a query's products may lie apart.
    let mut products = Array2::zeros((queries.nrows(), rows.nrows()));
    general_mat_mul(1.0, &queries, &rows.t(), 0.0, &mut products);
    // No -0, which would stand behind 0.
    products.mapv_inplace(|score| score + 0.0);
    products
}
