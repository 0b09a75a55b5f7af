//! Which modules are computed, and which are refused.

use super::*;
use serde_json::{Value, json};

fn modules(list: &[(&str, &str)]) -> Result<Modules, String> {
    let list = list.iter().map(|(class, path)| json!({"type": class, "path": path}));
    let json = Value::from_iter(list).to_string();
    Modules::from_json(json.as_bytes(), Path::new(MODULES)).map_err(|error| error.to_string())
}

const BODY: (&str, &str) = ("sentence_transformers.base.modules.transformer.Transformer", "");
const OLD_BODY: (&str, &str) = ("sentence_transformers.models.Transformer", "");

#[test]
fn modules_are_known_at_their_old_and_new_places() {
    let new = ("sentence_transformers.sentence_transformer.modules.pooling.Pooling", "1_Pooling");
    for list in [[BODY, new], [OLD_BODY, ("sentence_transformers.models.Pooling", "7_P")]] {
        let modules = modules(&list).unwrap();
        assert_eq!(modules.kind(), Some(Kind::Embedding));
        assert_eq!(modules.pooling(), Some(&*format!("{}/config.json", list[1].1)));
        assert!(modules.check(Kind::Embedding, Path::new(MODULES)).is_ok());
        assert!(modules.check(Kind::Reranker, Path::new(MODULES)).is_err());
    }
    let score = "sentence_transformers.cross_encoder.modules.logit_score.LogitScore";
    let modules = modules(&[BODY, (score, "1_LogitScore")]).unwrap();
    assert_eq!(modules.kind(), Some(Kind::Reranker));
    assert!(modules.check(Kind::Reranker, Path::new(MODULES)).is_ok());
    assert!(modules.check(Kind::SequenceClassification, Path::new(MODULES)).is_err());
}

#[test]
fn what_is_not_computed_is_refused_by_its_name() {
    for (class, path) in [
        ("sentence_transformers.models.Dense", "2_Dense"),
        ("sentence_transformers.base.modules.dense.Dense", "2_Dense"),
        ("sentence_transformers.models.LSTM", "2_LSTM"),
        ("custom_st.Pooling", "1_Pooling"),
        ("Pooling", "1_Pooling"),
        ("sentence_transformers.models.Transformer", "0_Transformer"),
        ("sentence_transformers.models.Pooling", "../1_Pooling"),
        ("sentence_transformers.models.Pooling", ""),
    ] {
        let error = modules(&[OLD_BODY, (class, path)]).unwrap_err();
        assert!(error.contains(&format!("the module `{class}`")), "{error}");
        assert!(error.contains("sentence-transformers"), "{error}");
    }
}

#[test]
fn the_order_of_modules_is_that_of_what_is_computed() {
    let pooling = ("sentence_transformers.models.Pooling", "1_Pooling");
    let normalize = ("sentence_transformers.models.Normalize", "2_Normalize");
    let path = Path::new(MODULES);
    let check = |list: &[_]| modules(list).unwrap().check(Kind::Embedding, path).is_ok();
    assert!(check(&[BODY, pooling]) && check(&[BODY, pooling, normalize]));
    assert!(modules(&[]).unwrap_err().contains("no module"));
    for list in [&[BODY][..], &[BODY, normalize], &[BODY, normalize, pooling], &[pooling]] {
        assert!(!check(list), "{list:?}");
    }
    assert!(!check(&[BODY, pooling, pooling]) && !check(&[BODY, BODY, pooling]));
}

#[test]
fn every_spelling_of_a_pooling_is_read() {
    let check = |config: Value| {
        let json = config.to_string();
        check_pooling(json.as_bytes(), Path::new("config.json")).map_err(|e| e.to_string())
    };
    for config in [
        json!({"pooling_mode_lasttoken": true, "pooling_mode_mean_tokens": false}),
        json!({"pooling_mode": "lasttoken"}),
        json!({"pooling_mode": ["lasttoken"], "include_prompt": false}),
        json!({"pooling_mode": "lasttoken", "pooling_mode_mean_tokens": true}),
    ] {
        assert_eq!(check(config.clone()), Ok(()), "{config}");
    }
    for (config, mode) in [
        (json!({}), "`mean`"),
        (json!({"pooling_mode_mean_tokens": true}), "`mean`"),
        (json!({"pooling_mode_cls_token": true, "pooling_mode_lasttoken": false}), "`cls`"),
        (json!({"pooling_mode_lasttoken": false}), "`mean`"),
        (
            json!({"pooling_mode_mean_tokens": true, "pooling_mode_lasttoken": true}),
            "`mean, lasttoken`",
        ),
        (json!({"pooling_mode": ["lasttoken", "max"]}), "`lasttoken, max`"),
        (json!({"pooling_mode": "weightedmean"}), "`weightedmean`"),
    ] {
        let error = check(config.clone()).unwrap_err();
        assert!(error.contains(mode), "{error} names {mode}");
    }
}

#[test]
fn a_score_is_of_logits_and_of_one_token_or_two() {
    let read = |config: Value| {
        let json = config.to_string();
        logit_score(json.as_bytes(), Path::new("config.json")).map_err(|e| e.to_string())
    };
    let two = read(json!({"true_token_id": 3, "false_token_id": 4})).unwrap();
    assert_eq!(two, LogitScore { true_token_id: 3, false_token_id: Some(4) });
    let one = read(json!({"true_token_id": 3, "module_input_name": "causal_logits"})).unwrap();
    assert_eq!(one.false_token_id, None);
    assert!(read(json!({"true_token_id": 3, "module_input_name": "x"})).unwrap_err().contains('x'));
    assert!(read(json!({})).is_err());
}

#[test]
fn only_a_texts_vector_is_normalised() {
    let check = |config: Value| {
        check_normalize(config.to_string().as_bytes(), Path::new("config.json")).is_ok()
    };
    assert!(check(json!({})) && check(json!({"module_input_name": "sentence_embedding"})));
    assert!(!check(json!({"module_input_name": "token_embeddings"})));
}
