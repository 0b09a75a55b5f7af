//! A model's folder in the layout of Hugging Face: the source's files with other weights.

use super::tensors::{Entry, write_tensors};
use crate::error::Error;
use qwen3_engine::internals::training::{
    HEADS, Head, NamedTensor, Weights, YES_NO, head, side_files, weights,
};
use qwen3_engine::{Checkpoint, Dtype, DtypeChoice, Kind, NewFile};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

const LM_HEAD: &str = "lm_head.weight";
/// The table, whose rows a tied head has.
pub(super) const TABLE: &str = "embed_tokens.weight";

/// A model to be written, but for the numbers of its network.
pub(crate) struct ModelFolder<'a> {
    source: &'a Checkpoint,
    save_dtype: DtypeChoice,
    /// What a head was trained to.
    head: Option<NamedTensor>,
}

/// Where the numbers of a tensor come from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    /// The network, by this name.
    Network,
    /// The source as it is.
    Source,
    /// The rows of yes and no, amid those of the source or of the table.
    Head,
    /// A row of scores.
    Score,
}

impl<'a> ModelFolder<'a> {
    pub fn new(source: &'a Checkpoint, save_dtype: DtypeChoice) -> Self {
        Self { source, save_dtype, head: None }
    }

    /// With a head that was trained beside the network: `yes_no.weight` or `score.weight`.
    pub fn with_head(self, head: Option<NamedTensor>) -> Self {
        Self { head, ..self }
    }

    /// Writes all files to `folder`; `tensor` gives the network's by their names.
    ///
    /// # Errors
    /// If something can't be written, read or held in the dtype.
    pub fn write(
        &self,
        folder: &Path,
        mut tensor: impl FnMut(&str) -> Result<Vec<f32>, Error>,
    ) -> Result<(), Error> {
        let planned = self.tensors()?;
        let entries = planned.iter().map(|(_, _, entry)| entry.clone()).collect();
        let path = folder.join("model.safetensors");
        write_tensors(&path, entries, |index| {
            let (name, origin, entry) = &planned[index];
            match origin {
                Origin::Network => tensor(name),
                Origin::Source => self.stored(name, &entry.shape),
                Origin::Score => Ok(self.trained_head().values.clone()),
                Origin::Head => {
                    let rows = match weights(self.source).contains(LM_HEAD) {
                        true => self.stored(LM_HEAD, &entry.shape)?,
                        false => tensor(TABLE)?,
                    };
                    self.with_trained_rows(rows)
                }
            }
        })?;
        self.side_files(folder)
    }

    /// The names and shapes that the source stores, without rows that stand for the head.
    fn tensors(&self) -> Result<Vec<(String, Origin, Entry)>, Error> {
        let stored = weights(self.source).tensors().map_err(qwen3_engine::Error::from)?;
        let mut planned = vec![];
        for tensor in &stored {
            if tensor.name == YES_NO {
                continue;
            }
            let origin = match self.head.as_ref().map(|head| head.name.as_str()) {
                Some(YES_NO) if tensor.name == LM_HEAD => Origin::Head,
                Some(name) if name == tensor.name => Origin::Score,
                _ if HEADS.contains(&tensor.name) => Origin::Source,
                _ => Origin::Network,
            };
            let (key, shape) = (tensor.key.to_owned(), tensor.shape.to_vec());
            let entry = Entry { key, shape, dtype: self.dtype(tensor.dtype) };
            planned.push((tensor.name.to_owned(), origin, entry));
        }
        if self.unties() && !weights(self.source).contains(LM_HEAD) {
            let table = stored.iter().find(|tensor| tensor.name == TABLE);
            let table = table.expect("every network has its table");
            let (key, shape) = (LM_HEAD.to_owned(), table.shape.to_vec());
            let entry = Entry { key, shape, dtype: self.dtype(table.dtype) };
            planned.push((LM_HEAD.to_owned(), Origin::Head, entry));
        }
        Ok(planned)
    }

    /// Safetensors of other programs have no blocks: where they are stored or asked for,
    /// bfloat16 is written, from which `qwen3 convert` makes them.
    fn dtype(&self, stored: Dtype) -> Dtype {
        match self.save_dtype.or(stored) {
            blocks if blocks.is_blocks() => Dtype::Bf16,
            numbers => numbers,
        }
    }

