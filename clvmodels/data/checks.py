"""What is commonly wrong with tables of purchase histories, found and explained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clvmodels.data.columns import count, examples, shown
from clvmodels.data.histories import FloatArray
from clvmodels.errors import DataError, DataWarning
from clvmodels.units import DAYS, Unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_histories", "check_ids", "warn_about"]

_TOLERANCE = 1e-9
_FEW_CUSTOMERS = 20  # a smaller table is somebody's examples rather than a customer base
_FEW_GAPS = 5  # so many gaps of one day and none of zero do not happen by chance


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
        The four arrays, each of shape (n,).
    time_since_last
        If given, the name of the column that stands in for recency: the time since the last purchase.

    Raises
    ------
    DataError
        At the first rule that is broken, with the number of customers, examples and a remedy.
    """
    x, age, spend = numbers["frequency"], numbers["T"], numbers["monetary_value"]
    recency = numbers["recency"]
    last = "recency" if time_since_last is None else time_since_last
    for name, array in (("frequency", x), ("T", age), (last, recency)):
        _check_plain(ids, name, array)
    if np.isinf(spend).any():
        _refuse("monetary_value is infinite", np.isinf(spend), ids, {"monetary_value": spend}, "leave it missing")
    whole = x == np.rint(x)
    _refuse("frequency is no whole number", ~whole, ids, {"frequency": x}, "it counts repeat purchase occasions")
    if time_since_last is not None:
        beyond = recency > age * (1 + _TOLERANCE)
        shown = {time_since_last: recency, "T": age}
        _refuse(f"{time_since_last} is beyond T", beyond, ids, shown, "T is the time since the first purchase")
        rounded = (x == 0) & np.isclose(recency, age, rtol=1e-2, atol=0)
        recency = np.where(rounded, 0.0, np.maximum(age - recency, 0.0))
    recency = _check_recency(ids, x, recency, age)
    none = (x == 0) & (spend == 0)
    if none.any():
        spend = np.where(none, np.nan, spend)  # no repeat purchase: the mean is missing, not zero
    return {"frequency": x, "recency": recency, "T": age, "monetary_value": spend}


def _check_plain(ids: pd.Index[Any], name: str, array: FloatArray) -> None:
    """Refuse missing, infinite and negative numbers."""
    if array.min(initial=0.0) >= 0.0 and array.max(initial=0.0) < np.inf:
        return
    _refuse(f"{name} is missing", np.isnan(array), ids, {}, "every customer needs one")
    _refuse(f"{name} is infinite", np.isinf(array), ids, {name: array}, "every customer needs a finite one")
    _refuse(f"{name} is negative", array < 0, ids, {name: array}, "it is counted from zero up")


def _check_recency(ids: pd.Index[Any], x: FloatArray, recency: FloatArray, age: FloatArray) -> FloatArray:
    """Return recency within [0, T]; refuse the meanings of recency and frequency that are not ours."""
    shown = {"frequency": x, "recency": recency, "T": age}
    once = (x == 0) & (recency > 0)
    if once.any():
        same = np.isclose(recency, age, rtol=1e-6, atol=0)[x == 0].mean() > 0.5
        advice = (
            "this looks like the time since the last purchase: give it as time_since_last=... instead of recency=..."
            if same
            else "recency is the age at the last purchase, which is 0 for a customer who bought once"
        )
        _refuse("a customer with frequency 0 has a recency above 0", once, ids, shown, advice)
    late = recency > age
    if late.any():
        beyond = recency > age * (1 + _TOLERANCE)
        _refuse("recency is beyond T", beyond, ids, shown, "both count from the first purchase, in the same unit")
        recency = np.where(late, age, recency)
    at_birth = (x > 0) & (recency == 0)
    if at_birth.any() and x.min() >= 1 and (x[at_birth] == 1).all():
        advice = "frequency seems to count all purchases: it counts repeat purchases, so subtract 1"
        _refuse("a customer with frequency 1 has recency 0, and nobody has frequency 0", at_birth, ids, shown, advice)
    return recency


def _refuse(
    what: str, wrong: npt.NDArray[np.bool_], ids: pd.Index[Any], numbers: Mapping[str, FloatArray], advice: str
) -> None:
    """Raise if any customer is wrong: how many, up to three of them with their numbers, and what to do."""
    if not wrong.any():
        return
    rows = np.flatnonzero(wrong)
    seen = "; ".join(f"{shown(ids[row])}{_values(numbers, row)}" for row in rows[:3])
    raise DataError(f"{what}: {len(rows):,} of {count(len(wrong), 'customer')}, for example {seen}; {advice}")


def _values(numbers: Mapping[str, FloatArray], row: np.intp) -> str:
    """Return the numbers of one customer in brackets."""
    return f" ({', '.join(f'{name} {values[row]:g}' for name, values in numbers.items())})" if numbers else ""


def warn_about(numbers: Mapping[str, FloatArray], unit: Unit) -> None:
    """Warn of what cannot be known to be wrong, but mostly is.

    Warns
    -----
    DataWarning
        No one-time buyers; T measured to a day after the end of the data; repeat purchases at age zero.
    """
    x, recency, age = numbers["frequency"], numbers["recency"], numbers["T"]
    notes = []
    if len(x) >= _FEW_CUSTOMERS and x.min() >= 1:
        notes.append(
            "every customer has a repeat purchase: the models need the one-time buyers too, and fitted without them"
            " they predict about twice the purchases that come; do not drop customers with frequency 0"
        )
    if _a_day_late(recency, age, unit):
        notes.append(
            "no customer's last purchase is less than a day before the end of T, and many are exactly one day before:"
            " T seems to be measured to a day after the end of the data; measure it to the last day observed"
        )
    at_birth = int(((x > 0) & (recency == 0)).sum())
    if at_birth:
        notes.append(
            f"{count(at_birth, 'customer')} with repeat purchases but recency 0: purchases at one instant are"
            " one occasion"
        )
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=4)


def _a_day_late(recency: FloatArray, age: FloatArray, unit: Unit) -> bool:
    """Whether times on a grid of days all end at least one day before the end, and several exactly one."""
    day = (1 - 1e-6) / DAYS[unit]
    if (recency > age - day).any():
        return False
    days = (age - recency) * DAYS[unit]
    on_grid = bool((np.abs(days - np.rint(days)) < 1e-6).all())
    return on_grid and int((np.abs(days - 1) < 1e-6).sum()) >= _FEW_GAPS
