//! What is written before a text: the instruct prompt, and the prompts that a model folder names.

use crate::Error;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// The task of an embedding query and the instruction of a reranker where the user names none.
///
/// It is the one of the official model cards; scores change with the wording.
pub const DEFAULT_TASK: &str =
    "Given a web search query, retrieve relevant passages that answer the query";

/// The prompt of an embedding query: ``Instruct: {task}\nQuery:``.
///
/// The query follows without a space, as in the official examples; a space changes its first token and with it the
/// vector. Documents have no prompt.
pub fn instruct_prompt(task: &str) -> String {
    format!("Instruct: {task}\nQuery:")
}

/// The prompts of a model folder, by name: `config_sentence_transformers.json`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Prompts {
    #[serde(default)]
    prompts: BTreeMap<String, String>,
    #[serde(default)]
    default_prompt_name: Option<String>,
    #[serde(default)]
    similarity_fn_name: Option<String>,
}

impl Prompts {
    /// Reads `config_sentence_transformers.json`.
    ///
    /// A folder without that file gets the prompts of the official models, [`Prompts::default`]. A file without
    /// prompts means a model without prompts.
    pub fn from_folder(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("config_sentence_transformers.json");
        let json = match std::fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::Read { path, source }),
        };
        Self::from_json(&json, &path)
    }

    /// The same from the file's content; `path` is for messages.
    pub fn from_json(json: &[u8], path: &Path) -> Result<Self, Error> {
        let prompts: Self = serde_json::from_slice(json)
            .map_err(|source| Error::Parse { path: path.to_owned(), source })?;
        if let Some(name) = &prompts.default_prompt_name {
            prompts.get(name)?;
        }
        Ok(prompts)
    }

    /// The prompt with this name.
    pub fn get(&self, name: &str) -> Result<&str, Error> {
        self.prompts.get(name).map(String::as_str).ok_or_else(|| Error::UnknownPrompt {
            name: name.to_owned(),
            known: self.names().map(str::to_owned).collect(),
        })
    }

    /// The names of the prompts, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.prompts.keys().map(String::as_str)
    }

    /// The text of the prompt for inputs that name none, where the model has such a prompt.
    pub fn default_prompt(&self) -> Option<&str> {
        let name = self.default_prompt_name.as_ref()?;
        self.prompts.get(name).map(String::as_str)
    }

    /// How the vectors are meant to be compared, as the file spells it: `cosine` for the official models.
    pub fn similarity_fn_name(&self) -> Option<&str> {
        self.similarity_fn_name.as_deref()
    }
}

impl Default for Prompts {
    /// The prompts of the official models: `query` is [`instruct_prompt`] of [`DEFAULT_TASK`], `document` is empty.
    fn default() -> Self {
        let prompts = [("query", instruct_prompt(DEFAULT_TASK)), ("document", String::new())];
        Self {
            prompts: prompts.map(|(name, prompt)| (name.to_owned(), prompt)).into(),
            default_prompt_name: None,
            similarity_fn_name: Some("cosine".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_follows_the_prompt_without_a_space() {
        assert_eq!(
            instruct_prompt(DEFAULT_TASK).as_bytes(),
            b"Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
        );
        assert_eq!(instruct_prompt(""), "Instruct: \nQuery:");
    }

    #[test]
    fn the_official_prompts_are_the_default() {
        let prompts = Prompts::default();
        assert_eq!(prompts.names().collect::<Vec<_>>(), ["document", "query"]);
        assert_eq!(prompts.get("query").unwrap(), instruct_prompt(DEFAULT_TASK));
        assert_eq!(prompts.get("document").unwrap(), "");
        assert_eq!(prompts.default_prompt(), None);
        assert_eq!(prompts.similarity_fn_name(), Some("cosine"));
    }

    #[test]
    fn an_unknown_prompt_names_the_known_ones() {
        let error = Prompts::default().get("Query").unwrap_err();
        assert_eq!(error.to_string(), "unknown prompt `Query`; the model has `document`, `query`");
    }
}
