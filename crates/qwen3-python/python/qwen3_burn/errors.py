"""What can go wrong. Every exception of this package is an `Error`; wrong types and wrong
names of arguments are `InputError` and `OptionError`, which are `ValueError` too."""

from __future__ import annotations

__all__ = [
    "DeviceError",
    "DownloadError",
    "Error",
    "InputError",
    "ModelError",
    "ModelNotFoundError",
    "OptionError",
    "OutOfMemoryError",
]


class Error(Exception):
    """Any error of this package."""


class InputError(Error, ValueError):
    """A text or a pair is refused. The model is as good as before."""

    #: Which of those that were passed, counted from 0, where it is one.
    input: int | None = None


class OptionError(Error, ValueError):
    """An argument is out of its range, unknown, or means nothing here."""


class ModelError(Error):
    """The files of a model are wrong, or ask for something that isn't computed."""


class ModelNotFoundError(ModelError, OSError):
    """There is no such model."""


class DownloadError(Error, OSError):
    """A model could not be downloaded."""


class DeviceError(Error, RuntimeError):
    """The device isn't there, or failed."""

    #: Which text or pair gave numbers that can't be, where it is one.
    input: int | None = None


class OutOfMemoryError(DeviceError, MemoryError):
    """The work doesn't fit in the device's memory."""
