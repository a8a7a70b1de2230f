"""What functions ask of their arguments: numbers, texts and choices are checked at the door, whatever they are."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from clvmodels.errors import ClvError, one_of

__all__ = [
    "abridged",
    "as_number",
    "is_folder",
    "require_choice",
    "require_flag",
    "require_mapping",
    "require_memory",
    "require_path",
    "require_seed",
    "require_text",
    "require_whole",
]

_LONGEST = 200
_MOST_GB = 1e9


def abridged(value: object) -> str:
    """Return a value as text for a message: its type, if the text would be long.

    Examples
    --------
    >>> abridged("weak"), abridged([0] * 1_000)
    ("'weak'", 'a list')
    """
    kind = type(value).__name__
    if getattr(value, "ndim", None):
        return f"a {kind} of shape {getattr(value, 'shape', None)}"
    if isinstance(value, int) and value.bit_length() > 4 * _LONGEST:
        return "a whole number of more than 200 digits"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"a {kind}"


def as_number(value: object) -> float:
    """Return a number as a float; NaN for what is none: a truth value, text, a list. One too large is infinite.

    Examples
    --------
    >>> as_number(3), as_number("3"), as_number(True), as_number(10**400)
    (3.0, nan, nan, inf)
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating | Decimal):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except ValueError:  # a signalling NaN
        return math.nan


def require_whole(name: str, value: object, *, low: int = 0, high: float = 2**53, error: type[ClvError]) -> int:
    """Return a whole number from `low` to `high`, whichever type it has.

    Raises
    ------
    ClvError
        Of the class `error`, if it is none.

    Examples
    --------
    >>> from clvmodels.errors import FitError
    >>> require_whole("customers", 2.0, low=1, error=FitError)
    2
    """
    number = as_number(value)
    if not (low <= number <= high and number.is_integer()):
        bounds = f"from {low:,} {'up' if high >= 2**53 else f'to {int(high):,}'}"
        raise error(f"{name} is a whole number {bounds}, got {abridged(value)}")
    return int(number)


def require_seed(seed: object, error: type[ClvError]) -> None:
    """Refuse what is no seed of random numbers: a whole number from 0 up, or None for one of chance.

    Raises
    ------
    ClvError
        Of the class `error`.
    """
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0):
        raise error(f"seed is a whole number from 0 up, got {abridged(seed)}")


def require_flag(name: str, value: object, error: type[ClvError]) -> bool:
    """Return True or False.

    Raises
    ------
    ClvError
        Of the class `error`, if it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise error(f"{name} is True or False, got {abridged(value)}")
    return bool(value)


def require_memory(memory_gb: object, error: type[ClvError]) -> float:
    """Return what may be taken of the memory, in bytes.

    Raises
    ------
    ClvError
        Of the class `error`, if it is no positive number of GB.
    """
    number = as_number(memory_gb)
    if not 0.0 < number <= _MOST_GB:
        raise error(f"memory_gb is a number of GB above 0, such as 1.0, got {abridged(memory_gb)}")
    return 1e9 * number


def require_choice(what: str, value: object, allowed: Collection[str], error: type[ClvError]) -> None:
    """Refuse what is none of the allowed texts.

    Raises
    ------
    ClvError
        Of the class `error`, with the allowed texts.
    """
    if isinstance(value, str) and value in allowed:
        return
    if isinstance(value, str) and len(value) <= _LONGEST:
        raise error(one_of(what, value, allowed))
    raise error(f"unknown {what} {abridged(value)}; use one of {', '.join(map(repr, allowed))}")


def require_text(name: str, value: object, meaning: str, error: type[ClvError]) -> str:
    """Return a text that is not empty and can be written in Unicode.

    Raises
    ------
    ClvError
        Of the class `error`, with what the text means.

    Examples
    --------
    >>> from clvmodels.errors import DataError
    >>> require_text("time", ["date"], "the name of a column", DataError)
    Traceback (most recent call last):
    ...
    clvmodels.errors.DataError: time is the name of a column, got ['date']
    """
    if not isinstance(value, str) or not value or not _encodes(value):
        raise error(f"{name} is {meaning}, got {abridged(value)}")
    return value


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def require_mapping(name: str, value: object, example: str, error: type[ClvError]) -> Mapping[Any, Any]:
    """Return a mapping.

    Raises
    ------
    ClvError
        Of the class `error`, with an example.
    """
    if not isinstance(value, Mapping):
        raise error(f"{name} are given by name, such as {example}, got {abridged(value)}")
    return value


def require_path(value: object, what: str, error: type[ClvError]) -> Path:
    """Return a path with the folder of a user in place of ``~``.

    Raises
    ------
    ClvError
        Of the class `error`, if it is no path, or no name that a file can have.

    Examples
    --------
    >>> from clvmodels.errors import DataError
    >>> require_path(3, "a purchase log", DataError)
    Traceback (most recent call last):
    ...
    clvmodels.errors.DataError: the path of a purchase log is a text such as "folder/file.csv", got 3
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(text := os.fspath(value), str):
        raise error(f'the path of {what} is a text such as "folder/file.csv", got {abridged(value)}')
    if "\0" in text or not _encodes_as_name(text):
        raise error(f"cannot read {abridged(text)}: no file can have this name")
    try:
        return Path(text).expanduser()
    except RuntimeError as failure:
        raise error(
            f"cannot read {text!r}: the user whose folder it names is not known; write the whole path"
        ) from failure


def _encodes_as_name(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name; there is none of a name that is too long.

    Examples
    --------
    >>> is_folder(Path("a" * 5_000))
    False
    """
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for such names
