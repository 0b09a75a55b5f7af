"""Texts in many Parquet files, and what came of them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FILES = 64
WORDS = "the a river stone cloud runs falls over under quiet bright heavy small engine garden".split()


def write(folder: Path, rows: int) -> None:
    """`rows` texts of 4 to 60 words with their numbers, in 64 files; one in 50 is missing."""
    draw = random.Random(7)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(4, 60))) for _ in range(rows)]
    texts = [None if index % 50 == 17 else text for index, text in enumerate(texts)]
    table = pa.table({"id": pa.array(range(rows), pa.int64()), "text": texts})
    folder.mkdir()
    for file in range(FILES):
        begin, end = file * rows // FILES, (file + 1) * rows // FILES
        pq.write_table(table.slice(begin, end - begin), folder / f"{file:02}.parquet")


def check(found: pa.Table, expected: pa.Table) -> None:
    """Every row once, and every vector the same to the last bit."""
    ids = found["id"].to_numpy()
    if not np.array_equal(np.sort(ids), np.arange(len(expected))):
        unique, counts = np.unique(ids, return_counts=True)
        raise AssertionError(
            f"{len(expected) - len(unique)} rows are missing, {(counts > 1).sum()} are there twice"
        )
    found = found.take(pa.array(np.argsort(ids)))
    for column in ("text", "embedding"):
        if found[column].to_pylist() != expected[column].to_pylist():
            raise AssertionError(f"the column `{column}` differs")
