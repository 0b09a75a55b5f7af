//! Files in and out, and what is wrong with some.

use crate::support::{fixture, scores};
use proptest::prelude::*;
use qwen3_eval::{
    Beir, Documents, Error, Label, LabelIds, NamedScores, RetrievalScores, Table, Task, Text,
    merged_results, read_qrels, read_run, reranking_groups, retrieval, task_result, write_result,
    write_run,
};
use serde_json::json;
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const CORPUS: &str = "{\"_id\":\"d1\",\"title\":\"Rivers\",\"text\":\"The Nile.\"}\n{\"_id\":7,\"text\":\" Alone \"}\n";
const QUERIES: &str = "{\"_id\":\"q1\",\"text\":\" river?\",\"instruction\":\"In Africa.\"}\n{\"_id\":\"q2\",\"text\":\"never asked\"}\n";
const QRELS: &str = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\t7\t0\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("qrels")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = folder(&[("file", text)]);
    let path = folder.path().join("file");
    (folder, path)
}

fn beir(corpus: &str, queries: &str, qrels: &str) -> Result<Beir, Error> {
    let files = [("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels/test.tsv", qrels)];
    let beir = Beir::open(folder(&files).path(), "test")?;
    Ok(beir)
}

#[test]
fn a_beir_folder_is_read_as_mteb_reads_it() {
    let files = [("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES), ("qrels/test.tsv", QRELS)];
    let folder = folder(&files);
    let beir = Beir::open(folder.path(), "test").unwrap();
    assert_eq!(beir.queries.iter().map(|query| query.id.as_str()).collect::<Vec<_>>(), ["q1"]);
    assert_eq!(beir.queries[0].text, " river? In Africa.");
    let documents: Vec<_> = beir.documents().unwrap().map(Result::unwrap).collect();
    assert_eq!(documents[0].text, "Rivers The Nile.");
    assert_eq!((documents[1].id.as_str(), documents[1].text.as_str()), ("7", "Alone"));
    assert_eq!(beir.qrels.of("q1").unwrap()["7"], 0);
    let mut ids: HashSet<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    beir.check_judged(&ids).unwrap();
    ids.remove("7");
    let told = beir.check_judged(&ids).unwrap_err().to_string();
    assert!(told.contains("qrels/test.tsv` names `7`, which `"), "{told}");
}

#[test]
fn bad_retrieval_data_says_what_is_wrong() {
    let wrong = |corpus: &str, queries: &str, qrels: &str| {
        beir(corpus, queries, qrels).unwrap_err().to_string()
    };
    let unknown = wrong(CORPUS, QUERIES, "q9\td1\t1\n");
    assert!(
        unknown.contains("names `q9`, which `") && unknown.contains("queries.jsonl"),
        "{unknown}"
    );
    let empty = wrong(CORPUS, QUERIES, "query-id\tcorpus-id\tscore\n");
    assert!(empty.contains("test.tsv` has no row"), "{empty}");
    let word = wrong(CORPUS, QUERIES, "q1\td1\t1\nq1\t7\tgood\n");
    assert!(word.starts_with("line 2 of") && word.contains("a whole number"), "{word}");
    for number in ["1.5", "NaN", "1e3"] {
        let first = wrong(CORPUS, QUERIES, &format!("q1\td1\t{number}\nq1\t7\t1\n"));
        assert!(first.starts_with("line 1 of") && first.contains("a whole number"), "{first}");
    }
    let twice = wrong(CORPUS, QUERIES, "q1\td1\t1\nq1\td1\t0\n");
    assert!(twice.contains("has the id `d1` again"), "{twice}");
    let same_query = wrong(CORPUS, &QUERIES.replace("q2", "q1"), QRELS);
    assert!(same_query.starts_with("line 2 of"), "{same_query}");
    let no_text = wrong(CORPUS, "{\"_id\":\"q1\"}\n", QRELS);
    assert!(no_text.ends_with("has no text in the column `text`"), "{no_text}");
    let (_folder, path) = file("{\"_id\":\"d1\",\"text\":\"\"}\nno JSON\n");
    let mut documents = qwen3_eval::Documents::open(&path).unwrap();
    assert!(documents.next().unwrap().is_ok());
    assert!(matches!(documents.next().unwrap(), Err(Error::Json { line: 2, .. })));
    assert!(matches!(read_qrels(&path.with_extension("gone")), Err(Error::Read { .. })));
    assert!(matches!(read_qrels(path.parent().unwrap()), Err(Error::Read { .. })));
}

#[test]
fn names_of_columns_say_where_judgements_stand() {
    let read = |text: &str| {
        let (_folder, path) = file(text);
        read_qrels(&path).map_err(|error| error.to_string())
    };
    let expected = read("1\t2\t3\n4\t5\t0\n").unwrap();
    for same in [
        "q\td\tr\n1\t2\t3\n4\t5\t0\n",
        "\u{feff}query-id\tcorpus-id\tscore\r\n1\t2\t3\r\n4\t5\t0\r\n",
        "corpus-id\tquery-id\tscore\n2\t1\t3\n5\t4\t0\n",
        "score\tnote\tquery-id\tcorpus-id\n3\tgood\t1\t2\n0\t\t4\t5\n",
    ] {
        assert_eq!(read(same).as_ref(), Ok(&expected), "{same}");
    }
    for (wrong, line) in [
        ("corpus-id\tquery-id\tscore\n2\t1\n", 2),
        ("corpus-id\tquery-id\tscore\n2\t1\t3\t4\n", 2),
        ("query-id\tcorpus-id\n1\t2\n", 1),
        ("1\t0\t2\t3\n", 1),
        ("1\t2\n", 1),
        ("q\td\tr\nq\td\tr\n", 2),
    ] {
        let told = read(wrong).unwrap_err();
        assert!(told.starts_with(&format!("line {line} of")), "{wrong}: {told}");
    }
}

#[test]
fn a_run_file_is_read_back_as_it_was() {
    let (_folder, path) = file("q1 Q0 d1 1 0.30000001 x\nq1 Q0 d2 2 1e3 x\n\nq0 Q0 d1 1 -0.5 x\n");
    let run = read_run(&path).unwrap();
    let order =
        |hits: &[qwen3_eval::Hit]| hits.iter().map(|hit| hit.document.clone()).collect::<Vec<_>>();
    assert_eq!(order(run.of("q1").unwrap()), ["d2", "d1"]);
    let write = |tag: &str| write_run(fs::File::create(&path).unwrap(), &path, &run, tag);
    write("ours").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().next(), Some("q0 Q0 d1 1 -0.5 ours"));
    assert_eq!(read_run(&path).unwrap(), run);
    assert!(matches!(write("two words"), Err(Error::TrecId { .. })));
    let no_file = fs::File::open(&path).unwrap();
    let told = write_run(no_file, "results.trec".as_ref(), &run, "ours").unwrap_err().to_string();
    assert_eq!(told, "can't write `results.trec`");
    for bad in ["q1 d1 1 0.5 x", "q1 Q0 d1 1 high x", ""] {
        fs::write(&path, bad).unwrap();
        assert!(
            matches!(read_run(&path), Err(Error::Fields { .. } | Error::Empty { .. })),
            "{bad}"
        );
    }
    fs::write(&path, "q1 Q0 d1 1 NaN x").unwrap();
    let told = read_run(&path).unwrap_err().to_string();
    assert!(told.contains("file`: the score of `d1` for the query `q1` is NaN"), "{told}");
}

#[test]
fn columns_are_read_by_their_names() {
    let (_folder, path) = file(
        "{\"a\":\"x\",\"score\":1.5,\"label\":\"no\",\"tags\":[\"b\",\"a\"]}\n{\"a\":\"y\",\"score\":2,\"label\":\"go\",\"tags\":\"c\"}\n",
    );
    let table = Table::read(&path).unwrap();
    assert_eq!((table.len(), table.has("score"), table.has("text")), (2, true, false));
    assert_eq!(table.texts("a").unwrap(), ["x", "y"]);
    assert_eq!(table.numbers("score").unwrap(), [1.5, 2.0]);
    let labels = table.labels("label").unwrap();
    let ids = LabelIds::new(&labels).unwrap();
    assert_eq!(ids.ids(&labels).unwrap(), [1, 0]);
    assert!(matches!(ids.ids(&[Label::Number(1)]), Err(Error::UnknownId { .. })));
    assert_eq!(table.label_lists("tags").unwrap()[1], [Label::Name("c".to_owned())]);
    let missing = table.numbers("gold").unwrap_err().to_string();
    assert!(
        missing.starts_with("line 1 of") && missing.ends_with("no number in the column `gold`")
    );
    assert!(matches!(table.text_lists("tags"), Err(Error::Column { line: 2, .. })));
    let mixed = [Label::Number(1), Label::Name("one".to_owned())];
    assert!(matches!(LabelIds::new(&mixed), Err(Error::MixedLabels)));
    fs::write(&path, [0xff, b'\n']).unwrap();
    assert!(matches!(Table::read(&path), Err(Error::Utf8 { line: 1, .. })));
}

#[test]
fn groups_have_the_ids_of_mteb() {
    let (_folder, path) = file(
        "{\"query\":\"none\",\"positive\":[],\"negative\":[\"x\"]}\n{\"query\":\"q\",\"positive\":[\"a\"],\"negative\":[\"b\",\"c \"]}\n",
    );
    let groups = reranking_groups(&Table::read(&path).unwrap(), "test").unwrap();
    let ids = |texts: &[Text]| texts.iter().map(|text| text.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&groups.queries), ["test_query0"]);
    let documents =
        ["apositive_test_query0_00000", "negative_test_query0_00000", "negative_test_query0_00001"];
    assert_eq!(ids(&groups.documents), documents);
    assert_eq!(
        (groups.documents[2].text.as_str(), &groups.candidates[0][..]),
        ("c", &[0, 1, 2][..])
    );
    assert_eq!(groups.qrels.of("test_query0").unwrap()["apositive_test_query0_00000"], 1);
    fs::write(&path, "{\"query\":\"q\",\"positive\":[],\"negative\":[]}\n").unwrap();
    let nothing = reranking_groups(&Table::read(&path).unwrap(), "test");
    let told = nothing.unwrap_err().to_string();
    assert!(told.contains("file`: there are 0 `queries with positive and negative"), "{told}");
}

