"""The revenue of a company by quarter: of the customers on the books, and of those still to come, apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import require_choice, require_seed, require_whole
from clvmodels.data.required import of_contracts, require_customers
from clvmodels.errors import AssumptionError, FitError
from clvmodels.evaluation.new_totals import Cohorts, first_values, new_totals
from clvmodels.evaluation.totals import drawn_totals
from clvmodels.inference.acquisition_forecast import AcquisitionForecast, Period, acquisition_forecast
from clvmodels.pictures import picture
from clvmodels.units import DAYS
from clvmodels.valuation.book import Book
from clvmodels.valuation.new_customer import by_parameters

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.style import Axes, Drawn

__all__ = ["RevenueForecast", "revenue_forecast"]

Array = NDArray[np.float64]

MONTHS: Final = {"month": 1, "quarter": 3}
TAILS: Final = (0.05, 0.95)


@dataclass(frozen=True, eq=False, repr=False)
class RevenueForecast:
    """Draws of revenue by period, before discounting.

    Attributes
    ----------
    edges
        Where periods begin, and where the last one ends.
    existing, new
        Draws of the revenue of the customers on the books, and of those still to come, shape (draws, periods). Draw i
        of both is under the same parameters.
    expected_existing, expected_new
        What is expected, without the noise of the simulation, shape (periods,).
    customers
        Draws of the new customers of each period, shape (draws, periods).
    currency
        Of the revenue.
    """

    edges: pd.DatetimeIndex
    existing: Array
    new: Array
    expected_existing: Array
    expected_new: Array
    customers: Array
    currency: str

    @property
    def total(self) -> Array:
        """Draws of the revenue of all customers, shape (draws, periods)."""
        return self.existing + self.new

    def to_frame(self) -> pd.DataFrame:
        """Return by start of the period: its end, and what is expected of existing, new and all customers.

        Beside each of ``existing``, ``new``, ``total`` and ``new_customers`` stand ``_low`` and ``_high``: between them
        it lies with probability 0.9. The last row, ``total``, is of all periods together.

        Examples
        --------
        >>> import pandas as pd
        >>> edges, draws = pd.date_range("2024-01-01", periods=3, freq="QS"), np.array([[100.0, 90.0], [120.0, 110.0]])
        >>> new, mean = 0.1 * draws, draws.mean(axis=0)
        >>> plan = RevenueForecast(edges, draws, new, mean, 0.1 * mean, new, "EUR")
        >>> plan.to_frame()[["existing", "new", "total"]].loc["total"].round(6).to_list()
        [210.0, 21.0, 231.0]
        """
        import pandas as pd

        expected = {"existing": self.expected_existing, "new": self.expected_new}
        expected |= {"total": self.expected_existing + self.expected_new, "new_customers": self.customers.mean(axis=0)}
        drawn = {"existing": self.existing, "new": self.new, "total": self.total, "new_customers": self.customers}
        columns: dict[str, object] = {"end": [*self.edges[1:], self.edges[-1]]}
        for name, draws in drawn.items():
            low, high = np.quantile(np.column_stack([draws, draws.sum(axis=1)]), TAILS, axis=0)
            columns |= {name: np.append(expected[name], expected[name].sum())}
            columns |= {f"{name}_low": low, f"{name}_high": high}
        index = pd.Index([*(str(day.date()) for day in self.edges[:-1]), "total"], name="start")
        return pd.DataFrame(columns, index=index)

    def plot(self, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
        """Draw revenue by period, existing and new customers apart: ``clv.plots.revenue_plan``.

        Examples
        --------
        >>> import pandas as pd
        >>> edges, draws = pd.date_range("2024-01-01", periods=3, freq="QS"), np.array([[100.0, 90.0], [120.0, 110.0]])
        >>> new, mean = 0.1 * draws, draws.mean(axis=0)
        >>> plan = RevenueForecast(edges, draws, new, mean, 0.1 * mean, new, "EUR")
        >>> _, data = plan.plot(return_data=True)
        >>> len(data) > 0
        True
        """
        return picture("revenue_plan")(self, ax=ax, return_data=return_data)

    def __str__(self) -> str:
        row = self.to_frame().iloc[-1]
        last = (self.edges[-1] - np.timedelta64(1, "D")).date()
        money = f" {self.currency}" if self.currency else ""
        texts = {
            "Revenue": "total",
            "of the customers on the books": "existing",
            "of customers still to come": "new",
        }
        lines = [
            f"{text}: {row[name]:,.0f}{money} expected (90 % interval {row[f'{name}_low']:,.0f} to "
            f"{row[f'{name}_high']:,.0f})"
            for text, name in texts.items()
        ]
        lines[0] = f"{self.edges[0].date()} to {last}. {lines[0]}"
        return "\n".join(lines)

    def __repr__(self) -> str:
        total = float((self.expected_existing + self.expected_new).sum())
        return f"<Revenue {total:,.2f}{' ' * bool(self.currency)}{self.currency} in {len(self.edges) - 1} periods>"


def revenue_forecast(
    book: Book,
    acquisitions: AcquisitionForecast | None = None,
    *,
    periods: int = 4,
    period: Period = "quarter",
    draws: int = 400,
    seed: int | None = 1,
) -> RevenueForecast:
    """Forecast the revenue of the customers on the books, and of those still to come, by period.

    Parameters
    ----------
    book
        The valuation, whose fits and customers are taken.
    acquisitions
        The forecast of new customers; None: that of the customers of the book, by month. It reaches as far as the
        revenue does.
    periods, period
        How many periods ahead, each a ``"quarter"`` or ``"month"``.
    draws, seed
        How many futures, and of which random numbers.

    Returns
    -------
    RevenueForecast
        Draws, which hold the parameters, the acquisitions, and what customers will really do.

    Raises
    ------
    FitError
        If a number is out of range.
    DataError
        If customers do not lie in memory, or first purchases are not known.
    AssumptionError
        If the book is of contracts, or the acquisitions begin on another day or do not reach as far.

    Notes
    -----
    Existing customers are those of `Totals` of a backtest, new ones are simulated from the model of transactions, each
    from a random moment of the month that they come in on. The first order of a new customer is one of those in the
    log; what follows is independent of it. Revenue is before discounting, margins and costs; order values do not grow.

    Where fits are by segment or with covariates, new customers are of the kinds that the customers of the book are.

    Examples
    --------
    >>> log = clv.datasets.load_company().transactions
    >>> log = log[log["date"] < "2023-07-01"]
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="2023-06-30")
    >>> assumptions = clv.Assumptions(discount_rate=0.1, margin=0.3, currency="EUR")
    >>> whole = clv.value(clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, assumptions)
    >>> plan = revenue_forecast(whole, periods=2, draws=50)
    >>> plan.to_frame()[["existing", "new", "total"]].shape
    (3, 3)
    """
    number = require_whole("periods", periods, low=1, high=60 // MONTHS[_checked(period)], error=FitError)
    size = require_whole("draws", draws, low=2, high=10_000, error=FitError)
    require_seed(seed, FitError)
    require_customers(book.histories, "a forecast of revenue")
    if of_contracts(book.histories):
        raise AssumptionError(
            "revenue by quarter is forecast of customers who buy when they like; a book of contracts does not say on "
            "which days payments are due: use fit.retention_curve and the payment"
        )
    histories = book.histories.collect()
    months = number * MONTHS[period]
    coming = acquisition_forecast(histories, months, draws=1_000, seed=seed) if acquisitions is None else acquisitions
    edges = _edges(coming, histories.observation_end, months, period)
    unit = book.transactions.unit
    cohorts = coming.edges[: months // MONTHS[coming.period] + 1]
    ends, places = (np.asarray((days - edges[0]).days, float) / DAYS[unit] for days in (edges[1:], cohorts))
    middles = cohorts[:-1] + (cohorts[1:] - cohorts[:-1]) / 2
    fits = list(zip(book.transactions.of_customers(histories).fits, book.transactions.weights, strict=True))
    old = drawn_totals(fits, book.spend, histories, ends, seed=seed, draws=size)
    numbers = coming.draws[np.arange(size) % len(coming.draws), : len(cohorts) - 1]
    new = _new(book, Cohorts(numbers, places, middles), ends, size, seed)
    by_period = numbers.reshape(size, number, -1).sum(axis=2)
    return RevenueForecast(
        edges,
        old.revenue,
        new[0],
        old.expected_revenue,
        new[1],
        by_period,
        book.assumptions.currency,
    )


def _checked(period: object) -> str:
    require_choice("period", period, get_args(Period), FitError)
    return str(period)


def _edges(coming: AcquisitionForecast, end: pd.Timestamp | None, months: int, period: Period) -> pd.DatetimeIndex:
    """Return where the periods of the revenue begin and end, which are whole ones of the acquisitions."""
    step = MONTHS[period] / MONTHS[coming.period]
    reach = (len(coming.edges) - 1) * MONTHS[coming.period]
    begins = coming.edges[0]
    if end is None or (begins - end.tz_localize(None).normalize()).days != 1:
        raise AssumptionError(
            f"acquisitions are forecast from {begins.date()} on, and observation of the book ends {end}: make the "
            "forecast of the histories of the book"
        )
    if step != int(step) or reach < months:
        raise AssumptionError(
            f"acquisitions are forecast for {reach} months by {coming.period}, and revenue is for {months} by {period};"
            f" write clv.acquisition_forecast(rfm, {months})"
        )
    return coming.edges[: months // MONTHS[coming.period] + 1 : int(step)]


def _new(book: Book, cohorts: Cohorts, ends: Array, draws: int, seed: int | None) -> tuple[Array, Array]:
    """Return draws of the revenue of new customers, and what is expected; of the kinds of customers of the book."""
    parts = by_parameters(book.collect().by_head)
    every = _first(book)
    generator = np.random.default_rng(seed)
    kinds = np.stack([part.share for part in parts])
    numbers = generator.multinomial(np.round(cohorts.numbers).astype(np.int64), kinds / kinds.sum())
    revenue, expected = np.zeros((draws, len(ends))), np.zeros(len(ends))
    for k, part in enumerate(parts):
        own = first_values(_column(part.rows.histories.attributes))
        fits = list(zip(part.rows.transactions.fits, part.rows.transactions.weights, strict=True))
        of_part = Cohorts(numbers[..., k].astype(float), cohorts.edges, cohorts.starts)
        totals = new_totals(fits, part.rows.spend, of_part, own if len(own) else every, ends, seed=seed, draws=draws)
        revenue += totals.revenue
        expected += totals.expected_revenue
    return revenue, expected


def _first(book: Book) -> Array:
    return first_values(_column(book.histories.attributes))


def _column(attributes: pd.DataFrame) -> Array:
    if "first_value" not in attributes:
        return np.empty(0)
    return np.asarray(attributes["first_value"].to_numpy(dtype=float, na_value=np.nan))
