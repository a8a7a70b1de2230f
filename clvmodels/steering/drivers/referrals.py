"""Referrals: how many customers a living customer wins a year, what each is worth, and to whom that is attributed.

Those who have left recommend nobody. Referrals by year on the books would spread those of the living over everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number
from clvmodels.data.columns import count, examples
from clvmodels.data.ledgers import Ledgers
from clvmodels.data.required import require_customers
from clvmodels.errors import AssumptionError, DataError, FitError
from clvmodels.models.new_customers import p_alive_new
from clvmodels.numerics.distinct import distinct_rows
from clvmodels.steering.require_book import require_book
from clvmodels.valuation.book import Book

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["ReferralValue", "expected_living_time", "referral_value"]

Array = NDArray[np.float64]

LEVEL: Final = 0.95
"""Of the interval of the rate."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
"""Of an integral over age in its cube root, as many leave soon: right to 1e-8 and better."""
ROWS_AT_A_TIME: Final = 4096


@dataclass(frozen=True, eq=False, repr=False)
class ReferralValue:
    """What referrals are worth; `referral_value` makes it.

    Attributes
    ----------
    referrals
        Customers recommended until the end of observation.
    living_years
        Years that the customers of the book are expected to have lived as customers until then.
    years_on_books
        Years since their first purchases.
    rate
        Referrals per living year.
    low, high
        Its 95 % interval, of a Poisson number.
    reproduction
        Customers whom a new customer wins over their own discounted lifetime, as far as they are incremental.
    new_customer
        What a new customer brings by themselves: their value after acquisition (PAV), without referrals.
    incremental
        The share of those recommended who would not have come without it.
    attribution
        By customer: own (residual lifetime value), given (to who recommended them), received (from those whom they
        recommended), attributed (their sum). Both sums over customers are customer equity.
    """

    referrals: int
    living_years: float
    years_on_books: float
    rate: float
    low: float
    high: float
    reproduction: float
    new_customer: float
    incremental: float
    attribution: pd.DataFrame

    @property
    def with_descendants(self) -> float:
        """Value of a new customer with all whom they win, and whom these win: PAV / (1 - reproduction)."""
        return self.new_customer / (1.0 - self.reproduction)

    @property
    def value_of_referral(self) -> float:
        """What one recommended customer adds: the same, as far as they are incremental."""
        return self.incremental * self.with_descendants

    @property
    def assumptions(self) -> dict[str, float]:
        """The rate and the value, for ``book.assumptions.replace(...)``: referrals are then a line of the book."""
        return {"referrals_per_year": self.rate, "referral_value": self.value_of_referral}

    @property
    def rate_on_books(self) -> float:
        """Referrals per year on the books: too low for those who are still there. It is shown for comparison."""
        return self.referrals / self.years_on_books

    def __repr__(self) -> str:
        return (
            f"<Referrals: {self.rate:.3g} per living year ({self.low:.3g} to {self.high:.3g}), reproduction "
            f"{self.reproduction:.3g}, a new customer {self.new_customer:,.2f}, with descendants "
            f"{self.with_descendants:,.2f}>"
        )


def referral_value(book: Book, referrals: object, *, share: float = 0.5, incremental: float = 1.0) -> ReferralValue:
    """Return what referrals are worth, and attribute the value of customers to those who recommended them.

    The rate is the number of referrals over the time that the customers are expected to have lived until now. A new
    customer wins R others over a discounted lifetime; each of them again R, so that all are worth PAV / (1 - R).
    Attribution moves value between customers on the books, and leaves their sum as it is.

    Parameters
    ----------
    book
        The valuation; its customers in memory, one row each. A line of referrals that it has already is left out.
    referrals
        The ledger of referrals: a table or file with customer_id (who recommended), referred_id and time; or `Ledgers`.
    share
        The share of a recommended customer's residual lifetime value that goes to who recommended them.
    incremental
        The share of those recommended who would not have come otherwise.

    Returns
    -------
    ReferralValue
        The rate, reproduction, the value with descendants, and ``attribution`` by customer.

    Raises
    ------
    DataError
        If the ledger cannot be read, has no referral until the end of observation, or names customers who are unknown.
    AssumptionError
        If a share is none, or a new customer wins one customer or more: their number would grow without end.
    FitError
        If the model of transactions counts time in periods, or follows each customer's own path.

    Examples
    --------
    >>> import pandas as pd
    >>> ledger = pd.DataFrame({"customer_id": ["A"], "referred_id": ["C"], "time": ["2024-03-01"]})
    >>> won = referral_value(book, ledger, share=0.3, incremental=0.3)
    >>> won.attribution[["given", "received"]].round(2)
                 given  received
    customer_id
    A             0.00     47.43
    B             0.00      0.00
    C           -47.43      0.00
    >>> bool(abs(won.attribution["attributed"].sum() - book.equity) < 1e-9)
    True
    """
    require_book(book)
    require_customers(book.histories, "referrals")
    share, incremental = _share("share", share), _share("incremental", incremental)
    ledger = _ledger(referrals, book.histories)
    alone = book.with_assumptions(book.assumptions.replace({"referral_value": 0.0}))
    year = book.assumptions.year_in(book.transactions.unit)
    living = float(expected_living_time(book).sum()) / year
    rate = len(ledger) / living
    new = alone.new_customer
    reproduction = rate * new.living_years * incremental
    if reproduction >= 1.0:
        raise AssumptionError(
            f"a new customer wins {reproduction:.3g} customers over a discounted lifetime, and their number would grow "
            f"without end; state a horizon, or with incremental=... the share of the {rate:.3g} referrals per living "
            "year that would not have come otherwise"
        )
    low, high = _poisson_interval(len(ledger))
    return ReferralValue(
        referrals=len(ledger),
        living_years=living,
        years_on_books=float(book.histories.T.sum()) / year,
        rate=rate,
        low=low / living,
        high=high / living,
        reproduction=reproduction,
        new_customer=new.post_acquisition_value,
        incremental=incremental,
        attribution=_attribution(alone, ledger, share),
    )


