"""Every call of `cases.py` against what sentence-transformers answered, and the program of the
model card."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import tempfile
import unittest
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

#: Answers that are others on purpose, with the reason.
OTHERS = {
    "a tensor": "needs PyTorch",
    "a tensor of scores": "needs PyTorch",
}


def setUpModule() -> None:
    global _temporary
    _temporary = tempfile.TemporaryDirectory()


def tearDownModule() -> None:
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
            if name in OTHERS:
                continue
            with self.subTest(name), self.quiet():
                found = cases.outcome(case, load, lambda numbers: numbers)
                self.compare(found, REFERENCE["cases"][name])

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
        self.close(names["similarity"], REFERENCE["model_card"])

    def test_a_lists_vectors_are_its_texts_vectors(self) -> None:
        model = load("embedding")
        vectors = model.encode(cases.TEXTS)
        for text, vector in zip(cases.TEXTS, vectors, strict=True):
            np.testing.assert_array_equal(model.encode(text), vector)

    def compare(self, found: Any, expected: Any) -> None:
        if isinstance(expected, dict) and "dtype" in expected:
            self.assertEqual((found["dtype"], found["shape"]), (expected["dtype"], expected["shape"]))
            # A number on the border of two parts of its range may be in either.
            tolerance = 1 if expected["dtype"] in ("int8", "uint8") and self.counts_parts else TOLERANCE
            self.close(found["numbers"], expected["numbers"], tolerance)
        elif isinstance(expected, dict):
            self.assertEqual(found.keys(), expected.keys(), found)
            for key in expected:
                self.compare(found[key], expected[key])
        elif isinstance(expected, list):
            self.assertEqual(len(found), len(expected))
            for one, other in zip(found, expected, strict=True):
                self.compare(one, other)
        elif isinstance(expected, float):
            self.close(found, expected)
        else:
            self.assertEqual(found, expected)

    counts_parts = True

    def close(self, found: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)

    @contextlib.contextmanager
    def quiet(self) -> Any:
        with self.assertLogs("qwen3_burn", "WARNING") as logs:
            import logging
            import warnings

            logging.getLogger("qwen3_burn").warning("at least one")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                yield logs


if __name__ == "__main__":
    unittest.main()
