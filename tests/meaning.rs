//! What vectors are for: what belongs together is near. With the model inside the
//! program, on every device.

use e2e::{devices_here, options};
use qwen3_engine::{Embedder, EncodeOptions, Prompt, Similarity};
use std::path::Path;

const QUERIES: [&str; 2] = ["What is the capital of China?", "Explain gravity"];
const DOCUMENTS: [&str; 2] = [
    "The capital of China is Beijing.",
    "Gravity is a force that attracts two bodies towards each other. It gives weight to physical \
     objects and is responsible for the movement of planets around the sun.",
];
/// Right pairs of the two above are at least so much nearer than wrong ones.
const MARGIN: f64 = 0.3;

fn mini(device: &str) -> Embedder {
    Embedder::load("mini", &options(device, "auto")).unwrap()
}

/// Similarities of queries with documents.
fn similarities(model: &Embedder, queries: &[&str], documents: &[&str]) -> Vec<Vec<f64>> {
    let options = EncodeOptions::default();
    let queries = model.encode_query(queries, &options).unwrap();
    let documents = model.encode_document(documents, &options).unwrap();
    model.similarity(&queries, &documents).unwrap()
}

/// The index of the largest.
fn best(row: &[f64]) -> usize {
    (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap()
}

#[test]
fn right_pairs_are_clearly_nearer_than_wrong_ones_on_every_device() {
    for device in devices_here() {
        let [[a, b], [c, d]] = similarities(&mini(device), &QUERIES, &DOCUMENTS)
            .into_iter()
            .map(|row| <[f64; 2]>::try_from(row).unwrap())
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let (right, wrong) = (a.min(d), b.max(c));
        assert!(right >= wrong + MARGIN, "{device}: {a:.4} {b:.4} / {c:.4} {d:.4}");
    }
}

#[test]
fn dimensions_keep_the_order() {
    let model = mini("cpu");
    for dimensions in [256, 128, 64] {
        let options = EncodeOptions::default().dimensions(dimensions);
        let queries = model.encode_query(QUERIES, &options).unwrap();
        let documents = model.encode_document(DOCUMENTS, &options).unwrap();
        let rows = model.similarity(&queries, &documents).unwrap();
        assert_eq!([best(&rows[0]), best(&rows[1])], [0, 1], "{dimensions}: {rows:?}");
    }
}

#[test]
fn duplicates_score_one_and_nothing_scores_more() {
    let texts =
        ["Apples fall.", "Apples fall.", "The train to Oslo leaves at nine.", "apples fall"];
    let embeddings = mini("cpu").encode(texts, &EncodeOptions::default()).unwrap();
    let rows = Similarity::Cosine.matrix(&embeddings, &embeddings).unwrap();
    assert!((rows[0][1] - 1.0).abs() < 1e-6, "{rows:?}");
    assert!(rows[0][3] > rows[0][2], "{rows:?}");
    assert!(rows.iter().flatten().all(|&cosine| cosine <= 1.0 + 1e-6), "{rows:?}");
}

#[test]
fn an_instruction_changes_the_order() {
    let model = mini("cpu");
    let documents = ["Chemistry: the rusting of iron", "Music: a band called Iron Maiden"];
    let nearest = |task: &str| {
        let options = EncodeOptions::default().prompt(Prompt::Instruction(task.to_owned()));
        let query = model.encode(["iron"], &options).unwrap();
        let documents = model.encode_document(documents, &EncodeOptions::default()).unwrap();
        best(&model.similarity(&query, &documents).unwrap()[0])
    };
    assert_eq!(nearest("Find texts about chemical reactions"), 0);
    assert_eq!(nearest("Find texts about rock music and bands"), 1);
}

/// Questions that have few words in common with the text of `examples/texts` that answers them.
const QUESTIONS: [(&str, &str); 12] = [
    ("autumn", "Why do trees lose their green colour?"),
    ("batteries", "How is a phone charged?"),
    ("bees", "How do insects tell each other where food is?"),
    ("bread", "What makes a loaf light and full of holes?"),
    ("chess", "Which board game was won by a machine?"),
    ("coffee", "What drink helps against sleepiness?"),
    ("glaciers", "How does frozen water shape mountains?"),
    ("heart", "Which organ pumps blood?"),
    ("lighthouses", "How are sailors warned of the shore at night?"),
    ("printing", "Who invented the press for books?"),
    ("tides", "Why does the sea level rise and fall every day?"),
    ("volcanoes", "Where does lava come from?"),
];

#[test]
fn questions_find_the_texts_of_the_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/texts");
    let read = |name| std::fs::read_to_string(folder.join(name).with_extension("txt")).unwrap();
    let texts = QUESTIONS.map(|(name, _)| read(name));
    let texts = texts.each_ref().map(String::as_str);
    let questions = QUESTIONS.map(|(_, question)| question);
    let rows = similarities(&mini("cpu"), &questions, &texts);
    let wrong: Vec<_> = (0..rows.len())
        .filter(|&index| best(&rows[index]) != index)
        .map(|index| (questions[index], QUESTIONS[best(&rows[index])].0))
        .collect();
    assert!(wrong.len() <= 2, "{wrong:?}");
    assert_eq!(best(&rows[0]), 0, "the question of examples/semantic_search.rs");
}
