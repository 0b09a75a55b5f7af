"""Vectors in fewer bytes, as `sentence_transformers.quantize_embeddings` defines them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import OptionError

logger = logging.getLogger("qwen3_burn")

Precision = Literal["float32", "int8", "uint8", "binary", "ubinary"]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "uint8", "binary", "ubinary")

#: Fewer vectors say little about the range of each dimension.
_ENOUGH = 100


def check(precision: str | None) -> None:
    if precision is not None and precision not in PRECISIONS:
        raise OptionError(f"option `precision`: `{precision}` is none of {', '.join(PRECISIONS)}")


def quantize_embeddings(
    embeddings: npt.NDArray[Any] | Sequence[npt.NDArray[Any]],
    precision: Precision,
    ranges: npt.NDArray[Any] | None = None,
    calibration_embeddings: npt.NDArray[Any] | None = None,
) -> Any:
    """Vectors in a lower precision.

    `int8` and `uint8` cut the range of each dimension into 256 parts of the same size. The
    range is that of `ranges` (a row of the smallest and a row of the largest numbers), else
    that of `calibration_embeddings`, else that of the vectors themselves. `binary` and
    `ubinary` keep one bit of each number, whether it is above 0, eight in a byte. A list of
    matrices gives a list, with the same ranges for all.
    """
    check(precision)
    if not isinstance(embeddings, np.ndarray):
        matrices = [np.asarray(matrix) for matrix in embeddings]
        if matrices and matrices[0].ndim == 2:
            if ranges is None and calibration_embeddings is None:
                calibration_embeddings = np.concatenate(matrices, axis=0)
            return [
                _quantized(matrix, precision, ranges, calibration_embeddings)
                for matrix in matrices
            ]
        embeddings = np.array(matrices)
    return _quantized(embeddings, precision, ranges, calibration_embeddings)


def _quantized(
    embeddings: npt.NDArray[Any],
    precision: Precision,
    ranges: npt.NDArray[Any] | None,
    calibration_embeddings: npt.NDArray[Any] | None,
) -> npt.NDArray[Any]:
    if embeddings.dtype in (np.uint8, np.int8):
        raise OptionError("vectors of `int8` or `uint8` are quantized already; pass those of float32")
    if precision == "float32":
        return embeddings.astype(np.float32)
    if precision == "binary":
        return (np.packbits(embeddings > 0, axis=-1) - 128).astype(np.int8)
    if precision == "ubinary":
        return np.packbits(embeddings > 0, axis=-1)
    if ranges is None:
        ranges = _ranges(embeddings, precision, calibration_embeddings)
    ranges = np.asarray(ranges, np.float32)
    if ranges.shape != (2, embeddings.shape[-1]):
        raise OptionError(
            f"option `ranges` has the shape {ranges.shape}, but must have a row of the smallest and a row "
            f"of the largest numbers, of {embeddings.shape[-1]} each"
        )
    starts = ranges[0, :]
    steps = (ranges[1, :] - starts) / 255
    steps = np.where(steps == 0, 1, steps)
    parts = np.clip(np.floor((embeddings - starts) / steps), 0, 255)
    result: npt.NDArray[Any] = parts if precision == "uint8" else parts - 128
    return result.astype(precision)


def _ranges(
    embeddings: npt.NDArray[Any],
    precision: str,
    calibration_embeddings: npt.NDArray[Any] | None,
) -> npt.NDArray[Any]:
    if calibration_embeddings is None:
        if embeddings.ndim == 1 or embeddings.shape[0] == 1:
            raise OptionError(
                f"option `precision`: `{precision}` of one vector alone has no ranges; compute it in "
                "float32 and call `quantize_embeddings` with `ranges` or `calibration_embeddings`"
            )
        if embeddings.shape[0] < _ENOUGH:
            logger.warning(
                "the ranges of %s are those of %d vectors; more make them stable: pass `ranges` or "
                "`calibration_embeddings` to `quantize_embeddings`",
                precision,
                len(embeddings),
            )
        calibration_embeddings = embeddings
    smallest = np.min(calibration_embeddings, axis=0)
    return np.vstack((smallest, np.max(calibration_embeddings, axis=0)))
