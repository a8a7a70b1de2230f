"""What is commonly wrong with tables of purchase histories, found and explained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clvmodels.data.columns import count, examples, shown
from clvmodels.data.statistics import FloatArray
from clvmodels.errors import DataError, DataWarning
from clvmodels.numerics.threads import map_blocks
from clvmodels.units import DAYS, Unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_counts", "check_histories", "check_ids", "check_weights", "trailing_gap", "warn_about"]

_Rule = Callable[..., npt.NDArray[np.bool_]]
"""Which of some customers break it, by columns of their numbers."""

_ROWS_PER_BLOCK = 1 << 17
_MOST_PURCHASES = 2.0**53  # above, not every whole number is one
_MOST_TIME = 1e12  # of any unit; with more, and with more money, what is computed may not be finite
_MOST_MONEY = 1e100
_TOLERANCE = 1e-9
_FEW_CUSTOMERS = 20  # a smaller table is somebody's examples rather than a customer base
_ONCE = 0.02  # where so few bought just twice, hardly anybody who bought once only is missing
_FEW_GAPS = 5  # so many gaps of one day and none of zero do not happen by chance
_LONG, _SEVERAL = 0.1, 200  # the last tenth of the time misses 200 purchases at random once in 1e9 logs


def check_ids(ids: pd.Index[Any]) -> None:
    """Refuse missing and repeated customer ids.

    Raises
    ------
    DataError
        With the number of rows and examples.
    """
    if ids.hasnans:
        raise DataError(
            f"the customer id is missing in {count(int(np.count_nonzero(ids.isna())), 'row')}; drop or name them first"
        )
    if not ids.is_unique:
        twice = ids[ids.duplicated()]
        raise DataError(
            f"customer ids must be unique, but {count(len(twice), 'row')} repeat one, for example"
            f" {examples(twice.unique())}; histories have one row a customer, a purchase log goes to rfm_summary"
        )


def check_histories(
    ids: pd.Index[Any], numbers: Mapping[str, FloatArray], *, time_since_last: str | None = None
) -> dict[str, FloatArray]:
    """Return frequency, recency, T and monetary value as `Histories` holds them, or refuse them.

    Parameters
    ----------
    ids
        Customer ids, for the messages.
    numbers
        The arrays, each of shape (n,); the monetary value may be missing.
    time_since_last
        If given, the name of the column that stands in for recency: the time since the last purchase.

    Raises
    ------
    DataError
        At the first rule that is broken, with the number of customers, examples and a remedy.
    """
    x, recency, age = (numbers[name] for name in ("frequency", "recency", "T"))
    value = {name: numbers[name] for name in numbers.keys() & {"monetary_value"}}
    if time_since_last is None and all(_over_blocks(_is_clean, x, recency, age, *value.values())):
        return dict(numbers)
    last = "recency" if time_since_last is None else time_since_last
    for name, array, most in (("frequency", x, _MOST_PURCHASES), ("T", age, _MOST_TIME), (last, recency, _MOST_TIME)):
        _check_plain(ids, name, array, most)
    if value:
        _refuse("monetary_value is infinite", np.isinf, ids, value, "leave it missing")
        too_much = f"monetary_value is above {_MOST_MONEY:g}"
        _refuse(too_much, lambda spend: np.abs(spend) > _MOST_MONEY, ids, value, "is it an amount of money?")
    advice = "it counts repeat purchase occasions"
    _refuse("frequency is no whole number", lambda x: x != np.rint(x), ids, {"frequency": x}, advice)
    if time_since_last is not None:
        _refuse(
            f"{time_since_last} is beyond T",
            lambda since, age: since > age * (1 + _TOLERANCE),
            ids,
            {time_since_last: recency, "T": age},
            "T is the time since the first purchase",
        )
        rounded = (x == 0) & np.isclose(recency, age, rtol=1e-2, atol=0)
        recency = np.where(rounded, 0.0, np.maximum(age - recency, 0.0))
    recency = _check_recency(ids, x, recency, age)
    checked = {"frequency": x, "recency": recency, "T": age}
    return checked | {name: np.where(_no_spend(x, spend), np.nan, spend) for name, spend in value.items()}


def check_counts(ids: pd.Index[Any], numbers: Mapping[str, FloatArray]) -> None:
    """Refuse numbers of a history by periods that are missing, infinite or negative, or contradict each other.

    Raises
    ------
    DataError
        At the first rule that is broken, with the number of customers, examples and a remedy.
    """
    for name, array in numbers.items():
        _check_plain(ids, name, array, _MOST_PURCHASES)
    if {"frequency", "recency", "periods"} <= numbers.keys():
        _refuse(
            "frequency, recency and periods contradict each other",
            lambda x, t_x, n: (x > t_x) | (t_x > n) | ((x == 0) & (t_x > 0)),
            ids,
            {name: numbers[name] for name in ("frequency", "recency", "periods")},
            "recency is the number of the last period with a purchase, at least frequency and at most periods",
        )


def check_contracts(ids: pd.Index[Any], numbers: Mapping[str, FloatArray]) -> None:
    """Refuse numbers of contracts that are missing, no whole numbers, or contradict each other.

    Raises
    ------
    DataError
        At the first rule that is broken, with the number of customers, examples and a remedy.
    """
    counts = {name: array for name, array in numbers.items() if name != "monetary_value"}
    for name, array in counts.items():
        _check_plain(ids, name, array, _MOST_PURCHASES)
        _refuse(f"{name} is no whole number", lambda x: x != np.rint(x), ids, {name: array}, "it counts renewals")
    churned = "churned is 1 for customers who have left, else 0"
    _refuse("churned is neither 0 nor 1", lambda left: left > 1.0, ids, {"churned": counts["churned"]}, churned)
    renewals = {"renewals": counts["renewals"]}
    if "observed_from" in counts:
        late = "it is the number of renewals before a customer was observed, 0 if they were observed from their start"
        observed = {**renewals, "observed_from": counts["observed_from"]}
        _refuse("observed_from is above renewals", lambda x, m: m > x, ids, observed, late)
    if "periods" in counts:
        due = "periods counts the renewals that were due: as many as renewals, and more for customers who have left"
        shown = {**renewals, "churned": counts["churned"], "periods": counts["periods"]}
        _refuse("periods contradict renewals", lambda x, left, n: (n > x) != (left == 1.0), ids, shown, due)
    if "monetary_value" in numbers:
        spend = {"monetary_value": numbers["monetary_value"]}
        _refuse("monetary_value is infinite", np.isinf, ids, spend, "leave it missing")


def check_weights(ids: pd.Index[Any], weight: FloatArray) -> None:
    """Refuse numbers of customers that are no whole numbers from 1 up.

    Raises
    ------
    DataError
        With the number of rows and examples.
    """
    _refuse(
        "the weight of a history is no number of customers",
        lambda w: ~((w >= 1) & (w < np.inf) & (w == np.rint(w))),
        ids,
        {"weight": weight},
        "it is a whole number from 1 up",
    )


def _is_clean(x: FloatArray, recency: FloatArray, age: FloatArray, *value: FloatArray) -> bool:
    """Whether some customers, and not none, break no rule; most tables are clean, and need no further look."""
    return (
        x.min() >= 0.0
        and x.max() <= _MOST_PURCHASES
        and np.array_equal(x, np.rint(x))
        and np.array_equal(x == 0, recency == 0)
        and recency.min() >= 0.0
        and bool((recency <= age).all())
        and age.max() <= _MOST_TIME
        and not any(bool((np.abs(spend) > _MOST_MONEY).any() or _no_spend(x, spend).any()) for spend in value)
    )


def _no_spend(x: FloatArray, spend: FloatArray) -> npt.NDArray[np.bool_]:
    """Whose mean spend is missing rather than zero: they have no repeat purchase."""
    return np.asarray((x == 0) & (spend == 0))


def _check_plain(ids: pd.Index[Any], name: str, array: FloatArray, most: float) -> None:
    """Refuse missing, infinite, negative and very large numbers."""
    if not _count(lambda array: ~((array >= 0.0) & (array <= most)), array):
        return
    _refuse(f"{name} is missing", np.isnan, ids, {name: array}, "every customer needs one")
    _refuse(f"{name} is infinite", np.isinf, ids, {name: array}, "every customer needs a finite one")
    _refuse(f"{name} is negative", lambda array: array < 0, ids, {name: array}, "it is counted from zero up")
    _refuse(f"{name} is above {most:g}", lambda array: array > most, ids, {name: array}, "write it in the unit stated")


def _check_recency(ids: pd.Index[Any], x: FloatArray, recency: FloatArray, age: FloatArray) -> FloatArray:
    """Return recency within [0, T]; refuse the meanings of recency and frequency that are not ours."""
    shown = {"frequency": x, "recency": recency, "T": age}

    def once(x: FloatArray, recency: FloatArray, _: FloatArray) -> npt.NDArray[np.bool_]:
        return np.asarray((x == 0) & (recency > 0))

    if _count(once, x, recency, age):
        same = np.isclose(recency, age, rtol=1e-6, atol=0)[x == 0].mean() > 0.5
        advice = (
            "this looks like the time since the last purchase: give it as time_since_last=... instead of recency=..."
            if same
            else "recency is the age at the last purchase, which is 0 for a customer who bought once"
        )
        _refuse("a customer with frequency 0 has a recency above 0", once, ids, shown, advice)
    if _count(np.greater, recency, age):
        advice = "both count from the first purchase, in the same unit"
        _refuse("recency is beyond T", lambda _, r, T: r > T * (1 + _TOLERANCE), ids, shown, advice)
        recency = np.minimum(recency, age)
    compared = (
        len(x) > 1
    )  # one customer alone, as in a query for a prediction, says nothing about how others are counted
    if compared and _count(_at_birth, x, recency) and x.min() >= 1 and (x[_at_birth(x, recency)] == 1).all():
        what = "a customer with frequency 1 has recency 0, and nobody has frequency 0"
        advice = "frequency seems to count all purchases: it counts repeat purchases, so subtract 1"
        _refuse(what, lambda x, recency, _: _at_birth(x, recency), ids, shown, advice)
    return recency


def _at_birth(x: FloatArray, recency: FloatArray) -> npt.NDArray[np.bool_]:
    """Who has repeat purchases, all at age zero."""
    return np.asarray((x > 0) & (recency == 0))


def _over_blocks[R](function: Callable[..., R], *columns: FloatArray) -> list[R]:
    """Return the values of a function for blocks of customers."""
    return map_blocks(lambda rows: function(*(column[rows] for column in columns)), len(columns[0]), _ROWS_PER_BLOCK)


def _count(rule: _Rule, *columns: FloatArray) -> int:
    """Return how many customers break a rule."""
    return sum(_over_blocks(lambda *block: int(np.count_nonzero(rule(*block))), *columns))


def _any(rule: _Rule, *columns: FloatArray) -> bool:
    """Whether a customer breaks a rule; where many do, the first of them suffice."""
    few = [column[:_ROWS_PER_BLOCK] for column in columns]
    return bool(rule(*few).any()) or _count(rule, *columns) > 0


def _refuse(what: str, rule: _Rule, ids: pd.Index[Any], numbers: Mapping[str, FloatArray], advice: str) -> None:
    """Raise if any customer breaks the rule: how many, up to three of them with their numbers, and what to do."""
    wrong = _count(rule, *numbers.values())
    if not wrong:
        return
    rows = np.flatnonzero(rule(*numbers.values()))
    cases = "; ".join(f"{shown(ids[row])}{_values(numbers, row)}" for row in rows[:3])
    raise DataError(f"{what}: {wrong:,} of {count(len(ids), 'customer')}, for example {cases}; {advice}")


def _values(numbers: Mapping[str, FloatArray], row: np.intp) -> str:
    """Return the numbers of one customer in brackets."""
    return f" ({', '.join(f'{name} {values[row]:g}' for name, values in numbers.items())})"


def warn_about(numbers: Mapping[str, FloatArray], unit: Unit) -> None:
    """Warn of what cannot be known to be wrong, but mostly is.

    Warns
    -----
    DataWarning
        No one-time buyers; T measured to a day after the end of the data, or long after; repeat purchases at age zero.
    """
    x, recency, age = numbers["frequency"], numbers["recency"], numbers["T"]
    notes = []
    if len(x) >= _FEW_CUSTOMERS and not _any(lambda x: x < 1, x) and _miss_one_timers(x):
        notes.append(
            "every customer has a repeat purchase: the models need the one-time buyers too, and fitted without them"
            " they predict about twice the purchases that come; do not drop customers with frequency 0"
        )
    notes += _at_the_end(x, recency, age, unit)
    at_birth = _count(_at_birth, x, recency)
    if at_birth:
        notes.append(
            f"{count(at_birth, 'customer')} with repeat purchases but recency 0: purchases at one instant are"
            " one occasion"
        )
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=4)


def _miss_one_timers(x: FloatArray) -> bool:
    """Whether one-time buyers are to be expected among customers all of whom have repeat purchases.

    Of customers who bought just twice there are about as many; and no mixture of Poisson counts has a smaller share of
    zeros than the Poisson distribution of the same mean (Jensen's inequality).
    """
    return _count(lambda x: x == 1, x) > _ONCE * len(x) or len(x) * float(np.exp(-x.mean())) >= 1.0


def _at_the_end(x: FloatArray, recency: FloatArray, age: FloatArray, unit: Unit) -> list[str]:
    """Return what is to be said if nobody bought on the last day."""
    day = (1 - 1e-6) / DAYS[unit]
    if not len(x) or _any(lambda recency, age: recency > age - day, recency, age):
        return []
    gaps = age - recency
    long = trailing_gap(float(gaps.min()), float(age.max()), int(x.sum()) + len(x), unit)
    return long or _a_day_late(gaps * DAYS[unit])


def _a_day_late(days: FloatArray) -> list[str]:
    """Return a note if times on a grid of days all end at least one day before the end, and several exactly one."""
    on_grid = bool((np.abs(days - np.rint(days)) < 1e-6).all())
    if not on_grid or int((np.abs(days - 1) < 1e-6).sum()) < _FEW_GAPS:
        return []
    note = (
        "no customer's last purchase is less than a day before the end of T, and many are exactly one day before:"
        " T seems to be measured to a day after the end of the data; measure it to the last day observed"
    )
    return [note]


def trailing_gap(gap: float, span: float, purchases: int, unit: Unit) -> list[str]:
    """Return a note if nobody bought in the last tenth of the time, although there are purchases enough.

    Parameters
    ----------
    gap, span
        Time from the last purchase of all to the end of observation, and from the first customer's first purchase.
    purchases
        How many there are.
    unit
        The unit of `gap` and `span`.

    Examples
    --------
    >>> trailing_gap(gap=52.0, span=104.0, purchases=1_000, unit="week")
    ['nobody bought in the last 52 of 104 weeks observed: to the models all customers seem to have left; if the data ...
    """
    if gap <= _LONG * span or purchases < _SEVERAL:
        return []
    note = (
        f"nobody bought in the last {gap:.4g} of {span:.4g} {unit}s observed: to the models all customers seem to have"
        " left; if the data end earlier, end the observation with them"
    )
    return [note]
