"""Texts to vectors, with the arguments of `sentence_transformers.SentenceTransformer`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from . import _arguments, _core, quantization
from . import _similarity as measures
from ._inputs import texts_of
from ._model import Model
from ._progress import OnProgress, of_call, of_loading
from .errors import OptionError
from .quantization import Precision, quantize_embeddings

Vectors = npt.NDArray[np.float32]

#: Prompts of documents, the first of which counts.
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
_OUTPUTS = ("sentence_embedding", "token_embeddings")


class Embedder(Model):
    """A Qwen3-Embedding model.

    ``model_name_or_path`` is a hub id such as ``Qwen/Qwen3-Embedding-0.6B``, a folder, a GGUF
    file, a file that ``qwen3 convert`` wrote, or ``mini``, the small model inside the package.
    ``device`` is ``cpu``, ``cuda:1``, ``vulkan``, ``metal`` or what else `qwen3_burn.devices`
    lists; ``None`` takes the best that computes correctly.
    """

    _core: _core.Embedder

    @_arguments.renamed(tokenizer_kwargs="processor_kwargs", use_auth_token="token")
    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str],
        *,
        device: Any = None,
        prompts: dict[str, str] | None = None,
        default_prompt_name: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        trust_remote_code: bool = False,
        revision: str | None = None,
        local_files_only: bool = False,
        token: bool | str | None = None,
        model_kwargs: dict[str, Any] | None = None,
        processor_kwargs: dict[str, Any] | None = None,
        config_kwargs: dict[str, Any] | None = None,
        model_card_data: None = None,
        backend: Literal["torch"] = "torch",
        similarity_fn_name: str | None = None,
        truncate_dim: int | None = None,
        dtype: Any = None,
        threads: int | None = None,
        max_batch_tokens: int | None = None,
        max_seq_length: int | None = None,
        truncate: Literal["right", "left", "error"] | None = None,
        special_tokens: Literal["parse", "literal", "strip", "reject"] | None = None,
        kind: Literal["embedding"] | None = None,
        show_progress_bar: bool | None = None,
        progress: OnProgress | None = None,
    ) -> None:
        _arguments.check_place(model_name_or_path)
        arguments = _arguments.of_constructor(locals())
        settings = _arguments.settings(arguments)
        self.truncate_dim = _arguments.at_least_1("truncate_dim", truncate_dim)
        on_step = of_loading(progress, show_progress_bar)
        self._core = _core.Embedder(model_name_or_path, settings, on_step)
        self._similarity = measures.check(similarity_fn_name or self._core.similarity_fn_name)
        super().__init__(model_name_or_path, arguments, prompts, default_prompt_name)

    def _own_prompts(self) -> dict[str, str]:
        return {"query": "", "document": "", **self._core.prompts}

    @overload
    def encode(
        self,
        inputs: str | Iterable[str],
        prompt_name: str | None = ...,
        prompt: str | None = ...,
        batch_size: int = ...,
        show_progress_bar: bool | None = ...,
        output_value: Literal["sentence_embedding"] = ...,
        precision: Precision | None = ...,
        convert_to_numpy: Literal[True] = ...,
        convert_to_tensor: Literal[False] = ...,
        device: Any = ...,
        normalize_embeddings: bool = ...,
        truncate_dim: int | None = ...,
        pool: None = ...,
        chunk_size: int | None = ...,
        *,
        progress: OnProgress | None = ...,
        **kwargs: Any,
    ) -> npt.NDArray[Any]: ...

    @overload
    def encode(self, inputs: str | Iterable[str], *args: Any, **kwargs: Any) -> Any: ...

    @_arguments.renamed(sentences="inputs")
    def encode(
        self,
        inputs: str | Iterable[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: Literal["sentence_embedding", "token_embeddings"] = "sentence_embedding",
        precision: Precision | None = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        pool: None = None,
        chunk_size: int | None = None,
        *,
        progress: OnProgress | None = None,
        **kwargs: Any,
    ) -> Any:
        """Vectors of texts, a row for each; of one text, one vector.

        ``prompt``, or the prompt called ``prompt_name``, is put in front of each text.
        ``truncate_dim`` keeps the first numbers of each vector. They are scaled to length 1
        again only with ``normalize_embeddings``. ``precision`` other than float32 makes them
        smaller, as `quantize_embeddings` does. ``output_value="token_embeddings"`` gives a list
        of matrices, a row for each token. ``batch_size`` is checked and has no effect: batches
        are made of tokens (``max_batch_tokens``). ``progress`` is called with each `Progress`;
        what it raises ends the call.
        """
        choices = {"batch_size": batch_size, "device": device, "pool": pool}
        _arguments.check_call("encode", self.device, choices, kwargs)
        if output_value not in _OUTPUTS:
            raise OptionError(
                f"option `output_value` is {output_value!r}, but must be one of {', '.join(_OUTPUTS)}"
            )
        quantization.check(precision)
        texts, is_single = texts_of(inputs)
        call = {
            "prompt": self._prompt(prompt, prompt_name) or "",
            "max_tokens": self._max_seq_length,
            "progress": of_call(progress, show_progress_bar),
        }
        result: Any
        if output_value == "token_embeddings":
            result = self._of_tokens(texts, call)
        elif texts:
            result = self._of_texts(texts, call, truncate_dim, normalize_embeddings)
        else:
            result = np.array([])
        if texts and precision not in (None, "float32"):
            result = quantize_embeddings(result, precision)
        if is_single:
            result = result[0]
        if output_value == "token_embeddings":
            return result
        return _converted(result, convert_to_numpy, convert_to_tensor, is_single)

    @_arguments.renamed(sentences="inputs")
    def encode_query(
        self,
        inputs: str | Iterable[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """As `encode`, with the prompt ``query`` unless another one is named."""
        if prompt_name is None and prompt is None and "query" in self.prompts:
            prompt_name = "query"
        kwargs.setdefault("task", "query")
        return self.encode(inputs, prompt_name, prompt, *args, **kwargs)

    @_arguments.renamed(sentences="inputs")
    def encode_document(
        self,
        inputs: str | Iterable[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """As `encode`, with the first of the prompts ``document``, ``passage`` and ``corpus``
        unless another one is named."""
        if prompt_name is None and prompt is None:
            prompt_name = next((name for name in _DOCUMENT_PROMPTS if name in self.prompts), None)
        kwargs.setdefault("task", "document")
        return self.encode(inputs, prompt_name, prompt, *args, **kwargs)

    def _of_texts(
        self, texts: list[str], call: dict[str, Any], truncate_dim: int | None, scaled: bool
    ) -> Vectors:
        """sentence-transformers cuts what the model's own module has scaled to length 1."""
        asked = _arguments.at_least_1("truncate_dim", truncate_dim) or self.truncate_dim
        all_columns = self._core.dimensions
        columns = min(asked or all_columns, all_columns)
        if scaled or self._core.leaves_length:
            choices = {**call, "dimensions": columns, "normalize": scaled}
            return self._core.encode(texts, choices)
        choices = {**call, "dimensions": None, "normalize": True}
        vectors = self._core.encode(texts, choices)
        return vectors if columns == all_columns else vectors[:, :columns].copy()

    def _of_tokens(self, texts: list[str], call: dict[str, Any]) -> list[Vectors]:
        choices = {**call, "dimensions": None, "normalize": False}
        return self._core.token_embeddings(texts, choices) if texts else []

    @property
    def similarity_fn_name(self) -> str:
        """The measure of `similarity`: ``cosine``, ``dot``, ``euclidean`` or ``manhattan``."""
        return self._similarity

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: str | None) -> None:
        self._similarity = measures.check(name or "cosine")

    def similarity(self, embeddings1: Any, embeddings2: Any) -> npt.NDArray[Any]:
        """Similarities of all vectors of the first with all of the second, row by row."""
        return measures.matrix(self._similarity, embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> npt.NDArray[Any]:
        """Similarities of each vector of the first with the one in its place in the second."""
        return measures.pairwise(self._similarity, embeddings1, embeddings2)

    def get_embedding_dimension(self) -> int:
        """Numbers of each vector that `encode` gives."""
        return min(self.truncate_dim or self._core.dimensions, self._core.dimensions)

    def get_sentence_embedding_dimension(self) -> int:
        """The old name of `get_embedding_dimension`."""
        return self.get_embedding_dimension()

    @contextmanager
    def truncate_embeddings(self, truncate_dim: int | None) -> Iterator[None]:
        """Calls in this context keep the first ``truncate_dim`` numbers of each vector."""
        before = self.truncate_dim
        try:
            self.truncate_dim = _arguments.at_least_1("truncate_dim", truncate_dim)
            yield
        finally:
            self.truncate_dim = before

    def _state(self) -> dict[str, Any]:
        own = {"truncate_dim": self.truncate_dim, "_similarity": self._similarity}
        return {**super()._state(), **own}


def _converted(vectors: Any, to_numpy: bool, to_tensor: bool, is_single: bool) -> Any:
    if to_tensor:
        return tensor(vectors)
    return vectors if to_numpy or is_single else list(vectors)


def tensor(numbers: Any) -> Any:
    """The same numbers for PyTorch, which is not needed for anything else."""
    try:
        import torch
    except ImportError:
        message = "option `convert_to_tensor` needs PyTorch; install `torch`, or leave the option out"
        raise OptionError(message) from None
    return torch.as_tensor(numbers)
