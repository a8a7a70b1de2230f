"""Customer equity under other assumptions: scenarios, tornado, two-way tables. Nothing is fitted again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.errors import AssumptionError, AssumptionWarning
from clvmodels.valuation.assumptions import HIGHEST_RATE, Assumptions
from clvmodels.valuation.checks import LARGEST_AMOUNT
from clvmodels.valuation.discounted_sums import parts_of, sums_under
from clvmodels.valuation.discounting import discounts_alike, with_discounting_of
from clvmodels.valuation.finite import has_finite_value, require_end
from clvmodels.valuation.rates import Rate, numbers, scaled
from clvmodels.valuation.unprofitable import unprofitable

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.book import Book

__all__ = ["contact_policy", "equities", "scenarios", "stepped", "tornado", "two_way", "without_finite_value"]

NOT_VALUED: Final = ("acquisition_cost",)
"""Rates that do not enter the value of the customers on the books."""


def scenarios(book: Book, changes: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return customer equity under named scenarios, each some assumptions that differ.

    Parameters
    ----------
    book
        The valuation that they are compared with.
    changes
        By the name of a scenario: the assumptions that change, by name.

    Returns
    -------
    DataFrame
        By scenario, the book's own assumptions first as ``base``: equity, change, relative (change over the base's
        equity), unprofitable (customers whose expected value is below zero).

    Raises
    ------
    AssumptionError
        If a name or a value is not one of `Assumptions`.

    Examples
    --------
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
    >>> table |= {"monetary_value": [22.35, None, 41.0]}
    >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30)
    >>> book = clv.value(transactions, spend, rfm, assumptions)
    >>> clv.scenarios(book, {"thin margin": {"margin": 0.15}})["relative"].round(6).to_dict()
    {'base': 0.0, 'thin margin': -0.5}
    """
    import pandas as pd

    books = {"base": book} | {
        name: book.with_assumptions(book.assumptions.replace(changed)) for name, changed in changes.items()
    }
    table = pd.DataFrame(
        {
            "equity": {name: each.equity for name, each in books.items()},
            "unprofitable": {name: int(unprofitable(each).sum()) for name, each in books.items()},
        }
    ).rename_axis("scenario")
    table.insert(1, "change", table["equity"] - book.equity)
    table.insert(2, "relative", table["change"] / book.equity)
    return table


def tornado(book: Book, *, by: float = 0.1) -> pd.DataFrame:
    """Return how much equity moves when one assumption after the other is lower or higher.

    Parameters
    ----------
    book
        The valuation.
    by
        How much each assumption is changed, as a share of itself.

    Returns
    -------
    DataFrame
        By assumption that is not zero, the one that moves most first: low and high (equity with the assumption lower
        and higher), width.

    Raises
    ------
    AssumptionError
        If `by` is not between 0 and 1.

    Warns
    -----
    AssumptionWarning
        If assumptions are left out, as a step leads out of their range, or to no finite equity: a discount rate down to
        the growth of order values.

    Examples
    --------
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> table = {"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30, 0], "T": [39, 39]}
    >>> rfm = clv.Histories.from_frame(pd.DataFrame({**table, "monetary_value": [22.35, None]}), unit="week")
    >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.0))
    >>> clv.tornado(book).round(2)
                     low   high  width
    assumption
    margin         37.65  47.38   9.73
    discount_rate  45.00  40.36   4.65
    order_cost     43.12  41.90   1.23
    """
    import pandas as pd

    _require_step(by)
    left_out = without_finite_value(book.assumptions, by=by)
    if left_out:
        warnings.warn(
            f"the tornado leaves out {' and '.join(left_out)}: {by:.0%} lower or higher, that is out of its range, or "
            f"equity is no finite number (discount rate {book.assumptions.discount_rates[-1]:g}, growth "
            f"{book.assumptions.growth:g}); ask for a smaller step or state a horizon",
            AssumptionWarning,
            stacklevel=2,
        )
    names = [name for name in _moving(book.assumptions) if name not in left_out]
    both = (stepped(book.assumptions, name, 1.0 + step) for name in names for step in (-by, by))
    equity = equities(book, [assumptions for assumptions in both if assumptions is not None])
    rows = {
        name: (low, high, abs(high - low)) for name, low, high in zip(names, equity[::2], equity[1::2], strict=True)
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["low", "high", "width"]).rename_axis("assumption")
    kept = table["width"] > 1e-12 * abs(book.equity)
    return table[kept].sort_values("width", ascending=False, kind="stable")


def two_way(book: Book, rows: tuple[str, Sequence[float]], columns: tuple[str, Sequence[float]]) -> pd.DataFrame:
    """Return equity for all pairs of values of two assumptions.

    Parameters
    ----------
    book
        The valuation.
    rows, columns
        The name of an assumption and its values.

    Returns
    -------
    DataFrame
        Shape (rows, columns); in money.

    Raises
    ------
    AssumptionError
        If both are the same assumption, or a name or a value is not one of `Assumptions`.

    Examples
    --------
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> table = {"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30, 0], "T": [39, 39]}
    >>> rfm = clv.Histories.from_frame(pd.DataFrame({**table, "monetary_value": [22.35, None]}), unit="week")
    >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.0))
    >>> clv.two_way(book, ("margin", [0.25, 0.30]), ("discount_rate", [0.10, 0.15])).round(2)
    discount_rate   0.10   0.15
    margin
    0.25           42.70  34.40
    0.30           52.76  42.51
    """
    import pandas as pd

    (first, down), (second, across) = rows, columns
    if first == second:
        raise AssumptionError(f"a two-way table is about two assumptions, got {first!r} twice")
    equity = equities(book, [book.assumptions.replace({first: a, second: b}) for a in down for b in across])
    table = np.reshape(equity, (len(down), len(across)))
    return pd.DataFrame(table, pd.Index(down, name=first), pd.Index(across, name=second))


