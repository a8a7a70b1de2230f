"""Assignment by hash: the same customer and salt give the same arm, in memory and in an engine.

The first 13 hexadecimal digits of sha256 of the text "salt/customer_id" are a whole number below 2^52, which a float
holds exactly; divided by 16^13 it is a share, which cumulated shares of the arms divide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["arms_of", "hashed_arm_column", "hashed_shares", "upper_ends"]

DIGITS: Final = 13


def hashed_shares(ids: Iterable[object], salt: str) -> npt.NDArray[np.float64]:
    """Return for each id a number from 0 up to 1, which depends on it and the salt alone.

    Examples
    --------
    >>> hashed_shares(["A", "B"], "spring").round(6)
    array([0.45364 , 0.575044])
    """
    digests = (hashlib.sha256(f"{salt}/{each}".encode()).hexdigest() for each in ids)
    return np.array([int(digest[:DIGITS], 16) for digest in digests], np.float64) / 16.0**DIGITS


def upper_ends(shares: Sequence[float]) -> list[float]:
    """Return the cumulated shares of all arms but the last, whose end is 1."""
    return [float(end) for end in np.cumsum(shares)[:-1]]


def arms_of(ids: Iterable[object], shares: Sequence[float], salt: str) -> npt.NDArray[np.int64]:
    """Return the number of the arm of each id, shape (n,).

    Examples
    --------
    >>> arms_of(["A", "B"], [0.5, 0.5], "spring")
    array([0, 1])
    """
    return np.searchsorted(upper_ends(shares), hashed_shares(ids, salt), side="right")


def hashed_arm_column(table: ir.Table, column: str, shares: Sequence[float], salt: str) -> ir.IntegerColumn:
    """Return the number of the arm of each row of a table of DuckDB, as a column not yet computed.

    Examples
    --------
    >>> import ibis
    >>> import pyarrow as pa
    >>> table = ibis.memtable(pa.table({"customer_id": ["A", "B"]}))
    >>> hashed_arm_column(table, "customer_id", [0.5, 0.5], "spring").to_pyarrow().to_pylist()
    [0, 1]
    """
    import ibis

    @ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
    def sha256(text: str) -> str:  # type: ignore[empty-body]
        ...

    text = ibis.literal(f"{salt}/") + table[column].cast("string")
    number = (ibis.literal("0x") + sha256(text)[:DIGITS]).cast("int64")
    share = number.cast("float64") / 16.0**DIGITS
    arm: ir.IntegerColumn = ibis.literal(0, "int64")
    for end in upper_ends(shares):
        arm = arm + (share >= end).cast("int64")
    return arm
