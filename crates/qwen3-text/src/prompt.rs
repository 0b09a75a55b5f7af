//! What is written before a text: the instruct prompt, and the prompts that a model folder
//! names.

use crate::Error;
use crate::tokenizer_json::read;
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
/// The query follows without a space, as in the official examples; a space changes its first
/// token and with it the vector. Documents have no prompt.
pub fn instruct_prompt(task: &str) -> String {
    format!("Instruct: {task}\nQuery:")
}

/// The prompts of a model folder, by name: `config_sentence_transformers.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
    similarity_fn_name: Option<String>,
}

/// As it is in the file.
#[derive(Deserialize)]
struct File {
    /// A prompt may be null, which is none.
    prompts: Option<BTreeMap<String, Option<String>>>,
    default_prompt_name: Option<String>,
    similarity_fn_name: Option<String>,
}

/// The prompts that sentence-transformers gives to every model, empty where its files have
/// none.
const USUAL: [&str; 2] = ["query", "document"];

impl Prompts {
    /// Reads `config_sentence_transformers.json`.
    ///
    /// A folder without that file gets the prompts of the official models,
    /// [`Prompts::default`]. A file without prompts means a model without prompts.
    pub fn from_folder(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("config_sentence_transformers.json");
        match read(&path) {
            Ok(json) => Self::from_json(&json, &path),
            Err(Error::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(error),
        }
    }

    /// The same from the file's content; `path` is for messages.
    pub fn from_json(json: &[u8], path: &Path) -> Result<Self, Error> {
        let File { prompts, default_prompt_name, similarity_fn_name } =
            serde_json::from_slice(json)
                .map_err(|source| Error::Parse { path: path.to_owned(), source })?;
        let prompts = prompts.unwrap_or_default().into_iter();
        let prompts = prompts.filter_map(|(name, prompt)| Some((name, prompt?))).collect();
        let prompts = Self { prompts, default_prompt_name, similarity_fn_name };
        match &prompts.default_prompt_name {
            Some(name) if !USUAL.contains(&name.as_str()) => prompts.get(name).map(drop)?,
            _ => {}
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

    /// The first of these prompts that there is, else nothing: what nobody asked for by name
    /// need not exist.
    pub fn first_of(&self, names: &[&str]) -> &str {
        names.iter().find_map(|name| self.prompts.get(*name)).map_or("", String::as_str)
    }

    /// The names of the prompts, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.prompts.keys().map(String::as_str)
    }

    /// The name of the prompt for inputs that name none, as the file has it: the model need
    /// not have such a prompt.
    pub fn default_prompt_name(&self) -> Option<&str> {
        self.default_prompt_name.as_deref()
    }

    /// The text of the prompt for inputs that name none, where the model has such a prompt.
    pub fn default_prompt(&self) -> Option<&str> {
        let name = self.default_prompt_name.as_ref()?;
        self.prompts.get(name).map(String::as_str)
    }

    /// How the vectors are meant to be compared, as the file spells it: `cosine` for the
    /// official models.
    pub fn similarity_fn_name(&self) -> Option<&str> {
        self.similarity_fn_name.as_deref()
    }
}

impl Default for Prompts {
    /// The prompts of the official models: `query` is [`instruct_prompt`] of [`DEFAULT_TASK`],
    /// `document` is empty.
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
    fn prompts_of_queries_and_documents_need_not_exist() {
        let prompts = |json: &str| Prompts::from_json(json.as_bytes(), Path::new("f")).unwrap();
        let documents = ["document", "passage", "corpus"];
        let none = prompts(r#"{"prompts": null, "default_prompt_name": "query"}"#);
        assert_eq!((none.first_of(&["query"]), none.default_prompt()), ("", None));
        assert_eq!(none.default_prompt_name(), Some("query"));
        let own = prompts(
            r#"{"prompts": {"corpus": "c", "passage": "p", "document": null, "x": "x"},
                "default_prompt_name": "x"}"#,
        );
        assert_eq!((own.first_of(&documents), own.first_of(&["query"])), ("p", ""));
        assert!(own.get("query").is_err());
    }

    #[test]
    fn an_unknown_prompt_names_the_known_ones() {
        let error = Prompts::default().get("Query").unwrap_err();
        assert_eq!(error.to_string(), "unknown prompt `Query`; the model has `document`, `query`");
    }
}
