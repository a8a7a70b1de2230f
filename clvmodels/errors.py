"""Errors and warnings, one class for each kind of trouble a user can act on.

An error says what was wrong, what was got and what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AssumptionError",
    "AssumptionWarning",
    "ClvError",
    "ClvWarning",
    "DataError",
    "DataWarning",
    "FitError",
    "FitWarning",
    "ModelError",
    "ParameterError",
    "UnitError",
    "one_of",
]


class ClvError(ValueError):
    """Base of every error this package raises on purpose."""


class DataError(ClvError):
    """The purchase log or the table of histories cannot be used as it is."""


class UnitError(ClvError):
    """A unit of time is unknown, missing, or mixed with another one."""


class ParameterError(ClvError):
    """Model parameters are missing, unknown or outside their range."""


class ModelError(ClvError):
    """A model's specification cannot be used, or its name is taken."""


class FitError(ClvError):
    """A model could not be fitted, or a fit does not suit what is asked of it."""


class AssumptionError(ClvError):
    """An assumption of the valuation is unknown, missing or outside its range."""


class ClvWarning(UserWarning):
    """Base of every warning this package gives."""


class AssumptionWarning(ClvWarning):
    """The assumptions can be used, but something that rests on them cannot be shown."""


class DataWarning(ClvWarning):
    """The data can be used, but something in them deserves a look."""


class FitWarning(ClvWarning):
    """The fit can be used, but something about it deserves a look."""


def one_of(what: str, got: object, allowed: Iterable[str]) -> str:
    """Say that `got` is no valid `what`, which values are, and which was probably meant.

    Examples
    --------
    >>> one_of("unit", "weak", ["day", "week"])
    "unknown unit 'weak'; use one of 'day', 'week' (did you mean 'week'?)"
    """
    names = list(allowed)
    close = get_close_matches(str(got), names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {got!r}; use one of {', '.join(map(repr, names))}{hint}"
