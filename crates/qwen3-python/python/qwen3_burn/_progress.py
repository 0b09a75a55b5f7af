"""Hearing from long calls, and the bar that is drawn of it."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import NamedTuple, TextIO

#: Its level decides whether a bar is drawn where nobody says so, as in sentence-transformers.
logger = logging.getLogger("qwen3_burn")

#: Seconds between two drawings.
_PAUSE = 0.1
_WIDTH = 20


class Progress(NamedTuple):
    """How far a long call has come."""

    #: `download` and `verify` count bytes, `load` counts tensors, `compute` counts texts.
    stage: str
    done: int
    total: int
    #: The file, where the stage is about one.
    file: str | None = None


OnProgress = Callable[[Progress], object]
OnStep = Callable[[str, int, int, "str | None"], object]


def of_call(progress: OnProgress | None, show_progress_bar: bool | None) -> OnStep | None:
    """What a call that computes reports to."""
    if show_progress_bar is None:
        show_progress_bar = logger.getEffectiveLevel() in (logging.INFO, logging.DEBUG)
    return _listener(progress, Bar(("compute",)) if show_progress_bar else None)


def of_loading(progress: OnProgress | None, show_progress_bar: bool | None) -> OnStep | None:
    """What loading reports to: a terminal is told of downloads unless it is told not to."""
    if show_progress_bar is None:
        show_progress_bar = progress is None and sys.stderr is not None and sys.stderr.isatty()
    return _listener(progress, Bar(("download", "verify")) if show_progress_bar else None)


def _listener(*listeners: OnProgress | None) -> OnStep | None:
    heard = [listener for listener in listeners if listener is not None]
    if not heard:
        return None

    def hear(stage: str, done: int, total: int, file: str | None) -> None:
        for listener in heard:
            listener(Progress(stage, done, total, file))

    return hear


class Bar:
    """Draws stages of a call on standard error, each on a line of its own."""

    def __init__(self, stages: tuple[str, ...], stream: TextIO | None = None) -> None:
        self._stages = stages
        self._stream = stream if stream is not None else sys.stderr
        self._of: tuple[str, str | None] | None = None
        self._begin = self._drawn = 0.0

    def __call__(self, step: Progress) -> None:
        if step.stage not in self._stages or self._stream is None:
            return
        now = time.monotonic()
        if self._of != (step.stage, step.file):
            self._of, self._begin, self._drawn = (step.stage, step.file), now, 0.0
        is_done = step.done >= step.total
        if not is_done and now - self._drawn < _PAUSE:
            return
        self._drawn = now
        end = "\n" if is_done else ""
        self._stream.write(f"\r{self._line(step, now - self._begin)}{end}")
        self._stream.flush()

    def _line(self, step: Progress, seconds: float) -> str:
        share = step.done / step.total if step.total else 1.0
        filled = int(share * _WIDTH)
        bar = "█" * filled + " " * (_WIDTH - filled)
        name = step.file or {"compute": "texts"}.get(step.stage, step.stage)
        if step.stage in ("download", "verify"):
            counted = f"{step.done / 1e6:.1f}/{step.total / 1e6:.1f} MB"
        else:
            counted = f"{step.done}/{step.total}"
        return f"{name}: {share:4.0%}|{bar}| {counted} [{seconds:.0f} s]"
