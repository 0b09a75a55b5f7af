"""Measures small models on what was held out, beside the teacher, BM25 and an untrained network.

    python mini/evaluate.py FOLDER MODEL... [--qwen3 PROGRAM] [--json FILE]

FOLDER is that of the texts. A MODEL is a folder or a file for `qwen3 embed --model`, or an .npy file with a row for
each line of FOLDER/evaluation.jsonl, which this writes. Without PROGRAM, sentence-transformers computes the vectors of
folders. It prints a Markdown table with a column for each model and what is wanted of a model that is shipped.
"""

import argparse
import collections
import json
import math
import os
import re
import subprocess
import tempfile

import numpy

import corpus
import teacher

DIMENSIONS = (256, 128, 64)
N_PAIRS = 1000
# From here on, two texts have something to do with one another.
SIMILAR = 0.35
HERE = os.path.dirname(os.path.abspath(__file__))
# Measure: (how it is written, the least that is wanted, or None).
MEASURES = {
    "cosine": ("cosine to the teacher's target, 2,000 texts", 0.80),
    "spearman": ("Spearman of pair similarities with the teacher's, 1,000 texts", 0.72),
    "spearman_similar": ("the same for pairs above 0.35 in the teacher", None),
    "neighbour": ("teacher's nearest neighbour among the first five, 2,000 texts", None),
    "questions_top1": ("own questions, top-1", 0.75),
    "questions_mrr": ("own questions, MRR", 0.83),
    "questions_top1_128": ("own questions, top-1, 128 dimensions", None),
    "questions_mrr_128": ("own questions, MRR, 128 dimensions", None),
    "questions_top1_64": ("own questions, top-1, 64 dimensions", None),
    "questions_mrr_64": ("own questions, MRR, 64 dimensions", None),
    "packages_ndcg": ("Debian's short descriptions find their long ones among 5,000, nDCG@10", None),
    "packages_ndcg_128": ("the same, 128 dimensions", None),
    "example": ("the model card's example, queries × documents", None),
    "example_margin": ("the example: least right pair above the greatest wrong one", 0.3),
}


def rows(path, *keys):
    with open(path, encoding="utf8") as file:
        return [[row[key] for key in keys] for row in map(json.loads, file)]


def sections(folder):
    """What is measured, by name: lists of texts."""
    questions = rows(os.path.join(HERE, "questions.jsonl"), "question", "answer")
    packages = rows(os.path.join(folder, "packages.jsonl"), "short", "long")
    return {
        "held": [text for text, in rows(os.path.join(folder, "held.jsonl"), "text")],
        "questions": [question for question, _ in questions],
        "answers": [answer for _, answer in questions],
        "shorts": [short for short, _ in packages],
        "longs": [long for _, long in packages],
        "example": corpus.EXAMPLE,
    }


def split(texts, vectors):
    """The vectors of all sections in a row, by the sections' names."""
    ends = numpy.cumsum([len(part) for part in texts.values()])
    assert len(vectors) == ends[-1], f"{len(vectors)} vectors, expected {ends[-1]}"
    return dict(zip(texts, numpy.split(vectors, ends[:-1])))


def embedded(model, path, program):
    """Vectors of the texts of a JSON-lines file."""
    if model.endswith(".npy"):
        return numpy.load(model)
    if program:
        with tempfile.TemporaryDirectory() as out:
            vectors = os.path.join(out, "vectors.npy")
            command = [program, "embed", "--quiet", "--device", "cpu", "--model", model, "--input", path]
            subprocess.run([*command, "--field", "text", "--output", vectors], check=True)
            return numpy.load(vectors)
    from sentence_transformers import SentenceTransformer

    texts = [text for text, in rows(path, "text")]
    return SentenceTransformer(model, device="cpu").encode(texts, batch_size=64, normalize_embeddings=True)


def unit(vectors):
    return vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)


def ranks_of_right(scores):
    """The rank, from 1, of document i for query i; documents of equal score stand before it."""
    right = numpy.diagonal(scores)[:, None]
    return (scores > right).sum(1) + (scores == right).sum(1)


def top1_and_mrr(scores):
    ranks = ranks_of_right(scores)
    return float((ranks == 1).mean()), float((1 / ranks).mean())


def ndcg(scores):
    """nDCG@10 with one right document for each query."""
    ranks = ranks_of_right(scores)
    return float(numpy.where(ranks <= 10, 1 / numpy.log2(ranks + 1), 0).mean())


def spearman(left, right):
    """Of values without ties, which similarities are but for rounding."""
    ranks = [values.argsort().argsort().astype(float) for values in (left, right)]
    return float(numpy.corrcoef(*ranks)[0, 1])


def likeness(vectors, taught):
    """How alike the similarities of `vectors` and of the teacher's are."""
    upper = numpy.triu_indices(N_PAIRS, 1)
    own = (vectors[:N_PAIRS] @ vectors[:N_PAIRS].T)[upper]
    wanted = (taught[:N_PAIRS] @ taught[:N_PAIRS].T)[upper]
    similar = wanted > SIMILAR
    # A text isn't its own neighbour.
    alone = 9 * numpy.eye(len(taught))
    nearest = (taught @ taught.T - alone).argmax(1)
    first = numpy.argsort(-(vectors @ vectors.T - alone), axis=1)[:, :5]
    return {
        "spearman": spearman(own, wanted),
        "spearman_similar": spearman(own[similar], wanted[similar]),
        "neighbour": float((first == nearest[:, None]).any(1).mean()),
    }


