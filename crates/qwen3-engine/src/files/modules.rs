//! `modules.json` of sentence-transformers: the list of what is computed, one
//! module after the other. It is either computed as it stands or refused.

use super::folder::parse;
use crate::choices::Kind;
use crate::error::Error;
use qwen3::files;
use serde::Deserialize;
use std::path::{Component, Path};

pub(crate) const MODULES: &str = "modules.json";
/// Where the pooling of a model without a list is, if it has one.
pub(crate) const POOLING: &str = "1_Pooling/config.json";

/// What this engine computes of sentence-transformers' modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Transformer,
    Pooling,
    Normalize,
    LogitScore,
}

const CLASSES: [(&str, Class); 4] = [
    ("Transformer", Class::Transformer),
    ("Pooling", Class::Pooling),
    ("Normalize", Class::Normalize),
    ("LogitScore", Class::LogitScore),
];

/// The modules of a model, in their order; none where it has no list.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    classes: Vec<Class>,
    /// The config of each module but the transformer, by its path in the folder.
    configs: Vec<(Class, String)>,
}

/// As it is in the file.
#[derive(Deserialize)]
struct Listed {
    r#type: String,
    #[serde(default)]
    path: String,
}

/// The tokens whose logits a reranker compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct LogitScore {
    pub true_token_id: u32,
    pub false_token_id: Option<u32>,
}

impl Modules {
    /// # Errors
    /// If a module is none that this engine computes, or lies outside of the folder.
    pub fn from_json(json: &[u8], path: &Path) -> Result<Self, Error> {
        let mut modules = Self::default();
        for Listed { r#type: name, path: folder } in parse::<Vec<Listed>>(json, path)? {
            let class =
                class(&name).ok_or_else(|| refused(path, format!("the module `{name}`")))?;
            let mut parts = Path::new(&folder).components();
            let is_inside = parts.all(|part| matches!(part, Component::Normal(_)));
            // The network's files are those of the folder itself.
            if !is_inside || (class == Class::Transformer) != folder.is_empty() {
                return Err(refused(path, format!("the module `{name}` in `{folder}`")));
            }
            modules.classes.push(class);
            if class != Class::Transformer {
                modules.configs.push((class, format!("{folder}/config.json")));
            }
        }
        match modules.classes[..] {
            [] => Err(refused(path, "no module at all".to_owned())),
            _ => Ok(modules),
        }
    }

    /// Those of a model that has [`POOLING`], but no list.
    pub fn pooled() -> Self {
        Self {
            classes: vec![Class::Transformer, Class::Pooling],
            configs: vec![(Class::Pooling, POOLING.to_owned())],
        }
    }

    /// What a model of these modules is for, where they tell.
    pub fn kind(&self) -> Option<Kind> {
        if self.classes.contains(&Class::LogitScore) {
            Some(Kind::Reranker)
        } else if self.classes.contains(&Class::Pooling) {
            Some(Kind::Embedding)
        } else {
            None
        }
    }

    /// # Errors
    /// If a model of this kind doesn't consist of these modules in this order.
    pub fn check(&self, kind: Kind, path: &Path) -> Result<(), Error> {
        use Class::{LogitScore, Normalize, Pooling, Transformer};
        let is_computed = match (kind, &self.classes[..]) {
            (_, []) => true,
            (Kind::Embedding, [Transformer, Pooling, rest @ ..]) => {
                rest.iter().all(|class| *class == Normalize)
            }
            (Kind::Reranker, [Transformer] | [Transformer, LogitScore]) => true,
            (Kind::SequenceClassification, [Transformer]) => true,
            _ => false,
        };
        match is_computed {
            true => Ok(()),
            false => {
                let names: Vec<String> = self.classes.iter().map(|c| format!("`{c:?}`")).collect();
                Err(refused(path, format!("{} of a model of the kind `{kind}`", names.join(", "))))
            }
        }
    }

    /// The configs of all modules, by their paths in the folder.
    pub fn configs(&self) -> impl Iterator<Item = &str> {
        self.configs.iter().map(|(_, config)| config.as_str())
    }

    /// Where the pooling says how it pools.
    pub fn pooling(&self) -> Option<&str> {
        self.config_of(Class::Pooling)
    }

    /// Where each normalisation says what of.
    pub fn normalize(&self) -> impl Iterator<Item = &str> {
        let configs = self.configs.iter().filter(|(class, _)| *class == Class::Normalize);
        configs.map(|(_, config)| config.as_str())
    }