    /// Whether the output head is no longer the table.
    fn unties(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.name == YES_NO)
    }

    fn trained_head(&self) -> &NamedTensor {
        self.head.as_ref().expect("only a trained head has this origin")
    }

    fn stored(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        stored(weights(self.source), name, shape)
    }

    /// The head's rows of yes and no go where their tokens are.
    fn with_trained_rows(&self, mut rows: Vec<f32>) -> Result<Vec<f32>, Error> {
        let Head::YesNo { yes, no } = head(self.source)? else { return Ok(rows) };
        let width = self.source.config().hidden_size;
        let trained = self.trained_head().values.chunks(width);
        for (row, id) in trained.zip([Some(yes), no].into_iter().flatten()) {
            let start = id as usize * width;
            rows[start..start + width].copy_from_slice(row);
        }
        Ok(rows)
    }

    fn side_files(&self, folder: &Path) -> Result<(), Error> {
        let files = side_files(self.source)?;
        let names: BTreeSet<String> = files.iter().map(|(name, _)| name.clone()).collect();
        for (name, content) in files {
            let content = match name.as_str() {
                "config.json" => self.config(&content),
                _ => content.into_owned(),
            };
            write(&folder.join(name), &content)?;
        }
        if self.source.kind() == Kind::Embedding {
            of_sentence_transformers(folder, &names, self.source.config().hidden_size)?;
        }
        Ok(())
    }

    /// The source's, but for what is different now.
    fn config(&self, json: &[u8]) -> Vec<u8> {
        let mut config: Value = serde_json::from_slice(json).expect("it was read before");
        if self.unties() {
            config["tie_word_embeddings"] = json!(false);
        }
        let dtype = match self.save_dtype {
            DtypeChoice::Named(Dtype::F32) => Some("float32"),
            DtypeChoice::Named(Dtype::F16) => Some("float16"),
            DtypeChoice::Named(_) => Some("bfloat16"),
            _ => None,
        };
        for key in ["torch_dtype", "dtype"] {
            if let (Some(dtype), Some(stored)) = (dtype, config.get_mut(key)) {
                *stored = json!(dtype);
            }
        }
        pretty(&config)
    }
}

/// A tensor of the source in float32.
pub(crate) fn stored(weights: &Weights, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
    let data = weights.tensor(name, shape, Dtype::F32).map_err(qwen3_engine::Error::from)?;
    Ok(data.into_vec().expect("converted to float32"))
}

/// What sentence-transformers needs, where the source has none of it.
fn of_sentence_transformers(
    folder: &Path,
    names: &BTreeSet<String>,
    width: usize,
) -> Result<(), Error> {
    let module = |index: usize, path: &str, class: &str| {
        let class = format!("sentence_transformers.models.{class}");
        json!({"idx": index, "name": index.to_string(), "path": path, "type": class})
    };
    let modules = json!([
        module(0, "", "Transformer"),
        module(1, "1_Pooling", "Pooling"),
        module(2, "2_Normalize", "Normalize"),
    ]);
    let pooling = json!({
        "word_embedding_dimension": width,
        "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": false,
        "pooling_mode_max_tokens": false,
        "pooling_mode_mean_sqrt_len_tokens": false,
        "pooling_mode_weightedmean_tokens": false,
        "pooling_mode_lasttoken": true,
        "include_prompt": true,
    });
    let prompts = json!({
        "prompts": {"query": "", "document": ""},
        "default_prompt_name": null,
        "similarity_fn_name": "cosine",
    });
    for (name, content) in [
        ("modules.json", modules),
        ("1_Pooling/config.json", pooling),
        ("config_sentence_transformers.json", prompts),
    ] {
        if !names.contains(name) {
            write(&folder.join(name), &pretty(&content))?;
        }
    }
    Ok(())
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(value).expect("a value is JSON");
    json.push(b'\n');
    json
}

/// Writes a file, and the folders that it is in.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = NewFile::create(path).map_err(failed)?;
    file.write_all(content).and_then(|()| file.replace()).map_err(failed)
}
