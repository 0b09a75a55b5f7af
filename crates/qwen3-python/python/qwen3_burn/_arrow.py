"""Columns of Arrow: texts in, vectors out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from .embedder import Embedder
from .errors import InputError, OptionError

#: Keywords of `Embedder.encode` that give something else than vectors of float32.
_OF_OTHERS = ("precision", "output_value", "convert_to_numpy", "convert_to_tensor")
#: Lists of Arrow count their numbers in 32 bits.
_MOST_NUMBERS = (1 << 31) - 1


def check_choices(choices: dict[str, Any]) -> dict[str, Any]:
    """Refuses keywords of `Embedder.encode` that make no sense for a column of vectors."""
    for name in _OF_OTHERS:
        if name in choices:
            raise OptionError(
                f"option `encode` has `{name}`, but the column has vectors of float32; leave it out, and "
                "use `quantize_embeddings` on the column for fewer bits"
            )
    return choices


def vectors_of(model: Embedder, column: Any, choices: dict[str, Any]) -> pa.ListArray:
    """A vector of float32 for each text of a column, and nothing where there is no text."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    views = (pa.types.is_string_view,) if hasattr(pa.types, "is_string_view") else ()
    is_text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_null, *views)
    if not any(is_it(kind) for is_it in is_text):
        raise InputError(f"the column has values of the type {column.type}, not texts")
    texts = column.to_pylist()
    present = [text for text in texts if text is not None]
    vectors = np.asarray(model.encode(present, **choices), np.float32)
    # Not lists of a fixed size: Arrow's reader of Parquet refuses those that are missing.
    if vectors.size > _MOST_NUMBERS:
        raise InputError(f"a batch of {len(texts)} texts is too large for a column; make batches smaller")
    columns = vectors.size // max(len(present), 1)
    is_present = np.array([text is not None for text in texts], bool)
    offsets = np.append(0, np.cumsum(is_present * columns)).astype(np.int32)
    is_missing = np.append(~is_present, False)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=is_missing), pa.array(vectors.ravel()))
