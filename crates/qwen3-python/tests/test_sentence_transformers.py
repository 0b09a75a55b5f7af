"""Every call of `cases.py` against what sentence-transformers answered, and the program of the
model card."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import json
import logging
import tempfile
import unittest
import warnings
from pathlib import Path
from typing import Any

import cases
import checkpoints
import numpy as np
from qwen3_burn import Embedder, Reranker

HERE = Path(__file__).resolve().parent
REFERENCE = json.loads((HERE / "reference.json").read_text())

#: Numbers of vectors in float32, as in `proof/src/tolerance.rs`. Those of tokens are not scaled.
TOLERANCE = 2e-5

#: They are compared where PyTorch is installed.
TENSORS = ("a tensor", "a tensor of scores")
HAS_TORCH = importlib.util.find_spec("torch") is not None


def setUpModule() -> None:
    global _temporary
    logging.getLogger("qwen3_burn").setLevel("ERROR")
    warnings.simplefilter("ignore", FutureWarning)
    _temporary = tempfile.TemporaryDirectory()


def tearDownModule() -> None:
    logging.getLogger("qwen3_burn").setLevel("NOTSET")
    _temporary.cleanup()


@functools.cache
def folder(kind: str) -> Path:
    return checkpoints.MODELS[kind](Path(_temporary.name) / kind)


def load(kind: str, **loading: Any) -> Embedder | Reranker:
    loader = Reranker if kind in ("reranker", "classifier") else Embedder
    return loader(folder(kind), device="cpu", **loading)


class Cases(unittest.TestCase):
    def test_every_call_is_answered_as_sentence_transformers_answers_it(self) -> None:
        for name, case in cases.CASES.items():
            if name in TENSORS and not HAS_TORCH:
                continue
            with self.subTest(name):
                found = cases.outcome(case, load, lambda numbers: numbers)
                # The last bit of a vector decides between two parts of its range.
                tolerance = 1 if name in ("int8", "uint8") else TOLERANCE
                self.compare(found, REFERENCE["cases"][name], tolerance)

    def test_every_answer_has_a_call(self) -> None:
        self.assertEqual(sorted(REFERENCE["cases"]), sorted(cases.CASES))

    def test_the_model_cards_program_runs_with_another_import_and_name(self) -> None:
        program = (HERE / "model_card.py").read_text()
        for old, new in [
            ("from sentence_transformers import SentenceTransformer",
             "from qwen3_burn import Embedder as SentenceTransformer"),
            ('"Qwen/Qwen3-Embedding-0.6B")', f'"{folder("embedding")}")'),
        ]:
            self.assertEqual(program.count(old), 1, old)
            program = program.replace(old, new)
        names: dict[str, Any] = {}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(program, names)
        self.close(names["similarity"], REFERENCE["model_card"], TOLERANCE)

    def test_a_lists_vectors_are_its_texts_vectors(self) -> None:
        model = load("embedding")
        vectors = model.encode(cases.TEXTS)
        for text, vector in zip(cases.TEXTS, vectors, strict=True):
            np.testing.assert_array_equal(model.encode(text), vector)

    def compare(self, found: Any, expected: Any, tolerance: float) -> None:
        if isinstance(expected, dict) and "dtype" in expected:
            self.assertEqual((found["dtype"], found["shape"]), (expected["dtype"], expected["shape"]))
            self.close(found["numbers"], expected["numbers"], tolerance)
        elif isinstance(expected, dict):
            self.assertEqual(found.keys(), expected.keys(), found)
            for key in expected:
                self.compare(found[key], expected[key], tolerance)
        elif isinstance(expected, list):
            self.assertEqual(len(found), len(expected))
            for one, other in zip(found, expected, strict=True):
                self.compare(one, other, tolerance)
        elif isinstance(expected, float):
            self.close(found, expected, tolerance)
        else:
            self.assertEqual(found, expected)

    def close(self, found: Any, expected: Any, tolerance: float) -> None:
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


if __name__ == "__main__":
    unittest.main()
