"""Embeds the texts of Parquet files with Ray Data, one model for each actor.

    pip install ./crates/qwen3-python 'ray[data]'
    python examples/python/ray_data.py TEXTS VECTORS [MODEL]

TEXTS is a folder of Parquet files with a column `text`; without it, a small one is made. Ray
starts on this machine unless RAY_ADDRESS names a cluster.
"""

import sys
import tempfile

import ray
from qwen3_burn.ray import Embed

# Reading and writing need processors as well: actors that take all of them wait for ever.
ACTORS = 1


def main() -> None:
    made = tempfile.mkdtemp() if len(sys.argv) < 3 else ""
    texts, vectors = sys.argv[1:3] if not made else (f"{made}/texts", f"{made}/vectors")
    model = sys.argv[3] if len(sys.argv) > 3 else "mini"
    if made:
        rows = [{"id": index, "text": f"Text number {index} is about apples."} for index in range(1000)]
        ray.data.from_items(rows, override_num_blocks=4).write_parquet(texts)

    embedded = ray.data.read_parquet(texts).map_batches(
        Embed,
        fn_constructor_kwargs={"model": model, "encode": {"normalize_embeddings": True}},
        batch_format="pyarrow",
        batch_size=256,
        compute=ray.data.ActorPoolStrategy(size=ACTORS),
        num_cpus=1,  # or num_gpus=1, with a build for CUDA
    )
    embedded.write_parquet(vectors)
    found = ray.data.read_parquet(vectors)
    print(f"{found.count()} rows in {vectors}:")
    print(found.schema())


if __name__ == "__main__":
    main()
