"""Names of columns, checked before anything is read, and examples for messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import numpy as np

from clvmodels.errors import DataError

__all__ = ["count", "examples", "quoted", "require", "require_once", "shown"]


def require(wanted: Iterable[str], present: Sequence[str], *, what: str) -> None:
    """Refuse names that are no columns, with the columns there are and the one probably meant.

    Raises
    ------
    DataError
        If a wanted column is not present.

    Examples
    --------
    >>> require(["date"], ["customer_id", "date"], what="the log")
    """
    missing = [name for name in dict.fromkeys(wanted) if name not in present]
    if not missing:
        return
    hints = {name: _meant(name, present) for name in missing}
    told = ", ".join(f"{name!r}{hint}" for name, hint in hints.items())
    raise DataError(f"{what} has no column {told}; its columns are {', '.join(map(repr, present)) or 'none'}")


def require_once(wanted: Iterable[str], present: Sequence[str], *, what: str) -> None:
    """Refuse names that more than one column has.

    Raises
    ------
    DataError
        With these names.

    Examples
    --------
    >>> require_once(["date"], ["date", "amount", "amount"], what="the log")
    """
    twice = [name for name in dict.fromkeys(wanted) if present.count(name) > 1]
    if twice:
        raise DataError(f"{what} has more than one column {examples(twice)}; rename all but one")


def _meant(name: str, present: Sequence[str]) -> str:
    """Return a did-you-mean in brackets, or nothing."""
    by_lower = {column.lower(): column for column in present}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""


def examples(values: Iterable[object]) -> str:
    """Return up to three values as text.

    Examples
    --------
    >>> examples(["a", "b", "c", "d"])
    "'a', 'b', 'c'"
    """
    return ", ".join(shown(value) for _, value in zip(range(3), values, strict=False))


def shown(value: object) -> str:
    """Return a value as the user would write it.

    Examples
    --------
    >>> shown(np.int64(3))
    '3'
    """
    return repr(value.item() if isinstance(value, np.generic) else value)


def count(number: int, thing: str) -> str:
    """Return a count with its noun, in the plural where it is one.

    Examples
    --------
    >>> count(1, "row"), count(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def quoted(name: str) -> str:
    """Return a name as a quoted SQL identifier.

    Examples
    --------
    >>> quoted("the date")
    '"the date"'
    """
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
