"""Customers still to come: a forecast of new customers by period, from when those on the books first bought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number, require_choice, require_seed, require_whole
from clvmodels.data.bounds import read_time
from clvmodels.data.columns import count, examples
from clvmodels.data.required import require_histories
from clvmodels.errors import DataError, FitError, one_of
from clvmodels.models.arrivals import CURVES, Arrivals, ArrivalsPosterior, arrivals_posterior
from clvmodels.pictures import picture

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.style import Axes, Drawn

__all__ = ["ALL", "AcquisitionForecast", "Period", "acquisition_forecast", "may_be_forecast", "period_ends"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Period = Literal["month", "quarter"]

ALL: Final = "total"
"""The row and the group of all customers."""
MONTHS: Final = {"month": 1, "quarter": 3}
DAYS_A_YEAR: Final = 365.25
LEAST_PERIODS: Final = 6
LEAST_CUSTOMERS: Final = 20
LONGEST: Final = 5
"""Years ahead: beyond them, growth of today says nothing."""
SHARE_OF_NOBODY: Final = 0.5
"""Customers a group is taken to have where a draw has none in any group: shares are then even."""


@dataclass(frozen=True, eq=False, repr=False)
class AcquisitionForecast:
    """Draws of the new customers of coming periods.

    Attributes
    ----------
    groups
        ``"total"`` and, of a forecast by a column, its values before it.
    by
        The column, such as a channel; None: all customers together.
    numbers
        Draws, shape (groups, draws, periods); within a draw, groups add up to the total.
    observed
        New customers by the start of past periods, a column for each group.
    edges
        Where coming periods begin, and where the last one ends.
    growth
        Draws of growth a year at the end of observation, of all customers; 0.1 is 10 %; shape (draws,).
    curves
        The posterior probability of a steady level, of steady growth, and of a growth curve, of all customers.
    period
        Length of a period.
    """

    groups: tuple[str, ...]
    by: str | None
    numbers: Array
    observed: pd.DataFrame
    edges: pd.DatetimeIndex
    growth: Array
    curves: dict[str, float]
    period: Period

    @property
    def draws(self) -> Array:
        """Draws of all new customers by period, shape (draws, periods)."""
        return np.asarray(self.numbers[-1])

    def of(self, group: str) -> Array:
        """Return draws of the new customers of a group, shape (draws, periods).

        Raises
        ------
        DataError
            If there is no such group.

        Examples
        --------
        >>> coming.of("total").shape
        (1000, 4)
        """
        if group not in self.groups:
            raise DataError(one_of("group of new customers", group, self.groups))
        return np.asarray(self.numbers[self.groups.index(group)])

    def to_frame(self, probability: float = 0.9) -> pd.DataFrame:
        """Return by group and start of the period: end, mean, low and high.

        Between low and high the new customers of the period lie with the probability. Without `by`, by start alone.

        Raises
        ------
        FitError
            If `probability` is not between 0 and 1.

        Examples
        --------
        >>> coming.to_frame().columns.to_list()
        ['end', 'mean', 'low', 'high']
        """
        import pandas as pd

        tables = {}
        for group, draws in zip(self.groups, self.numbers, strict=True):
            low, high = np.quantile(draws, _tails(probability), axis=0)
            columns = {"end": self.edges[1:], "mean": draws.mean(axis=0), "low": low, "high": high}
            tables[group] = pd.DataFrame(columns, index=self.edges[:-1].rename("start"))
        return tables[ALL] if self.by is None else pd.concat(tables, names=[self.by])

    def summed(self, probability: float = 0.9) -> pd.DataFrame:
        """Return by group the new customers of all coming periods together: mean, low and high.

        Raises
        ------
        FitError
            If `probability` is not between 0 and 1.

        Examples
        --------
        Of a company that wins a customer every other day, in a year:

        >>> low, high = coming.summed().loc["total", ["low", "high"]]
        >>> bool(low < 182 < high)
        True
        """
        import pandas as pd

        together = self.numbers.sum(axis=2)
        low, high = np.quantile(together, _tails(probability), axis=1)
        index = pd.Index(self.groups, name=self.by or "group")
        return pd.DataFrame({"mean": together.mean(axis=1), "low": low, "high": high}, index=index)

    def plot(self, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
        """Draw new customers, past and to come, with a band: ``clv.plots.acquisitions``.

        Examples
        --------
        >>> _, data = coming.plot(return_data=True)
        >>> len(data), int(data["observed"].isna().sum())
        (16, 4)
        """
        return picture("acquisitions")(self, ax=ax, return_data=return_data)

    def __str__(self) -> str:
        mean, low, high = self.summed().loc[ALL].to_numpy(dtype=float)
        first, last = self.edges[0].date(), (self.edges[-1] - np.timedelta64(1, "D")).date()
        lines = [f"New customers, {first} to {last}: {mean:,.0f} expected (90 % interval {low:,.0f} to {high:,.0f})."]
        year = self.observed[ALL].iloc[-12 // MONTHS[self.period] :]
        lines.append(f"Last {count(len(year), self.period)} observed: {year.sum():,.0f}.")
        middle, slow, fast = np.quantile(self.growth, [0.5, 0.05, 0.95]).tolist()
        lines.append(f"Growth at the end of observation: {middle:+.0%} a year ({slow:+.0%} to {fast:+.0%}).")
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.curves.items())
        lines.append(f"Weights: {shares}.")
        if not year.any():
            lines.append(
                f"Nobody has come in the last {count(len(year), self.period)}: check that acquisition goes on."
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        periods, expected = self.numbers.shape[2], float(self.draws.sum(axis=1).mean())
        return f"<{count(periods, self.period)} of new customers: {expected:,.0f} expected>"


def acquisition_forecast(
    histories: Histories,
    periods: int = 12,
    *,
    period: Period = "month",
    by: str | None = None,
    since: str | pd.Timestamp | None = None,
    draws: int = 1_000,
    seed: int | None = 1,
) -> AcquisitionForecast:
    """Forecast how many customers will come in each coming month or quarter.

    Parameters
    ----------
    histories
        The customers, from `rfm_summary` or `contract_summary`: when each first bought is counted.
    periods
        How many periods ahead, within five years.
    period
        ``"month"`` or ``"quarter"``, counted from the end of observation backwards and onwards.
    by
        A column of the customers, such as the channel: each of its values is forecast, and shares the total.
    since
        The first day whose new customers are new: where a log begins later than the business, customers of long
        standing look new in its first months. None: the first purchase of all.
    draws, seed
        How many futures, and of which random numbers.

    Returns
    -------
    AcquisitionForecast
        Draws, which hold what is not known of the process and its chance, and tables of them.

    Raises
    ------
    DataError
        If first purchases or the end of observation are not known, there are fewer than 6 periods or 20 customers, or
        `by` is no column or is missing for somebody.
    FitError
        If a number is out of range.

    Notes
    -----
    `clvmodels.models.arrivals` describes the model: negative binomial counts around a level that drifts, with a season
    and either no growth, steady growth or a logistic growth curve, averaged by how well each explains the counts. By a
    column, each value has a model of its own, and what they forecast are shares of the total, which has its own too.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2021-01-01", "2023-12-31", freq="2D")
    >>> log = pd.DataFrame({"customer_id": range(len(days)), "date": days})
    >>> rfm = clv.rfm_summary(log, unit="week", observation_end="2023-12-31")
    >>> coming = acquisition_forecast(rfm, periods=4, period="quarter")
    >>> bool(coming.summed().loc["total", "low"] < 182 < coming.summed().loc["total", "high"])
    True
    """
    import pandas as pd

    require_histories(histories)
    require_choice("period", period, get_args(Period), FitError)
    number = require_whole("periods", periods, low=1, high=LONGEST * 12 // MONTHS[period], error=FitError)
    size = require_whole("draws", draws, low=100, high=100_000, error=FitError)
    require_seed(seed, FitError)
    first, group, names = _first_purchases(histories, by)
    end = _end(histories)
    start = None if since is None else read_time(since, "since").normalize()
    past = period_ends(end, _whole_periods(first, start, end, period), period, backwards=True)
    edges = period_ends(end, number, period)
    observed = _counted(first, group, len(names), past)
    generator = np.random.default_rng(seed)
    known = [_posterior(column, past, period) for column in observed.T]
    drawn = [_drawn(each, edges, period, size, generator) for each in known]
    total, growth = drawn[-1]
    numbers = total[None]
    if names:
        numbers = np.concatenate([_shared(np.stack([each for each, _ in drawn[:-1]]), total), numbers])
    groups = (*names, ALL)
    table = pd.DataFrame(observed, index=past[:-1].rename("start"), columns=list(groups))
    return AcquisitionForecast(
        groups,
        by,
        numbers,
        table,
        edges,
        np.expm1(growth),
        dict(zip(CURVES, known[-1].curves.values(), strict=True)),
        period,
    )


def period_ends(end: pd.Timestamp, number: int, period: Period, *, backwards: bool = False) -> pd.DatetimeIndex:
    """Return where periods begin and the last one ends: so many after a moment, or so many before it.

    Examples
    --------
    >>> import pandas as pd
    >>> [str(day.date()) for day in period_ends(pd.Timestamp("2024-07-01"), 2, "quarter", backwards=True)]
    ['2024-01-01', '2024-04-01', '2024-07-01']
    """
    import pandas as pd

    steps = range(-number, 1) if backwards else range(number + 1)
    return pd.DatetimeIndex([end + pd.DateOffset(months=MONTHS[period] * k) for k in steps])


def may_be_forecast(histories: Histories) -> bool:
    """Return whether new customers of these histories can be forecast by month: enough of them, on known days.

    Examples
    --------
    >>> may_be_forecast(rfm)  # which say nothing of days
    False
    """
    if histories.observation_end is None or _column(histories) is None:
        return False
    first, _, _ = _first_purchases(histories, None)
    number, customers = _observed(first, first.min().normalize(), _end(histories), "month")
    return number >= LEAST_PERIODS and customers >= LEAST_CUSTOMERS


def _column(histories: Histories) -> str | None:
    """Return the column in which it stands when each customer first bought."""
    return next((name for name in ("first_purchase", "start") if name in histories.attribute_names), None)


def _first_purchases(histories: Histories, by: str | None) -> tuple[pd.Series[pd.Timestamp], Index, tuple[str, ...]]:
    """Return when customers first bought, the number of the group of each, and the names of the groups."""
    import pandas as pd

    attributes = histories.attributes
    column = _column(histories)
    if column is None:
        raise DataError(
            "new customers are counted by when they first bought, which these histories do not tell; make them with "
            "rfm_summary(log, ...) or contract_summary(table, ...)"
        )
    if histories.weight is not None:
        attributes = histories.expanded().attributes
    first = pd.to_datetime(attributes[column]).dt.tz_localize(None)
    if by is None:
        return first, np.zeros(len(first), np.int64), ()
    if by not in attributes:
        raise DataError(one_of("column of the customers", by, map(str, attributes.columns)))
    missing = np.asarray(attributes[by].isna())
    if missing.any():
        raise DataError(
            f"{by!r} is missing for {count(int(missing.sum()), 'customer')}: {examples(first.index[missing])}"
        )
    codes, names = pd.factorize(attributes[by].astype(str), sort=True)
    if ALL in names:
        raise DataError(f"{by!r} has a value {ALL!r}, which is the name of all customers together; rename it")
    return first, np.asarray(codes, np.int64), tuple(map(str, names))


def _end(histories: Histories) -> pd.Timestamp:
    """Return the moment after the last day observed."""
    import pandas as pd

    if histories.observation_end is None:
        raise DataError(
            "new customers are counted up to the end of observation, which is not known of these histories; give "
            "observation_end to Histories.from_frame"
        )
    return pd.Timestamp(histories.observation_end).tz_localize(None).normalize() + pd.Timedelta(days=1)


def _whole_periods(
    first: pd.Series[pd.Timestamp], since: pd.Timestamp | None, end: pd.Timestamp, period: Period
) -> int:
    """Return how many whole periods were observed."""
    begin = first.min().normalize() if since is None else since
    number, customers = _observed(first, begin, end, period)
    if number < LEAST_PERIODS or customers < LEAST_CUSTOMERS:
        raise DataError(
            f"a forecast of new customers needs {LEAST_PERIODS} whole {period}s and {LEAST_CUSTOMERS} customers, got "
            f"{max(number, 0)} since {begin.date()} and {customers}"
            + ('; count by period="month"' if period == "quarter" else "")
        )
    return number


def _observed(
    first: pd.Series[pd.Timestamp], begin: pd.Timestamp, end: pd.Timestamp, period: Period
) -> tuple[int, int]:
    """Return how many whole periods lie between two moments, and how many customers first bought in them."""
    months = (end.year - begin.year) * 12 + end.month - begin.month - (end.day < begin.day)
    return int(months // MONTHS[period]), int((first >= begin).sum())


def _counted(first: pd.Series[pd.Timestamp], group: Index, groups: int, edges: pd.DatetimeIndex) -> Array:
    """Return new customers by period and group, the total last."""
    place = np.searchsorted(edges.to_numpy(), first.to_numpy(), side="right") - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    total = np.bincount(place[inside], minlength=len(edges) - 1)
    parts = [np.bincount(place[inside & (group == k)], minlength=len(edges) - 1) for k in range(groups)]
    return np.column_stack([*parts, total]).astype(float)


def _clock(edges: pd.DatetimeIndex, origin: pd.Timestamp) -> tuple[Array, Array]:
    """Return the lengths and the middles of periods, in years after a moment."""
    years = np.asarray((edges - origin) / np.timedelta64(1, "D"), dtype=float) / DAYS_A_YEAR
    return np.diff(years), 0.5 * (years[1:] + years[:-1])


def _posterior(number: Array, edges: pd.DatetimeIndex, period: Period) -> ArrivalsPosterior:
    length, time = _clock(edges, edges[-1])
    seasons = 12 // MONTHS[period]
    return arrivals_posterior(Arrivals(number, length, time, np.arange(-len(number), 0) % seasons, seasons))


def _drawn(
    known: ArrivalsPosterior, edges: pd.DatetimeIndex, period: Period, draws: int, generator: np.random.Generator
) -> tuple[Array, Array]:
    length, time = _clock(edges, edges[0])
    return known.forecast(length, time, np.arange(len(length)) % (12 // MONTHS[period]), draws, generator)


def _shared(parts: Array, total: Array) -> Array:
    """Return the draws of groups, shape (groups, draws, periods), as shares of those of the total."""
    parts = parts + SHARE_OF_NOBODY * (parts.sum(axis=0) == 0.0)
    return np.asarray(parts / parts.sum(axis=0) * total)


def _tails(probability: float) -> list[float]:
    if not 0.0 < as_number(probability) < 1.0:
        raise FitError(f"the probability of an interval is between 0 and 1, such as 0.9, got {abridged(probability)}")
    tail = 0.5 * (1.0 - probability)
    return [tail, 1.0 - tail]
