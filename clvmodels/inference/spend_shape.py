"""How mean spend is distributed over customers, observed and under a fit, and how far a fit trusts what it observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.data.statistics import LOGS, SPEND
from clvmodels.errors import DataError
from clvmodels.inference.hypothetical import require_one_population
from clvmodels.models.registry import family_of
from clvmodels.models.specification import Array, SpendModel
from clvmodels.numerics.distinct import distinct_rows
from clvmodels.numerics.spend import positive_spend

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.inference.spend_fit import SpendFit

__all__ = ["density_of_mean_spend", "expected_by_observed", "observed_density", "repeat_buyers", "usual_frequencies"]

NODES: Final = 16
"""Gauss-Legendre nodes in each bin of a histogram."""
SIMULATED, SEED = 100_000, 1
"""Customers whose orders are simulated where the mean of orders has no density in closed form."""
QUANTILES: Final = (0.05, 0.95)
USUAL: Final = (1, 2, 5, 10, 20, 50, 100)


def repeat_buyers(histories: Histories) -> tuple[Array, Array]:
    """Return x and mean spend of the customers whom a model of spend is about.

    Raises
    ------
    DataError
        If there are none.
    """
    x, spend = histories.frequency, histories.monetary_value
    usable = positive_spend(x, spend)
    if not usable.any():
        raise DataError(
            "no customer has a repeat purchase of known, positive value"
            + ("" if histories.has_spend else '; name the column of values: rfm_summary(..., value="amount")')
        )
    return x[usable], spend[usable]


def observed_density(spend: Array, edges: Array) -> Array:
    """Return the share of customers by bin, divided by its width, shape (bins,)."""
    return np.asarray(np.histogram(spend, edges)[0] / (len(spend) * np.diff(edges)))


def density_of_mean_spend(model: SpendModel, draws: Array, x: Array, edges: Array) -> Array:
    """Return the density of mean spend zbar over customers with x repeat purchases, its mean in each bin.

    Where the likelihood of means has a closed form, it is the density of zbar given x (Fader & Hardie, note 025,
    equation 1a, for Gamma-Gamma); it is averaged over the customers' x, and over each bin by Gauss-Legendre quadrature.
    Of other models, customers with these x are simulated.

    Parameters
    ----------
    model, draws
        The model and its parameters, shape (draws, parameters).
    x
        Numbers of repeat purchases, one a customer.
    edges
        Of the bins, positive or zero, shape (bins + 1,).

    Returns
    -------
    Array
        Shape (draws, bins).

    Examples
    --------
    >>> from clvmodels.models.gamma_gamma import GAMMA_GAMMA
    >>> draws, edges = GAMMA_GAMMA.theta(GAMMA_GAMMA.example)[None], np.array([0.0, 30.0, 60.0])
    >>> shares = density_of_mean_spend(GAMMA_GAMMA, draws, np.array([1.0, 2.0]), edges) * np.diff(edges)
    >>> shares.round(3)
    array([[0.561, 0.317]])
    """
    family = family_of(model)
    of_means = model if model.statistics == SPEND else None if family is None else family.means
    if of_means is None:
        return np.array([_simulated_density(model, theta, x, edges) for theta in draws])
    distinct = distinct_rows(x)
    counts, share = distinct.rows[:, 0], distinct.weight / distinct.weight.sum()
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    middle, half = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges) / 2.0
    spend = middle[:, None] + half[:, None] * nodes
    result = np.empty((len(draws), len(middle)))
    for k, theta in enumerate(draws):
        density = np.exp(of_means.log_likelihood(theta, counts[:, None, None], spend))
        result[k] = np.einsum("i,ijk,k->j", share, density, weights) / 2.0
    return result


def _simulated_density(model: SpendModel, theta: Array, x: Array, edges: Array) -> Array:
    """Return the density of mean spend by bin of new customers who then buy as often as those observed."""
    generator = np.random.default_rng(SEED)
    orders = np.resize(x, max(SIMULATED, len(x))).astype(np.int64)
    owner, unknown = np.repeat(np.arange(len(orders)), orders), np.zeros(len(orders))
    values = model.draw_orders(theta, unknown, unknown, owner, generator)
    return observed_density(np.bincount(owner, values, len(orders)) / orders, edges)


def expected_by_observed(fit: SpendFit, x: Sequence[int], spend: Array) -> pd.DataFrame:
    """Return the expected value of an order by number of repeat purchases and observed mean spend.

    Where a model looks at the logs of orders, they are those of customers whose orders were all of this value.

    Returns
    -------
    DataFrame
        ``frequency``, ``monetary_value``, and ``mean``, ``q05``, ``q95`` of the expected spend over the draws of the
        fit; frequency 0 is the population, of whom nothing is observed.
    """
    import pandas as pd

    require_one_population(fit, what="expectations of spend")
    counts, means = np.repeat([0, *x], len(spend)).astype(float), np.tile(spend, len(x) + 1)
    level = np.log(np.where(means > 0.0, means, np.nan)) if fit.model.state[1] in LOGS else means
    values = fit.model.expected_spend(fit.draws[:, None, :], counts, level)
    low, high = np.quantile(values, QUANTILES, axis=0)
    table = {"frequency": counts, "monetary_value": means, "mean": values.mean(axis=0), "q05": low, "q95": high}
    return pd.DataFrame(table)


def usual_frequencies(x: Array) -> tuple[int, ...]:
    """Return a few round numbers of repeat purchases, up to the largest there is.

    Examples
    --------
    >>> usual_frequencies(np.array([1.0, 3.0, 12.0]))
    (1, 2, 5, 10)
    """
    return tuple(number for number in USUAL if number <= x.max())
