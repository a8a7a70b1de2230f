"""The coefficients of a fit with covariates: plain data, in the user's units, without customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.inference.design import Design
from clvmodels.inference.purchase_rates import PurchaseRates
from clvmodels.models.specification import Array

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories

__all__ = ["Coefficients"]

NORMAL_975: Final = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Coefficients of covariates.

    Attributes
    ----------
    design
        The columns they belong to.
    draws
        Shape (chain, draw, coefficients), as many as the fit has of its parameters.
    estimate
        Point estimates, shape (coefficients,).
    covariance
        Of the logs of the parameters (above their lower bounds), then the coefficients, shape
        (parameters + coefficients, parameters + coefficients); NaN where it is not known.
    likelihood_ratio
        Twice what the log-likelihood loses without each of them, shape (coefficients,); NaN where it is not known.
    unbounded
        Which of them the data do not bound, shape (coefficients,): their value and spread mean nothing.
    priors
        What was believed of them before, per scaled column, as plain data; empty for maximum likelihood.
    rates
        The purchase rates that one of the columns is made of; None if none is.
    """

    design: Design
    draws: Array
    estimate: Array
    covariance: Array
    likelihood_ratio: Array
    unbounded: tuple[bool, ...]
    priors: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    rates: PurchaseRates | None = None

    def __post_init__(self) -> None:
        for array in (self.draws, self.estimate, self.covariance, self.likelihood_ratio):
            array.setflags(write=False)

    def __setstate__(self, state: Mapping[str, object]) -> None:
        """Take what was pickled or copied, whose arrays come open to writing."""
        vars(self).update(state)
        self.__post_init__()

    @property
    def flat(self) -> Array:
        """The draws without distinction of chains, shape (chain * draw, coefficients)."""
        return self.draws.reshape(-1, self.draws.shape[-1])

    def rows(self, histories: Histories) -> Array:
        """Return the centred columns of customers, in the user's units, shape (customers, coefficients)."""
        attributes = histories.attributes if self.rates is None else self.rates.attributes(histories)
        return self.design.rows(attributes)

    @property
    def words(self) -> str:
        """What acts on what, in a few words."""
        return " and ".join(f"{process} by {formula}" for process, formula in self.design.formulas.items())

    def sentences(self) -> list[str]:
        """Return what the coefficients say, a sentence each, after one on whom the parameters are about."""
        about = f"All this is about a customer whose covariates are at their means ({self.words})."
        paths = self.design.paths
        ahead = [f"What is predicted holds each customer's last level of {' and '.join(paths)} on."] if paths else []
        return [about, *(self._sentence(k) for k in range(len(self.estimate))), *ahead]

    def _sentence(self, k: int) -> str:
        process, term = self.design.terms[k]
        if self.unbounded[k]:
            return f"{process}: the data do not bound the coefficient of {term}."
        return (
            f"{process}: {term} has the coefficient {self.estimate[k]:.3g}, a factor of {np.exp(self.estimate[k]):.3g}."
        )

    def thinned(self, step: int) -> Coefficients:
        """Return the same with every `step`-th draw of each chain."""
        return replace(self, draws=self.draws[:, ::step].copy())

    def of_draws(self, draws: NDArray[np.int64]) -> Coefficients:
        """Return the same with some of the draws, by position in `flat`, in one chain."""
        return self.with_draws(self.flat[draws][None])

    def with_draws(self, draws: Array) -> Coefficients:
        """Return the same with other draws, shape (chain, draw, coefficients)."""
        return replace(self, draws=draws)

    def table(self) -> pd.DataFrame:
        """Return the coefficients by process and term: estimate, sd, low, high (95 %), and the test of each.

        What the data do not bound has no standard error and no interval.
        """
        import pandas as pd
        from scipy import stats

        draws = self.flat
        if len(draws) > 1:
            sd = draws.std(axis=0, ddof=1)
            low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        else:
            sd = np.sqrt(np.diag(self.covariance)[-len(self.estimate) :])
            low, high = self.estimate - NORMAL_975 * sd, self.estimate + NORMAL_975 * sd
        bounded = ~np.array(self.unbounded, bool)
        columns = {"estimate": self.estimate} | {
            name: np.where(bounded, values, np.nan) for name, values in (("sd", sd), ("low", low), ("high", high))
        }
        if not np.isnan(self.likelihood_ratio).all():
            columns["p_value"] = np.asarray(stats.chi2.sf(self.likelihood_ratio, 1))
        index = pd.MultiIndex.from_tuples(self.design.terms, names=["process", "term"])
        return pd.DataFrame(columns, index=index)
