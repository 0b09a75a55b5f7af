//! What sentence-transformers' files say is computed as they say it, or refused
//! with the module's name; never left out.

use e2e::{changed, fixture, log_odds, options, told, vectors};
use qwen3_engine::{Checkpoint, ConvertOptions, EmbedderHost, Hooks, Kind, convert};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const TEXTS: [&str; 2] = ["Explain gravity", "万有引力"];
const PAIRS: [(&str, &str); 2] = [("Explain gravity", "Apples fall."), ("yes", "no")];

const TRANSFORMER: &str = "sentence_transformers.base.modules.transformer.Transformer";
const POOLING: &str = "sentence_transformers.sentence_transformer.modules.pooling.Pooling";
const NORMALIZE: &str = "sentence_transformers.models.Normalize";
const LOGIT_SCORE: &str = "sentence_transformers.cross_encoder.modules.logit_score.LogitScore";

/// Writes the list of modules, each with its folder and what its config says.
fn list(folder: &Path, modules: &[(&str, &str, Value)]) {
    for (_, path, config) in modules.iter().filter(|(_, path, _)| !path.is_empty()) {
        fs::create_dir_all(folder.join(path)).unwrap();
        fs::write(folder.join(path).join("config.json"), config.to_string()).unwrap();
    }
    let modules = modules.iter().map(|(class, path, _)| json!({"type": class, "path": path}));
    fs::write(folder.join("modules.json"), Value::from_iter(modules).to_string()).unwrap();
}

fn with_modules(name: &str, modules: &[(&str, &str, Value)]) -> TempDir {
    changed(name, |folder| list(folder, modules))
}

/// Nothing takes the folder: not the model, not what only looks at it, not the converter.
#[track_caller]
fn refused(folder: &TempDir, words: &[&str]) {
    let path = folder.path();
    let errors = [
        vectors(path, &TEXTS).err(),
        log_odds(path, &PAIRS).err(),
        Checkpoint::open(path, &Hooks::default()).err(),
        convert(path, path.join("out"), &ConvertOptions::default()).err(),
    ];
    for error in errors {
        let error = told(&error.expect("must be refused"));
        assert!(words.iter().all(|word| error.contains(word)), "{error} has {words:?}");
    }
}

#[test]
fn a_dense_module_is_refused_wherever_it_stands() {
    let transformer = (TRANSFORMER, "", json!({}));
    let pooling = (POOLING, "1_Pooling", json!({"pooling_mode": "lasttoken"}));
    let dense =
        ["sentence_transformers.models.Dense", "sentence_transformers.base.modules.dense.Dense"];
    for class in dense {
        let dense = (class, "2_Dense", json!({"in_features": 32, "out_features": 1}));
        let modules = [transformer.clone(), pooling.clone(), dense];
        for name in ["tiny-embedding", "tiny-reranker-tied", "tiny-reranker-untied"] {
            refused(&with_modules(name, &modules), &[&format!("`{class}`"), "modules.json"]);
        }
    }
}

#[test]
fn a_pooling_says_how_it_pools_in_its_own_folder() {
    let model = |config: Value| {
        let pooling = (POOLING, "7_Other", config);
        let modules =
            [(TRANSFORMER, "", json!({})), pooling, (NORMALIZE, "2_Normalize", json!({}))];
        with_modules("tiny-embedding", &modules)
    };
    let last = model(json!({"pooling_mode_lasttoken": true}));
    let expected = vectors(&fixture("tiny-embedding"), &TEXTS).unwrap();
    assert_eq!(vectors(last.path(), &TEXTS).unwrap(), expected);
    for (config, mode) in [
        (json!({"pooling_mode_mean_tokens": true}), "`mean`"),
        (
            json!({"pooling_mode_lasttoken": true, "pooling_mode_cls_token": true}),
            "`cls, lasttoken`",
        ),
        (json!({}), "`mean`"),
    ] {
        refused(&model(config), &["7_Other", mode]);
    }
    let absent = changed("tiny-embedding", |folder| {
        fs::remove_file(folder.join("1_Pooling/config.json")).unwrap();
    });
    refused(&absent, &["1_Pooling"]);
}

