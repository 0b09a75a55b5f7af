"""The teacher's vectors of the texts, and the targets made of them.

    python mini/teacher.py FOLDER vectors [--texts N] [--workers 2]
    python mini/teacher.py FOLDER targets [--texts N]

The teacher is all-MiniLM-L6-v2, in FOLDER/teacher/model. `vectors` writes FOLDER/vectors/texts-*.npy, [SHARD, 384] in
float16, for the first N lines of texts.jsonl; killed at any time, it goes on where the last whole file ends. `targets`
takes the files that are there: each vector projected on the first 256 principal directions of all of them, and
normalised. So the first 128 and 64 numbers of a target carry most of it. It writes FOLDER/train/texts.jsonl and
FOLDER/train/targets.npy, [N, 256] in float16, row by row the same texts; the targets of held.jsonl beside them; and
FOLDER/principal.npy, [384, 256].
"""

import argparse
import functools
import hashlib
import json
import multiprocessing
import os
import time

import numpy
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

SHARD = 20_000
WIDTH = 256
# Texts of this many word pieces in all are one batch: what a processor's caches hold.
BATCH_TOKENS = 2048


class Teacher:
    """Vectors [N, 384] of texts, of length 1: the mean of the last layer's rows."""

    def __init__(self, folder):
        path = os.path.join(folder, "teacher", "model")
        # Several processes of one thread each get further than one of several threads.
        torch.set_num_threads(1)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        # Rounded to bfloat16, 1,000 vectors have cosines of 0.99986 and more to those of float32.
        dtype = torch.bfloat16 if fast_bfloat16() else torch.float32
        model = AutoModel.from_pretrained(path, dtype=dtype, attn_implementation="eager")
        self.model = model.to(self.device).eval()
        self.tokenizer = Tokenizer.from_file(os.path.join(path, "tokenizer.json"))
        with open(os.path.join(path, "sentence_bert_config.json"), encoding="utf8") as file:
            self.tokenizer.enable_truncation(json.load(file)["max_seq_length"])
        self.tokenizer.no_padding()

    def encode(self, texts):
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        vectors = numpy.empty((len(rows), self.model.config.hidden_size), numpy.float32)
        with torch.inference_mode():
            for batch in batches(order, [len(row) for row in rows]):
                vectors[batch] = self.batch([rows[row] for row in batch])
        return vectors

    def batch(self, rows):
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=self.device)
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        mask = torch.arange(longest, device=self.device) < lengths[:, None]
        hidden = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state.float()
        mean = (hidden * mask[..., None]).sum(1) / lengths[:, None]
        return torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()


def batches(order, lengths):
    """Runs of `order`, which rises in length, of up to BATCH_TOKENS tokens with their padding."""
    batch = []
    for row in order:
        if batch and (len(batch) + 1) * lengths[row] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def fast_bfloat16():
    """Whether this machine multiplies in bfloat16 faster than in float32."""
    if torch.cuda.is_available():
        return True
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def lines(path, n=None):
    """The texts of the first `n` lines of a JSON-lines file."""
    with open(path, encoding="utf8") as file:
        return [json.loads(line)["text"] for line, _ in zip(file, range(n) if n is not None else iter(int, 1))]


def save(path, array):
    """Writes a file as a whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "wb") as file:
        numpy.save(file, array)
    os.replace(path + ".part", path)


def cached(folder, name, texts):
    """The teacher's vectors of a few texts, computed once for these texts."""
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
    path = os.path.join(folder, "vectors", f"{name}-{digest}.npy")
    if not os.path.exists(path):
        save(path, teacher_of(folder).encode(texts))
    return numpy.load(path)


def shard_path(folder, index):
    return os.path.join(folder, "vectors", f"texts-{index:04}.npy")


def vectors(folder, n, workers):
    """The missing shards in their order, by `workers` processes."""
    texts = lines(os.path.join(folder, "texts.jsonl"), n)
    shards = [texts[start : start + SHARD] for start in range(0, len(texts), SHARD)]
    missing = [
        (folder, index, shard) for index, shard in enumerate(shards)
        if not os.path.exists(shard_path(folder, index))
        or len(numpy.load(shard_path(folder, index), mmap_mode="r")) != len(shard)
    ]
    began, done = time.monotonic(), 0
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for length in pool.imap(one_shard, missing):
            done += length
            rate = done / (time.monotonic() - began)
            print(f"{done:,} texts more of {len(texts):,}, {rate:.0f} texts/s", flush=True)
    with open(os.path.join(folder, "vectors", "complete"), "w", encoding="utf8") as file:
        file.write(f"{len(texts)} texts\n")


def one_shard(work):
    folder, index, texts = work
    save(shard_path(folder, index), teacher_of(folder).encode(texts).astype(numpy.float16))
    return len(texts)


@functools.cache
def teacher_of(folder):
    return Teacher(folder)


def principal(folder, sample=None):
    """The first principal directions [384, 256], uncentred, since similarities are products."""
    path = os.path.join(folder, "principal.npy")
    if not os.path.exists(path):
        sample = sample.astype(numpy.float64)
        _, directions = numpy.linalg.eigh(sample.T @ sample)
        save(path, directions[:, ::-1][:, :WIDTH].astype(numpy.float32))
    return numpy.load(path)


def projected(vectors, directions):
    rows = vectors.astype(numpy.float32) @ directions
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def targets(folder, n):
    shards = []
    while os.path.exists(shard_path(folder, len(shards))):
        shards.append(numpy.load(shard_path(folder, len(shards)), mmap_mode="r"))
    n_there = sum(map(len, shards))
    n = min(n or n_there, n_there)
    if n == 0:
        raise SystemExit("no vectors of texts yet; `teacher.py FOLDER vectors` makes them")
    directions = principal(folder, numpy.concatenate(shards[:5]))
    rows = numpy.concatenate([projected(shard, directions).astype(numpy.float16) for shard in shards])
    held = cached(folder, "held", lines(os.path.join(folder, "held.jsonl")))
    save(os.path.join(folder, "train", "held-targets.npy"), projected(held, directions))
    texts = os.path.join(folder, "train", "texts.jsonl")
    with open(os.path.join(folder, "texts.jsonl"), "rb") as source, open(texts, "wb") as file:
        file.writelines(line for line, _ in zip(source, range(n)))
    save(os.path.join(folder, "train", "targets.npy"), rows[:n])
    kept = numpy.linalg.norm(shards[0].astype(numpy.float32) @ directions, axis=1) ** 2
    print(f"{n:,} targets; {WIDTH} directions keep {kept.mean():.4f} of the square")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("step", choices=["vectors", "targets"])
    parser.add_argument("--texts", type=int, help="no more than the first N texts")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of one thread")
    arguments = parser.parse_args()
    if arguments.step == "vectors":
        vectors(arguments.folder, arguments.texts, arguments.workers)
    else:
        targets(arguments.folder, arguments.texts)


if __name__ == "__main__":
    main()
