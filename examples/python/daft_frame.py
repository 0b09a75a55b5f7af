"""Embeds the texts of Parquet files with Daft, and finds those nearest to a query.

    pip install ./crates/qwen3-python daft pyarrow
    python examples/python/daft_frame.py [TEXTS [MODEL]]

TEXTS is a path of Parquet files with a column `text`, as in `'texts/*.parquet'`; without it, there
are three texts. With DAFT_RUNNER=ray, and RAY_ADDRESS, it runs on a cluster.
"""

import sys

import daft
import numpy as np
from qwen3_burn import Embedder
from qwen3_burn.daft import embed

QUERY = "Why do apples fall?"


def main() -> None:
    model = sys.argv[2] if len(sys.argv) > 2 else "mini"
    if len(sys.argv) > 1:
        frame = daft.read_parquet(sys.argv[1])
    else:
        frame = daft.from_pydict({"text": ["Gravity is a force.", "Beijing is a city.", "I like tea."]})
    found = frame.with_column("embedding", embed(frame["text"], model)).to_pydict()

    embedder = Embedder(model, device="cpu")
    query = embedder.encode_query(QUERY)
    near = embedder.similarity(query, found["embedding"])[0]
    for place in np.argsort(-near)[:5]:
        print(f"{near[place]:.4f}  {found['text'][place]}")


if __name__ == "__main__":
    main()
