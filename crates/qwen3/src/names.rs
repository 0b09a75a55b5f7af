//! Names of tensors as programs write them, and the network's own behind them.
//!
//! Trainers and wrappers put something in front: `model.`, `module.`,
//! `0.auto_model.`. Whatever stands before `embed_tokens.weight` is such a
//! prefix, and stands before all of the network.
/// The rows of the output head for "yes" and "no", `[2, C]`, in files that keep
/// only these two, or keep them in more precision than the embedding table.
pub const YES_NO: &str = "yes_no.weight";

/// Tensors of heads, which stand beside the network or in what it is wrapped in.
pub const HEADS: [&str; 3] = ["lm_head.weight", "score.weight", YES_NO];

/// The tensor that every Qwen3 network has once.
pub(crate) const EMBEDDING_TABLE: &str = "embed_tokens.weight";

/// Parts of names whose tensors are computed from the config wherever they are
/// stored: rotary frequencies, positions, masks.
const BUFFERS: [&str; 6] =
    ["rotary_emb", "inv_freq", "position_ids", "causal_mask", "attention_mask", "masked_bias"];

/// Parts of names that PEFT gives to adapters, and to what they stand beside.
const ADAPTERS: [&str; 4] = ["base_layer", "modules_to_save", "original_module", "prompt_encoder"];
const ADAPTER_PREFIXES: [&str; 4] = ["lora_", "ia3_", "vera_", "oft_"];

/// Whether a loader may pass this tensor over.
pub(crate) fn is_buffer(name: &str) -> bool {
    name.split('.').any(|part| BUFFERS.contains(&part))
}

/// Whether the tensor belongs to an adapter that wasn't merged into the model.
pub(crate) fn is_adapter(name: &str) -> bool {
    name.split('.').any(|part| {
        ADAPTERS.contains(&part) || ADAPTER_PREFIXES.iter().any(|prefix| part.starts_with(prefix))
    })
}

/// The name without PyTorch's own wrappers, all of which begin with a line:
/// `_orig_mod`, `_fsdp_wrapped_module`, `_checkpoint_wrapped_module`.
pub(crate) fn unwrapped(name: &str) -> String {
    name.split('.').filter(|part| !part.starts_with('_')).collect::<Vec<_>>().join(".")
}

/// What stands before `tail`, if the name ends with it.
pub(crate) fn before<'n>(name: &'n str, tail: &str) -> Option<&'n str> {
    let before = name.strip_suffix(tail)?;
    (before.is_empty() || before.ends_with('.')).then_some(before)
}

/// The network's name for a tensor of a file whose network stands behind `prefix`.
pub(crate) fn without_prefix<'n>(name: &'n str, prefix: &str) -> &'n str {
    // The head of `model.embed_tokens.weight` is `lm_head.weight`: of what wraps the network.
    let head = HEADS.into_iter().find_map(|head| {
        let outer = before(name, head).filter(|outer| prefix.starts_with(outer))?;
        Some(&name[outer.len()..])
    });
    head.or_else(|| name.strip_prefix(prefix)).unwrap_or(name)
}

/// Whether `name` is `wanted` with something put in front of it or between.
pub(crate) fn is_wrapped(name: &str, wanted: &str) -> bool {
    let ends = wanted.match_indices('.').map(|(at, _)| at + 1);
    let splits = std::iter::once(0).chain(ends);
    name != wanted
        && splits.map(|at| wanted.split_at(at)).any(|(head, tail)| {
            name.len() > wanted.len()
                && name.starts_with(head)
                && before(&name[head.len()..], tail).is_some()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_found_beside_the_network_and_around_it() {
        for (name, prefix, expected) in [
            ("embed_tokens.weight", "", "embed_tokens.weight"),
            ("model.norm.weight", "model.", "norm.weight"),
            ("lm_head.weight", "model.", "lm_head.weight"),
            ("module.lm_head.weight", "module.model.", "lm_head.weight"),
            ("other.lm_head.weight", "module.model.", "other.lm_head.weight"),
            ("norm.weight", "model.", "norm.weight"),
            (
                "model.layers.0.self_attn.q_norm.weight",
                "model.",
                "layers.0.self_attn.q_norm.weight",
            ),
        ] {
            assert_eq!(without_prefix(name, prefix), expected, "{name} behind `{prefix}`");
        }
    }

    #[test]
    fn wrappers_buffers_and_adapters_are_known_by_their_parts() {
        assert_eq!(unwrapped("_orig_mod.layers.0._wrapped.norm.weight"), "layers.0.norm.weight");
        assert!(is_buffer("layers.0.self_attn.rotary_emb.inv_freq") && is_buffer("position_ids"));
        assert!(!is_buffer("layers.0.self_attn.q_norm.weight"));
        assert!(is_adapter("base_model.model.layers.0.self_attn.q_proj.lora_A.weight"));
        assert!(is_adapter("layers.0.mlp.up_proj.base_layer.weight"));
        assert!(!is_adapter("base_model.model.layers.0.mlp.up_proj.weight"));
    }

    #[test]
    fn a_name_with_something_in_between_is_recognised() {
        let wanted = "layers.0.mlp.up_proj.weight";
        assert!(is_wrapped("x.layers.0.mlp.up_proj.weight", wanted));
        assert!(is_wrapped("layers.0.block.mlp.up_proj.weight", wanted));
        assert!(!is_wrapped("layers.1.mlp.up_proj.weight", wanted));
        assert!(!is_wrapped(wanted, wanted));
    }
}
