"""Embeds texts in 64 Parquet files with Ray Data or Daft on 1, 2 and 3 nodes, kills a node in the
middle, and compares with one process: every row once, every vector the same to the last bit.

    pip install -r requirements.txt qwen3_burn-*.whl
    python on_engines.py ray      # or daft
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import dataset
import pyarrow as pa
import pyarrow.parquet as pq
from nodes import Nodes, wait_for
from qwen3_burn import Embedder

#: Reads a folder, embeds its texts on so many workers of the cluster at this address, writes a folder.
Run = Callable[[str, str, Path, Path, int], None]


def on_ray(model: str, address: str, texts: Path, out: Path, workers: int) -> None:
    import ray
    from qwen3_burn.ray import Embed

    ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        # Small files are read together: without this there would be one piece of work.
        rows = ray.data.read_parquet(str(texts)).repartition(target_num_rows_per_block=ROWS_A_PIECE)
        vectors = rows.map_batches(
            Embed,
            fn_constructor_kwargs={"model": model, "dtype": "f32"},
            batch_format="pyarrow",
            batch_size=ROWS_A_PIECE,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
            resources={"embed": 1},
        )
        vectors.write_parquet(str(out))
    finally:
        ray.shutdown()


def on_daft(model: str, address: str, texts: Path, out: Path, workers: int) -> None:
    import daft
    import ray
    from qwen3_burn.daft import embed

    ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    daft.set_runner_ray(address)
    frame = daft.read_parquet(str(texts / "*.parquet")).into_partitions(dataset.FILES)
    vectors = embed(frame["text"], model, dtype="f32", max_concurrency=workers, num_cpus=1)
    frame.with_column("embedding", vectors).write_parquet(str(out))


#: Rows that a worker is given at one time.
ROWS_A_PIECE = 100

ENGINES: dict[str, Run] = {"ray": on_ray, "daft": on_daft}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--rows", type=int, default=32_000)
    parser.add_argument("--workers", default="1,2,3")
    # What this program starts itself with: one run in a process of its own.
    parser.add_argument("--one", nargs=4, metavar=("address", "texts", "out", "workers"))
    options = parser.parse_args()
    if options.one:
        address, texts, out, workers = options.one
        ENGINES[options.engine](options.model, address, Path(texts), Path(out), int(workers))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder))


def compare(options: argparse.Namespace, folder: Path) -> None:
    texts = folder / "texts"
    dataset.write(texts, options.rows)
    begin = time.monotonic()
    expected = alone(options.model, texts)
    print(f"one process, all cores: {options.rows / (time.monotonic() - begin):.0f} rows/s", flush=True)
    for workers in map(int, options.workers.split(",")):
        with Nodes(workers) as nodes:
            out = folder / f"out-{workers}"
            seconds = run(options, nodes.address, texts, out, workers)
        dataset.check(read(out), expected)
        print(f"{workers} workers: {options.rows / seconds:.0f} rows/s, equal", flush=True)
    with Nodes(3) as nodes:
        out = folder / "out-killed"
        killer = threading.Thread(target=kill_in_the_middle, args=(nodes, out))
        killer.start()
        seconds = run(options, nodes.address, texts, out, 3)
        killer.join()
    dataset.check(read(out), expected)
    print(f"3 workers, one killed: {options.rows / seconds:.0f} rows/s, equal", flush=True)


def alone(model: str, texts: Path) -> pa.Table:
    from qwen3_burn._arrow import vectors_of

    table = pq.read_table(texts)
    vectors = vectors_of(Embedder(model, device="cpu", dtype="f32"), table["text"], {})
    return table.append_column("embedding", vectors)


def run(options: argparse.Namespace, address: str, texts: Path, out: Path, workers: int) -> float:
    """Seconds of a run, with the start of its processes and the loading of its models."""
    begin = time.monotonic()
    one = ["--one", address, str(texts), str(out), str(workers)]
    command = [sys.executable, __file__, options.engine, "--model", options.model, *one]
    subprocess.run(command, check=True)
    return time.monotonic() - begin


def kill_in_the_middle(nodes: Nodes, out: Path) -> None:
    wait_for(lambda: len(list(out.rglob("*.parquet"))) > dataset.FILES // 4, "a quarter of the files")
    nodes.kill_last()
    left = dataset.FILES - len(list(out.rglob("*.parquet")))
    print(f"killed a node; {left} of {dataset.FILES} files were to come", flush=True)


def read(out: Path) -> pa.Table:
    return pq.read_table(out)


if __name__ == "__main__":
    main()