def equities(book: Book, others: Sequence[Assumptions]) -> list[float]:
    """Return equity under other assumptions: those with the same rates take one pass over the customers together.

    Raises
    ------
    AssumptionError
        If it is no finite number.

    Examples
    --------
    >>> others = [book.assumptions.replace({"discount_rate": rate}) for rate in (0.10, 0.15)]
    >>> [round(equity, 2) for equity in equities(book, others)]
    [252.71, 206.74]
    """
    result = np.full(len(others), np.nan)
    remaining = []
    for number, each in enumerate(others):
        if discounts_alike(each, book.assumptions):
            result[number] = book.with_assumptions(each).equity
        else:
            require_end(book.transactions.best, each)
            remaining.append(number)
    while remaining:
        rates = with_discounting_of(others[remaining[0]], book.assumptions)
        alike = [number for number in remaining if with_discounting_of(others[number], book.assumptions) == rates]
        rows = (book if rates == book.assumptions else book.with_assumptions(rates)).rows
        result[alike] = sums_under(rows, parts_of(rows.lines), [others[number] for number in alike]).sum(axis=0)
        remaining = [number for number in remaining if number not in alike]
    for number in np.flatnonzero(~np.isfinite(result)).tolist():
        result[number] = book.with_assumptions(others[number]).equity  # refused, with what is wrong
    return [float(equity) for equity in result]


def contact_policy(book: Book) -> pd.DataFrame:
    """Return what it is worth to contact only customers who bring more than their campaigns cost.

    Returns
    -------
    DataFrame
        By policy (``all``, ``none``, ``worth it``): contacted (customers), contact_years (discounted), equity (of the
        customers contacted), others (what the customers not contacted are worth if they buy as before).

    Raises
    ------
    AssumptionError
        If the assumptions have no cost of campaigns.
    """
    import pandas as pd

    campaigns = [line.value(book.future) for line in book.lines if line.name == "campaigns"]
    if not campaigns:
        raise AssumptionError("there are no campaigns: state contact_cost (money a contact) and campaigns_per_year")
    without = book.rlv - (1.0 - book.assumptions.tax) * campaigns[0]
    everybody = np.ones(len(without), bool)
    rows = {}
    for name, targeted in {"all": everybody, "none": ~everybody, "worth it": book.rlv > 0.0}.items():
        contacted = int(targeted.sum())
        rows[name] = (
            contacted,
            float(book.future.K) * contacted,
            float(book.rlv[targeted].sum()),
            float(without[~targeted].sum()),
        )
    return pd.DataFrame.from_dict(rows, orient="index", columns=["contacted", "contact_years", "equity", "others"])


def _counts(rate: Rate) -> bool:
    stated = numbers(rate)
    return not stated or bool(np.any(np.asarray(stated, dtype=float)))


def without_finite_value(assumptions: Assumptions, *, by: float = 0.1) -> tuple[str, ...]:
    """Return the assumptions that `tornado` leaves out.

    Raises
    ------
    AssumptionError
        If `by` is not between 0 and 1.

    Examples
    --------
    >>> without_finite_value(Assumptions(discount_rate=0.15, margin=0.30, growth=0.14))
    ('discount_rate', 'growth')
    """
    _require_step(by)
    return tuple(
        name
        for name in _moving(assumptions)
        if None in (stepped(assumptions, name, 1.0 - by), stepped(assumptions, name, 1.0 + by))
    )


def stepped(assumptions: Assumptions, name: str, factor: float) -> Assumptions | None:
    """Return the assumptions with one of them times a factor; None if it leaves its range, or equity is not finite.

    Examples
    --------
    >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30, growth=0.14)
    >>> stepped(assumptions, "margin", 1.1).margin, stepped(assumptions, "discount_rate", 0.9)
    (0.33, None)
    """
    changed = (
        assumptions.replace({name: _moved(assumptions, name, factor)}) if _in_range(assumptions, name, factor) else None
    )
    return changed if changed is not None and has_finite_value(changed) else None


def _in_range(assumptions: Assumptions, name: str, factor: float) -> bool:
    if name == "discount_rate":
        return max(assumptions.discount_rates) * factor <= HIGHEST_RATE
    return name != "growth" or -1.0 < assumptions.growth * factor <= HIGHEST_RATE


def _moved(assumptions: Assumptions, name: str, factor: float) -> object:
    if name == "discount_rate":
        return tuple(rate * factor for rate in assumptions.discount_rates)
    highest = {"growth": HIGHEST_RATE, "tax": 1.0}.get(name)
    if highest is not None:
        return scaled(getattr(assumptions, name), factor, highest)
    return scaled(assumptions.rates[name], factor, min(assumptions.bounds[name].high, LARGEST_AMOUNT))


def _moving(assumptions: Assumptions) -> list[str]:
    """Return the assumptions that move equity."""
    names = [name for name, rate in assumptions.rates.items() if name not in NOT_VALUED and _counts(rate)]
    return [*names, "discount_rate", *(name for name in ("growth", "tax") if getattr(assumptions, name))]


def _require_step(by: float) -> None:
    if not 0.0 < by < 1.0:
        raise AssumptionError(f"by is a share above 0 and below 1, such as 0.1, got {by!r}")
