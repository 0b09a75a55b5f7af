//! Queries and the documents that they are to find.

use super::evaluation::{Evaluation, Role, Rows, Sample};
use super::kind::TaskType;
use crate::{
    Documents, Error, Groups, NamedScores, Qrels, Run, Search, Text, instruction_retrieval, p_mrr,
    rescore, retrieval, run_of,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

/// What `trec_eval` looks at, as mteb calls it.
const K: usize = 1_000;
/// Documents that are embedded and compared at one time: this bounds the memory.
const CHUNK_DOCUMENTS: usize = 4_096;
const CHUNK_BYTES: usize = 16 << 20;
/// Queries with candidates of their own that are computed at one time.
const CHUNK_QUERIES: usize = 64;

/// Retrieval, reranking or instruction retrieval.
#[derive(Clone, Debug)]
pub struct Ranking {
    pub(super) task: TaskType,
    /// The queries that have a judgement.
    pub queries: Vec<Text>,
    /// The judgements.
    pub qrels: Qrels,
    /// The name of the score that counts.
    pub(super) main_score: String,
    /// What is to be known of the scores.
    pub(super) notes: Vec<String>,
    pub(super) corpus: Corpus,
    /// The documents that a changed instruction excludes, by query.
    pub(super) changed: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
pub(super) enum Corpus {
    /// Every query looks among all documents of the file.
    File { path: PathBuf, ids: Vec<String> },
    /// Each query looks among its own candidates, positions of documents.
    Candidates { documents: Vec<Text>, of: Vec<Vec<usize>> },
}

impl Ranking {
    /// `left_out` rows had no documents of one kind.
    pub(super) fn of_groups(groups: Groups, left_out: usize) -> Self {
        let Groups { queries, documents, candidates, qrels } = groups;
        let mut notes = vec![];
        if left_out > 0 {
            let all = queries.len() + left_out;
            notes.push(format!(
                "{left_out} of {all} rows have no positive or no negative documents and are left out, as by mteb"
            ));
        }
        let corpus = Corpus::Candidates { documents, of: candidates };
        let (task, changed) = (TaskType::Reranking, BTreeMap::new());
        let main_score = task.main_score().to_owned();
        Self { task, queries, qrels, main_score, notes, corpus, changed }
    }

    /// How many documents there are.
    pub fn documents(&self) -> usize {
        match &self.corpus {
            Corpus::File { ids, .. } => ids.len(),
            Corpus::Candidates { documents, .. } => documents.len(),
        }
    }

    /// The ids of the documents.
    pub fn document_ids(&self) -> Vec<&str> {
        match &self.corpus {
            Corpus::File { ids, .. } => ids.iter().map(String::as_str).collect(),
            Corpus::Candidates { documents, .. } => {
                documents.iter().map(|document| document.id.as_str()).collect()
            }
        }
    }

    /// Finds the documents of each query by their vectors.
    ///
    /// # Errors
    /// Those of `embed`, and if what it gives are no vectors of one width, or the file of documents
    /// has changed.
    pub fn run<E: From<Error>>(
        &self,
        mut embed: impl FnMut(Role, &[String]) -> Result<Rows, E>,
    ) -> Result<Run, E> {
        let ids: Vec<String> = self.queries.iter().map(|query| query.id.clone()).collect();
        match &self.corpus {
            Corpus::File { path, ids: document_ids } => {
                let queries = texts(&self.queries);
                let mut search = Search::new(&embed(Role::Query, &queries)?.of(&queries)?, K)?;
                let mut documents = Documents::open(path)?;
                loop {
                    let chunk = chunk(&mut documents)?;
                    if chunk.is_empty() {
                        break;
                    }
                    search.add(&embed(Role::Document, &chunk)?.of(&chunk)?)?;
                }
                Ok(run_of(&search.finish(), &ids, document_ids)?)
            }
            Corpus::Candidates { documents, of } => {
                let mut found = vec![];
                for (queries, of) in
                    self.queries.chunks(CHUNK_QUERIES).zip(of.chunks(CHUNK_QUERIES))
                {
                    found.extend(among_candidates((queries, of), documents, &mut embed)?);
                }
                let document_ids: Vec<String> =
                    documents.iter().map(|document| document.id.clone()).collect();
                Ok(run_of(&found, &ids, &document_ids)?)
            }
        }
    }

    /// The texts of some documents, by their ids.
    ///
    /// # Errors
    /// If the file of documents can't be read, or lacks one of them.
    pub fn document_texts(&self, wanted: &HashSet<&str>) -> Result<HashMap<String, String>, Error> {
        let mut found = HashMap::new();
        let mut keep = |document: Text| {
            if wanted.contains(document.id.as_str()) {
                found.insert(document.id, document.text);
            }
        };
        match &self.corpus {
            Corpus::File { path, .. } => {
                for document in Documents::open(path)? {
                    keep(document?);
                }
            }
            Corpus::Candidates { documents, .. } => documents.iter().cloned().for_each(keep),
        }
        match wanted.iter().find(|id| !found.contains_key(**id)) {
            Some(id) => Err(Error::UnknownId {
                place: "the run".to_owned(),
                id: (*id).to_owned(),
                among: "the corpus".to_owned(),
            }),
            None => Ok(found),
        }
    }

    /// The scores of a run.
    ///
    /// # Errors
    /// If nothing in it is judged, or it lacks a query whose instruction was changed.
    pub fn evaluate(&self, run: &Run) -> Result<Evaluation, Error> {
        let main_score = self.main_score.as_str();
        let (scores, units) = if self.task == TaskType::InstructionRetrieval {
            let scores = instruction_retrieval(&self.qrels, run, &self.changed)?;
            let units = match main_score {
                "p-MRR" => self.changes(run)?,
                name => of_queries(&scores.all, name),
            };
            (NamedScores::from(&scores), units)
        } else {
            let scores = retrieval(&self.qrels, run)?;
            (NamedScores::from(&scores), of_queries(&scores, main_score))
        };
        let sample = match units.is_empty() {
            true => Sample::Whole,
            false => Sample::Units { what: "query", scores: units },
        };
        let missing = self.qrels.queries().filter(|(query, _)| run.of(query).is_none());
        let missing = missing.map(|(query, _)| query.to_owned()).collect();
        Ok(Evaluation { scores, main_score: main_score.to_owned(), sample, missing })
    }

    /// p-MRR query by query.
    fn changes(&self, run: &Run) -> Result<Vec<(String, f64)>, Error> {
        let lists = self.changed.iter().filter(|(_, list)| !list.is_empty());
        let change = |(query, list): (&String, &Vec<String>)| {
            let one = BTreeMap::from([(query.clone(), list.clone())]);
            Ok((query.clone(), p_mrr(run, run, &one)?))
        };
        lists.map(change).collect()
    }
}

fn of_queries(scores: &crate::RetrievalScores, name: &str) -> Vec<(String, f64)> {
    let of = scores.queries.iter();
    of.filter_map(|(query, scores)| Some((query.clone(), scores.get(name)?))).collect()
}

fn texts(of: &[Text]) -> Vec<String> {
    of.iter().map(|text| text.text.clone()).collect()
}

/// The texts of the next documents.
fn chunk(documents: &mut Documents) -> Result<Vec<String>, Error> {
    let (mut texts, mut bytes) = (vec![], 0);
    while texts.len() < CHUNK_DOCUMENTS && bytes < CHUNK_BYTES {
        let Some(document) = documents.next() else { break };
        let text = document?.text;
        bytes += text.len();
        texts.push(text);
    }
    Ok(texts)
}

type Found = Vec<Vec<crate::Neighbour>>;

/// Scores the candidates of some queries; what is returned are positions among all documents.
fn among_candidates<E: From<Error>>(
    (queries, of): (&[Text], &[Vec<usize>]),
    documents: &[Text],
    embed: &mut impl FnMut(Role, &[String]) -> Result<Rows, E>,
) -> Result<Found, E> {
    let mut used: Vec<usize> = of.iter().flatten().copied().collect();
    used.sort_unstable();
    used.dedup();
    if used.is_empty() {
        return Ok(vec![vec![]; queries.len()]);
    }
    let query_texts = texts(queries);
    let query_rows = embed(Role::Query, &query_texts)?;
    let document_texts: Vec<String> = used.iter().map(|&at| documents[at].text.clone()).collect();
    let rows = embed(Role::Document, &document_texts)?;
    let inside = |at: &usize| used.partition_point(|used| used < at);
    let candidates: Vec<Vec<usize>> =
        of.iter().map(|list| list.iter().map(inside).collect()).collect();
    let mut found =
        rescore(&query_rows.of(&query_texts)?, &rows.of(&document_texts)?, &candidates)?;
    found.iter_mut().flatten().for_each(|found| found.document = used[found.document]);
    Ok(found)
}
