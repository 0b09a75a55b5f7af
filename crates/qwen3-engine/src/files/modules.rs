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

/// The config of a pooling, in both spellings.
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

/// # Errors
/// If the config of a pooling asks for another than that of the last token.
pub(crate) fn check_pooling(json: &[u8], path: &Path) -> Result<(), Error> {
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
mod tests;