#[test]
fn a_folder_with_a_pooling_and_no_list_is_asked_too() {
    let folder = changed("tiny-embedding", |folder| {
        fs::remove_file(folder.join("modules.json")).unwrap();
        fs::write(folder.join("1_Pooling/config.json"), r#"{"pooling_mode": "mean"}"#).unwrap();
    });
    refused(&folder, &["1_Pooling", "`mean`"]);
}

#[test]
fn vectors_are_normalised_whether_or_not_a_module_says_so() {
    let pooling = (POOLING, "1_Pooling", json!({"pooling_mode": "lasttoken"}));
    let bare = with_modules("tiny-embedding", &[(TRANSFORMER, "", json!({})), pooling.clone()]);
    let expected = vectors(&fixture("tiny-embedding"), &TEXTS).unwrap();
    assert_eq!(vectors(bare.path(), &TEXTS).unwrap(), expected);
    let leaves_length = |folder: &Path| {
        EmbedderHost::load(folder, &options("cpu", "auto")).unwrap().leaves_length()
    };
    assert!(leaves_length(bare.path()) && !leaves_length(&fixture("tiny-embedding")));
    let of_tokens = (NORMALIZE, "2_Normalize", json!({"module_input_name": "token_embeddings"}));
    let modules = [(TRANSFORMER, "", json!({})), pooling, of_tokens];
    refused(&with_modules("tiny-embedding", &modules), &["2_Normalize", "token_embeddings"]);
}

/// `yes` is 265 and `no` is 261 in the fixtures.
fn scored(name: &str, config: Value) -> TempDir {
    with_modules(name, &[(TRANSFORMER, "", json!({})), (LOGIT_SCORE, "1_LogitScore", config)])
}

#[test]
fn a_rerankers_tokens_are_those_of_its_module() {
    for name in ["tiny-reranker-tied", "tiny-reranker-untied"] {
        let usual = log_odds(&fixture(name), &PAIRS).unwrap();
        let score = |yes, no| scored(name, json!({"true_token_id": yes, "false_token_id": no}));
        let (same, turned, one) =
            (score(265, json!(261)), score(261, json!(265)), score(265, json!(null)));
        assert_eq!(
            Checkpoint::open(same.path(), &Hooks::default()).unwrap().kind(),
            Kind::Reranker
        );
        assert_eq!(log_odds(same.path(), &PAIRS).unwrap(), usual);
        let negative: Vec<f64> = log_odds(turned.path(), &PAIRS).unwrap();
        assert_eq!(negative, usual.iter().map(|x| -x).collect::<Vec<_>>());
        let yes = log_odds(one.path(), &PAIRS).unwrap();
        assert!(yes.iter().zip(&usual).all(|(yes, usual)| (yes - usual).abs() > 1e-3), "{yes:?}");
        let beyond = log_odds(score(640, json!(261)).path(), &PAIRS).unwrap_err().to_string();
        assert!(beyond.contains("token id 640"), "{beyond}");
        for folder in [turned, one] {
            let expected = log_odds(folder.path(), &PAIRS).unwrap();
            for trim_head in [false, true] {
                let out = folder.path().join(format!("{trim_head}.qwen3"));
                let options = ConvertOptions::default().trim_head(trim_head);
                convert(folder.path(), &out, &options).unwrap();
                assert_eq!(log_odds(&out, &PAIRS).unwrap(), expected, "{name} {trim_head}");
            }
        }
    }
}

#[test]
fn a_cross_encoder_is_no_embedding_model() {
    let config = json!({"true_token_id": 265, "module_input_name": "other"});
    let odd = scored("tiny-reranker-tied", config);
    let error = told(&log_odds(odd.path(), &PAIRS).unwrap_err());
    assert!(error.contains("`LogitScore` of `other`"), "{error}");

    let typed = |model_type: &str| {
        let text = json!({"model_type": model_type}).to_string();
        changed("tiny-embedding", |folder| {
            fs::write(folder.join("config_sentence_transformers.json"), text).unwrap();
        })
    };
    // Pools as an embedding model does, and says that it is none.
    refused(&typed("CrossEncoder"), &["`Pooling`", "`reranker`"]);
    refused(&typed("SparseEncoder"), &["`SparseEncoder`"]);
    assert!(vectors(typed("SentenceTransformer").path(), &TEXTS).is_ok());
}

#[test]
fn a_text_that_should_be_in_lower_case_is_not_computed_as_it_is() {
    let folder = changed("tiny-embedding", |folder| {
        fs::write(folder.join("sentence_bert_config.json"), r#"{"do_lower_case": true}"#).unwrap();
    });
    refused(&folder, &["`do_lower_case`", "sentence_bert_config.json"]);
}
