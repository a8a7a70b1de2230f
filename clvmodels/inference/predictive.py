"""Data that priors, or a fit, would produce: how many repeat purchases customers of the observed ages would have made.

Source: Gelman, Meng & Stern (1996), Statistica Sinica 6 (posterior predictive assessment); Gabry, Simpson, Vehtari,
Betancourt & Gelman (2019), Journal of the Royal Statistical Society A 182 (prior predictive checks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.parameters import Parameters
from clvmodels.inference.priors import Priors, check_priors, draw_priors
from clvmodels.models.clocked import ClockedModel, counts_until_now
from clvmodels.models.simulation import future_counts
from clvmodels.models.specification import Array, Model, TransactionModel
from clvmodels.units import DAYS, Unit

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.inference.estimator import TransactionEstimator
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["Replicated", "observed_shares", "prior_draws", "replicated_by_fit", "replicated_by_priors"]

MOST_CUSTOMERS: Final = 20_000
"""Customers simulated of each replication; more of them are represented by as many, evenly picked by age."""
QUANTILES: Final = {"q05": 0.05, "q50": 0.50, "q95": 0.95}


@dataclass(frozen=True)
class Replicated:
    """Replications of the data, one under each draw of the parameters.

    Attributes
    ----------
    shares
        Share of customers by number of repeat purchases 0, 1, ...; the last column is for that many or more. Shape
        (draws, numbers).
    """

    shares: Array

    def table(self) -> pd.DataFrame:
        """Return mean and quantiles over replications by ``frequency``."""
        import pandas as pd

        summary = {"mean": self.shares.mean(axis=0)}
        summary |= {name: np.quantile(self.shares, share, axis=0) for name, share in QUANTILES.items()}
        return pd.DataFrame({"frequency": np.arange(self.shares.shape[1]), **summary})


def observed_shares(histories: Histories, most: int) -> Array:
    """Return the share of customers by number of repeat purchases; the last one is for `most` or more.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"customer_id": [1, 2], "frequency": [0, 9], "recency": [0.0, 30.0], "T": [39.0, 39.0]})
    >>> observed_shares(Histories.from_frame(table, unit="week"), 2)
    array([0.5, 0. , 0.5])
    """
    return _shares(histories.frequency, most)


def prior_draws(model: Model, priors: Priors | None, unit: Unit | None, *, draws: int, seed: int) -> Array:
    """Draw parameters from priors, completed by the defaults.

    Parameters
    ----------
    model, priors
        The model, and beliefs about its quantities or parameters.
    unit
        The unit of time that the parameters count in; None for a model of spend.
    draws, seed
        How many, and the seed that reproduces them.

    Returns
    -------
    Array
        Shape (draws, parameters).

    Raises
    ------
    ParameterError
        If PyMC does not take a prior.
    FitError
        If a prior is none to draw from.
    """
    year = 1.0 if unit is None else DAYS["year"] / DAYS[unit]
    values = draw_priors(model, check_priors(model, priors), year, draws=draws, seed=seed)
    return np.stack([values[name] for name in model.names], axis=-1)


def replicated_by_priors(
    estimator: TransactionEstimator, histories: Histories, *, most: int, draws: int, seed: int
) -> Replicated:
    """Return what customers of these ages would have done, if the priors were all that is known."""
    model = estimator.model_for(histories)
    theta = prior_draws(model, estimator.own_priors, histories.unit, draws=draws, seed=seed)
    return _replicated(model, Parameters(theta, theta.mean(axis=0)), histories, most, seed)


def replicated_by_fit(fit: TransactionFit, histories: Histories, *, most: int, draws: int, seed: int) -> Replicated:
    """Return what customers of these ages would have done under draws of a fit, evenly taken from all it has.

    A point estimate is one draw, taken again and again: its replications differ by chance alone.
    """
    fit = fit.at_end_of(histories)
    parameters = fit.parameters(histories)
    chosen = (np.arange(draws) * parameters.number // draws).astype(np.int64)
    return _replicated(fit.model, parameters.of_draws(chosen), histories, most, seed)


def _replicated(
    model: TransactionModel, parameters: Parameters, histories: Histories, most: int, seed: int
) -> Replicated:
    """Simulate customers under each draw of their parameters."""
    generator = np.random.default_rng(seed)
    rows = _represented(histories.T)
    ages, zeros = histories.T[rows], np.zeros(min(len(histories), MOST_CUSTOMERS))
    shares = np.empty((parameters.number, most + 1))
    for k in range(parameters.number):
        with np.errstate(over="ignore"):  # under a wide prior somebody leaves after more purchases than a double holds
            theta = parameters.draw(k, rows)
            if isinstance(model, ClockedModel):
                counts = counts_until_now(model, theta, ages, generator)
            else:
                counts = future_counts(model, theta, zeros, zeros, zeros, ages, generator)
        shares[k] = _shares(counts, most)
    return Replicated(shares)


def _represented(T: Array) -> NDArray[np.int64] | slice:
    """Return the positions of all customers, or of `MOST_CUSTOMERS` that are evenly picked by age."""
    if len(T) <= MOST_CUSTOMERS:
        return slice(None)
    picked = (np.arange(MOST_CUSTOMERS) + 0.5).astype(np.int64) * len(T) // MOST_CUSTOMERS
    return np.argsort(T, kind="stable")[picked]


def _shares(counts: Array, most: int) -> Array:
    bins = np.bincount(np.minimum(counts, most).astype(np.int64), minlength=most + 1)
    return np.asarray(bins / len(counts))
