"""Mixes texts of all sources with pairs, for the last pass of distillation.

    python mini/mixed.py FOLDER

Written there: `mixed/texts.jsonl` and `mixed/targets.npy`, in the order of steps of 256 texts. After eight steps of texts
in random order, which keep what was learned of all sources, there is one of pairs (`pairs.py`).
"""

import argparse
import os

import numpy

import teacher

STEP, STEPS_OF_TEXTS = 256, 8


def read(folder, name):
    with open(os.path.join(folder, name, "texts.jsonl"), "rb") as file:
        texts = file.readlines()
    return texts, numpy.load(os.path.join(folder, name, "targets.npy"), mmap_mode="r")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    (texts, targets), (paired, paired_targets) = (read(folder, name) for name in ("train", "pairs"))
    out = os.path.join(folder, "mixed")
    os.makedirs(out, exist_ok=True)
    lines, rows = [], []
    # From the end: the other passes begin at the start.
    end = len(targets)
    for first in range(0, len(paired) - STEP + 1, STEP):
        start = end - STEP * STEPS_OF_TEXTS
        lines += texts[start:end] + paired[first : first + STEP]
        rows += [targets[start:end], paired_targets[first : first + STEP]]
        end = start
    with open(os.path.join(out, "texts.jsonl"), "wb") as file:
        file.writelines(lines)
    teacher.save(os.path.join(out, "targets.npy"), numpy.concatenate(rows))
    print(f"{len(lines):,} texts in {len(lines) // STEP:,} steps")


if __name__ == "__main__":
    main()
