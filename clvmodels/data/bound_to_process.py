"""What belongs to a connection of this process cannot go to another one."""

from __future__ import annotations

from typing import NoReturn, Self

from clvmodels.errors import DataError

__all__ = ["BoundToProcess"]


class BoundToProcess:
    """What a connection of this process belongs to: a copy is the same, and there is no pickle."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise DataError(
            "histories in an engine cannot be pickled, since its connection belongs to this process; pickle"
            " histories.collect() (a book's, too), or write them with histories.write(path)"
        )
