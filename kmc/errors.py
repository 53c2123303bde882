"""What kmc raises: one sentence that says what came, what is accepted and what to do.

Every error is a :class:`KmcError` and, at the same time, the built-in kind that a caller expects.
"""

from __future__ import annotations

__all__ = [
    "KmcError",
    "KmcFileError",
    "KmcFileNotFoundError",
    "KmcImportError",
    "KmcQualityError",
    "KmcTypeError",
    "KmcValueError",
    "KmcWarning",
    "reason_of",
]


class KmcError(Exception):
    """Base of every error that kmc raises on purpose."""


class KmcValueError(KmcError, ValueError):
    """An argument of an accepted type has a value that cannot be used."""


class KmcTypeError(KmcError, TypeError):
    """An argument has a type that cannot be used."""


class KmcFileError(KmcError, OSError, ValueError):
    """A file cannot be read as a picture, or a result cannot be written to it."""


class KmcFileNotFoundError(KmcFileError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class KmcImportError(KmcError, ImportError):
    """An optional package that was asked for is not installed."""


class KmcQualityError(KmcValueError):
    """No number of colours that may be used reaches the quality or the size that was asked for."""


class KmcWarning(UserWarning):
    """A result is as asked for, and probably not what was meant."""


def reason_of(error: Exception) -> str:
    """Say the cause in one line, without the path that an OSError repeats."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")[:200]
