"""Pairs of a query and a document to scores, with the arguments of
`sentence_transformers.CrossEncoder`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from . import _arguments, _core
from ._inputs import pairs_of, texts_of
from ._model import Model
from ._progress import OnProgress, of_call, of_loading
from .embedder import tensor
from .errors import InputError, OptionError

Scores = npt.NDArray[np.float32]


class Reranker(Model):
    """A Qwen3-Reranker model: the original, a GGUF file of it, or one that was converted to
    ``Qwen3ForSequenceClassification``.

    ``model_name_or_path`` and ``device`` are those of `Embedder`.
    """

    _core: _core.Reranker

    @_arguments.renamed(
        tokenizer_kwargs="processor_kwargs", model_name="model_name_or_path", cache_dir="cache_folder"
    )
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
        num_labels: int | None = None,
        max_length: int | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        dtype: Any = None,
        threads: int | None = None,
        max_batch_tokens: int | None = None,
        max_seq_length: int | None = None,
        truncate: Literal["right", "left", "error"] | None = None,
        special_tokens: Literal["parse", "literal", "strip", "reject"] | None = None,
        kind: Literal["reranker", "seq-cls"] | None = None,
        show_progress_bar: bool | None = None,
        progress: OnProgress | None = None,
    ) -> None:
        _arguments.check_place(model_name_or_path)
        arguments = _arguments.of_constructor(locals())
        if num_labels not in (None, 1):
            raise OptionError(f"option `num_labels` is {num_labels}, but a reranker here has one score")
        if max_seq_length is None:
            max_seq_length = max_length
        settings = _arguments.settings({**arguments, "max_seq_length": max_seq_length})
        on_step = of_loading(progress, show_progress_bar)
        self._core = _core.Reranker(model_name_or_path, settings, on_step)
        #: What makes scores of log-odds; `None`: probabilities.
        self.activation_fn = activation_fn
        super().__init__(model_name_or_path, arguments, prompts, default_prompt_name)

    @property
    def num_labels(self) -> int:
        """Scores of each pair: 1."""
        return 1

    @_arguments.renamed(sentences="inputs")
    def predict(
        self,
        inputs: Any,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        apply_softmax: bool | None = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        pool: None = None,
        chunk_size: int | None = None,
        *,
        progress: OnProgress | None = None,
        **kwargs: Any,
    ) -> Any:
        """Scores of pairs of a query and a document; of one pair, one score.

        A score is the probability that the document answers the query. ``prompt``, or the
        prompt called ``prompt_name``, is the instruction: what makes a document relevant, in a
        sentence. ``activation_fn`` is called with the log-odds (float32) and makes other scores
        of them. ``apply_softmax`` has no effect on one score. ``batch_size`` and ``progress``
        are those of `Embedder.encode`.
        """
        choices = {"batch_size": batch_size, "device": device, "pool": pool}
        _arguments.check_call("predict", self.device, choices, kwargs)
        queries, documents, is_single = pairs_of(inputs)
        call = self._call(prompt_name, prompt, of_call(progress, show_progress_bar))
        scores, _ = self._scores(queries, documents, call, activation_fn)
        result: Any = scores if len(scores) else np.array([])
        result = result[0] if is_single else result
        if convert_to_tensor:
            return tensor(result)
        return result if convert_to_numpy or is_single else list(result)

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        device: Any = None,
        pool: None = None,
        chunk_size: int | None = None,
        *,
        progress: OnProgress | None = None,
    ) -> list[dict[str, Any]]:
        """Documents by how well they answer the query, best first: ``corpus_id``, ``score`` and,
        with ``return_documents``, ``text``. Where probabilities are equal the log-odds decide."""
        choices = {"batch_size": batch_size, "device": device, "pool": pool}
        _arguments.check_call("rank", self.device, choices, {})
        if not isinstance(query, str):
            raise InputError(f"the query is {type(query).__name__}, not a text")
        texts, is_single = texts_of(documents)
        if is_single:
            raise InputError("documents are one text, not a list of texts; pass `[document]`")
        call = self._call(prompt_name, prompt, of_call(progress, show_progress_bar))
        scores, log_odds = self._scores([query] * len(texts), texts, call, activation_fn)
        order = sorted(range(len(texts)), key=lambda i: (scores[i], log_odds[i]), reverse=True)
        ranked: list[dict[str, Any]] = [{"corpus_id": i, "score": float(scores[i])} for i in order[:top_k]]
        if return_documents:
            for place in ranked:
                place["text"] = texts[place["corpus_id"]]
        return ranked

    def _call(self, prompt_name: str | None, prompt: str | None, on_step: Any) -> dict[str, Any]:
        # An empty prompt is none, as in sentence-transformers.
        instruction = self._prompt(prompt, prompt_name) or None
        return {"instruction": instruction, "max_tokens": self._max_seq_length, "progress": on_step}

    def _scores(
        self,
        queries: list[str],
        documents: list[str],
        call: dict[str, Any],
        activation_fn: Callable[[Any], Any] | None,
    ) -> tuple[Any, npt.NDArray[np.float64]]:
        probabilities, log_odds = self._core.score(queries, documents, call)
        activation_fn = activation_fn or self.activation_fn
        if activation_fn is None or not len(log_odds):
            return probabilities.astype(np.float32), log_odds
        numbers: Any = log_odds.astype(np.float32)
        if type(activation_fn).__module__.partition(".")[0] == "torch":
            return activation_fn(tensor(numbers)).numpy(), log_odds
        return np.asarray(activation_fn(numbers)), log_odds

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "activation_fn": self.activation_fn}