def retrieval(parts):
    found = {}
    width = parts["held"].shape[1]
    for size in (width, *DIMENSIONS[1:]):
        cut = {name: unit(vectors[:, :size]) for name, vectors in parts.items()}
        end = "" if size == width else f"_{size}"
        top1, mrr = top1_and_mrr(cut["questions"] @ cut["answers"].T)
        found |= {f"questions_top1{end}": top1, f"questions_mrr{end}": mrr}
        if size >= 128:
            found[f"packages_ndcg{end}"] = ndcg(cut["shorts"] @ cut["longs"].T)
    example = unit(parts["example"])
    found |= example_measures(example[:2] @ example[2:].T)
    return found


def example_measures(scores):
    right, wrong = (scores[0, 0], scores[1, 1]), (scores[0, 1], scores[1, 0])
    shown = " / ".join(f"{row[0]:.2f}, {row[1]:.2f}" for row in scores)
    return {"example": shown, "example_margin": float(min(right) - max(wrong))}


def of_model(folder, parts, taught):
    """Every measure of a model's vectors, beside the teacher's."""
    parts = {name: unit(vectors.astype(numpy.float32)) for name, vectors in parts.items()}
    targets = teacher.projected(taught["held"], teacher.principal(folder))
    found = likeness(parts["held"], taught["held"])
    if parts["held"].shape[1] == targets.shape[1]:
        found["cosine"] = float((parts["held"] * targets).sum(1).mean())
    return found | retrieval(parts)


def bm25(queries, documents, k1=1.2, b=0.75):
    """Okapi BM25 of words in lower case, [queries, documents]."""
    words = [collections.Counter(re.findall(r"\w+", text.lower())) for text in documents]
    lengths = numpy.array([sum(counts.values()) for counts in words], dtype=float)
    postings = collections.defaultdict(list)
    for document, counts in enumerate(words):
        for word, count in counts.items():
            postings[word].append((document, count))
    scores = numpy.zeros((len(queries), len(documents)))
    for query, text in enumerate(queries):
        for word in set(re.findall(r"\w+", text.lower())) & postings.keys():
            where, counts = map(numpy.array, zip(*postings[word]))
            rarity = math.log(1 + (len(documents) - len(where) + 0.5) / (len(where) + 0.5))
            damped = counts + k1 * (1 - b + b * lengths[where] / lengths.mean())
            scores[query, where] += rarity * counts * (k1 + 1) / damped
    return scores


def of_bm25(texts):
    top1, mrr = top1_and_mrr(bm25(texts["questions"], texts["answers"]))
    return {"questions_top1": top1, "questions_mrr": mrr, "packages_ndcg": ndcg(bm25(texts["shorts"], texts["longs"]))}


def others(folder, texts):
    """The measures of the teacher, of its projection and of BM25, computed once for these texts."""
    taught = {name: teacher.cached(folder, name, part) for name, part in texts.items()}
    path = os.path.join(folder, "evaluation-others.json")
    inputs = (os.path.join(HERE, "questions.jsonl"), os.path.join(folder, "packages.jsonl"))
    if not os.path.exists(path) or os.path.getmtime(path) < max(map(os.path.getmtime, inputs)):
        directions = teacher.principal(folder)
        targets = {name: teacher.projected(vectors, directions) for name, vectors in taught.items()}
        found = {
            "teacher": of_model(folder, taught, taught),
            "teacher, projected": of_model(folder, targets, taught),
            "BM25": of_bm25(texts),
        }
        corpus.write(folder, "evaluation-others.json", [found])
    with open(path, encoding="utf8") as file:
        return taught, json.load(file)


def table(columns):
    """A Markdown table, a column for each model."""
    bar = {name: least for name, (_, least) in MEASURES.items()}
    bar["packages_ndcg"] = 0.9 * columns["teacher"]["packages_ndcg"]
    lines = [f"| measure | bar | {' | '.join(columns)} |", f"|---|---|{'---|' * len(columns)}"]
    for name, (written, _) in MEASURES.items():
        values = [columns[model].get(name, "–") for model in columns]
        shown = [f"{value:.3f}" if isinstance(value, float) else value for value in values]
        least = f"≥ {bar[name]:.2f}" if bar[name] else ""
        lines.append(f"| {written} | {least} | {' | '.join(shown)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--qwen3", help="the program that embeds")
    parser.add_argument("--json", help="where the numbers are written too")
    arguments = parser.parse_args()
    texts = sections(arguments.folder)
    corpus.write(arguments.folder, "evaluation.jsonl", ({"text": text} for part in texts.values() for text in part))
    taught, columns = others(arguments.folder, texts)
    models = {}
    for model in arguments.models:
        vectors = embedded(model, os.path.join(arguments.folder, "evaluation.jsonl"), arguments.qwen3)
        name = os.path.basename(os.path.normpath(model))
        models[name] = of_model(arguments.folder, split(texts, vectors), taught)
    columns = models | columns
    print(table(columns))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf8") as file:
            json.dump(columns, file, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
