"""Writes the weights that training starts from: an average, not noise.

    python mini/start.py FOLDER

It reads FOLDER/tokenizer and the teacher, and writes FOLDER/start in the Hugging Face layout, in float32. A row of the
table is the teacher's vector of the token's own string, projected as the targets are; the rows of `v_proj` and, in the
first layer, of `o_proj` are the identity, and nothing else adds to the residual stream; attention is nearly uniform.
So the last token begins as the mean of the rows before it, and training starts from there. FOLDER/untrained has the
usual noise instead, to be measured beside the trained model.
"""

import argparse
import json
import math
import os
import shutil

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

import teacher
import tokenizer as qwen

HIDDEN, INTERMEDIATE, LAYERS, HEADS, HEAD_DIM = 256, 768, 4, 4, 64
# Weights of `q_norm` and `k_norm`: scores stay below 0.3 * 0.3 * sqrt(64), so that attention begins nearly uniform.
ATTENTION_NORM = 0.3
INITIALIZER_RANGE = 0.02
SEED = 15


def config():
    end = qwen.N_TOKENS - 1
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": end,
        "eos_token_id": end,
        "head_dim": HEAD_DIM,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "initializer_range": INITIALIZER_RANGE,
        "intermediate_size": INTERMEDIATE,
        "max_position_embeddings": 2048,
        "max_window_layers": LAYERS,
        "model_type": "qwen3",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": HEADS,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 10000,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "transformers_version": "4.51.3",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": qwen.N_TOKENS,
    }


def table(folder):
    """Rows of `embed_tokens`, [16384, 256]."""
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer", "tokenizer.json"))
    strings = [tokenizer.decode([token]) or " " for token in range(qwen.N_TOKENS - 1)]
    rows = teacher.projected(teacher.cached(folder, "tokens", strings), teacher.principal(folder))
    rows = torch.from_numpy(rows) * INITIALIZER_RANGE * math.sqrt(HIDDEN)
    # The end token says nothing itself.
    return torch.cat([rows, torch.randn(1, HIDDEN) * 1e-3])


def noise(*shape):
    return torch.randn(shape) * INITIALIZER_RANGE


def weights(folder):
    torch.manual_seed(SEED)
    tensors = {"embed_tokens.weight": table(folder), "norm.weight": torch.ones(HIDDEN)}
    identity = torch.eye(HIDDEN)
    for layer in range(LAYERS):
        tensors |= {f"layers.{layer}.{name}.weight": tensor for name, tensor in {
            "input_layernorm": torch.ones(HIDDEN),
            "post_attention_layernorm": torch.ones(HIDDEN),
            "self_attn.q_proj": noise(HEADS * HEAD_DIM, HIDDEN),
            "self_attn.k_proj": noise(HEADS * HEAD_DIM, HIDDEN),
            "self_attn.v_proj": identity.clone(),
            "self_attn.o_proj": identity.clone() if layer == 0 else torch.zeros(HIDDEN, HIDDEN),
            "self_attn.q_norm": torch.full((HEAD_DIM,), ATTENTION_NORM),
            "self_attn.k_norm": torch.full((HEAD_DIM,), ATTENTION_NORM),
            "mlp.gate_proj": noise(INTERMEDIATE, HIDDEN),
            "mlp.up_proj": noise(INTERMEDIATE, HIDDEN),
            "mlp.down_proj": torch.zeros(HIDDEN, INTERMEDIATE),
        }.items()}
    return tensors


def untrained(tensors):
    """The same tensors as they are usually drawn: normal matrices, norms of one."""
    torch.manual_seed(SEED)
    return {
        name: noise(*tensor.shape) if tensor.dim() == 2 else torch.ones_like(tensor)
        for name, tensor in tensors.items()
    }


def sentence_transformers():
    """The files by which sentence-transformers knows an embedding model of this kind."""
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (kind, path) in enumerate(kinds)
    ]
    pooling = {
        "word_embedding_dimension": HIDDEN,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": False,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
        "pooling_mode_weightedmean_tokens": False,
        "pooling_mode_lasttoken": True,
        "include_prompt": True,
    }
    # The texts were learned without prompts.
    prompts = {"prompts": {"query": "", "document": ""}, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    return {
        "config.json": config(),
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "config_sentence_transformers.json": prompts,
    }


def write(folder, name, tensors):
    out = os.path.join(folder, name)
    for part in ("1_Pooling", "2_Normalize"):
        os.makedirs(os.path.join(out, part), exist_ok=True)
    for path, value in sentence_transformers().items():
        with open(os.path.join(out, path), "w", encoding="utf8") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
    for path in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(folder, "tokenizer", path), out)
    save_file(tensors, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    tensors = weights(folder)
    write(folder, "untrained", untrained(tensors))
    write(folder, "start", tensors)
    print(f"{sum(tensor.numel() for tensor in tensors.values()):,} weights in {folder}/start and {folder}/untrained")


if __name__ == "__main__":
    main()