    /// Where the reranker's tokens are.
    pub fn logit_score(&self) -> Option<&str> {
        self.config_of(Class::LogitScore)
    }

    fn config_of(&self, wanted: Class) -> Option<&str> {
        let config = self.configs.iter().find(|(class, _)| *class == wanted);
        config.map(|(_, config)| config.as_str())
    }
}

/// The configs that a list of modules names, by their paths in its folder.
///
/// # Errors
/// If it can't be read, or as [`Modules::from_json`].
pub(crate) fn configs_in(list: &Path) -> Result<Vec<String>, Error> {
    let modules = Modules::from_json(&files::read(list)?, list)?;
    Ok(modules.configs().map(str::to_owned).collect())
}

/// Releases have moved their modules (`sentence_transformers.models.Pooling`,
/// `sentence_transformers.sentence_transformer.modules.pooling.Pooling`); a
/// class of another package may do anything under the same name.
fn class(name: &str) -> Option<Class> {
    let (package, class) = name.rsplit_once('.')?;
    let is_theirs = package.split('.').next() == Some("sentence_transformers");
    CLASSES.iter().find(|(known, _)| is_theirs && *known == class).map(|(_, class)| *class)
}

/// # Errors
/// If the config of a pooling asks for another than that of the last token.
pub(crate) fn check_pooling(json: &[u8], path: &Path) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Pooling {
        pooling_mode: Option<Modes>,
        #[serde(default)]
        pooling_mode_cls_token: bool,
        #[serde(default)]
        pooling_mode_max_tokens: bool,
        #[serde(default)]
        pooling_mode_mean_tokens: bool,
        #[serde(default)]
        pooling_mode_mean_sqrt_len_tokens: bool,
        #[serde(default)]
        pooling_mode_weightedmean_tokens: bool,
        #[serde(default)]
        pooling_mode_lasttoken: bool,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Modes {
        One(String),
        Many(Vec<String>),
    }
    let pooling: Pooling = parse(json, path)?;
    let mut modes = match pooling.pooling_mode {
        Some(Modes::One(mode)) => vec![mode],
        Some(Modes::Many(modes)) => modes,
        None => {
            let modes = [
                (pooling.pooling_mode_cls_token, "cls"),
                (pooling.pooling_mode_max_tokens, "max"),
                (pooling.pooling_mode_mean_tokens, "mean"),
                (pooling.pooling_mode_mean_sqrt_len_tokens, "mean_sqrt_len_tokens"),
                (pooling.pooling_mode_weightedmean_tokens, "weightedmean"),
                (pooling.pooling_mode_lasttoken, "lasttoken"),
            ];
            modes.into_iter().filter(|(is, _)| *is).map(|(_, mode)| mode.to_owned()).collect()
        }
    };
    if modes.is_empty() {
        // What sentence-transformers does where nothing is said.
        modes.push("mean".to_owned());
    }
    match modes[..] == ["lasttoken"] {
        true => Ok(()),
        false => Err(Error::Pooling { path: path.to_owned(), modes: modes.join(", ") }),
    }
}

/// # Errors
/// If the config of a normalisation names something else than the text's vector.
pub(crate) fn check_normalize(json: &[u8], path: &Path) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Normalize {
        module_input_name: Option<String>,
        module_output_name: Option<String>,
    }
    let Normalize { module_input_name, module_output_name } = parse(json, path)?;
    for name in [module_input_name, module_output_name].into_iter().flatten() {
        if name != "sentence_embedding" {
            return Err(refused(path, format!("`Normalize` of `{name}`")));
        }
    }
    Ok(())
}

/// # Errors
/// If the config of a score names something else than logits.
pub(crate) fn logit_score(json: &[u8], path: &Path) -> Result<LogitScore, Error> {
    #[derive(Deserialize)]
    struct Input {
        module_input_name: Option<String>,
    }
    let Input { module_input_name } = parse(json, path)?;
    match module_input_name {
        Some(name) if name != "causal_logits" => {
            Err(refused(path, format!("`LogitScore` of `{name}`")))
        }
        _ => parse(json, path),
    }
}

pub(crate) fn refused(path: &Path, what: String) -> Error {
    Error::Modules { path: path.to_owned(), what }
}

#[cfg(test)]
mod tests {
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
        let new =
            ("sentence_transformers.sentence_transformer.modules.pooling.Pooling", "1_Pooling");
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
        assert!(
            read(json!({"true_token_id": 3, "module_input_name": "x"})).unwrap_err().contains('x')
        );
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
}
