//! What the files beside the weights say of texts and labels.

use super::Checkpoint;
use crate::error::Error;
use serde::Deserialize;
use std::collections::BTreeMap;

pub const SENTENCE_BERT: &str = "sentence_bert_config.json";

/// What sentence-transformers knows about the transformer.
#[derive(Default, Deserialize)]
pub struct SentenceBert {
    max_seq_length: Option<usize>,
    #[serde(default)]
    pub do_lower_case: bool,
}

impl Checkpoint {
    /// `max_seq_length` of sentence-transformers, where it is set.
    pub(crate) fn max_seq_length(&self) -> Result<Option<usize>, Error> {
        Ok(self.sentence_bert()?.max_seq_length)
    }

    pub(super) fn sentence_bert(&self) -> Result<SentenceBert, Error> {
        Ok(self.side_file(SENTENCE_BERT)?.unwrap_or_default())
    }

    /// What the first output of a classifier is called in its config.
    pub(crate) fn first_label(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Labels {
            #[serde(default)]
            id2label: BTreeMap<String, String>,
        }
        let labels: Option<Labels> = self.side_file("config.json")?;
        let first = labels.and_then(|labels| labels.id2label.get("0").cloned());
        // What Transformers calls one without a name.
        Ok(first.unwrap_or_else(|| "LABEL_0".to_owned()))
    }
}
