"""Chooses and arranges texts for the second pass of distillation.

    python mini/grouped.py FOLDER

The first pass sees texts of all sources in random order, so that the texts of a step have little to do with one
another. Here, texts of the sources that people ask about count double, and a step of 256 texts is 16 groups of 16 that
the teacher holds to be alike: what a text is closer to among its like is what searching needs. Written there:
`grouped/texts.jsonl` and `grouped/targets.npy`, in the order of the steps.
"""

import argparse
import json
import os
import random

import numpy
import torch

import teacher

SEED = 16
# Texts of a group, groups of a step.
GROUP, GROUPS = 16, 16
N_CLUSTERS, ROUNDS = 4096, 6
# How often a text of a source is learned; one time for the others.
TIMES = {
    "gcide": 0.4,
    "words-made": 0.5,
    "wordnet": 0.7,
    "wordnet-made": 0.7,
    "anarchism": 0.5,
    "postgresql-doc-15": 0.5,
    "python3.11-doc": 0.5,
    "libreoffice-help-en-us": 0.5,
    "wikipedia": 2,
    "wikipedia-made": 2,
    "wikibooks-cookbook": 2,
    "cookbook-made": 2,
    "randfacts": 2,
    "randfacts-made": 2,
    "fortunes": 2,
    "fortunes-made": 2,
    "chatterbot-corpus": 2,
    "chatterbot-made": 2,
    "bsdgames": 2,
    "mendeleev": 2,
    "mendeleev-made": 2,
    "kalzium": 2,
    "elements": 2,
    "debian": 1.3,
    "debian-made": 1.3,
}


def clusters(targets):
    """The cluster of each row, by k-means of directions, [rows]."""
    generator = torch.Generator().manual_seed(SEED)
    centres = targets[torch.randperm(len(targets), generator=generator)[:N_CLUSTERS]].float()
    for step in range(ROUNDS):
        nearest = torch.cat([(rows.to(torch.bfloat16) @ centres.to(torch.bfloat16).T).argmax(1)
                             for rows in targets.split(8192)])
        if step < ROUNDS - 1:
            sums = torch.zeros_like(centres).index_add_(0, nearest, targets.float())
            lengths = sums.norm(dim=1, keepdim=True)
            centres = torch.where(lengths > 0, sums / lengths.clamp_min(1e-9), centres)
    return nearest.numpy()


def times(chance, sources):
    """The rows that are learned, some of them twice."""
    rows = []
    for row, source in enumerate(sources):
        wanted = TIMES.get(source, 1)
        rows += [row] * (int(wanted) + (chance.random() < wanted % 1))
    return rows


def arranged(chance, rows, nearest):
    """The rows group by group, the groups in random order; what fills no group is left out."""
    members = [[] for _ in range(N_CLUSTERS)]
    for row in rows:
        members[nearest[row]].append(row)
    groups = []
    for cluster in members:
        # A text that is learned twice isn't in one group with itself.
        once, again = list(dict.fromkeys(cluster)), []
        seen = set()
        for row in cluster:
            again += [row] if row in seen else []
            seen.add(row)
        for part in (once, again):
            chance.shuffle(part)
            groups += [part[at : at + GROUP] for at in range(0, len(part) - GROUP + 1, GROUP)]
    chance.shuffle(groups)
    groups = groups[: len(groups) // GROUPS * GROUPS]
    return [row for group in groups for row in group]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    train, grouped = (os.path.join(folder, name) for name in ("train", "grouped"))
    os.makedirs(grouped, exist_ok=True)
    targets = numpy.load(os.path.join(train, "targets.npy"), mmap_mode="r")
    with open(os.path.join(folder, "texts.jsonl"), encoding="utf8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(len(targets)))]
    chance = random.Random(SEED)
    nearest = clusters(torch.from_numpy(numpy.array(targets)))
    order = arranged(chance, times(chance, [row["source"] for row in rows]), nearest)
    with open(os.path.join(grouped, "texts.jsonl"), "w", encoding="utf8") as file:
        file.writelines(json.dumps({"text": rows[row]["text"]}, ensure_ascii=False) + "\n" for row in order)
    teacher.save(os.path.join(grouped, "targets.npy"), numpy.array(targets)[order])
    print(f"{len(order):,} texts, {len(set(order)):,} of them different, of {len(rows):,}")


if __name__ == "__main__":
    main()
