"""Two closings of the same log: whether they can be compared, who is in both, and the time between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from clvmodels.data.columns import count, examples
from clvmodels.data.histories import FloatArray, Histories
from clvmodels.data.required import of_contracts, require_customers
from clvmodels.errors import AssumptionError, DataError, UnitError
from clvmodels.units import DAYS, Unit
from clvmodels.valuation.book import Book, valued

__all__ = [
    "PRECISION",
    "existing",
    "first_seen_late",
    "moved_first_purchases",
    "nobody_in_both",
    "not_after",
    "require_comparable",
    "time_between",
    "wrong_restated_end",
]

PRECISION: Final = 1e-6
"""How well the time between the closings must agree from customer to customer, as a share of it."""
SECONDS: Final = 86_400.0
"""Of a day."""
SHORTEST_PERIOD: Final = 0.1
"""By so much a month or a year may differ from its mean length."""
_RESTATE: Final = (
    "pass what the log of the closing tells of the opening: "
    "movement(opening, closing, restated=rfm_summary(log, ..., observation_end=...))"
)
_SAME_LOG: Final = "make both with the same rfm_summary(log, ...)"


def require_comparable(opening: Book, closing: Book, restated: Histories | None) -> None:
    """Raise UnitError or AssumptionError unless all is in one unit of time and one currency, and by customer."""
    for each in (opening.histories, closing.histories):
        require_customers(each, "a movement")
    for name, histories in {"opening": opening.histories, "restated table": restated}.items():
        if histories is not None and histories.unit != closing.histories.unit:
            raise UnitError(
                f"the {name} counts time in {histories.unit}s and the closing in {closing.histories.unit}s; "
                f'use one unit, for example rfm.in_unit("{closing.histories.unit}")'
            )
    currencies = opening.assumptions.currency, closing.assumptions.currency
    if currencies[0] != currencies[1]:
        raise AssumptionError(
            f"the opening is in {currencies[0]!r} and the closing in {currencies[1]!r}; value both in one currency"
        )


def time_between(opening: Histories, closing: Histories, restated: Histories | None) -> float:
    """Return the time between two closings.

    Raises
    ------
    DataError
        If nobody is in both, the closing is not after the opening, the restated histories end at another date than the
        opening, or somebody who first bought before the opening is not in it; or the closings of contracts do not lie
        whole periods apart.
    """
    _require_whole_periods(opening, closing)
    before = opening if restated is None else restated
    passed = _ages(closing, before)
    if not np.isfinite(passed).any():
        raise nobody_in_both()
    time = float(np.nanmedian(passed))
    if time <= 0.0:
        raise not_after(time, closing.unit)
    if restated is not None:
        apart = np.abs(_ages(restated, opening))
        if np.isfinite(apart).any() and np.nanmedian(apart) > PRECISION * time:
            raise wrong_restated_end(float(np.nanmedian(apart)), closing.unit)
    late = ~closing.customer_id.isin(before.customer_id) & np.greater(closing.T, time * (1.0 + PRECISION))
    if late.any():
        raise first_seen_late(int(late.sum()), closing.customer_id[late], restated=restated is not None)
    return time


def _require_whole_periods(opening: Histories, closing: Histories) -> None:
    """Refuse closings of contracts between which some were due to be renewed, and others were not."""
    ends = opening.observation_end, closing.observation_end
    if ends[0] is None or ends[1] is None or not of_contracts(closing):
        return
    periods = (ends[1] - ends[0]).total_seconds() / SECONDS / DAYS[closing.unit]
    if round(periods) < 1 or abs(periods - round(periods)) > SHORTEST_PERIOD:
        raise DataError(
            f"closings of contracts lie whole {closing.unit}s apart, one or more, so that each contract was due as"
            f" often; these end {ends[0].date()} and {ends[1].date()}, {periods:.3g} {closing.unit}s apart"
        )


def existing(opening: Book, closing: Book, restated: Histories | None, time: float) -> Book:
    """Return the opening as the closing has it: of the customers who are in both, with the restated histories.

    A refund of a first purchase, booked after the opening, gives a customer another one: not even the restated
    histories can know. They are left out.

    Raises
    ------
    DataError
        If the closing has another first purchase of a customer than the opening, without restated histories; or of
        most customers, with them.
    """
    histories = opening.histories if restated is None else restated
    passed = _ages(closing.histories, histories)
    still = np.isfinite(passed)
    moved = still & (np.abs(passed - time) > PRECISION * time)
    if moved.any() and (restated is None or 2 * moved.sum() > still.sum()):
        raise moved_first_purchases(int(moved.sum()), histories.customer_id[moved], restated=restated is not None)
    if restated is None and still.all():
        return opening
    return valued(opening.transactions, opening.spend, histories.select(still & ~moved), opening.assumptions)


def _ages(of: Histories, than: Histories) -> FloatArray:
    """Return by how much the customers of the second table are older in the first; NaN for those it lacks."""
    rows = of.customer_id.get_indexer(than.customer_id)
    return np.where(rows >= 0, of.T[rows] - than.T, np.nan)


# ---------------------------------------------------------------------------------------------- what is refused


def nobody_in_both() -> DataError:
    """Return the error of two closings that have no customer in common."""
    return DataError("the two closings have no customer in common; a movement is about the customers of one log")


def not_after(time: float, unit: Unit) -> DataError:
    """Return the error of a closing that is not after the opening."""
    return DataError(
        f"the closing must be after the opening, but is {-time:.6g} {unit}s before it: write movement(opening, closing)"
    )


def wrong_restated_end(apart: float, unit: Unit) -> DataError:
    """Return the error of restated histories that end at another date than the opening."""
    return DataError(
        f"the restated histories must end with the opening, but their customers are of another age, by {apart:.6g} "
        f"{unit}s; give rfm_summary the observation_end of the opening"
    )


def first_seen_late(number: int, customers: Iterable[object], *, restated: bool) -> DataError:
    """Return the error of customers who first bought before the opening and are not in it."""
    return DataError(
        f"{count(number, 'customer')} of the closing first bought before the opening and not in it: "
        f"{examples(customers)}; {_SAME_LOG if restated else _RESTATE}"
    )


def moved_first_purchases(number: int, customers: Iterable[object], *, restated: bool) -> DataError:
    """Return the error of customers whose first purchase differs between the closing and the opening."""
    return DataError(
        f"of {count(number, 'customer')} the closing says another first purchase than the opening: "
        f"{examples(customers)}; {_SAME_LOG if restated else _RESTATE}"
    )
