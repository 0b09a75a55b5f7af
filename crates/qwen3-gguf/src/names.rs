//! ggml's names of tensors, and those of checkpoints of Hugging Face.

use crate::description::Description;
use crate::error::Error;
use crate::file::GgufFile;
use crate::tensors::Tensor;
use std::collections::BTreeMap;

/// Tensors beside the layers.
const OUTER: [(&str, &str); 3] = [
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// Modules of a layer. Queries and keys have the checkpoint's order: of the architectures
/// whose rotary pairs are halves of a head, converters move none.
const OF_LAYER: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// The rows of a reranker's head that its scores are made of: those of "yes" and "no" of the
/// output head, or the one of a classifier.
pub const CLASSIFIER: &str = "cls.output.weight";
const YES_NO: &str = "yes_no.weight";
const SCORE: &str = "score.weight";

/// The checkpoint's name for a tensor of a Qwen3 network, such as
/// `model.layers.0.self_attn.q_proj.weight` for `blk.0.attn_q.weight`; `None`: it has none.
pub fn checkpoint_name(name: &str) -> Option<String> {
    if let Some((_, outer)) = OUTER.iter().find(|(ggml, _)| *ggml == name) {
        return Some((*outer).to_owned());
    }
    let (layer, module, kind) = of_layer(name)?;
    let (_, module) = OF_LAYER.iter().find(|(ggml, _)| *ggml == module)?;
    let has_kind = kind == "weight" || kind == "bias" && module.ends_with("_proj");
    has_kind.then(|| format!("model.layers.{layer}.{module}.{kind}"))
}

/// The name that a file has for a tensor of a checkpoint, which [`checkpoint_name`] turns back;
/// `None`: it has none.
pub fn ggml_name(name: &str) -> Option<String> {
    if let Some((ggml, _)) = OUTER.iter().find(|(_, outer)| *outer == name) {
        return Some((*ggml).to_owned());
    }
    let (layer, module) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (module, kind) = module.rsplit_once('.')?;
    let (ggml, _) = OF_LAYER.iter().find(|(_, of_checkpoint)| *of_checkpoint == module)?;
    Some(format!("blk.{layer}.{ggml}.{kind}"))
}

/// Layer, module and kind of `blk.0.attn_q.weight`.
fn of_layer(name: &str) -> Option<(usize, &str, &str)> {
    let mut parts = name.strip_prefix("blk.")?.split('.');
    let (layer, module, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let number: usize = layer.parse().ok()?;
    // Not `+0` and `00`, which would be the same layer once more.
    (parts.next().is_none() && number.to_string() == layer).then_some((number, module, kind))
}

/// The tensors of a model by the checkpoint's names. Matrices that are fused into one are
/// rows of it. A reranker's `cls.output.weight` is `yes_no.weight` with those two rows, or
/// `score.weight` if it has one.
///
/// # Errors
/// If a tensor has no place in the network, or two are for the same one of it, or the shape of
/// the fused ones or of the classifier is another than the metadata says.
pub fn weights(file: &GgufFile, model: &Description) -> Result<BTreeMap<String, Tensor>, Error> {
    let mut weights = BTreeMap::new();
    for tensor in file.tensors() {
        for (name, weight) in parts(file, tensor, model)? {
            if weights.insert(name.clone(), weight).is_some() {
                return Err(Error::WeightTwice { path: file.path().to_owned(), name });
            }
        }
    }
    Ok(weights)
}

fn parts(
    file: &GgufFile,
    tensor: &Tensor,
    model: &Description,
) -> Result<Vec<(String, Tensor)>, Error> {
    if tensor.name == CLASSIFIER {
        let name = match tensor.shape[..] {
            [2, width] if width == model.config.hidden_size => YES_NO,
            [1, width] | [width] if width == model.config.hidden_size => SCORE,
            _ => return Err(misshapen(file, tensor, "one or two rows of the hidden size")),
        };
        let rows = tensor.shape[..tensor.shape.len() - 1].first().copied().unwrap_or(1);
        let shape = vec![rows, model.config.hidden_size];
        return Ok(vec![(name.to_owned(), Tensor { shape, ..tensor.clone() })]);
    }
    if let Some((layer, "attn_qkv", "weight")) = of_layer(&tensor.name) {
        return fused(file, tensor, model, layer);
    }
    match checkpoint_name(&tensor.name) {
        Some(name) => Ok(vec![(name, tensor.clone())]),
        None => {
            Err(Error::UnknownTensor { path: file.path().to_owned(), name: tensor.name.clone() })
        }
    }
}

/// Query, key and value of a layer, which are the rows of one matrix.
fn fused(
    file: &GgufFile,
    tensor: &Tensor,
    model: &Description,
    layer: usize,
) -> Result<Vec<(String, Tensor)>, Error> {
    let config = &model.config;
    let queries = config.num_attention_heads.saturating_mul(config.head_dim);
    let keys = config.num_key_value_heads.saturating_mul(config.head_dim);
    let rows = queries.saturating_add(keys).saturating_add(keys);
    if tensor.shape != [rows, config.hidden_size] {
        return Err(misshapen(file, tensor, "rows of all heads for query, key and value"));
    }
    let of =
        |part, rows| (format!("model.layers.{layer}.self_attn.{part}.weight"), tensor.rows(rows));
    Ok(vec![
        of("q_proj", 0..queries),
        of("k_proj", queries..queries + keys),
        of("v_proj", queries + keys..rows),
    ])
}

fn misshapen(file: &GgufFile, tensor: &Tensor, expected: &str) -> Error {
    Error::TensorShape {
        path: file.path().to_owned(),
        name: tensor.name.clone(),
        expected: expected.to_owned(),
        found: tensor.shape.clone(),
    }
}
