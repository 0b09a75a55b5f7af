"""Texts and pairs, however they are passed, as lists of `str`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import InputError


def texts_of(inputs: Any) -> tuple[list[str], bool]:
    """The texts, and whether one text was passed and not a list of one.

    Lists, tuples, generators, NumPy arrays, pandas series and Arrow arrays are texts one
    after the other. What is neither of these nor a text is refused.
    """
    if isinstance(inputs, str):
        return [inputs], True
    if isinstance(inputs, np.ndarray) and inputs.ndim == 0:
        return texts_of(inputs.item())
    texts = _items(inputs, "a text or a list of texts")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise _refused(f"input {index} is {_shown(text)}, not a text", index)
    return texts, False


def pairs_of(inputs: Any) -> tuple[list[str], list[str], bool]:
    """Queries, their documents, and whether one pair was passed and not a list of one."""
    if isinstance(inputs, np.ndarray):
        inputs = inputs.tolist()
    is_single = (
        isinstance(inputs, (list, tuple))
        and len(inputs) > 0
        and not isinstance(inputs[0], (list, tuple, np.ndarray))
    )
    pairs = [inputs] if is_single else _items(inputs, "a pair or a list of pairs")
    queries: list[str] = []
    documents: list[str] = []
    for index, pair in enumerate(pairs):
        if not isinstance(pair, (list, tuple, np.ndarray)) or len(pair) != 2:
            what = "is no pair of a query and a document, as in `(query, document)`"
            raise _refused(f"input {index} {what}: {_shown(pair)}", index)
        for text, texts in zip(pair, (queries, documents), strict=True):
            if not isinstance(text, str):
                raise _refused(f"input {index} has {_shown(text)}, not a text", index)
            texts.append(text)
    return queries, documents, is_single


def _items(inputs: Any, expected: str) -> list[Any]:
    if isinstance(inputs, (str, bytes, bytearray, dict)) or not isinstance(inputs, Iterable):
        raise InputError(f"inputs are {_shown(inputs)}, not {expected}")
    if isinstance(inputs, np.ndarray):
        return list(inputs.tolist())
    if hasattr(inputs, "to_pylist"):
        # Arrow's scalars are no `str`.
        return list(inputs.to_pylist())
    return list(inputs)


def _refused(message: str, index: int) -> InputError:
    error = InputError(message)
    error.input = index
    return error


def _shown(value: object) -> str:
    if value is None:
        return "None"
    shown = repr(value)
    shown = shown if len(shown) <= 40 else f"{shown[:39]}…"
    return f"{type(value).__name__} {shown}"
