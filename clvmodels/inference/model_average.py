"""Several models of transactions that share the belief: their fits, and how much each counts.

Source: Yao, Vehtari, Simpson & Gelman (2018), Bayesian Analysis 13(3), on pseudo-BMA+ weights and stacking; Burnham &
Anderson (2002), Model Selection and Multimodel Inference, on Akaike weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError
from clvmodels.inference.pointwise import left_out_by_history, mean_density_by_history
from clvmodels.inference.stacking import stacked
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import Array
from clvmodels.units import Unit

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.inference.coefficients import Coefficients

__all__ = ["STACKED_FROM", "ModelAverage", "Transactions", "average"]

Basis = Literal["leave-one-out", "stacking", "AIC"]

STACKED_FROM: Final = 5_000
"""Customers. Of as many, leave-one-out gives all weight to one model, whose fault is then that of the figure."""
LEAST_SHARE: Final = 0.05
"""Of a model when models are stacked."""
REPETITIONS: Final = 2_000
"""Of the Bayesian bootstrap."""
SEED: Final = 1


@dataclass(frozen=True, eq=False, repr=False)
class ModelAverage:
    """Fits of several models to the same customers, and how much each counts.

    Attributes
    ----------
    fits
        The one with the largest weight first.
    weights
        Of each; their sum is one.
    basis
        What the weights rest on: leave-one-out predictions of customers (pseudo-BMA+), stacking, or AIC.
    """

    fits: tuple[TransactionFit, ...]
    weights: tuple[float, ...]
    basis: Basis

    def at_end_of(self, histories: Histories) -> ModelAverage:
        """Return the same of the fits at the end of observation of these histories; see `TransactionFit.at_end_of`."""
        return replace(self, fits=tuple(fit.at_end_of(histories) for fit in self.fits))

    def of_customers(self, histories: Histories) -> ModelAverage:
        """Return the same of the fits of these customers; see `TransactionFit.of_customers`."""
        return replace(self, fits=tuple(fit.of_customers(histories) for fit in self.fits))

    def at_mean_season(self) -> ModelAverage:
        """Return the same of the fits without what is of the season; see `TransactionFit.at_mean_season`."""
        return replace(self, fits=tuple(fit.at_mean_season() for fit in self.fits))

    @property
    def best(self) -> TransactionFit:
        """The fit with the largest weight."""
        return self.fits[0]

    @property
    def name(self) -> str:
        """Names of the models, in an order that does not depend on their weights."""
        *others, last = sorted(fit.model.name for fit in self.fits)
        return f"{', '.join(others)} and {last}"

    @property
    def unit(self) -> Unit:
        """The unit of time."""
        return self.best.unit

    @property
    def by(self) -> str | None:
        """Name of the attribute whose values are segments with parameters of their own."""
        return self.best.by

    @property
    def covariates(self) -> Coefficients | None:
        """The coefficients of the fit with the largest weight; all have the same covariates."""
        return self.best.covariates

    @property
    def columns_of_parameters(self) -> tuple[str, ...]:
        """The attributes of customers that their parameters depend on."""
        return self.best.columns_of_parameters

    @property
    def fingerprint(self) -> str:
        """Of the histories they were fitted to."""
        return self.best.fingerprint

    @cached_property
    def number_of_draws(self) -> int:
        """The most draws that one of the fits has."""
        return max(fit.number_of_draws for fit in self.fits)

    def segment(self, name: str) -> ModelAverage:
        """Return the average for one segment, of fits by segment: its parameters for everybody."""
        return replace(self, fits=tuple(fit.segment(name) for fit in self.fits))

    def at(self, attributes: Mapping[str, object]) -> ModelAverage:
        """Return the average for customers with these attributes, of fits with covariates."""
        return replace(self, fits=tuple(fit.at(attributes) for fit in self.fits))

    def of_kind(self, attributes: Mapping[Any, object]) -> ModelAverage:
        """Return the average for customers with these attributes; see `Adjustable.of_kind`."""
        return replace(self, fits=tuple(fit.of_kind(attributes) for fit in self.fits))

    def require_unit(self, histories: Histories) -> None:
        """Raise UnitError unless the histories are in the unit of the fits."""
        self.best.require_unit(histories)

    @property
    def table(self) -> pd.DataFrame:
        """By model: its weight, and the log-likelihood at the point estimate."""
        import pandas as pd

        names = pd.Index([fit.model.name for fit in self.fits], name="model")
        likelihood = [fit.log_likelihood for fit in self.fits]
        return pd.DataFrame({"weight": self.weights, "log_likelihood": likelihood}, index=names)

    def shares_of(self, number: int) -> tuple[int, ...]:
        """Return how many of so many draws belong to each model: the nearest whole numbers with this sum.

        Examples
        --------
        >>> import clvmodels as clv
        >>> fits = [model().from_params(model().model.example, unit="week") for model in (clv.BGNBD, clv.ParetoNBD)]
        >>> ModelAverage(tuple(fits), (0.74, 0.26), "AIC").shares_of(10)
        (7, 3)
        """
        exact = np.array(self.weights) * number
        shares = np.floor(exact).astype(int)
        shares[np.argsort(shares - exact, kind="stable")[: number - int(shares.sum())]] += 1
        return tuple(shares.tolist())

    def __repr__(self) -> str:
        parts = (f"{fit.model.name} {weight:.2f}" for fit, weight in zip(self.fits, self.weights, strict=True))
        return f"<Average of models ({self.basis}): {', '.join(parts)}>"


Transactions = TransactionFit | ModelAverage
"""One fitted model of transactions, or several averaged."""


def average(fits: Sequence[TransactionFit], histories: Histories) -> Transactions:
    """Return fits of several models averaged; one alone is returned as it is.

    Of fewer than 5,000 customers, fits with draws are weighed by what they predict of customers left out, with the
    Bayesian bootstrap (pseudo-BMA+); of more, they are stacked, with a share of 0.05 at least. Point estimates are
    weighed by AIC.

    Parameters
    ----------
    fits
        Fits of different models to the histories, all with draws or none.
    histories
        The customers that they were fitted to.

    Raises
    ------
    FitError
        If the fits are none, of one model twice, of different histories or units, by different segments, or mixed; or
        point estimates whose AIC is not known: given parameters, and fits by segment.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
    >>> average([clv.BGNBD().fit(rfm), clv.ParetoNBD().fit(rfm)], rfm)
    <Average of models (AIC): BG/NBD 1.00, Pareto/NBD 0.00>
    """
    _require_comparable(fits)
    if len(fits) == 1:
        return fits[0]
    weights, basis = _weights(fits, histories)
    order = np.argsort(-weights, kind="stable")
    return ModelAverage(tuple(fits[k] for k in order), tuple(float(weights[k]) for k in order), basis)


def _require_comparable(fits: Sequence[TransactionFit]) -> None:
    if not fits:
        raise FitError("fits of transactions are averaged, and there is none; give one, such as clv.BGNBD().fit(rfm)")
    given: Sequence[object] = fits
    wrong = [fit for fit in given if not isinstance(fit, TransactionFit)]
    if wrong:
        raise FitError(f"fits of transactions are averaged, such as clv.BGNBD().fit(rfm), got {wrong[0]!r}")
    kinds: Mapping[str, set[object]] = {
        "units of time": {fit.unit for fit in fits},
        "histories": {fit.fingerprint for fit in fits},
        "segments": {(fit.by, fit.segments) for fit in fits},
        "covariates": {None if fit.formulas is None else tuple(fit.formulas.items()) for fit in fits},
        "columns of a history": {(fit.model.statistics, fit.model.time) for fit in fits},
        "methods, with draws and without": {fit.number_of_draws > 1 for fit in fits},
    }
    for what, different in kinds.items():
        if len(different) > 1:
            raise FitError(f"the models to average were fitted with different {what}; fit all to the same, alike")
    names = [fit.model.key for fit in fits]
    if len(set(names)) < len(names):
        raise FitError(f"each model is averaged once, got {', '.join(fit.model.name for fit in fits)}")


def _weights(fits: Sequence[TransactionFit], histories: Histories) -> tuple[Array, Basis]:
    if histories.customers >= STACKED_FROM or fits[0].number_of_draws > 1:
        _require_same_regularity(fits)
    if histories.customers >= STACKED_FROM:
        densities, customers = zip(*(mean_density_by_history(fit, histories) for fit in fits), strict=True)
        return stacked(np.column_stack(densities), customers[0], LEAST_SHARE), "stacking"
    if fits[0].number_of_draws == 1:
        _require_aic(fits)
        aic = np.array([fit.aic for fit in fits])
        relative = np.exp(-0.5 * (aic - aic.min()))
        return relative / relative.sum(), "AIC"
    elpd, customers = zip(*(left_out_by_history(fit, histories) for fit in fits), strict=True)
    return _pseudo_bma(np.column_stack(elpd), customers[0]), "leave-one-out"


def _require_same_regularity(fits: Sequence[TransactionFit]) -> None:
    """Refuse to weigh models by densities of distinct histories where these leave out terms in which they differ."""
    factors = {
        () if fit.model.total_factors is None else tuple(fit.model.total_factors(fit.estimate)[0]) for fit in fits
    }
    if len(factors) > 1:
        raise FitError(
            f"{', '.join(fit.model.name for fit in fits)} differ in how regular purchases are, and so by the waits of"
            " each customer, which many customers and fits with draws are not weighed by; take the one that compare()"
            " puts first"
        )


def _require_aic(fits: Sequence[TransactionFit]) -> None:
    unknown = [fit for fit in fits if not np.isfinite(fit.aic)]
    if unknown and unknown[0].by is None:
        raise FitError(
            f"models are weighed by how well they fit, and the parameters of {unknown[0].model.name} are given; "
            "fit each model to the histories"
        )
    if unknown:
        raise FitError(
            "point estimates are weighed by AIC, which is not known of fits by segment; fit each model with draws: "
            f'fit(rfm, by="{unknown[0].by}", method="laplace")'
        )


def _pseudo_bma(elpd: Array, customers: Array) -> Array:
    """Return the mean over Bayesian bootstraps of weights proportional to the exponential of the sum of log densities.

    Parameters
    ----------
    elpd
        Log density of a customer with each history, left out, under each model, shape (histories, models).
    customers
        With each history, shape (histories,).
    """
    generator, total = np.random.default_rng(SEED), customers.sum()
    number = generator.standard_gamma(customers, (REPETITIONS, len(customers)))
    sums = total * (number / number.sum(axis=1, keepdims=True)) @ (elpd - elpd.max(axis=1, keepdims=True))
    relative = np.exp(sums - sums.max(axis=1, keepdims=True))
    return np.asarray((relative / relative.sum(axis=1, keepdims=True)).mean(axis=0))
