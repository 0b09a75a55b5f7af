"""What embedders and rerankers have in common: arguments, prompts, limits, pickling."""

from __future__ import annotations

import logging
import os
from typing import Any

from . import _core
from ._arguments import at_least_1, portable
from .errors import OptionError

logger = logging.getLogger("qwen3_burn")


class Model:
    """A loaded model. Several threads may call it: they are served one after the other."""

    _core: _core.Embedder | _core.Reranker

    def __init__(
        self,
        model: str | os.PathLike[str],
        arguments: dict[str, Any],
        prompts: dict[str, str] | None,
        default_prompt_name: str | None,
    ) -> None:
        self.model_name_or_path = model
        #: What to load it with again; a token of the hub is kept to this process.
        self._arguments = {k: v for k, v in arguments.items() if k not in ("token", "progress")}
        self._max_seq_length: int | None = None
        #: Prompts by their names; they may be changed.
        self.prompts: dict[str, str] = {**self._own_prompts(), **(prompts or {})}
        #: The prompt of calls that name none.
        self.default_prompt_name = default_prompt_name or self._core.default_prompt_name
        if self.default_prompt_name is not None:
            self._named(self.default_prompt_name)

    def _own_prompts(self) -> dict[str, str]:
        return self._core.prompts

    @property
    def device(self) -> str:
        """Where it runs: `cpu`, `vulkan`, `cuda:1`."""
        return self._core.device

    @property
    def dtype(self) -> str:
        """How its weights are held: `f32`, `bf16`, `f16`, `q8_0`, `q4_0`."""
        return self._core.dtype

    @property
    def fallbacks(self) -> list[str]:
        """Devices that were passed over, and why."""
        return self._core.fallbacks

    @property
    def max_seq_length(self) -> int:
        """Tokens that an input may have, with prompt and end token. Longer ones are cut."""
        return self._max_seq_length or self._core.max_tokens

    @max_seq_length.setter
    def max_seq_length(self, value: int | None) -> None:
        value = at_least_1("max_seq_length", value)
        if value is not None:
            self._core.check_max_tokens(value)
        self._max_seq_length = value

    def get_max_seq_length(self) -> int:
        """The same as `max_seq_length`."""
        return self.max_seq_length

    def _prompt(self, prompt: str | None, prompt_name: str | None) -> str | None:
        """The prompt of a call."""
        if prompt is not None:
            if not isinstance(prompt, str):
                raise OptionError(f"option `prompt` is {prompt!r}, not a text")
            if prompt_name is not None:
                logger.warning("`prompt` counts, and `prompt_name` doesn't: pass one of them")
            return prompt
        name = prompt_name if prompt_name is not None else self.default_prompt_name
        return None if name is None else self._named(name)

    def _named(self, name: str) -> str:
        try:
            return self.prompts[name]
        except (KeyError, TypeError):
            known = ", ".join(f"`{known}`" for known in self.prompts) or "none"
            raise OptionError(f"unknown prompt `{name}`; the model has {known}") from None

    def __repr__(self) -> str:
        name = os.fspath(self.model_name_or_path)
        return f"{type(self).__name__}({name!r}, device={self.device!r}, dtype={self.dtype!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The weights are loaded again where it is unpickled, not sent.
        arguments = (type(self), portable(self.model_name_or_path), self._arguments)
        return _load, arguments, self._state()

    def _state(self) -> dict[str, Any]:
        state = {"prompts": self.prompts, "default_prompt_name": self.default_prompt_name}
        return {**state, "_max_seq_length": self._max_seq_length}

    def __copy__(self) -> Model:
        # A second copy of the weights helps nobody.
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__, prompts=dict(self.prompts))
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        return self.__copy__()


def _load(kind: type[Model], model: str | os.PathLike[str], arguments: dict[str, Any]) -> Model:
    return kind(model, **arguments)
