"""Names of columns, checked before anything is read, and examples for messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import numpy as np

from clvmodels.errors import DataError

__all__ = ["count", "examples", "looks_summarised", "quoted", "require", "require_once", "shown"]

_SUMMARISED = {"frequency", "recency", "t"}


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
    listed = ", ".join(f"{name!r}{hint}" for name, hint in hints.items())
    raise DataError(f"{what} has no column {listed}; its columns are {', '.join(map(repr, present)) or 'none'}")


def require_once(wanted: Iterable[str], present: Sequence[str], *, what: str, by_case: bool = True) -> None:
    """Refuse names that more than one column has.

    Parameters
    ----------
    wanted, present, what
        As of `require`.
    by_case
        Whether upper and lower case tell columns apart; engines do not tell them apart.

    Raises
    ------
    DataError
        If a wanted column is there more than once.

    Examples
    --------
    >>> require_once(["id"], ["id", "ID"], what="the log")
    >>> require_once(["id"], ["id", "ID"], what="the log", by_case=False)
    Traceback (most recent call last):
        ...
    clvmodels.errors.DataError: the log has columns 'id', 'ID', whose names differ by upper and lower case only; ...
    """
    for name in dict.fromkeys(wanted):
        same = [column for column in present if column == name]
        alike = [column for column in present if column.strip().lower() == name.strip().lower()]
        if len(same) > 1:
            raise DataError(f"{what} has more than one column {name!r}; rename all but the one that is meant")
        if not by_case and len(alike) > 1:
            raise DataError(
                f"{what} has columns {', '.join(map(repr, alike))}, whose names differ by upper and lower case only;"
                " rename all but the one that is meant"
            )


def looks_summarised(present: Iterable[str]) -> bool:
    """Return whether columns are those of a table of histories: frequency, recency and T.

    Examples
    --------
    >>> looks_summarised(["customer_id", "frequency", "recency", "T"]), looks_summarised(["customer_id", "date"])
    (True, False)
    """
    return {str(name).strip().lower() for name in present} >= _SUMMARISED


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
