"""Equity as a sum of terms, each a stored sum times the assumptions that move: what sliders can rest on.

Value is linear (`clvmodels.valuation.lines`), so equity under another margin or cost needs no customer: the sum of each
line's driver, weighted with the rates, is multiplied by how much the assumption moved. Under another discount rate the
drivers differ; their sums are stored at nine rates, and interpolated between them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from clvmodels.valuation.assumptions import HIGHEST_RATE, Assumptions
from clvmodels.valuation.book import Book
from clvmodels.valuation.discounted_sums import sums_under
from clvmodels.valuation.finite import has_finite_value
from clvmodels.valuation.line_table import Driver, Kind
from clvmodels.valuation.lines import ValuedLine
from clvmodels.valuation.rates import of_customers, scaled

__all__ = ["NODES", "WEIGHTS", "Lever", "Levers", "RateGrid", "Term", "levers_of", "rate_grid"]

Array = NDArray[np.float64]

NODES: Final[Array] = np.sin(np.pi * np.arange(4, -5, -1) / 8)
"""Chebyshev points of the second kind on [-1, 1], the middle one 0: Trefethen (2013), Approximation Theory, ch. 2."""

_BETWEEN: Final[Array] = np.cos(np.pi * (np.arange(8) + 0.5) / 8)
"""Where the interpolation is checked: between the nodes, where it is worst."""

WEIGHTS: Final[Array] = np.array([0.5, *[(-1.0) ** k for k in range(1, 8)], 0.5])
"""Barycentric weights of the nodes: Berrut & Trefethen (2004), SIAM Review 46(3), equation (5.4)."""

_WIDEST: Final = 2.0
"""A slider reaches from nothing to this multiple of what is stated; that of the discount rate from its inverse."""


@dataclass(frozen=True)
class Lever:
    """An assumption that a slider moves.

    Attributes
    ----------
    name
        Of the assumption.
    kind
        A share, money, a number; or a factor, where the assumption differs from customer to customer or year to year.
    stated
        What the valuation states; 1 for a factor.
    low, high
        Between which the slider moves.
    digits
        Decimals to which it moves.
    """

    name: str
    kind: Kind | Literal["factor"]
    stated: float
    low: float
    high: float
    digits: int

    @property
    def step(self) -> float | None:
        """The step of the slider; None if what is stated has more decimals than the slider moves to."""
        return 10.0**-self.digits if round(self.stated, self.digits) == self.stated else None


@dataclass(frozen=True, eq=False)
class Term:
    """A part of a line.

    Attributes
    ----------
    line
        The line it is of.
    factors
        The assumptions that it is proportional to.
    sums
        Its value before tax at each of the discount rates of the grid, as stated otherwise; shape (rates,).
    """

    line: str
    factors: tuple[str, ...]
    sums: Array


@dataclass(frozen=True)
class RateGrid:
    """The discount rates of the stored sums: the stated ones times factors c, with log(c - pole) at Chebyshev points.

    Attributes
    ----------
    pole
        The factor at which value would be infinite: that of growth indefinitely; else 0.
    span
        log of the largest (c - pole) / (1 - pole).
    """

    pole: float
    span: float

    def factors(self, points: Array) -> Array:
        """Return the factors at points of [-1, 1]; at 0 it is 1."""
        return np.asarray(self.pole + (1.0 - self.pole) * np.exp(self.span * points))


@dataclass(frozen=True, eq=False)
class Levers:
    """Equity as a function of its assumptions.

    Attributes
    ----------
    levers
        The assumptions that move: rates, tax, and last the discount rate.
    terms
        Equity is the sum of the terms, each times the relative change of its factors, less tax.
    tax
        The share of the value that is paid as tax.
    grid
        Where the terms' sums stand; None if the discount rate does not move: there is one sum a term, then.
    error
        The largest relative error of a sum interpolated between the rates of the grid.
    """

    levers: tuple[Lever, ...]
    terms: tuple[Term, ...]
    tax: float
    grid: RateGrid | None
    error: float


def levers_of(book: Book) -> Levers:
    """Return equity as a function of its assumptions."""
    taxed = [line for line in book.lines if line.group != "tax"]
    valued = [(line, driver, _value(book, line, driver)) for line in taxed for driver in line.rates]
    parts = [(line, driver) for line, driver, value in valued if value]
    stated = np.array([value for *_, value in valued if value])[:, None]
    grid = rate_grid(book.assumptions)
    sums, error = stated, 0.0
    if grid is not None:
        computed = _sums(book, parts, grid.factors(np.concatenate([NODES, _BETWEEN])))
        sums, between = computed[:, : len(NODES)], computed[:, len(NODES) :]
        sums[:, NODES == 0.0] = stated
        error = float(np.max(np.abs(_interpolated(sums, _BETWEEN) / between - 1.0), initial=0.0))
    terms = tuple(
        Term(line.name, _factors(book, line, driver), row) for (line, driver), row in zip(parts, sums, strict=True)
    )
    return Levers(tuple(_levers(book, terms, grid)), terms, book.assumptions.tax, grid, error)


def rate_grid(assumptions: Assumptions) -> RateGrid | None:
    """Return the discount rates to store sums at; None if they are zero, or if none lower or higher can be valued.

    Examples
    --------
    >>> grid = rate_grid(Assumptions(discount_rate=0.15, margin=0.30))
    >>> (0.15 * grid.factors(np.array([-1.0, 0.0, 1.0]))).round(6).tolist()
    [0.075, 0.15, 0.3]
    """
    rates = assumptions.discount_rates
    if max(rates) == 0.0 or max(rates) >= HIGHEST_RATE:
        return None
    pole = max(assumptions.growth, 0.0) / rates[-1] if assumptions.horizon is None else 0.0
    highest = min(_WIDEST, (HIGHEST_RATE / max(rates) - pole) / (1.0 - pole))
    grid = RateGrid(pole, math.log(highest))
    lowest = float(grid.factors(np.array(-1.0)))
    return (
        grid if has_finite_value(replace(assumptions, discount_rate=tuple(lowest * rate for rate in rates))) else None
    )


def _value(book: Book, line: ValuedLine, driver: Driver) -> float:
    """Return a part of a line, summed over the customers."""
    return float(replace(line, rates={driver: line.rates[driver]}).value(book.future).sum())


def _sums(book: Book, parts: Sequence[tuple[ValuedLine, Driver]], factors: Array) -> Array:
    """Return the same under the discount rates times each factor, shape (parts, factors): one pass over customers."""
    assumptions = book.assumptions
    others = [
        replace(assumptions, discount_rate=tuple(c * rate for rate in assumptions.discount_rates)) for c in factors
    ]
    return sums_under(book.each, [(driver, line.rates[driver]) for line, driver in parts], others)


def _interpolated(sums: Array, points: Array) -> Array:
    """Return sums between the nodes, as the page computes them: log sums, interpolated in barycentric form."""
    share = WEIGHTS / (points[:, None] - NODES)
    logs = np.log(np.abs(sums)) @ (share / share.sum(axis=1, keepdims=True)).T
    return np.asarray(np.sign(sums[:, :1]) * np.exp(logs))


def _factors(book: Book, line: ValuedLine, driver: Driver) -> tuple[str, ...]:
    """Return the assumptions that a part of a line is proportional to."""
    (formula,) = (formula for formula in book.assumptions.formulas if formula.name == line.name)
    return tuple(name for name in formula.factors[driver] if _is_uncut(book, name))


def _is_uncut(book: Book, name: str) -> bool:
    """Whether a rate halved is half as high for all: one in a column, times a factor, may be cut at its bound."""
    bounds, halved = book.assumptions.bounds[name], scaled(book.assumptions.rates[name], 0.5)
    half = of_customers(name, halved, book.histories, bounds.low, bounds.high)
    return np.array_equal(half, 0.5 * np.asarray(book.rates[name]))


def _levers(book: Book, terms: Sequence[Term], grid: RateGrid | None) -> Iterator[Lever]:
    moving = {name for term in terms for name in term.factors}
    stated_rates = book.assumptions.rates
    for name, bounds in book.assumptions.bounds.items():
        if name not in moving:
            continue
        rate = stated_rates[name]
        if isinstance(rate, int | float):
            yield _lever(name, bounds.kind, float(rate), 0.0, min(_WIDEST * rate, bounds.high))
        else:
            highest = float(np.max(of_customers(name, rate, book.histories, bounds.low, bounds.high)))
            yield _lever(name, "factor", 1.0, 0.0, min(_WIDEST, bounds.high / highest))
    if book.assumptions.tax:
        yield _lever("tax", "share", book.assumptions.tax, 0.0, min(_WIDEST * book.assumptions.tax, 1.0))
    if grid is not None:
        low, high = grid.factors(np.array([-1.0, 1.0])).tolist()
        rates = book.assumptions.discount_rates
        stated = rates[0] if len(rates) == 1 else 1.0
        yield _lever("discount_rate", "share" if len(rates) == 1 else "factor", stated, stated * low, stated * high)


def _lever(name: str, kind: Kind | Literal["factor"], stated: float, low: float, high: float) -> Lever:
    """Return a lever that moves in steps of a hundredth to a thousandth of what is stated."""
    size = math.floor(math.log10(stated))
    fewest = max(2 - size, 3 if kind == "share" else 0)
    digits = next((d for d in range(fewest, fewest + 4) if round(stated, d) == stated), fewest)
    unit, little = 10.0**digits, 1e-6
    return Lever(
        name, kind, stated, math.ceil(low * unit - little) / unit, math.floor(high * unit + little) / unit, digits
    )
