"""When the customers on the books bring their money: by month, quarter or year, undiscounted and discounted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import require_choice, require_flag, require_whole
from clvmodels.data.moments import end_of
from clvmodels.errors import AssumptionError, FitError
from clvmodels.units import DAYS
from clvmodels.valuation.discounted_sums import parts_of, sums_within
from clvmodels.valuation.expectations import expected_equities

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.units import Unit
    from clvmodels.valuation.assumptions import Assumptions
    from clvmodels.valuation.valued_rows import ValuedRows

__all__ = ["CashFlows", "Period"]

Array = NDArray[np.float64]
Period = Literal["month", "quarter", "year"]
Case = tuple["Assumptions", float | None]
"""Assumptions, and a horizon in years; None: theirs."""

PERIODS: Final = {"month": 12, "quarter": 4, "year": 1}
"""Of a year."""
ALIASES: Final = {"month": "M", "quarter": "Q", "year": "Y"}
YEARS: Final = 5
"""Shown where nothing else is asked for and there is no horizon."""
MOST_PERIODS: Final = 600
BAND: Final = (0.05, 0.95)
LATER: Final = "later"


@dataclass(frozen=True, eq=False)
class _Periods:
    """Periods from the end of observation on.

    Attributes
    ----------
    labels
        Their names, shape (periods,).
    dates
        Where they begin and the last one ends, shape (periods + 1,); NaT where the end of observation is not known.
    years
        When each ends, in years of the assumptions, shape (periods,).
    """

    labels: list[str]
    dates: NDArray[np.datetime64]
    years: Array

    def dated(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with the names and dates of the periods; a row more is what comes later."""
        import pandas as pd

        later = len(table) - len(self.labels)
        begins = self.dates[: len(table)]
        ends = np.append(self.dates[1:], np.full(later, np.datetime64("NaT"), "datetime64[s]"))
        table.insert(0, "start", pd.to_datetime(begins))
        table.insert(1, "end", pd.to_datetime(ends))
        table.index = pd.Index([*self.labels, *([LATER] * later)], name="period")
        return table


def _periods(histories: Histories, assumptions: Assumptions, unit: Unit, by: Period, years: float) -> _Periods:
    """Return the periods within so many years: those of the calendar, where the end of observation is known."""
    count = int(np.ceil(years * PERIODS[by] - 1e-9))
    if histories.observation_end is None:
        ends = np.minimum(np.arange(1.0, count + 1.0) / PERIODS[by], years)
        labels = [str(number) for number in range(1, count + 1)]
        return _Periods(labels, np.full(count + 1, np.datetime64("NaT"), "datetime64[s]"), ends)
    import pandas as pd

    now = pd.Timestamp(end_of(histories.observation_end))
    days = assumptions.year_in(unit) * DAYS[unit]
    last = now + pd.Timedelta(days=years * days)
    calendar = pd.period_range(now, last, freq=ALIASES[by])
    begins = calendar.start_time.where(calendar.start_time > now, now)
    calendar, begins = calendar[begins < last], begins[begins < last]
    dates = np.append(begins.to_numpy(), last.to_datetime64()).astype("datetime64[s]")
    ends = (dates[1:] - dates[0]) / np.timedelta64(1, "s") / 86_400.0 / days
    ends[-1] = years
    return _Periods(calendar.astype(str).tolist(), dates, np.minimum(ends, years))


