"""Writes the model that is shipped: a mean of the weights after the first pass and after the last one.

    python mini/mean.py FOLDER

The first pass keeps closest to the teacher on texts of all kinds, the last one searches best; their mean has nearly
the best of both (Wortsman et al. 2022, arXiv:2203.05482). Written there: FOLDER/trained, from FOLDER/first and
FOLDER/third.
"""

import argparse
import os
import shutil

from safetensors.torch import load_file, save_file

SHARE_OF_FIRST = 0.25


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    first, third, out = (os.path.join(folder, name) for name in ("first", "third", "trained"))
    weights = [load_file(os.path.join(path, "model.safetensors")) for path in (first, third)]
    mean = {name: tensor * SHARE_OF_FIRST + weights[1][name] * (1 - SHARE_OF_FIRST) for name, tensor in weights[0].items()}
    shutil.copytree(third, out, dirs_exist_ok=True)
    save_file(mean, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    print(f"{len(mean)} tensors in {out}")


if __name__ == "__main__":
    main()
