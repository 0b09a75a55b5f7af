//! The worst bodies for each route. A new route needs a line in [`worst_bodies`].

use serde_json::{Value, json};

/// What the server takes here.
pub const PAYLOAD_BYTES: usize = 320_000;
const TEXTS: usize = 2048;

type Bodies = Vec<(String, String)>;

/// What can be asked of a route that is large, in little.
///
/// # Panics
/// If nobody has thought about the route.
pub fn worst_bodies(path: &str) -> Bodies {
    let mut bodies = match path {
        "/embed" | "/embed_all" | "/embed_sparse" | "/" | "/invocations" => texts("inputs"),
        "/v1/embeddings" | "/embeddings" | "/pooling" | "/api/embed" => texts("input"),
        "/embedding" => texts("content"),
        "/api/embeddings" => one_text("prompt"),
        "/similarity" => sentences(),
        "/rerank" => documents("texts"),
        "/v1/rerank" | "/v2/rerank" | "/reranking" | "/v1/reranking" => documents("documents"),
        "/score" | "/v1/score" => pairs_of_lists(),
        "/predict" => pairs(),
        "/tokenize" => tokenized(),
        "/decode" => decoded(),
        "/vertex" => instances(),
        new => panic!("what is the worst request to `{new}`? add it to the table"),
    };
    bodies.extend(junk());
    bodies
}

fn body(name: &str, value: Value) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// As much of `unit` as fits beside many small texts.
fn much(unit: &str) -> String {
    unit.repeat((PAYLOAD_BYTES - 40_000) / unit.len())
}

