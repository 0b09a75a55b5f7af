"""Vectors in Daft, on one machine or with its Ray runner. Needs the package `daft`.

>>> import daft
>>> from qwen3_burn.daft import embed
>>> frame = daft.from_pydict({"text": ["Apples fall."]})
>>> frame = frame.with_column("embedding", embed(frame["text"], "mini"))
"""

from __future__ import annotations

import os
from typing import Any

import daft
from daft import DataType, Expression, Series

from . import _arrow
from .embedder import Embedder

__all__ = ["embed"]


class _Embed:
    def __init__(
        self, model: str | os.PathLike[str], encode: dict[str, Any], loading: dict[str, Any]
    ) -> None:
        self._encode = encode
        self._model = Embedder(model, **loading)

    @daft.method.batch(  # type: ignore[untyped-decorator]
        return_dtype=DataType.list(DataType.float32())
    )
    def __call__(self, texts: Series) -> Series:
        vectors = _arrow.vectors_of(self._model, texts.to_arrow(), self._encode)
        return Series.from_arrow(vectors)


def embed(
    text: Expression,
    model: str | os.PathLike[str],
    *,
    encode: dict[str, Any] | None = None,
    num_cpus: float | None = None,
    num_gpus: float = 0,
    max_concurrency: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    **loading: Any,
) -> Expression:
    """The vectors of a column of texts: lists of float32. A text that is missing has none.

    The model is loaded once for each of the ``max_concurrency`` processes, on the process's GPU
    with ``num_gpus``, else on the processor, with as many threads as ``num_cpus``. ``encode``
    holds keywords of `Embedder.encode`; other keywords are those of `Embedder`. With
    ``.cast(DataType.embedding(DataType.float32(), 1024))`` the column says how long vectors are.
    """
    loading["device"] = device or ("cuda" if num_gpus else "cpu")
    loading["threads"] = threads or (max(1, int(num_cpus)) if num_cpus else None)
    kind = daft.cls(cpus=num_cpus, gpus=num_gpus, max_concurrency=max_concurrency)(_Embed)
    result: Expression = kind(model, _arrow.check_choices(encode or {}), loading)(text)
    return result
