"""Calls that sentence-transformers and this package answer alike, argument by argument.

`make_reference.py` lets sentence-transformers answer them, `test_sentence_transformers.py` this
package.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

TEXTS = [
    "What is the capital of China?",
    "Gravity is a force that attracts two bodies towards each other. It gives weight to physical objects.",
    "",
    "万有引力让苹果落向地面。",
    "Apples fall.",
    "a",
]
QUERY = "Explain gravity"
PAIRS = [
    [QUERY, "Gravity is a force that attracts two bodies towards each other."],
    [QUERY, "The capital of China is Beijing."],
    ["What is the capital of China?", "The capital of China is Beijing."],
    ["What is the capital of China?", "Apples fall."],
]
DOCUMENTS = ["Apples fall.", "Gravity is a force that attracts two bodies.", "Beijing", "a", ""]

#: By name: the model, keywords of its constructor, a method, its arguments and its keywords.
Case = tuple[str, dict[str, Any], str, tuple[Any, ...], dict[str, Any]]

#: Stands for a function that returns what it is given: here of Python, there of PyTorch.
IDENTITY = object()


def encode(method: str = "encode", *inputs: Any, model: str = "embedding", loading: Any = None, **call: Any) -> Case:
    return (model, loading or {}, method, inputs or (TEXTS,), call)


def predict(*inputs: Any, model: str = "reranker", loading: Any = None, **call: Any) -> Case:
    return (model, loading or {}, "predict", inputs or (PAIRS,), call)


def rank(*inputs: Any, loading: Any = None, **call: Any) -> Case:
    return ("reranker", loading or {}, "rank", inputs or (QUERY, DOCUMENTS), call)


def formatted(pair: list[str]) -> list[str]:
    """A pair in the template, as users of `Qwen3ForSequenceClassification` write it."""
    task = "Given a web search query, retrieve relevant passages that answer the query"
    judge = "Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be \"yes\" or \"no\"."
    query = f"<|im_start|>system\n{judge}<|im_end|>\n<|im_start|>user\n<Instruct>: {task}\n<Query>: {pair[0]}\n"
    return [query, f"<Document>: {pair[1]}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"]


LEFT = np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8)
RIGHT = np.cos(np.arange(32, dtype=np.float32)).reshape(4, 8)

CASES: dict[str, Case] = {
    "a list": encode(),
    "a text alone is a vector": encode("encode", TEXTS[0]),
    "a list of one is a matrix": encode("encode", TEXTS[:1]),
    "a tuple": encode("encode", tuple(TEXTS)),
    "an array of texts": encode("encode", np.array(TEXTS)),
    "an array of objects": encode("encode", np.array(TEXTS, dtype=object)),
    "no texts": encode("encode", []),
    "no texts in int8": encode("encode", [], precision="int8"),
    "no texts, their tokens": encode("encode", [], output_value="token_embeddings"),
    "None": encode("encode", None),
    "a number": encode("encode", 3),
    "None among texts": encode("encode", ["a", None]),
    "a number among texts": encode("encode", ["a", 3]),
    "a prompt by name": encode(prompt_name="query"),
    "an unknown prompt": encode(prompt_name="nonsense"),
    "a prompt": encode(prompt="Instruct: find it\nQuery:"),
    "an empty prompt": encode(prompt="", loading={"default_prompt_name": "query"}),
    "a prompt and a name": encode(prompt="Query: ", prompt_name="query"),
    "the default prompt": encode(loading={"default_prompt_name": "query"}),
    "an unknown default prompt": encode(loading={"default_prompt_name": "nonsense"}),
    "own prompts": encode(prompt_name="mine", loading={"prompts": {"mine": "Mine: "}}),
    "an own prompt for queries": encode("encode_query", loading={"prompts": {"query": "Q: "}}),
    "an own prompt for documents": encode(
        "encode_document", loading={"prompts": {"document": "D: ", "passage": "P: "}}
    ),
    "queries": encode("encode_query"),
    "a query": encode("encode_query", QUERY),
    "queries with a prompt": encode("encode_query", prompt="Q: "),
    "queries with the prompt of documents": encode("encode_query", prompt_name="document"),
    "documents": encode("encode_document"),
    "documents with a default prompt": encode(
        "encode_document", loading={"default_prompt_name": "query"}
    ),
    "batches of one": encode(batch_size=1),
    "batches of none": encode(batch_size=0),
    "no progress bar": encode(show_progress_bar=False),
    # In a batch, sentence-transformers gives the padding on the left as well.
    "tokens": encode(output_value="token_embeddings", batch_size=1),
    "tokens of one text": encode("encode", TEXTS[0], output_value="token_embeddings"),
    "int8": encode(precision="int8"),
    "uint8": encode(precision="uint8"),
    "binary": encode(precision="binary"),
    "ubinary": encode(precision="ubinary"),
    "bits that fill no byte": encode(precision="ubinary", truncate_dim=12),
    "int8 of one text": encode("encode", TEXTS[0], precision="int8"),
    "ubinary of one text": encode("encode", TEXTS[0], precision="ubinary"),
    "no precision": encode(precision=None),
    "an unknown precision": encode(precision="int4"),
    "a list of vectors": encode(convert_to_numpy=False),
    "a tensor": encode(convert_to_tensor=True),
    "the same device": encode(device="cpu"),
    "scaled": encode(normalize_embeddings=True),
    "cut": encode(truncate_dim=8),
    "cut and scaled": encode(truncate_dim=8, normalize_embeddings=True),
    "cut beyond the end": encode(truncate_dim=100),
    "cut by the model": encode(loading={"truncate_dim": 16}),
    "cut by the call, not the model": encode(truncate_dim=8, loading={"truncate_dim": 16}),
    "a chunk size": encode(chunk_size=2),
    "a task": encode(task="query"),
    "an unknown argument": encode(nonsense=1),
    "the old name of inputs": ("embedding", {}, "encode", (), {"sentences": TEXTS}),
    "not scaled": encode(model="without_normalize"),
    "not scaled, cut": encode(model="without_normalize", truncate_dim=8),
    "not scaled, then scaled": encode(model="without_normalize", normalize_embeddings=True),
    "not scaled, cut, then scaled": encode(
        model="without_normalize", truncate_dim=8, normalize_embeddings=True
    ),
    "at most 6 tokens": ("embedding", {}, "max_seq_length=6", (TEXTS,), {}),
    "in a context that cuts": ("embedding", {}, "truncate_embeddings", (TEXTS,), {}),
    "prompts": ("embedding", {}, "prompts", (), {}),
    "the name of the default prompt": ("embedding", {}, "default_prompt_name", (), {}),
    "max_seq_length": ("embedding", {}, "max_seq_length", (), {}),
    "dimensions": ("embedding", {"truncate_dim": 8}, "get_embedding_dimension", (), {}),
    "the name of the similarity": ("embedding", {}, "similarity_fn_name", (), {}),
    "an unknown similarity": (
        "embedding", {"similarity_fn_name": "nonsense"}, "similarity_fn_name", (), {},
    ),
    "similarity of lists": encode("similarity", list(LEFT), list(RIGHT)),
    "similarity of vectors": encode("similarity", LEFT[0], RIGHT[0]),
    "similarity of zeros": encode("similarity", np.zeros((1, 8), np.float32), RIGHT),
    "pairs of a query and a document": predict(),
    "a pair": predict(PAIRS[0]),
    "pairs as tuples": predict([tuple(pair) for pair in PAIRS]),
    "an array of pairs": predict(np.array(PAIRS)),
    "no pairs": predict([]),
    "pairs with an instruction": predict(prompt="Find the city"),
    "pairs with a prompt by name": predict(
        prompt_name="city", loading={"prompts": {"city": "Find the city"}}
    ),
    "pairs with a default prompt": predict(
        loading={"prompts": {"city": "Find the city"}, "default_prompt_name": "city"}
    ),
    "pairs with an unknown prompt": predict(prompt_name="nonsense"),
    "pairs one by one": predict(batch_size=1),
    "pairs in batches of none": predict(batch_size=0),
    "log-odds": predict(activation_fn=IDENTITY),
    "log-odds by the model": predict(loading={"activation_fn": IDENTITY}),
    "softmax of one score": predict(apply_softmax=True),
    "a list of scores": predict(convert_to_numpy=False),
    "a tensor of scores": predict(convert_to_tensor=True),
    "the old name of pairs": ("reranker", {}, "predict", (), {"sentences": PAIRS}),
    "pairs of a classifier": predict(PAIRS, model="classifier"),
    "a ranking": rank(),
    "the best two": rank(top_k=2),
    "a ranking with documents": rank(return_documents=True),
    "a ranking with an instruction": rank(prompt="Find the city"),
    "a ranking by log-odds": rank(activation_fn=IDENTITY),
    "a ranking of nothing": rank(QUERY, []),
}
for name in ["cosine", "dot", "euclidean", "manhattan"]:
    loading = {"similarity_fn_name": name}
    CASES[f"{name} similarity"] = encode("similarity", LEFT, RIGHT, loading=loading)
    CASES[f"{name} similarity of pairs"] = encode(
        "similarity_pairwise", LEFT, RIGHT[:3], loading=loading
    )


def outcome(case: Case, load: Callable[..., Any], identity: Any) -> Any:
    """What came of a case, in JSON."""
    kind, loading, method, inputs, call = case
    replaced = [{k: identity if v is IDENTITY else v for k, v in d.items()} for d in (loading, call)]
    try:
        model = load(kind, **replaced[0])
        return _described(_called(model, method, inputs, replaced[1]))
    except ValueError:
        return {"error": "ValueError"}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def _called(model: Any, method: str, inputs: tuple[Any, ...], call: dict[str, Any]) -> Any:
    context: Any = contextlib.nullcontext()
    if method.startswith("max_seq_length="):
        model.max_seq_length = int(method.partition("=")[2])
        method = "encode"
    elif method == "truncate_embeddings":
        method, context = "encode", model.truncate_embeddings(8)
    with context:
        found = getattr(model, method)
        return found(*inputs, **call) if callable(found) else found


def _described(result: Any) -> Any:
    if hasattr(result, "detach"):
        result = result.detach().cpu().numpy()
    if isinstance(result, list):
        return [_described(item) for item in result]
    if isinstance(result, dict):
        return {key: _described(value) for key, value in result.items()}
    if isinstance(result, (np.ndarray, np.generic)):
        array = np.asarray(result)
        # Seven digits are what float32 has.
        numbers = [float(f"{number:.7g}") for number in array.ravel()]
        return {"dtype": array.dtype.name, "shape": list(array.shape), "numbers": numbers}
    return result
