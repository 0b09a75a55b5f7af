"""Vectors in Ray Data. Needs the package `ray[data]`.

>>> import ray
>>> from qwen3_burn.ray import Embed
>>> texts = ray.data.read_parquet("texts")  # doctest: +SKIP
>>> vectors = texts.map_batches(  # doctest: +SKIP
...     Embed,
...     fn_constructor_kwargs={"model": "mini", "text_column": "text"},
...     batch_format="pyarrow",
...     batch_size=256,
...     compute=ray.data.ActorPoolStrategy(size=2),
... )
"""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa
import ray

from . import _arrow
from .embedder import Embedder

__all__ = ["Embed"]


class Embed:
    """For `Dataset.map_batches` with ``batch_format="pyarrow"``: adds to each batch a column of
    the vectors of a column of texts. A text that is missing has no vector.

    The model is loaded once for each actor, on the actor's GPU if `map_batches` was given
    ``num_gpus``, else on the processor, with as many threads as the actor has of ``num_cpus``.
    ``encode`` holds keywords of `Embedder.encode`, such as ``{"prompt_name": "query"}``;
    other keywords are those of `Embedder`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        text_column: str = "text",
        vector_column: str = "embedding",
        encode: dict[str, Any] | None = None,
        device: str | None = None,
        threads: int | None = None,
        **loading: Any,
    ) -> None:
        self._columns = (text_column, vector_column)
        self._encode = _arrow.check_choices(encode or {})
        self._model = Embedder(
            model, device=device or _device(), threads=threads or _threads(), **loading
        )

    def __call__(self, batch: pa.Table) -> pa.Table:
        text_column, vector_column = self._columns
        vectors = _arrow.vectors_of(self._model, batch.column(text_column), self._encode)
        if vector_column in batch.column_names:
            batch = batch.drop_columns([vector_column])
        return batch.append_column(vector_column, vectors)


def _device() -> str:
    # Ray shows a process only the GPUs that it was given, so the first one is its own.
    return "cuda" if ray.is_initialized() and ray.get_gpu_ids() else "cpu"


def _threads() -> int | None:
    """The processors that this actor was given; a driver has none."""
    if not ray.is_initialized():
        return None
    cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 0)
    return max(1, int(cpus)) if cpus else None
