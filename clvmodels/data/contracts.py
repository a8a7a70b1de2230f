"""From a table of contracts with their starts and ends to histories of renewals."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from clvmodels.arguments import require_text
from clvmodels.data.bounds import read_time
from clvmodels.data.checks import check_ids
from clvmodels.data.columns import count, examples, require, require_once
from clvmodels.data.frames import pandas_frame, with_ids
from clvmodels.data.histories import Histories
from clvmodels.errors import DataError, DataWarning, UnitError
from clvmodels.units import DAYS, Unit, read_duration

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["contract_summary"]

Days = npt.NDArray[np.datetime64]
Counts = npt.NDArray[np.int64]

PERIODS: Final[tuple[Unit, ...]] = ("day", "week", "month", "year")
MONTHS: Final = {"month": 1, "year": 12}


def contract_summary(
    table: object,
    *,
    customer_id: str = "customer_id",
    start: str = "start",
    end: str = "end",
    period: str = "1 year",
    observation_end: str | pd.Timestamp,
    observation_start: str | pd.Timestamp | None = None,
) -> Histories:
    """Summarise contracts: how often each customer has renewed, and whether they have left.

    A contract is renewed at each anniversary of its start. A customer has renewed as often as an anniversary lies
    before their end, or, if they are still under contract, on or before the last day observed.

    Parameters
    ----------
    table
        One row a contract: a pandas, polars or Arrow table.
    customer_id, start, end
        Names of the columns. Starts and ends are dates or text in ISO format; time of day is left out. The end is the
        last day of the contract or the day after it, missing while it runs. All other columns become attributes, and
        so does the start.
    period
        Length of a period of the contract: one day, week, month or year.
    observation_end
        The last day observed. Ends after it are not known yet, and contracts that start after it are left out.
    observation_start
        The first day observed, if contracts that ended before it are not in the table: what is known of a customer is
        then given that they had renewed so often by then. Such contracts are left out.

    Returns
    -------
    Histories
        By customer: renewals, churned (1 for those who have left), periods (renewals that were due), and with
        `observation_start` observed_from (renewals before it); in periods of the contract.

    Raises
    ------
    DataError
        If a column is missing, ids are missing or there twice, a start is missing, dates cannot be read, a contract
        ends before it starts, or nothing is left.
    UnitError
        If the period is none of these.

    Warns
    -----
    DataWarning
        If contracts ended before a renewal that was due after the last day observed. They count as left at that
        renewal, while those who run are not known to have passed it: churn is overstated.

    Notes
    -----
    A valuation takes every customer as having just renewed: the next payment is one period away. It suits a closing
    date on which contracts are renewed.

    Examples
    --------
    Ann was renewed in 2022 and 2023 and runs, Bob was renewed once and left in 2023:

    >>> import pandas as pd
    >>> starts, ends = ["2021-03-01", "2021-06-15", "2022-12-01"], [None, "2023-06-14", None]
    >>> table = pd.DataFrame({"customer_id": ["ann", "bob", "cem"], "start": starts, "end": ends})
    >>> contracts = contract_summary(table, observation_end="2023-12-31")
    >>> contracts.to_frame()[["renewals", "churned", "periods"]]
                 renewals  churned  periods
    customer_id
    ann               2.0      0.0      2.0
    bob               1.0      1.0      2.0
    cem               1.0      0.0      1.0
    """
    unit = _unit(period)
    for name, given in {"customer_id": customer_id, "start": start, "end": end}.items():
        require_text(name, given, "the name of a column", DataError)
    frame = with_ids(pandas_frame(table), customer_id)
    present = [str(column) for column in frame.columns]
    frame = frame.set_axis(present, axis=1)
    require([customer_id, start, end], present, what="the table of contracts")
    require_once([customer_id, start, end], present, what="the table of contracts")
    check_ids(frame.set_index(customer_id).index)
    last = _day(observation_end, "observation_end")
    first = None if observation_start is None else _day(observation_start, "observation_start")
    begins, ends = _dates(frame, start, customer_id), _dates(frame, end, customer_id, missing=True)
    _require_order(frame[customer_id], begins, ends)
    kept = begins <= last
    kept &= True if first is None else np.isnat(ends) | (ends >= first)
    if not kept.any():
        raise DataError(f"no contract started by {last} and ran in the time observed; look at the dates")
    frame, begins, ends = frame[kept], begins[kept], ends[kept]
    numbers = _renewals(begins, np.where(ends > last, np.datetime64("NaT"), ends), last, unit)
    if first is not None:
        numbers["observed_from"] = np.maximum(_whole_periods(begins, first - np.timedelta64(1, "D"), unit), 0)
    rest = frame.drop(columns=[end]).assign(**{start: begins.astype("datetime64[s]")})
    return Histories.from_frame(
        rest.assign(**numbers), unit=unit, customer_id=customer_id, observation_end=read_time(str(last), "end")
    )


def _renewals(begins: Days, ends: Days, last: np.datetime64, unit: Unit) -> dict[str, Counts]:
    """Return renewals, churned and periods; `ends` is missing where a contract runs."""
    churned = ~np.isnat(ends)
    due = _whole_periods(begins, last, unit)
    end_or_last: Days = np.where(churned, ends, last)
    renewals = np.where(churned, np.maximum(_whole_periods(begins, end_or_last - np.timedelta64(1, "D"), unit), 0), due)
    early = churned & (renewals >= due)
    if early.any():
        warnings.warn(
            f"{count(int(early.sum()), 'contract')} ended before a renewal that is due after {last}: they count as"
            " left at it, while those who run are not known to have passed it, so that churn is overstated; give the"
            ' end of the time paid for as the end of a contract, or a shorter period, such as period="1 month"',
            DataWarning,
            stacklevel=3,
        )
    return {"renewals": renewals, "churned": churned.astype(np.int64), "periods": np.maximum(due, renewals + churned)}


def _whole_periods(begins: Days, until: Days | np.datetime64, unit: Unit) -> Counts:
    """Return how many anniversaries of each start there are until a day; that of a 31st is the last of a month."""
    until = np.broadcast_to(until, begins.shape)
    if unit not in MONTHS:
        return np.floor((until - begins) / np.timedelta64(1, "D") / DAYS[unit]).astype(np.int64)
    month, now = begins.astype("datetime64[M]"), until.astype("datetime64[M]")
    last_of_month = (now + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    day = np.minimum((begins - month.astype("datetime64[D]")), last_of_month - now.astype("datetime64[D]"))
    reached = until - now.astype("datetime64[D]") >= day
    months = (now - month).astype(np.int64) - ~reached
    return np.asarray(months // MONTHS[unit])


def _dates(frame: pd.DataFrame, column: str, customer_id: str, *, missing: bool = False) -> Days:
    import pandas as pd

    given = frame[column]
    if pd.api.types.is_numeric_dtype(given.dtype) and given.notna().any():
        raise DataError(f"{column!r} does not hold dates but {given.dtype}; write them like 2024-12-31")
    try:
        times = pd.to_datetime(given.astype(object) if given.isna().all() else given, format=_format_of(given))
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{column!r} does not hold dates: {error}; write them like 2024-12-31") from error
    if getattr(times.dtype, "tz", None) is not None:
        times = times.dt.tz_localize(None)
    absent = np.asarray(times.isna())
    if absent.any() and not missing:
        raise DataError(
            f"{column!r} is missing for {count(int(absent.sum()), 'customer')}: {examples(frame[customer_id][absent])}"
        )
    return times.to_numpy().astype("datetime64[D]")


def _format_of(column: pd.Series[Any]) -> str | None:
    """Return how dates are written as text; None if they are dates already."""
    return None if column.dtype.kind == "M" else "ISO8601"


def _require_order(ids: pd.Series[Any], begins: Days, ends: Days) -> None:
    wrong = ends < begins
    if wrong.any():
        raise DataError(
            f"{count(int(wrong.sum()), 'contract')} end before they start: {examples(ids[wrong])}; look at the dates"
        )


def _day(given: str | pd.Timestamp, name: str) -> np.datetime64:
    return np.datetime64(read_time(given, name).date(), "D")


def _unit(period: str) -> Unit:
    number, unit = read_duration(period, "year")
    if number != 1.0 or unit not in PERIODS:
        raise UnitError(
            f'a period of a contract is one of {", ".join(PERIODS)}, such as period="1 year", got {period!r}; of'
            " contracts of several months, give a row with renewals and churned to Histories.from_frame"
        )
    return unit