class CashFlows(ABC):
    """What the customers bring, by period."""

    histories: Histories
    assumptions: Assumptions

    @cached_property
    @abstractmethod
    def rows(self) -> ValuedRows:
        """The valuation of rows that stand for all customers: all sums over customers are its sums."""

    @property
    @abstractmethod
    def has_draws(self) -> bool:
        """Whether one of the fits has draws of its parameters."""

    @property
    @abstractmethod
    def covers(self) -> tuple[str, ...]:
        """What draws allow for beside what customers will really do."""

    @abstractmethod
    def _drawn(self) -> ValuedRows:
        """Return the rows that draws are made of, under draws of the posterior where there are any to be had."""

    def cash_flow(self, by: Period = "month", *, years: int | None = None, intervals: bool = True) -> pd.DataFrame:
        """Return what the customers on the books are expected to bring in each month, quarter or year to come.

        Parameters
        ----------
        by
            ``"month"``, ``"quarter"`` or ``"year"``: those of the calendar where the histories know when observation
            ended, so that the first and the last may be parts of one; else equal parts of a year of the assumptions.
        years
            How many years are shown; what comes after is in a last row, ``later``. None: all of the horizon, or 5 where
            there is none.
        intervals
            Show bands, where the fits have draws.

        Returns
        -------
        DataFrame
            By period: ``start`` and ``end`` (dates; the first instant that is not in it any more); each line of the
            valuation, undiscounted; ``cash_flow``, their sum; ``present_value``, the same discounted, which sums to
            customer equity over all rows; and ``cumulative``, the present value so far. Where the fits have draws, also
            ``cash_flow_low`` to ``present_value_high``: the amounts lie between with probability 0.9 each. The band
            covers the parameters, and the choice of model where several are averaged; it does not cover chance in what
            single customers do. ``attrs["covers"]`` says so. Without a horizon, what comes later is known discounted
            only: its undiscounted columns are missing.

        Raises
        ------
        AssumptionError
            If `by` is no such period, or `years` no whole number from 1 up; or these are more than 600 periods.

        Examples
        --------
        >>> book.cash_flow("year", years=2).drop(columns=["start", "end"]).round(2)
                contribution_margin  cash_flow  present_value  cumulative
        period
        1                     65.35      65.35          61.33       61.33
        2                     44.81      44.81          36.49       97.81
        later                   NaN        NaN         108.93      206.74
        """
        require_choice("by", by, PERIODS, AssumptionError)
        intervals = require_flag("intervals", intervals, FitError) and self.has_draws
        unit = self.rows.transactions.unit
        horizon = self.assumptions.horizon_in(unit) / self.assumptions.year_in(unit)
        periods = _periods(self.histories, self.assumptions, unit, by, _shown(by, years, horizon))
        kinds = [replace(self.assumptions, discount_rate=0.0), self.assumptions]
        later = bool(periods.years[-1] < horizon)
        whole = [None] * later
        ends = [[*periods.years.tolist(), *(whole if number or np.isfinite(horizon) else [])] for number in range(2)]
        cases = [(kind, end) for kind, until in zip(kinds, ends, strict=True) for end in until]
        rows = len(periods.labels) + later
        table = self._amounts(cases, len(ends[0]), rows)
        if intervals:
            table = table.join(self._bands(cases, len(ends[0]), rows))
            table.attrs["covers"] = self.covers
        return periods.dated(table)

    def _amounts(self, cases: list[Case], undiscounted: int, rows: int) -> pd.DataFrame:
        """Return each line and the sums by period, of sums until the end of each."""
        import pandas as pd

        parts = parts_of(self.rows.lines)
        names = [line.name for line in self.rows.lines for _ in line.rates]
        sums = pd.DataFrame(sums_within(self.rows, parts, cases), index=names)
        until = sums.groupby(level=0, sort=False).sum().to_numpy().T
        lines = _by_period(until[:undiscounted], rows)
        discounted = _by_period(until[undiscounted:].sum(axis=1), rows)
        table = pd.DataFrame(lines, columns=list(dict.fromkeys(names)))
        return table.assign(cash_flow=lines.sum(axis=1), present_value=discounted, cumulative=discounted.cumsum())

    def _bands(self, cases: list[Case], undiscounted: int, rows: int) -> pd.DataFrame:
        """Return the ends of the bands, by period."""
        import pandas as pd

        drawn = self._drawn()
        basis = drawn.basis
        bases = [replace(basis, assumptions=assumptions, years=years) for assumptions, years in cases]
        until = expected_equities(bases, drawn.histories)
        columns = {}
        for name, part in (("cash_flow", until[:undiscounted]), ("present_value", until[undiscounted:])):
            columns[f"{name}_low"], columns[f"{name}_high"] = np.quantile(_by_period(part, rows), BAND, axis=1)
        return pd.DataFrame(columns)


def _by_period(until: Array, rows: int) -> Array:
    """Return what lies in each period, of sums until the end of each; missing where the last sum is not known."""
    amounts = np.diff(until, axis=0, prepend=0.0)
    missing = np.full((rows - len(amounts), *amounts.shape[1:]), np.nan)
    return np.concatenate([amounts, missing])


def _shown(by: Period, years: int | None, horizon: float) -> float:
    """Return how many years are shown.

    Raises
    ------
    AssumptionError
        If they are no whole number, or too many periods.
    """
    if years is None:
        shown = horizon if np.isfinite(horizon) else float(YEARS)
    else:
        shown = min(float(require_whole("years", years, low=1, error=AssumptionError)), horizon)
    if shown * PERIODS[by] > MOST_PERIODS:
        raise AssumptionError(
            f"{shown * PERIODS[by]:,.0f} {by}s are more than {MOST_PERIODS}: show fewer years, such as years=10, or"
            ' longer periods, by="year"'
        )
    return shown
