//! What must not change a score, and what must.

use proptest::prelude::*;
use qwen3_eval::{
    Hit, Neighbour, Qrels, Run, Search, Vectors, nearest, pair_measures, rescore, retrieval,
    spearman, sts,
};

const WIDTH: usize = 5;

/// Small whole numbers, so that many similarities tie.
fn numbers(rows: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec((-3_i8..4).prop_map(f32::from), rows * WIDTH)
}

fn hits(documents: &[(u8, i8)]) -> Vec<Hit> {
    let mut seen = std::collections::BTreeMap::new();
    documents.iter().for_each(|(document, score)| {
        seen.insert(*document, *score);
    });
    let hit = |(document, score): (u8, i8)| Hit {
        document: format!("d{document}"),
        score: f32::from(score) / 4.0,
    };
    seen.into_iter().map(hit).collect()
}

/// The width of a long vector.
const LONG: usize = 700;

proptest! {
    #[test]
    fn chunks_do_not_change_what_is_found(
        queries in numbers(3),
        documents in numbers(40),
        chunk in 1_usize..41,
        k in 1_usize..50,
    ) {
        let queries = Vectors::new(&queries, WIDTH).unwrap();
        let all = Vectors::new(&documents, WIDTH).unwrap();
        let mut search = Search::new(&queries, k).unwrap();
        for part in documents.chunks(chunk * WIDTH) {
            search.add(&Vectors::new(part, WIDTH).unwrap()).unwrap();
        }
        prop_assert_eq!(search.documents(), 40);
        let found = search.finish();
        prop_assert_eq!(&found, &nearest(&queries, &all, k).unwrap());
        // All documents, sorted by what says which is better, begin with the k best.
        let sorted = nearest(&queries, &all, 40).unwrap();
        for (found, sorted) in found.iter().zip(sorted) {
            let mut again = sorted.clone();
            again.sort_by(|a: &Neighbour, b| {
                b.score.total_cmp(&a.score).then(a.document.cmp(&b.document))
            });
            prop_assert_eq!(&again, &sorted);
            prop_assert_eq!(found, &sorted[..k.min(40)]);
        }
    }

    /// Rows longer than what a product keeps in the cache, and counts that its tiles don't divide.
    #[test]
    fn a_score_is_the_same_whatever_else_is_searched(
        documents in prop::collection::vec(-8.0_f32..8.0, 19 * LONG),
        queries in prop::collection::vec(-8.0_f32..8.0, 11 * LONG),
        chunk in 1_usize..19,
        few in 1_usize..11,
    ) {
        let found = |queries: &[f32], chunk: usize| {
            let mut search = Search::new(&Vectors::new(queries, LONG).unwrap(), 19).unwrap();
            for part in documents.chunks(chunk * LONG) {
                search.add(&Vectors::new(part, LONG).unwrap()).unwrap();
            }
            search.finish()
        };
        let all = found(&queries, 19);
        prop_assert_eq!(&found(&queries, chunk), &all);
        prop_assert_eq!(&found(&queries[..few * LONG], chunk)[..], &all[..few]);
        let (queries, documents) =
            (Vectors::new(&queries, LONG).unwrap(), Vectors::new(&documents, LONG).unwrap());
        let rescored = rescore(&queries, &documents, &vec![(0..19).collect(); 11]).unwrap();
        prop_assert_eq!(&rescored, &all);
    }

    #[test]
    fn vectors_of_one_number_are_searched_too(
        queries in prop::collection::vec(-3.0_f32..3.0, 1..9),
        documents in prop::collection::vec(-3.0_f32..3.0, 1..9),
    ) {
        let all = Vectors::new(&documents, 1).unwrap();
        let found = nearest(&Vectors::new(&queries, 1).unwrap(), &all, 9).unwrap();
        for (query, found) in queries.iter().zip(found) {
            prop_assert_eq!(found.len(), documents.len());
            for Neighbour { score, document } in found {
                let sign = |x: f32| if x == 0.0 { 0.0 } else { x.signum() };
                let cosine = sign(*query) * sign(documents[document]);
                prop_assert!((score - cosine).abs() < 1e-6, "{} {}", score, cosine);
            }
        }
    }

    #[test]
    fn scores_of_a_search_are_cosines(queries in numbers(2), documents in numbers(9)) {
        let (queries, documents) =
            (Vectors::new(&queries, WIDTH).unwrap(), Vectors::new(&documents, WIDTH).unwrap());
        let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
        for (query, found) in queries.rows().zip(nearest(&queries, &documents, 9).unwrap()) {
            for Neighbour { score, document } in found {
                let row = documents.row(document);
                let dot: f32 = query.iter().zip(row).map(|(x, y)| x * y).sum();
                let lengths = length(query) * length(row);
                let cosine = if lengths > 0.0 { dot / lengths } else { 0.0 };
                prop_assert!((score - cosine).abs() < 1e-6, "{} {}", score, cosine);
            }
        }
    }

    #[test]
    fn the_order_of_hits_and_a_scale_do_not_change_retrieval(
        documents in prop::collection::vec((0_u8..30, -8_i8..8), 1..40),
        judged in prop::collection::vec((0_u8..30, 0_i64..3), 1..10),
        scale in 0_u8..3,
    ) {
        let mut qrels = Qrels::default();
        for (document, relevance) in judged {
            let _ = qrels.insert("q", &format!("d{document}"), relevance); // The first counts.
        }
        let measure = |hits| {
            let mut run = Run::default();
            run.insert("q", hits).unwrap();
            retrieval(&qrels, &run).unwrap().queries
        };
        let hits = hits(&documents);
        let mut others = hits.clone();
        others.reverse();
        others.iter_mut().for_each(|hit| hit.score *= f32::from(1_u8 << scale));
        let scores = measure(hits);
        prop_assert_eq!(&scores, &measure(others));
        let query = &scores["q"];
        let within = |x: &f64| (0.0..=1.0).contains(x);
        for measures in [query.ndcg, query.map, query.recall, query.precision, query.mrr, query.hole] {
            prop_assert!(measures.iter().all(within), "{:?}", measures);
        }
        let rises = |measures: [f64; 7]| measures.is_sorted();
        prop_assert!(rises(query.recall) && rises(query.map) && rises(query.mrr));
    }

    #[test]
    fn a_rising_function_changes_no_rank_and_no_threshold_measure(
        scores in prop::collection::vec(-6_i32..6, 3..30),
        gold in prop::collection::vec(0_i64..2, 30),
    ) {
        let gold = &gold[..scores.len()];
        let plain: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
        let risen: Vec<f64> = plain.iter().map(|score| score.powi(3) * 7.0 + 1.0).collect();
        let of_gold: Vec<f64> = gold.iter().map(|label| *label as f64).collect();
        if let (Ok(before), Ok(after)) = (spearman(&of_gold, &plain), spearman(&of_gold, &risen)) {
            prop_assert!((before - after).abs() < 1e-12);
        }
        if let (Ok(before), Ok(after)) = (pair_measures(&plain, gold), pair_measures(&risen, gold)) {
            prop_assert_eq!((before.ap, before.f1, before.accuracy), (after.ap, after.f1, after.accuracy));
        }
    }

    #[test]
    fn the_order_of_pairs_does_not_change_measures(
        rows in prop::collection::vec((-4_i32..4, 0_i64..2), 2..40),
        by in 1_usize..40,
    ) {
        let measure = |rows: &[(i32, i64)]| {
            let (scores, labels): (Vec<f64>, Vec<i64>) =
                rows.iter().map(|(score, label)| (f64::from(*score), *label)).unzip();
            pair_measures(&scores, &labels)
        };
        let mut turned = rows.clone();
        turned.rotate_left(by % rows.len());
        match (measure(&rows), measure(&turned)) {
            (Ok(before), Ok(after)) => prop_assert_eq!(before, after),
            (before, after) => prop_assert!(before.is_err() && after.is_err()),
        }
    }

    #[test]
    fn longer_vectors_have_the_same_cosine(left in numbers(6), right in numbers(6)) {
        let gold = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let longer: Vec<f32> = left.iter().map(|x| x * 4.0).collect();
        let rows = |numbers| Vectors::new(numbers, WIDTH).unwrap();
        let before = sts(&rows(&left), &rows(&right), &gold);
        if let (Ok(before), Ok(after)) = (before, sts(&rows(&longer), &rows(&right), &gold)) {
            prop_assert_eq!(before.cosine_spearman, after.cosine_spearman);
            prop_assert_eq!(before.cosine_pearson, after.cosine_pearson);
        }
    }
}
