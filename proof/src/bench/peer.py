#!/usr/bin/env python3
"""Time sentence-transformers on the shapes of `cargo xtask bench`: the peer to compare with in the same run.

Prints one JSON line per shape with the fields of `Measured` in measure.rs. Token ids go in and unit vectors come out,
as on our side: the tokenizer is not timed. Batches hold at most 32 texts, longest first, padded on the left, as
`SentenceTransformer.encode` makes them.
"""

import argparse
import json
import os
import statistics
import time

START = time.perf_counter()
END_OF_TEXT = 151643
BATCH_TEXTS = 32
DTYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}


def lengths(shape):
    if shape == "mixed":
        return [8 + index * 211 % 505 for index in range(64)]
    texts, tokens = map(int, shape.split("x"))
    return [tokens] * texts


def text(length, seed):
    return [(index * 7919 + seed * 104_729 + 1) % END_OF_TEXT for index in range(length - 1)] + [END_OF_TEXT]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--dtype", required=True, choices=DTYPES)
    parser.add_argument("--shapes", required=True)
    parser.add_argument("--repeats", type=int, required=True)
    parser.add_argument("--max-seconds", type=float, required=True)
    arguments = parser.parse_args()
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")

    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    dtype = getattr(torch, DTYPES[arguments.dtype])
    settings = {"dtype": dtype, "attn_implementation": "sdpa"}
    model = SentenceTransformer(arguments.model, device=arguments.device, model_kwargs=settings)

    @torch.inference_mode()
    def seconds(texts):
        start = time.perf_counter()
        texts = sorted(texts, key=len, reverse=True)
        for first in range(0, len(texts), BATCH_TEXTS):
            batch = texts[first : first + BATCH_TEXTS]
            longest = len(batch[0])
            ids = [[END_OF_TEXT] * (longest - len(text)) + text for text in batch]
            mask = [[0] * (longest - len(text)) + [1] * len(text) for text in batch]
            features = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
            features = {name: tensor.to(arguments.device) for name, tensor in features.items()}
            # Copying to the host waits for the device.
            model(features)["sentence_embedding"].float().cpu()
        return time.perf_counter() - start

    seconds([text(16, 0)])
    cold_start = time.perf_counter() - START
    for shape in arguments.shapes.split(","):
        texts = [text(length, seed) for seed, length in enumerate(lengths(shape))]
        tokens = sum(map(len, texts))
        seconds(texts)
        times = []
        while not times or (len(times) < arguments.repeats and sum(times) < arguments.max_seconds):
            times.append(seconds(texts))
        median = statistics.median(times)
        measured = {
            "shape": shape,
            "tokens": tokens,
            "repeats": len(times),
            "median_seconds": median,
            "min_seconds": min(times),
            "max_seconds": max(times),
            "tokens_per_second": tokens / median,
            "cold_start_seconds": cold_start,
            "peak_bytes": peak_bytes(),
        }
        print(json.dumps(measured), flush=True)


def peak_bytes():
    """The most memory of this process, where the system tells it."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
