"""What is predicted of the customers of a holdout: by fits, and by the rules of thumb that a fit has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.evaluation.distributions import Distributions, distributions

if TYPE_CHECKING:
    from clvmodels.data.holdout import Holdout
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array

__all__ = ["NAIVE", "Forecast", "naive_forecasts", "of_fit"]

NAIVE = ("history rate", "last period", "past spend", "zero")
"""Names of the rules of thumb."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """Numbers by customer of a holdout, shape (n,) each.

    Attributes
    ----------
    purchases
        Expected purchases; NaN of a rule that only ranks customers.
    revenue
        Their expected value; NaN where nothing is known of values.
    purchases_ranking, revenue_ranking
        The greater, the more the customer is thought to buy, or to spend; finite, of a rule that only ranks too.
    distributions
        The predictive distributions of the numbers of purchases; None if only one number is predicted.
    """

    purchases: Array
    revenue: Array
    purchases_ranking: Array
    revenue_ranking: Array
    distributions: Distributions | None = None


def of_fit(transactions: TransactionFit, spend: SpendFit | None, holdout: Holdout) -> Forecast:
    """Return what fits predict; they see the training histories alone."""
    histories, t = holdout.histories, holdout.duration
    purchases = transactions.expected_purchases(histories, t)["mean"].to_numpy()
    revenue = np.full(len(holdout), np.nan)
    if spend is not None:
        revenue = purchases * spend.expected_spend(histories)["mean"].to_numpy()
    scored = distributions(transactions, histories, t, holdout.frequency)
    return Forecast(purchases, revenue, purchases, revenue if spend is not None else purchases, scored)


def naive_forecasts(holdout: Holdout, last_period: Array) -> dict[str, Forecast]:
    """Return the rules of thumb by name.

    Parameters
    ----------
    holdout
        The holdout.
    last_period
        Repeat purchases of its customers in a window of its length that ends where it begins, shape (n,).

    Notes
    -----
    ``history rate``: customers go on at the rate of repeat purchases that they have had, x / T. ``last period``: they
    do again what they did in the last window. ``zero``: nobody buys again. Each order has the mean value of the
    customer's orders so far, the first one included; of all customers' orders, where none of theirs has a known value.
    ``past spend`` ranks customers by the sum of their orders so far, as many lists of key customers do, and predicts
    no number; it is one ranking for purchases and for revenue.
    """
    histories = holdout.histories
    x, T = histories.frequency, histories.T
    rate = np.divide(x, T, out=np.zeros(len(x)), where=T > 0)
    total, mean = _past(holdout)
    predicted = {"history rate": rate * holdout.duration, "last period": last_period, "zero": np.zeros(len(x))}
    unknown = np.full(len(x), np.nan)
    by_name = {name: _at_mean_value(purchases, mean) for name, purchases in predicted.items()}
    spent = _first(total, x + 1.0)
    by_name["past spend"] = Forecast(unknown, unknown, spent, spent)
    return {name: by_name[name] for name in NAIVE}


def _at_mean_value(purchases: Array, mean: Array) -> Forecast:
    """Return a forecast of purchases, each of the customer's mean value; of none the revenue is 0, though it be NaN."""
    revenue = np.multiply(purchases, mean, out=np.zeros(len(purchases)), where=purchases > 0.0)
    return Forecast(purchases, revenue, purchases, _first(revenue, purchases))


def _past(holdout: Holdout) -> tuple[Array, Array]:
    """Return the value of all orders so far, and the mean value of one; NaN if no value of any customer is known."""
    histories = holdout.histories
    first = histories.attributes.reindex(columns=["first_value"]).to_numpy(dtype=float)[:, 0]
    values = np.stack([first, histories.monetary_value])
    orders = np.where(np.isnan(values), 0.0, [np.ones(len(histories)), histories.frequency])
    if not orders.any():
        unknown = np.full(len(histories), np.nan)
        return unknown, unknown
    total, known = np.nansum(values * orders, axis=0), orders.sum(axis=0)
    usual = np.full(len(total), total.sum() / known.sum())
    return total, np.divide(total, known, out=usual, where=known > 0)


def _first(values: Array, otherwise: Array) -> Array:
    """Return the values if they are known, or others."""
    return values if np.isfinite(values).all() else otherwise
