"""What the package warns of, gathered to be shown once, in a report and not between its lines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from clvmodels.errors import ClvWarning

__all__ = ["captured_warnings"]


@contextmanager
def captured_warnings() -> Iterator[list[str]]:
    """Yield a list that holds, when the block has ended, each message of a ClvWarning once; other warnings pass.

    Examples
    --------
    >>> from clvmodels.errors import DataWarning
    >>> with captured_warnings() as notes:
    ...     warnings.warn("every customer has a repeat purchase", DataWarning)
    ...     warnings.warn("every customer has a repeat purchase", DataWarning)
    >>> notes
    ['every customer has a repeat purchase']
    """
    notes: list[str] = []
    others: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ClvWarning)
            yield notes
    finally:
        for warning in caught:
            if issubclass(warning.category, ClvWarning):
                notes.append(str(warning.message))
            else:
                others.append(warning)
        notes[:] = dict.fromkeys(notes)
        for other in others:
            warnings.showwarning(other.message, other.category, other.filename, other.lineno)
