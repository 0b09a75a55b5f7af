"""Folders of models for the tests, made of the repository's tiny checkpoints: in float32, so
that two programs compute the same numbers, and with the files that sentence-transformers reads."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).resolve().parents[3] / "tests" / "fixtures"

#: The engine's template of a reranker, for sentence-transformers, which maps a pair to messages
#: with the roles `query` and `document` and an instruction to the role `system`.
CHAT_TEMPLATE = """
{%- set ns = namespace(system="Given a web search query, retrieve relevant passages that answer the query") -%}
{%- for message in messages -%}
{%- if message.role == "system" -%}{%- set ns.system = message.content -%}{%- endif -%}
{%- if message.role == "query" -%}{%- set ns.query = message.content -%}{%- endif -%}
{%- if message.role == "document" -%}{%- set ns.document = message.content -%}{%- endif -%}
{%- endfor -%}
{{- "<|im_start|>system\\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be \\"yes\\" or \\"no\\".<|im_end|>\\n<|im_start|>user\\n<Instruct>: " ~ ns.system ~ "\\n<Query>: " ~ ns.query ~ "\\n<Document>: " ~ ns.document ~ "<|im_end|>\\n<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n" -}}
"""


def embedding(folder: Path) -> Path:
    """As Qwen3-Embedding's repository."""
    return _copied("tiny-embedding", folder)


def without_normalize(folder: Path) -> Path:
    """The same, but its list of modules doesn't scale vectors."""
    target = _copied("tiny-embedding", folder)
    modules = json.loads((target / "modules.json").read_text())
    (target / "modules.json").write_text(json.dumps(modules[:2]))
    return target


def reranker(folder: Path) -> Path:
    """As Qwen3-Reranker's repository: scores are log-odds of `yes` (265) against `no` (261)."""
    target = _copied("tiny-reranker-tied", folder)
    (target / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return target


def classifier(folder: Path) -> Path:
    """A reranker converted to `Qwen3ForSequenceClassification`."""
    return _copied("tiny-seq-cls", folder)


MODELS = {
    "embedding": embedding,
    "without_normalize": without_normalize,
    "reranker": reranker,
    "classifier": classifier,
}


def _copied(fixture: str, folder: Path) -> Path:
    shutil.copytree(FIXTURES / fixture, folder, ignore=shutil.ignore_patterns("reference.*"))
    weights = folder / "model.safetensors"
    weights.write_bytes(_in_float32(weights.read_bytes()))
    config = json.loads((folder / "config.json").read_text())
    config.pop("torch_dtype", None)
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float32"}))
    return folder


def _in_float32(file: bytes) -> bytes:
    """A safetensors file with every bfloat16 number widened, which is exact."""
    (header_bytes,) = struct.unpack("<Q", file[:8])
    header = json.loads(file[8 : 8 + header_bytes])
    tensors, data = {}, b""
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + header_bytes + offset for offset in tensor["data_offsets"])
        numbers = file[begin:end]
        if tensor["dtype"] == "BF16":
            numbers = (np.frombuffer(numbers, "<u2").astype("<u4") << 16).tobytes()
        offsets = [len(data), len(data) + len(numbers)]
        tensors[name] = {"dtype": "F32", "shape": tensor["shape"], "data_offsets": offsets}
        data += numbers
    head = json.dumps({**tensors, "__metadata__": {"format": "pt"}}).encode()
    return struct.pack("<Q", len(head)) + head + data
