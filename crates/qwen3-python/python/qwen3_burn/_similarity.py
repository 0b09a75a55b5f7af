"""Similarities of vectors, as `sentence_transformers.util` defines them: larger is always
more similar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError, OptionError

Matrix = npt.NDArray[Any]


def _scaled(vectors: Matrix) -> Matrix:
    # A zero vector is similar to nothing, as in torch's normalize.
    norms = np.sqrt(np.sum(vectors * vectors, axis=-1, keepdims=True))
    scaled: Matrix = vectors / np.maximum(norms, np.asarray(1e-12, vectors.dtype))
    return scaled


def _cosine(left: Matrix, right: Matrix) -> Matrix:
    return _scaled(left) @ _scaled(right).T


def _dot(left: Matrix, right: Matrix) -> Matrix:
    return left @ right.T


def _euclidean(left: Matrix, right: Matrix) -> Matrix:
    rows = [-np.sqrt(np.sum((right - row) ** 2, axis=-1)) for row in left]
    return np.reshape(rows, (len(left), len(right))).astype(left.dtype)


def _manhattan(left: Matrix, right: Matrix) -> Matrix:
    rows = [-np.sum(np.abs(right - row), axis=-1) for row in left]
    return np.reshape(rows, (len(left), len(right))).astype(left.dtype)


_MATRICES: dict[str, Callable[[Matrix, Matrix], Matrix]] = {
    "cosine": _cosine,
    "dot": _dot,
    "euclidean": _euclidean,
    "manhattan": _manhattan,
}

_PAIRS: dict[str, Callable[[Matrix, Matrix], Matrix]] = {
    "cosine": lambda left, right: np.sum(_scaled(left) * _scaled(right), axis=-1),
    "dot": lambda left, right: np.sum(left * right, axis=-1),
    "euclidean": lambda left, right: -np.sqrt(np.sum((left - right) ** 2, axis=-1)),
    "manhattan": lambda left, right: -np.sum(np.abs(left - right), axis=-1),
}


def check(name: str) -> str:
    """The name of a similarity, from a name or an enum of names."""
    name = getattr(name, "value", name)
    if name not in _MATRICES:
        known = ", ".join(_MATRICES)
        raise OptionError(f"option `similarity_fn_name`: `{name}` is none of {known}")
    return name


def matrix(name: str, left: Any, right: Any) -> Matrix:
    """Of every vector on the left with every one on the right."""
    left, right = _numbers(left), _numbers(right)
    left, right = np.atleast_2d(left), np.atleast_2d(right)
    _check_lengths(left, right)
    return _MATRICES[name](left, right)


def pairwise(name: str, left: Any, right: Any) -> Matrix:
    """Of every vector on the left with the one in its place on the right."""
    left, right = _numbers(left), _numbers(right)
    _check_lengths(left, right)
    return _PAIRS[name](left, right)


def _numbers(vectors: Any) -> Matrix:
    numbers = np.asarray(vectors)
    return numbers if numbers.dtype in (np.float32, np.float64) else numbers.astype(np.float32)


def _check_lengths(left: Matrix, right: Matrix) -> None:
    if left.shape[-1] != right.shape[-1]:
        raise InputError(
            f"vectors of {left.shape[-1]} and {right.shape[-1]} dimensions can't be compared; use the "
            "same model and `truncate_dim` for both"
        )
