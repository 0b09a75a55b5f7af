"""Writes what sentence-transformers answers to the calls of `cases.py`, and what the model card's
program prints, into `reference.json`. Nothing is downloaded:

    pip install -r requirements-reference.txt && python make_reference.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import cases
import checkpoints
import sentence_transformers
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer

HERE = Path(__file__).resolve().parent


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        folders = {name: make(Path(folder) / name) for name, make in checkpoints.MODELS.items()}
        answers = {name: answer(case, folders) for name, case in cases.CASES.items()}
        card = of_model_card(folders["embedding"])
    reference = {
        "sentence_transformers": sentence_transformers.__version__,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "model_card": card,
        "cases": answers,
    }
    text = json.dumps(reference, ensure_ascii=False, indent=0, separators=(",", ":"))
    # One case on each line.
    text = text.replace("\n", "").replace('},"', '},\n"')
    (HERE / "reference.json").write_text(text + "\n")


def answer(case: cases.Case, folders: dict[str, Path]) -> Any:
    kind, loading, method, inputs, call = case
    if kind == "classifier":
        # What the engine's template does here is the caller's to do there.
        inputs = ([cases.formatted(pair) for pair in inputs[0]],)

    def load(kind: str, **loading: Any) -> Any:
        loader = SentenceTransformer if method in EMBEDDING else CrossEncoder
        return loader(str(folders[kind]), device="cpu", **loading)

    return cases.outcome((kind, loading, method, inputs, call), load, torch.nn.Identity())


EMBEDDING = {case[2] for case in cases.CASES.values() if case[0] in ("embedding", "without_normalize")}


def of_model_card(model: Path) -> list[list[float]]:
    """The similarities of the model card's program, with another model's name."""
    program = (HERE / "model_card.py").read_text()
    program = program.replace('SentenceTransformer("Qwen/Qwen3-Embedding-0.6B")', f'SentenceTransformer("{model}")')
    names: dict[str, Any] = {}
    exec(program, names)
    return names["similarity"].tolist()


if __name__ == "__main__":
    main()