proptest! {
    #[test]
    fn any_bytes_give_data_or_an_error(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[q{}\"\\[\\]:,_id text\t\n0-9.-]{0,200}".prop_map(String::into_bytes),
            "(q[0-9]\t(d[0-9]|)\t-?[0-9.e]{1,20}\n){1,5}".prop_map(String::into_bytes),
            "(q[0-9] Q0 d[0-9] 1 (-?[0-9.]{1,9}|NaN|inf) x\n){1,5}".prop_map(String::into_bytes),
        ],
    ) {
        let (_folder, path) = file("");
        fs::write(&path, bytes).unwrap();
        let _ = read_qrels(&path);
        if let Ok(run) = read_run(&path) {
            write_run(fs::File::create(&path).unwrap(), &path, &run, "again").unwrap();
            prop_assert_eq!(read_run(&path).unwrap(), run);
        }
        let _ = Table::read(&path).map(|table| reranking_groups(&table, "test"));
        for row in Documents::open(&path).unwrap().take(10) {
            let _ = row;
        }
    }
}

#[test]
fn a_result_has_the_form_of_mtebs() {
    let theirs = fixture("retrieval")["result"].clone();
    let (judged, found) =
        (&fixture("runs")["cases"][0]["qrels"], &fixture("runs")["cases"][0]["run"]);
    let ours: RetrievalScores =
        retrieval(&crate::support::qrels(judged), &crate::support::run(found).unwrap()).unwrap();
    let task = |main_score: &str| Task {
        name: "LocalRetrieval".to_owned(),
        dataset_revision: "1".to_owned(),
        main_score: main_score.to_owned(),
        split: "test".to_owned(),
        languages: vec!["eng-Latn".to_owned()],
    };
    let named = NamedScores::from(&ours);
    let result = task_result(&task("ndcg_at_10"), &named, 1.5).unwrap();
    let keys = |of: &serde_json::Value| {
        let mut keys: Vec<String> = of.as_object().unwrap().keys().cloned().collect();
        keys.retain(|key| key != "evaluation_time"); // Left out of the fixture: it changes.
        keys.sort();
        keys
    };
    assert_eq!(keys(&result), keys(&theirs));
    assert_eq!(keys(scores(&result)), keys(scores(&theirs)));
    assert_eq!(scores(&result)["main_score"], named.get("ndcg_at_10").unwrap());
    let (_folder, path) = file("");
    write_result(&path, &result).unwrap();
    // serde_json reads some numbers off by the last bit, so names are compared.
    let read: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(keys(scores(&read)), keys(scores(&theirs)));
    let unknown = task_result(&task("ndcg_at_11"), &named, 1.5).unwrap_err().to_string();
    assert!(unknown.starts_with("`main_score` is ndcg_at_11, but"), "{unknown}");
}

#[test]
fn splits_are_merged_as_by_mteb() {
    let run = crate::support::run(&json!({"q": {"d": 1.0}})).unwrap();
    let scores = retrieval(&crate::support::qrels(&json!({"q": {"d": 1}})), &run).unwrap();
    let result = |name: &str, split: &str, seconds: f64| {
        let task = Task {
            name: name.to_owned(),
            dataset_revision: "1".to_owned(),
            main_score: "ndcg_at_10".to_owned(),
            split: split.to_owned(),
            languages: vec![],
        };
        task_result(&task, &NamedScores::from(&scores), seconds).unwrap()
    };
    let test = result("Mine", "test", 1.5);
    let both = merged_results(&test, result("Mine", "dev", 2.0)).unwrap();
    assert_eq!(both["scores"]["test"], test["scores"]["test"]);
    assert_eq!(
        (both["scores"]["dev"][0].is_object(), &both["evaluation_time"]),
        (true, &json!(3.5))
    );
    let again = result("Mine", "test", 9.0);
    assert_eq!(merged_results(&test, again.clone()), Some(again));
    assert_eq!(merged_results(&test, result("Other", "dev", 2.0)), None);
}