def _share(name: str, given: object) -> float:
    number = as_number(given)
    if not 0.0 <= number <= 1.0:
        raise AssumptionError(f"{name} is a share from 0 to 1, such as 0.5, got {abridged(given)}")
    return number


def _ledger(given: object, histories: Histories) -> pd.DataFrame:
    """Return the referrals until the end of observation; all must be by customers of the histories."""
    import pandas as pd

    table = (given if isinstance(given, Ledgers) else Ledgers.read(referrals=given)).referrals
    if table is None:
        raise DataError("the ledgers have no referrals; write Ledgers.read(referrals=...)")
    if histories.observation_end is not None:
        time, end = pd.to_datetime(table["time"]).dt.tz_localize(None), histories.observation_end.tz_localize(None)
        table = table[time < end.normalize() + pd.Timedelta(days=1)]
    names = table[["customer_id", "referred_id"]].astype(object)
    unknown = pd.Index(names["customer_id"].unique()).difference(histories.customer_id)
    if len(unknown):
        raise DataError(
            f"referrals: {count(len(unknown), 'customer')} who recommended others are not in the book: "
            f"{examples(unknown)}; give the referrals of the customers of the book"
        )
    if names.empty:
        raise DataError("there is no referral until the end of observation, and so no rate; leave referrals out")
    return names


def _attribution(book: Book, ledger: pd.DataFrame, share: float) -> pd.DataFrame:
    """Return what each customer is worth, gives and receives."""
    import pandas as pd

    ids = book.histories.customer_id
    own = pd.Series(book.rlv, index=ids)
    inside = ledger[ledger["referred_id"].isin(ids)]
    moved = share * own.loc[inside["referred_id"]].to_numpy()
    given: pd.Series[Any] = pd.Series(-moved, index=inside["referred_id"]).reindex(ids, fill_value=0.0)
    received = pd.Series(moved).groupby(inside["customer_id"].to_numpy()).sum().reindex(ids, fill_value=0.0)
    return pd.DataFrame({"own": own, "given": given, "received": received, "attributed": own + given + received})


def _poisson_interval(number: int) -> tuple[float, float]:
    """Return the exact interval of a Poisson mean (Garwood 1936, Biometrika 28)."""
    from scipy import stats

    tail = (1.0 - LEVEL) / 2.0
    return float(stats.gamma.ppf(tail, number)), float(stats.gamma.ppf(1.0 - tail, number + 1))


def expected_living_time(book: Book) -> Array:
    """Return how long each customer is expected to have lived as a customer until now, shape (customers,).

    It is the integral of the survival of a new customer until their age, in the unit of the fit; at the point estimates
    of the parameters, on average over models.

    Raises
    ------
    FitError
        If a model counts time in periods, or follows each customer's own path.

    Examples
    --------
    >>> expected_living_time(book).round(1)
    array([33.9, 33.9, 33.9])
    """
    transactions = book.transactions
    each = [_living_time(fit, book.histories) for fit in transactions.fits]
    return np.asarray(np.average(each, axis=0, weights=transactions.weights))


def _living_time(fit: TransactionFit, histories: Histories) -> Array:
    if fit.model.time == "periods":
        raise FitError(
            f"referrals per living year need a model in continuous time, and {fit.model.name} counts periods"
        )
    level = fit.at_end_of(histories).at_mean_season()
    parameters = level.parameters(histories)
    distinct = distinct_rows(histories.T, *parameters.columns(), with_order=True)
    ages, of_rows = distinct.rows[:, 0], parameters.of_groups(distinct.rows[:, 1:].T)
    lived = np.empty(len(ages))
    u = 0.5 * (NODES + 1.0)
    for start in range(0, len(ages), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        theta, age = of_rows.point(rows), ages[rows]
        theta = theta if theta.ndim == 1 else theta[:, None, :]
        zero = np.zeros(1)
        survival = p_alive_new(level.model, theta) * level.model.future(theta, zero, zero, age[:, None] * u**3)[0]
        lived[rows] = 1.5 * age * (survival @ (WEIGHTS * u**2))
    return lived[distinct.index]
