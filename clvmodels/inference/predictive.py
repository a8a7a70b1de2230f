"""Data that priors, or a fit, would produce: how many repeat purchases customers of the observed ages would have made.

Source: Gelman, Meng & Stern (1996), Statistica Sinica 6 (posterior predictive assessment); Gabry, Simpson, Vehtari,
Betancourt & Gelman (2019), Journal of the Royal Statistical Society A 182 (prior predictive checks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.inference.predictions import Part
from clvmodels.inference.priors import Priors, check_priors, draw_priors
from clvmodels.inference.simulation import future_counts
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
    theta = prior_draws(estimator.model, estimator.priors, histories.unit, draws=draws, seed=seed)
    return _replicated(estimator.model, [Part(theta, theta.mean(axis=0))], histories, most, seed)


def replicated_by_fit(fit: TransactionFit, histories: Histories, *, most: int, draws: int, seed: int) -> Replicated:
    """Return what customers of these ages would have done under draws of a fit, evenly taken from all it has.

    A point estimate is one draw, taken again and again: its replications differ by chance alone.
    """
    parts = []
    for part in fit.parts(histories):
        chosen = (np.arange(draws) * len(part.draws) // draws).astype(np.int64)
        parts.append(Part(part.draws[chosen], part.estimate, part.rows))
    return _replicated(fit.model, parts, histories, most, seed)


def _replicated(
    model: TransactionModel, parts: Sequence[Part], histories: Histories, most: int, seed: int
) -> Replicated:
    """Simulate customers of each part; the shares of the parts are weighted by their numbers of customers."""
    generator = np.random.default_rng(seed)
    shares = np.zeros((len(parts[0].draws), most + 1))
    for part in parts:
        T = histories.T if part.rows is None else histories.T[part.rows]
        ages, nothing = _represented(T), np.zeros(min(len(T), MOST_CUSTOMERS))
        for k, theta in enumerate(part.draws):
            with np.errstate(
                over="ignore"
            ):  # under a wide prior somebody leaves after more purchases than a double holds
                counts = future_counts(model, theta, nothing, nothing, nothing, ages, generator)
            shares[k] += _shares(counts, most) * (len(T) / len(histories))
    return Replicated(shares)


def _represented(T: Array) -> Array:
    """Return the ages of all customers, or of `MOST_CUSTOMERS` that are evenly picked by age."""
    if len(T) <= MOST_CUSTOMERS:
        return T
    return np.asarray(np.sort(T)[(np.arange(MOST_CUSTOMERS) + 0.5).astype(np.int64) * len(T) // MOST_CUSTOMERS])


def _shares(counts: Array, most: int) -> Array:
    bins = np.bincount(np.minimum(counts, most).astype(np.int64), minlength=most + 1)
    return np.asarray(bins / len(counts))
