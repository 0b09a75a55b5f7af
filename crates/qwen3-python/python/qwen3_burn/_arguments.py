"""Arguments of sentence-transformers in the words of the engine, or refused: none is ignored
that would change a result."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from .errors import OptionError

_F = TypeVar("_F", bound=Callable[..., Any])

#: PyTorch's names of dtypes; those of the engine pass as they are.
_DTYPES = {"float32": "f32", "float": "f32", "bfloat16": "bf16", "float16": "f16", "half": "f16"}

#: How PyTorch computes: the engine computes attention exactly, whatever it is called.
_MODEL_KWARGS = ("dtype", "torch_dtype", "device_map", "attn_implementation")
#: Batches have no padding, so it has no side.
_PROCESSOR_KWARGS = ("padding_side", "truncation_side", "model_max_length")


def renamed(**names: str) -> Callable[[_F], _F]:
    """Accepts old names of keywords, with a warning."""

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            for old, new in names.items():
                if old in kwargs:
                    message = f"the argument `{old}` is called `{new}` now"
                    warnings.warn(message, FutureWarning, stacklevel=2)
                    kwargs.setdefault(new, kwargs.pop(old))
            return function(*args, **kwargs)

        return cast(_F, call)

    return decorate


def of_constructor(names: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that a constructor was called with, from its local names."""
    return {k: v for k, v in names.items() if k not in ("self", "__class__", "model_name_or_path")}


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """How the engine loads a model, from the arguments of a constructor."""
    _refuse_unknown_ways(given)
    model = _known(given["model_kwargs"], "model_kwargs", _MODEL_KWARGS)
    processor = _known(given["processor_kwargs"], "processor_kwargs", _PROCESSOR_KWARGS)
    _known(given["config_kwargs"], "config_kwargs", ())
    device_map = model.get("device_map")
    device = given["device"] if device_map in (None, "auto") else device_map
    dtype = _first(given["dtype"], model.get("dtype"), model.get("torch_dtype"))
    limit = _first(given["max_seq_length"], processor.get("model_max_length"))
    return {
        "device": None if device is None else str(device),
        "dtype": None if dtype is None else _dtype(dtype),
        "threads": at_least_1("threads", given["threads"]),
        "max_batch_tokens": at_least_1("max_batch_tokens", given["max_batch_tokens"]),
        "max_tokens": at_least_1("max_seq_length", limit),
        "truncate": _text("truncate", _first(given["truncate"], processor.get("truncation_side"))),
        "special_tokens": _text("special_tokens", given["special_tokens"]),
        "kind": _text("kind", given["kind"]),
        "revision": _text("revision", given["revision"]),
        "cache_folder": _path("cache_folder", given["cache_folder"]),
        "token": given["token"] if isinstance(given["token"], str) else None,
    }


def _refuse_unknown_ways(given: Mapping[str, Any]) -> None:
    if given["backend"] != "torch":
        raise OptionError(
            f"option `backend` is `{given['backend']}`, but there is one, the engine; leave it out"
        )
    if given["local_files_only"]:
        raise OptionError(
            "option `local_files_only` is not known here; set the variable HF_HUB_OFFLINE to 1, or pass a folder"
        )
    if given["token"] is False:
        raise OptionError(
            "option `token` is False, but a token that is set is always used; unset HF_TOKEN instead"
        )
    if given["model_card_data"] is not None:
        raise OptionError("option `model_card_data` is for training, which is `qwen3 train` here")


def _known(kwargs: Mapping[str, Any] | None, name: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    kwargs = kwargs or {}
    for key in kwargs:
        if key not in known:
            list_of_known = ", ".join(known) if known else "nothing"
            raise OptionError(f"option `{name}` has `{key}`, but only {list_of_known} has a meaning here")
    return kwargs


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _text(option: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise OptionError(f"option `{option}` is {value!r}, not a text")


def _path(option: str, value: Any) -> str | os.PathLike[str] | None:
    if value is None or isinstance(value, (str, os.PathLike)):
        return value
    raise OptionError(f"option `{option}` is {value!r}, not a path")


def _dtype(dtype: Any) -> str:
    name = str(dtype).removeprefix("torch.")
    return _DTYPES.get(name, name)


def at_least_1(option: str, value: Any) -> int | None:
    """A count, if there is one."""
    if value is None:
        return None
    try:
        # Whole numbers of any library, but not 2.5.
        count = value.__index__()
    except AttributeError:
        count = 0
    if count < 1 or count >= 1 << 63:
        raise OptionError(f"option `{option}` is {value!r}, but must be a whole number of at least 1")
    return int(count)


def check_call(kind: str, used: str, choices: Mapping[str, Any], kwargs: Mapping[str, Any]) -> None:
    """Refuses what one call can't choose. `used` is the device of the model."""
    at_least_1("batch_size", choices["batch_size"])
    # `task` chooses between modules of models that have several.
    if unknown := set(kwargs) - {"task"}:
        names = ", ".join(f"`{name}`" for name in sorted(unknown))
        raise OptionError(f"{kind} has no argument {names}")
    if choices["pool"] is not None or isinstance(choices["device"], (list, tuple)):
        raise OptionError(
            "one model computes on one device; load one for each device, or use `qwen3_burn.ray`"
        )
    device = choices["device"]
    if device is not None and str(device).removesuffix(":0") != used:
        raise OptionError(f"option `device` is {device}, but the model is on {used}; load another one there")


def check_place(model: object) -> None:
    if not isinstance(model, (str, os.PathLike)):
        raise OptionError(f"the model is {model!r}, not a name, a folder or a file")


def portable(model: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The same model from another folder of this machine."""
    if isinstance(model, str) and (model == "mini" or not os.path.exists(model)):
        return model
    # What isn't a `str` is a path even where nothing lies.
    return os.path.abspath(model) if isinstance(model, str) else Path(os.path.abspath(model))
