"""Rates of an assumption: one number for all customers, one a segment, or a column of the customers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number
from clvmodels.data.columns import shown
from clvmodels.errors import AssumptionError, one_of
from clvmodels.valuation.checks import LARGEST_AMOUNT, require_amount, require_number
from clvmodels.valuation.line_table import Bounds

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories

__all__ = [
    "ByColumn",
    "BySegment",
    "Rate",
    "checked_rate",
    "column_of",
    "in_plain_data",
    "numbers",
    "of_customers",
    "read_rate",
    "require_column",
    "scaled",
]

Array = NDArray[np.float64]

_EXAMPLES: Final = '0.3, {column = "margin"} or {by = "segment", rates = {A = 0.3, B = 0.25}}'


@dataclass(frozen=True)
class ByColumn:
    """A rate that stands in a column of the customers.

    Attributes
    ----------
    column
        A column of the histories' attributes.
    factor
        What it is multiplied by; a share stays a share, at most 1.
    """

    column: str
    factor: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", _factor(self.factor, f"column {self.column!r}"))


@dataclass(frozen=True)
class BySegment:
    """A rate for each segment.

    Attributes
    ----------
    by
        The column of the histories' attributes that names the segments.
    rates
        The rate of each segment, by its name as text: ``"1"`` for 1, ``"True"`` for True.

    Examples
    --------
    >>> read_rate("margin", {"by": "tier", "rates": {1: 0.3, 2: 0.25}}).rates["1"]
    0.3
    """

    by: str
    rates: Mapping[str, float]

    def __post_init__(self) -> None:
        named = {str(name): rate for name, rate in self.rates.items()}
        if len(named) < len(self.rates):
            raise AssumptionError(f"two rates are given for one {self.by}: {dict(self.rates)!r}")
        object.__setattr__(self, "rates", MappingProxyType(named))

    def __reduce__(self) -> tuple[type[BySegment], tuple[str, dict[str, float]]]:
        return BySegment, (self.by, dict(self.rates))  # what keeps the rates from being changed does not pickle


Rate = float | ByColumn | BySegment


def read_rate(name: str, value: object) -> Rate:
    """Return a rate as it is written in a file: a number, ``{column = ...}``, or ``{by = ..., rates = {...}}``.

    Raises
    ------
    AssumptionError
        If it is none of these.

    Examples
    --------
    >>> read_rate("margin", {"by": "segment", "rates": {"A": 0.3}}).by
    'segment'
    """
    if isinstance(value, ByColumn | BySegment):
        return value
    if not math.isnan(number := as_number(value)):
        return number
    if isinstance(value, Mapping):
        content = dict(value)
        if set(content) <= {"column", "factor"} and isinstance(content.get("column"), str):
            return ByColumn(content["column"], content.get("factor", 1.0))
        rates = content.get("rates")
        if set(content) == {"by", "rates"} and isinstance(content["by"], str) and isinstance(rates, Mapping):
            return BySegment(content["by"], rates)
    raise AssumptionError(f"{name} is a number or says where it stands, like {_EXAMPLES}; got {abridged(value)}")


def checked_rate(name: str, value: object, bounds: Bounds) -> Rate:
    """Return a rate as `read_rate` does, whose numbers lie within its bounds.

    Raises
    ------
    AssumptionError
        If it is no rate, or one of its numbers is out of its range.
    """
    rate = read_rate(name, value)
    for number in numbers(rate):
        require_number(name, number, bounds.meaning, low=bounds.low, high=bounds.high)
        require_amount(name, number, bounds.meaning)
    return rate


def _factor(value: object, of: str) -> float:
    number = as_number(value)
    if not 0.0 <= number <= LARGEST_AMOUNT:
        raise AssumptionError(
            f"a factor is a number from 0 up, at most {LARGEST_AMOUNT:g}, got {abridged(value)} for {of}"
        )
    return number


def require_column(name: str, rate: ByColumn, largest: float, high: float) -> None:
    """Refuse a column whose largest rate, times its factor, is too large for any rate; shares stay at most `high`.

    Raises
    ------
    AssumptionError
        As `require_amount` does.
    """
    require_amount(f"{name}: the column {rate.column!r}", largest, "a rate of a customer")
    if high == np.inf:
        require_amount(f"{name}: the column {rate.column!r} times {rate.factor:g}", largest * rate.factor, "a rate")


def numbers(rate: Rate) -> list[object]:
    """Return the numbers that a rate states itself."""
    if isinstance(rate, BySegment):
        return list(rate.rates.values())
    return [] if isinstance(rate, ByColumn) else [rate]


def column_of(rate: Rate) -> str | None:
    """Return the column of the customers that a rate needs, if any."""
    if isinstance(rate, BySegment):
        return rate.by
    return rate.column if isinstance(rate, ByColumn) else None


def scaled(rate: Rate, factor: float, high: float = np.inf) -> Rate:
    """Return a rate times a factor, at most `high`.

    Examples
    --------
    >>> scaled(ByColumn("margin"), 1.1)
    ByColumn(column='margin', factor=1.1)
    """
    if isinstance(rate, BySegment):
        return BySegment(rate.by, {name: min(factor * value, high) for name, value in rate.rates.items()})
    return ByColumn(rate.column, rate.factor * factor) if isinstance(rate, ByColumn) else min(factor * rate, high)


def in_plain_data(rate: Rate) -> object:
    """Return a rate as `read_rate` reads it."""
    if isinstance(rate, BySegment):
        return {"by": rate.by, "rates": dict(rate.rates)}
    return {"column": rate.column, "factor": rate.factor} if isinstance(rate, ByColumn) else rate


def of_customers(name: str, rate: Rate, histories: Histories, low: float, high: float) -> float | Array:
    """Return the rate as a number for all, or by customer, shape (customers,).

    Raises
    ------
    AssumptionError
        If the histories have no such column, a segment has no rate, or a rate is missing or outside of [low, high].
    """
    if isinstance(rate, BySegment):
        return _of_segments(name, rate, histories)
    if not isinstance(rate, ByColumn):
        return rate
    values = _column(name, rate.column, histories)
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AssumptionError(f"{name}: the column {rate.column!r} does not hold numbers") from error
    wrong = ~((array >= low) & (array <= high))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise AssumptionError(
            f"{name}: the column {rate.column!r} is missing or outside of {low:g} to {high:g} for {wrong.sum():,} "
            f"customers, for example {shown(histories.customer_id[first])} ({array[first]:g})"
        )
    require_column(name, rate, float(np.max(array, initial=0.0)), high)
    return np.minimum(array * rate.factor, high)


def _of_segments(name: str, rate: BySegment, histories: Histories) -> Array:
    segments = _column(name, rate.by, histories).astype(str)
    known = segments.map(dict(rate.rates))
    if known.isna().any():
        raise AssumptionError(f"{name}: {one_of(rate.by, segments[known.isna()].iloc[0], rate.rates)}")
    return np.asarray(known, dtype=np.float64)


def _column(name: str, column: str, histories: Histories) -> Any:  # noqa: ANN401 - a pandas Series
    attributes = histories.attributes
    if column not in attributes.columns:
        known = list(map(str, attributes.columns))
        what = one_of("column of the customers", column, known) if known else f"no column {column!r}: there are none"
        raise AssumptionError(
            f'{name}: {what}; keep columns of the log with rfm_summary(..., attributes=["{column}"]) or add them with '
            "rfm.with_attributes(table)"
        )
    return attributes[column]
