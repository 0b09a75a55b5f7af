"""Writes the weights that training starts from: an average of fitted words, not noise.

    python mini/start.py FOLDER

It reads FOLDER/tokenizer, the texts with targets in FOLDER/train and the teacher, and writes FOLDER/start in the
Hugging Face layout, in float32. There, `v_proj` and the first layer's `o_proj` are the identity, nothing else adds to
the residual stream, and attention is uniform: a text's vector is the mean of what its tokens' rows say, and training
starts from that mean. The rows are those whose means are nearest to the targets by least squares, drawn towards the
teacher's vectors of the tokens' own strings, which decide for rare tokens. FOLDER/untrained has the usual noise
instead, to be measured beside the trained model.
"""

import argparse
import json
import math
import os
import shutil

import numpy
import scipy.sparse
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

import teacher
import tokenizer as qwen

HIDDEN, INTERMEDIATE, LAYERS, HEADS, HEAD_DIM = 256, 768, 4, 4, 64
# A row says more or less by its length, which RMSNorm keeps only where the mean square is below its epsilon.
RMS_NORM_EPS = 0.01
# Weights of `q_norm` and `k_norm`: attention begins nearly uniform.
ATTENTION_NORM = 0.3
# The fit: texts, how much a token's own string weighs against a text, and its part of the length, steps of it.
N_FITTED = 400_000
PRIOR, PRIOR_LENGTH, FIT_STEPS = 0.3, 0.5, 12
# The longest row after the first norm, as a root mean square below 1, and the length in the fit that this stands for.
LONGEST_RMS, LONGEST = 0.9, 4.0
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
        "rms_norm_eps": RMS_NORM_EPS,
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
    """Rows of `embed_tokens`, [16384, 256], float32."""
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer", "tokenizer.json"))
    strings = [tokenizer.decode([token]) or " " for token in range(qwen.N_TOKENS - 1)]
    own = teacher.projected(teacher.cached(folder, "tokens", strings), teacher.principal(folder))
    # The end token says nothing itself.
    own = numpy.concatenate([own, numpy.zeros((1, HIDDEN), numpy.float32)])
    targets = numpy.load(os.path.join(folder, "train", "targets.npy"), mmap_mode="r")[:N_FITTED]
    texts = teacher.lines(os.path.join(folder, "train", "texts.jsonl"), len(targets))
    fitted = fit(shares(tokenizer, texts), numpy.asarray(targets, numpy.float32), own * PRIOR_LENGTH)
    return torch.from_numpy(before_norm(fitted))


def shares(tokenizer, texts):
    """Each token's share of each text's tokens, [texts, 16384]."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    ends = numpy.cumsum([0] + [len(row) for row in ids])
    values = numpy.repeat([1 / max(1, len(row)) for row in ids], numpy.diff(ends)).astype(numpy.float32)
    found = scipy.sparse.csr_matrix((values, numpy.concatenate(ids), ends), shape=(len(ids), qwen.N_TOKENS))
    found.sum_duplicates()
    return found


def fit(shares, targets, prior):
    """The rows E of least |shares E - targets|² + PRIOR |E - prior|², by conjugate gradients of each column."""
    gram = shares.T @ shares
    diagonal = (gram.diagonal() + PRIOR)[:, None]
    rows = prior.copy()
    rest = shares.T @ targets + PRIOR * prior - (gram @ rows + PRIOR * rows)
    scaled = rest / diagonal
    direction, square = scaled.copy(), (rest * scaled).sum(0)
    for _ in range(FIT_STEPS):
        image = gram @ direction + PRIOR * direction
        step = square / (direction * image).sum(0)
        rows += step * direction
        rest -= step * image
        scaled = rest / diagonal
        last, square = square, (rest * scaled).sum(0)
        direction = scaled + square / last * direction
    return rows


def before_norm(rows):
    """What RMSNorm turns into `rows`, but for one factor: x = v sqrt(epsilon / (1 - mean v²))."""
    lengths = numpy.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows * numpy.minimum(1, LONGEST / numpy.maximum(lengths, 1e-9))
    rows *= LONGEST_RMS * math.sqrt(HIDDEN) / LONGEST
    return rows * numpy.sqrt(RMS_NORM_EPS / (1 - (rows**2).mean(1, keepdims=True)))


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
