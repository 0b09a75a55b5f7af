"""Text embeddings and reranking with Qwen3, on the CPU or a GPU, without PyTorch.

>>> from qwen3_burn import Embedder
>>> model = Embedder("mini")
>>> queries = model.encode_query(["What is the capital of China?"])
>>> documents = model.encode_document(["The capital of China is Beijing.", "Apples fall."])
>>> int(model.similarity(queries, documents).argmax())
0

`Embedder` has the methods and defaults of sentence-transformers' ``SentenceTransformer``,
`Reranker` those of its ``CrossEncoder``. Results are NumPy arrays.
"""

from ._core import __version__, devices
from ._progress import Progress
from .embedder import Embedder
from .errors import (
    DeviceError,
    DownloadError,
    Error,
    InputError,
    ModelError,
    ModelNotFoundError,
    OptionError,
    OutOfMemoryError,
)
from .quantization import quantize_embeddings
from .reranker import Reranker

__all__ = [
    "DeviceError",
    "DownloadError",
    "Embedder",
    "Error",
    "InputError",
    "ModelError",
    "ModelNotFoundError",
    "OptionError",
    "OutOfMemoryError",
    "Progress",
    "Reranker",
    "__version__",
    "devices",
    "quantize_embeddings",
]