/// Texts that take long, or much memory, alone.
fn long_texts() -> [(&'static str, String); 4] {
    [
        ("unbroken", much("a")),
        ("just not unbroken", much(&("a".repeat(262_000) + " "))),
        ("words", much("a ")),
        ("white space", much(" ")),
    ]
}

fn one_text(field: &str) -> Bodies {
    let mut bodies = vec![];
    for (name, text) in long_texts() {
        bodies.push(body(name, json!({ field: text, "truncate": true })));
        bodies.push(body(&format!("{name}, not cut"), json!({ field: text, "truncate": false })));
        let left = json!({ field: text, "truncate": true, "truncate_side": "left" });
        bodies.push(body(&format!("{name}, from the left"), left));
        let instruction = json!({ field: "a", "instruction": text });
        bodies.push(body(&format!("instruction of {name}"), instruction));
    }
    bodies
}

fn texts(field: &str) -> Bodies {
    let mut bodies = one_text(field);
    for (name, text) in long_texts() {
        let different: Vec<String> = (0..TEXTS).map(|i| i.to_string()).collect();
        for (few, texts) in [("equal", vec!["x".to_owned(); TEXTS]), ("different", different)] {
            let many = json!({ field: texts, "instruction": text });
            bodies.push(body(&format!("{few} texts, instruction of {name}"), many));
        }
    }
    bodies.push(body("equal texts", json!({ field: vec!["a ".repeat(60); TEXTS] })));
    bodies.push(body("ids", json!({ field: vec![0; 30_000] })));
    bodies.push(body("equal ids", json!({ field: vec![vec![0; 60]; TEXTS] })));
    bodies
}

fn sentences() -> Bodies {
    let mut bodies = vec![];
    for (name, text) in long_texts() {
        let inputs = json!({ "source_sentence": text, "sentences": vec!["x"; TEXTS - 1] });
        bodies
            .push(body(&format!("equal sentences, source of {name}"), json!({ "inputs": inputs })));
        let inputs = json!({ "source_sentence": "a", "sentences": vec!["x"; TEXTS - 1] });
        let parameters = json!({ "instruction": text });
        let many = json!({ "inputs": inputs, "parameters": parameters });
        bodies.push(body(&format!("equal sentences, instruction of {name}"), many));
    }
    bodies
}

fn documents(field: &str) -> Bodies {
    let mut bodies = vec![];
    for (name, text) in long_texts() {
        for asked in ["query", "instruction"] {
            let mut many = json!({ "query": "q", field: vec!["x"; TEXTS], "return_text": true });
            many[asked] = json!(text);
            bodies.push(body(&format!("equal documents, {asked} of {name}"), many.clone()));
            many["max_tokens_per_doc"] = json!(1);
            bodies.push(body(&format!("equal cut documents, {asked} of {name}"), many));
        }
        bodies.push(body(name, json!({ "query": "q", field: [text] })));
    }
    bodies
}

fn pairs_of_lists() -> Bodies {
    let mut bodies = vec![];
    for (name, text) in long_texts() {
        let one = json!({ "text_1": text, "text_2": vec!["x"; TEXTS] });
        bodies.push(body(&format!("equal pairs, left of {name}"), one));
        let queries: Vec<String> = (0..TEXTS).map(|i| i.to_string()).collect();
        let many = json!({ "text_1": queries, "text_2": vec!["x"; TEXTS], "instruction": text });
        bodies.push(body(&format!("different pairs, instruction of {name}"), many));
    }
    bodies
}

fn pairs() -> Bodies {
    let mut bodies = vec![];
    for (name, text) in long_texts() {
        let many = json!({ "inputs": vec![["q", "x"]; TEXTS], "instruction": text });
        bodies.push(body(&format!("equal pairs, instruction of {name}"), many));
        bodies.push(body(name, json!({ "inputs": [text, "x"] })));
    }
    bodies
}

fn tokenized() -> Bodies {
    let mut bodies: Bodies =
        long_texts().map(|(name, text)| body(name, json!({ "inputs": text }))).into();
    let many = json!({ "inputs": vec!["a ".repeat(60); TEXTS], "prompt_name": "query" });
    bodies.push(body("equal texts", many));
    bodies
}

fn decoded() -> Bodies {
    vec![
        body("ids", json!({ "ids": vec![0; 30_000] })),
        body("lists", json!({ "ids": vec![vec![605; 30]; TEXTS] })),
    ]
}

fn instances() -> Bodies {
    let mut bodies = vec![];
    let few = json!({ "inputs": vec!["a"; 20] });
    bodies.push(body("equal instances", json!({ "instances": vec![few; 2000] })));
    let long = json!({ "inputs": vec!["a"; TEXTS] });
    bodies.push(body("equal texts of instances", json!({ "instances": vec![long; 30] })));
    for (name, text) in long_texts() {
        let part = &text[..text.len() / 20];
        let asked = json!({ "inputs": vec!["x"; 100], "instruction": part });
        bodies.push(body(
            &format!("equal instances, {name}"),
            json!({ "instances": vec![asked; 20] }),
        ));
        let ranked = json!({ "query": part, "texts": vec!["x"; 100] });
        bodies.push(body(
            &format!("equal rankings, {name}"),
            json!({ "instances": vec![ranked; 20] }),
        ));
    }
    bodies
}

/// Small things, of which many fit into a body.
fn junk() -> Bodies {
    let full = |unit: &str| unit.repeat((PAYLOAD_BYTES - 1000) / unit.len());
    let fields = ["inputs", "input", "query", "texts", "documents", "ids", "instances", "other"];
    let mut bodies = vec![
        ("brackets".to_owned(), full("[")),
        ("objects".to_owned(), full("{\"a\":")),
        ("many fields".to_owned(), format!("{{{}\"b\":0}}", full("\"a\":0,"))),
    ];
    for field in fields {
        for (unit, last) in [("0,", "0"), ("[],", "[]"), ("\"\",", "\"\""), ("{},", "{}")] {
            let list = format!("{{\"{field}\":[{}{last}]}}", full(unit));
            bodies.push((format!("many {last} as `{field}`"), list));
        }
    }
    bodies
}
