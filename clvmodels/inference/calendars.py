"""A calendar in the time of a model: counted from the end of observation, in the unit of its parameters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.data.calendar import Calendar
from clvmodels.data.moments import Moment, end_of, local_moment, start_of_day
from clvmodels.errors import DataError, FitError, FitWarning
from clvmodels.models.clocked import ClockedModel, on_clock
from clvmodels.models.specification import Array, Model, TransactionModel
from clvmodels.numerics.clocks import Steps
from clvmodels.units import DAYS, Unit

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories

__all__ = [
    "TICKS",
    "FittedCalendar",
    "Moment",
    "calendar_model",
    "end_of",
    "end_of_observation",
    "label_of_end",
    "named_columns",
    "now_of",
    "plain_calendar",
    "read_calendar",
    "read_moment",
]

DAY: Final = np.timedelta64(1, "D")
TICKS: Final = 86_400_000_000
"""Microseconds of a day."""
YEAR: Final = 365.25
YEARS_AHEAD: Final = 10
"""Written out of a calendar without end; after these, the last year is repeated."""
LEAST_SPREAD: Final = 0.5
"""Of a trend: first purchases must lie in this share of the time observed, or it is one with ageing."""
FULL_YEARS: Final = 2.0
RANK: Final = 1e-7
"""A column that differs by less than this share of its size from a combination of others says nothing of its own."""


@dataclass(frozen=True, eq=False)
class FittedCalendar:
    """A calendar, and the end of observation of the histories that a model was fitted to with it.

    Attributes
    ----------
    calendar
        The calendar.
    end
        The end of observation: trends stay as they are from then on, and the speed of time is one on average over
        the year before.
    level
        Whether purchases are made at the mean speed from now on, as if there were no season.
    """

    calendar: Calendar
    end: Moment
    level: bool = False

    def steps(self, now: Moment, oldest: float, unit: Unit) -> Steps:
        """Return the calendar from the first purchase of the oldest customer on, counted from `now`.

        Parameters
        ----------
        now
            The end of observation of the customers, or when new customers start.
        oldest
            The age of the oldest customer then.
        unit
            The unit of time.

        Raises
        ------
        DataError
            If the calendar begins after, or ends before.
        """
        first = start_of_day(now - _span(oldest * DAYS[unit])) - DAY
        reference = start_of_day(self.end - _span(YEAR))
        since, until = self.calendar.since, self.calendar.until
        reference = reference if since is None else max(reference, np.datetime64(since.date(), "D"))
        if since is not None and first + DAY >= np.datetime64(since.date(), "D"):
            first = max(first, np.datetime64(since.date(), "D"))
        last = start_of_day(max(now, self.end)) + DAY
        self.calendar.require(min(first, reference), start_of_day(now - np.timedelta64(1, "us")) + DAY)
        last = np.datetime64(until.date(), "D") if until is not None else last + int(YEARS_AHEAD * YEAR) * DAY
        days, values = self.calendar.table(min(first, reference), last, constant_from=start_of_day(self.end))
        edges = _between(now, np.append(days, last)) / DAYS[unit]
        year = YEAR / DAYS[unit] if until is None else 0.0
        bounds = _between(now, np.array([reference, self.end], "datetime64[us]")) / DAYS[unit]
        steps = Steps(edges, values, year, (float(bounds[0]), float(min(bounds[1], edges[-1])))).merged()
        return steps.level_ahead() if self.level else steps


def _span(days: float) -> np.timedelta64:
    return np.timedelta64(round(days * TICKS), "us")


def _between(now: Moment, moments: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> Array:
    """Return the days from now to moments."""
    return np.asarray((moments.astype("datetime64[us]") - now) / np.timedelta64(1, "us") / TICKS, float)


def end_of_observation(histories: Histories) -> Moment:
    """Return the instant at which observation ended, on the local clock: a day that is observed is so to its end.

    Raises
    ------
    DataError
        If the histories do not say when it ended.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> end_of_observation(clv.rfm_summary(log, resolution="day", observation_end="1997-09-30"))
    np.datetime64('1997-10-01T00:00:00.000000')
    """
    if histories.observation_end is None:
        raise DataError(
            "a calendar needs to know when observation ended: make the histories with rfm_summary, or write"
            ' Histories.from_frame(..., observation_end="2024-12-31")'
        )
    return end_of(histories.observation_end)


def label_of_end(end: Moment) -> pd.Timestamp:
    """Return the end of observation as histories state it: the end of a day as the midnight that begins it.

    Examples
    --------
    >>> label_of_end(np.datetime64("1997-10-01", "us"))
    Timestamp('1997-09-30 00:00:00')
    """
    import pandas as pd

    return pd.Timestamp(end - DAY if end == start_of_day(end) else end)


def read_moment(given: object) -> Moment:
    """Return the instant that a date or a time names: of a day, its beginning; on the local clock.

    Raises
    ------
    DataError
        If it names none.

    Examples
    --------
    >>> read_moment("2024-03-01")
    np.datetime64('2024-03-01T00:00:00.000000')
    """
    import pandas as pd

    try:
        time = pd.Timestamp(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f'start is a day such as "2024-03-01", got {given!r}') from error
    if pd.isna(time):
        raise DataError(f'start is a day such as "2024-03-01", got {given!r}')
    return local_moment(time)


def now_of(model: ClockedModel, fitted: FittedCalendar, unit: Unit) -> Moment:
    """Return the instant from which a model counts time."""
    now: Moment = fitted.end - _span(model.steps.reference[1] * DAYS[unit])
    return now


def plain_calendar(model: Model, fitted: FittedCalendar) -> dict[str, Any]:
    """Return as plain data what `read_calendar` needs."""
    assert isinstance(model, ClockedModel)
    steps = model.steps
    return {
        "parts": fitted.calendar.plain(),
        "end": str(fitted.end),
        "since_end": -steps.reference[1],
        "oldest": -float(steps.edges[0]),
        "at_purchases": model.at_purchases.tolist(),
    }


def read_calendar(base: TransactionModel, plain: Mapping[str, Any], unit: Unit) -> tuple[ClockedModel, FittedCalendar]:
    """Return a model on the clock of a calendar, and the calendar, of plain data."""
    calendar = Calendar.from_plain(plain["parts"])
    fitted = FittedCalendar(calendar, np.datetime64(plain["end"], "us"))
    now = fitted.end + _span(float(plain["since_end"]) * DAYS[unit])
    steps = fitted.steps(now, float(plain["oldest"]), unit)
    return on_clock(base, steps, calendar.columns, np.array(plain["at_purchases"], float)), fitted


def named_columns(model: TransactionModel, calendar: Calendar) -> ClockedModel:
    """Return a model with the columns of a calendar among its parameters, for what does not depend on their values."""
    level = Steps(np.array([-1.0, 1.0]), np.zeros((1, len(calendar.columns))), 0.0, (-1.0, 0.0))
    return on_clock(model, level, calendar.columns)


def calendar_model(
    model: TransactionModel, calendar: Calendar, histories: Histories, *, priors: bool
) -> tuple[ClockedModel, FittedCalendar]:
    """Return a model with purchases on the clock of a calendar, ready to be fitted to histories.

    Parameters
    ----------
    model, calendar, histories
        The model, the calendar, and the histories.
    priors
        Whether there are priors, which say what the data do not.

    Raises
    ------
    DataError
        If the histories do not know when purchases were made, or the calendar does not cover the time observed.
    FitError
        If the data cannot tell the effect of a column.

    Warns
    -----
    FitWarning
        If there are columns for all parts of the year, and less than two years were observed; or a season still to
        come was observed in part only.
    """
    end = end_of_observation(histories)
    fitted = FittedCalendar(calendar, end)
    summary = histories.summary
    steps = fitted.steps(end, summary.oldest, histories.unit)
    means = _means_at_purchases(calendar, histories, end)
    if not priors:
        _require_identified(calendar, steps, summary.oldest)
    _require_staggered(calendar, summary.oldest, summary.youngest)
    years = summary.oldest * DAYS[histories.unit] / YEAR
    if calendar.seasons_of_year and years < FULL_YEARS and not priors:
        warnings.warn(
            f"there are columns for all parts of the year ({', '.join(calendar.seasons_of_year[:2])}, ...) and"
            f" {years:.1f} years were observed: what is of the season and what of customers getting older is hardly"
            ' told apart below two; use a few named seasons, or priors with method="posterior"',
            FitWarning,
            stacklevel=4,
        )
    in_part = [] if priors else _observed_in_part(calendar, steps, summary.oldest)
    if in_part:
        warnings.warn(
            f"{in_part[0]} was observed in part only, and will come in full: what is predicted of it is the effect of"
            ' that part; observe it from beginning to end, or state priors with method="posterior"',
            FitWarning,
            stacklevel=4,
        )
    return on_clock(model, steps, calendar.columns, means), fitted


def _observed_in_part(calendar: Calendar, steps: Steps, oldest: float) -> list[str]:
    """Return the columns of zeros and ones that still come, and were never observed from beginning to end."""
    names = []
    for name, column in zip(calendar.columns, np.transpose(steps.values), strict=True):
        if not np.isin(column, (0.0, 1.0)).all():
            continue
        change = np.diff(np.concatenate([[0.0], column, [0.0]]))
        begin, end = steps.edges[change > 0.0], steps.edges[change < 0.0]
        whole = (begin >= -oldest) & (end <= 0.0)
        if (begin > 0.0).any() and not whole.any():
            names.append(name)
    return names


def _means_at_purchases(calendar: Calendar, histories: Histories, end: Moment) -> Array:
    """Return the means of the columns over all repeat purchases."""
    if histories.repeat_purchases is None:
        raise DataError(
            "a calendar needs to know on which days purchases were made, and these histories came from a table that"
            " does not say; make them of the purchase log with rfm_summary"
        )
    counts = histories.repeat_purchases.fetched()
    total, known = float(counts.purchases.sum()), histories.summary.repeats
    if total != known:
        raise DataError(
            f"a calendar needs to know on which days purchases were made, and of the {known:,.0f} repeat purchases of"
            f" these histories it is not known, only of all {total:,.0f} of the log; make them with rfm_summary of the"
            " log of these customers alone"
        )
    if not total:
        raise FitError(f"the effect of {calendar.columns[0]} needs repeat purchases, and there are none")
    days, values = calendar.table(counts.day[0], counts.day[-1] + DAY, constant_from=start_of_day(end))
    row = np.searchsorted(days, counts.day, side="right") - 1
    return np.asarray(counts.purchases @ values[row] / total)


def _require_identified(calendar: Calendar, steps: Steps, oldest: float) -> None:
    """Raise FitError if a column does not vary while customers were observed, or is a combination of others."""
    inside = np.diff(np.clip(steps.edges, -oldest, 0.0))
    weight = np.sqrt(inside / inside.sum())[:, None]
    basis = weight.copy()
    for name, column in zip(calendar.columns, np.transpose(steps.values), strict=True):
        own = weight * column[:, None]
        size = float(np.linalg.norm(own - basis[:, :1] * (basis[:, :1].T @ own)))
        rest = own - basis @ (basis.T @ own)
        rest -= basis @ (basis.T @ rest)
        left = float(np.linalg.norm(rest))
        if left <= RANK * max(float(np.linalg.norm(own)), 1e-300):
            why = "is a combination of columns before it" if size > RANK else "does not vary"
            raise FitError(
                f"the effect of {name} cannot be told: it {why} in the time that customers were observed; leave it out,"
                ' observe longer, or state priors: priors={...} with method="posterior"'
            )
        basis = np.concatenate([basis, rest / left], axis=1)


def _require_staggered(calendar: Calendar, oldest: float, youngest: float) -> None:
    """Raise FitError if a trend is one with customers getting older: they all started at about the same time."""
    if calendar.trends and oldest - youngest < LEAST_SPREAD * oldest:
        raise FitError(
            f"a trend ({calendar.trends[0]}) is told from customers getting older by those who start at other times,"
            f" and all of these started within {oldest - youngest:.4g} of the {oldest:.4g} observed; leave the trend"
            " out, or take customers of more than one cohort"
        )
