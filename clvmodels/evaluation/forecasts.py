"""What is foretold of the customers of a holdout: by fits, and by the rules of thumb that a fit has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.evaluation.distributions import Distributions, distributions

if TYPE_CHECKING:
    from clvmodels.data.holdout import Holdout
    from clvmodels.inference.orders_fit import OrdersFit
    from clvmodels.inference.spend_fit import SpendFit
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
    ranking
        The greater, the better the customer is thought to be: expected revenue, or purchases without any.
    distributions
        The predictive distributions of the numbers of purchases; None if only one number is foretold.
    """

    purchases: Array
    revenue: Array
    ranking: Array
    distributions: Distributions | None = None


def of_fit(orders: OrdersFit, spend: SpendFit | None, holdout: Holdout) -> Forecast:
    """Return what fits foretell; they see the training histories alone."""
    histories, t = holdout.histories, holdout.duration
    purchases = orders.expected_purchases(histories, t)["mean"].to_numpy()
    revenue = np.full(len(holdout), np.nan)
    if spend is not None:
        revenue = purchases * spend.expected_spend(histories)["mean"].to_numpy()
    scored = distributions(orders, histories, t, holdout.frequency)
    return Forecast(purchases, revenue, revenue if spend is not None else purchases, scored)


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
    customer's orders so far, the first one included. ``past spend`` ranks customers by the sum of their orders so far,
    as many lists of key customers do, and foretells no number.
    """
    histories = holdout.histories
    x, T = histories.frequency, histories.T
    rate = np.divide(x, T, out=np.zeros(len(x)), where=T > 0)
    total, mean = _past(holdout)
    foretold = {"history rate": rate * holdout.duration, "last period": last_period, "zero": np.zeros(len(x))}
    nothing = np.full(len(x), np.nan)
    by_name = {name: Forecast(some, some * mean, _first(some * mean, some)) for name, some in foretold.items()}
    by_name["past spend"] = Forecast(nothing, nothing, _first(total, x + 1.0))
    return {name: by_name[name] for name in NAIVE}


def _past(holdout: Holdout) -> tuple[Array, Array]:
    """Return the value of all orders so far, and the mean value of one; NaN where nothing is known."""
    histories = holdout.histories
    if "first_value" not in histories.attributes or not histories.has_spend:
        nothing = np.full(len(histories), np.nan)
        return nothing, nothing
    first = histories.attributes["first_value"].to_numpy(dtype=float)
    values = np.stack([first, histories.monetary_value])
    orders = np.where(np.isnan(values), 0.0, [np.ones(len(histories)), histories.frequency])
    total, known = np.nansum(values * orders, axis=0), orders.sum(axis=0)
    return total, np.divide(total, known, out=np.zeros(len(total)), where=known > 0)


def _first(values: Array, otherwise: Array) -> Array:
    """Return the values, or others where none of them is known."""
    return otherwise if np.isnan(values).all() else np.nan_to_num(values)
