"""A model ready to be fitted: ``clv.BGNBD().fit(rfm)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import clvmodels.models.registry  # noqa: F401 - fits pickle, and models do so by their key there
from clvmodels.arguments import abridged
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.errors import FitError
from clvmodels.inference.contract_fit import ContractFit
from clvmodels.inference.covariate_fit import priors_of_model, require_no_segments
from clvmodels.inference.design import Covariates, check_covariates
from clvmodels.inference.estimation import fit_model, given, pymc_of
from clvmodels.inference.formulas import with_term
from clvmodels.inference.priors import Priors, check_priors, default_priors
from clvmodels.inference.protocols import FitMethod
from clvmodels.inference.purchase_rates import BY_RATE, RATE, PurchaseRates, with_rates
from clvmodels.inference.sampler_settings import Sampler, SamplerSettings
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import ContractModel, Model, SpendModel, TransactionModel
from clvmodels.units import parse_unit

if TYPE_CHECKING:
    import pymc as pm

__all__ = ["ContractEstimator", "Estimator", "SpendEstimator", "TransactionEstimator"]


@dataclass(frozen=True)
class Estimator[M: Model, F: TransactionFit | SpendFit]:
    """A model to be fitted.

    Attributes
    ----------
    model
        Its specification.
    priors
        Beliefs about the quantities of the model (`default_priors` names them), or about all of the papers'
        parameters, in the unit of the histories: ``pymc_extras.prior.Prior`` objects or plain data such as
        ``{"dist": "LogNormal", "mu": 1.4, "sigma": 0.5}``; what is not given has a weakly informative default. None:
        maximum likelihood and Laplace's approximation to it do without, the other methods take the defaults.
    covariates
        Formulas or lists of attributes of the histories, or of columns of their paths (`Histories.with_paths`), that
        act on a process, such as ``{"purchase": "channel + log(age)", "dropout": ["channel"]}``; processes joined by
        ``+``, ``{"purchase + dropout": "channel"}``, share the coefficients. The prior of a
        coefficient is ``Normal(0, 1)`` per unit of a column of zeros and ones, else per standard deviation; `priors`
        states others by ``"purchase: channel[T.web]"``, for all of a process by ``"purchase"``, for all by
        ``"coefficients"``.
    """

    model: M
    priors: Priors | None = None
    covariates: Covariates | None = None

    def __post_init__(self) -> None:
        check_covariates(self.model, self.formulas)
        check_priors(self._described_model, self.own_priors)

    @property
    def own_priors(self) -> Priors | None:
        """The priors without those of coefficients."""
        return priors_of_model(self.priors, self.formulas)

    @property
    def formulas(self) -> Covariates | None:
        """The formulas of what acts on the processes; None if nothing does."""
        return self.covariates

    @property
    def default_priors(self) -> dict[str, dict[str, object]]:
        """The default priors, as plain data, by the quantities they are about."""
        return default_priors(self._described_model)

    @property
    def _described_model(self) -> Model:
        """The model with all parameters that it will have."""
        return self.model

    def _model_of(self, histories: Histories, method: FitMethod, by: str | None) -> tuple[Model, Mapping[str, Any]]:  # noqa: ARG002
        """Return the model of these histories, and what the fit keeps beside, by the names of its fields."""
        return self.model_for(histories), {}

    def _described(self, histories: Histories) -> Histories:
        """Return the histories with all attributes that the formulas name."""
        return histories

    def _completed(self, fit: F) -> F:
        """Return the fit with what its formulas need of other histories."""
        return fit

    def fit(
        self,
        histories: Histories,
        *,
        method: FitMethod = "mle",
        by: str | None = None,
        draws: int = 1_000,
        tune: int = 500,
        chains: int = 4,
        seed: int | None = None,
        sampler: Sampler = "nutpie",
        progress: bool = True,
    ) -> F:
        """Fit the model to purchase histories.

        Parameters
        ----------
        histories
            All customers, those who bought once included. A model of spend leaves out here those without a repeat
            purchase, and those whose mean value is missing or not positive. Of histories in an engine, counts of the
            distinct ones are fetched.
        method
            ``"mle"``: maximum likelihood. ``"laplace"``: the same, with draws from an approximation around the
            maximum (of the posterior, if priors were stated), re-weighted to the exact one; its Pareto k tells whether
            it is close enough. Of more than 32,768 distinct histories, a polynomial checked against the density stands
            for it at most draws; ``diagnostics.surrogate_error`` says by how much it misses. ``"nuts"``: draws from the
            posterior. ``"map"``: the posterior's mode. ``"advi"``: draws from a variational approximation, re-weighted
            like those of Laplace's. ``"posterior"``: draws from the posterior, by Laplace's approximation to it where
            that is close enough, else by NUTS; it ends well on every log that has repeat purchases.
        by
            Name of an attribute of the histories, such as ``"segment"``: each segment has parameters of its own, from
            a common population, so that small segments borrow strength. By ``"mle"``, and ``"laplace"`` without priors,
            this is empirical Bayes: nothing is assumed about the population's centre, and how far segments differ has
            the prior of the hierarchy; ``"mle"`` gives the mean of each segment, ``"laplace"`` draws of the population
            and of the segments given each of them. By the other methods it is the full hierarchy, its centre with
            priors. ``fit.segment_test`` says whether segments differ.
        draws, tune, chains, seed
            Draws of each chain (of ``"laplace"`` and ``"advi"`` in all), draws to tune the sampler before, number of
            chains, and the seed, which reproduces them.
        sampler
            ``"nutpie"``, or PyMC's own, which is slower.
        progress
            Whether to show a progress bar while sampling.

        Returns
        -------
        TransactionFit or SpendFit

        Raises
        ------
        FitError
            If the data hold nothing to fit, `method` or `sampler` is unknown or does not go with the rest, or `draws`,
            `tune` or `chains` is no whole number, or too small for a method that draws; or a method needs priors, and
            the model has none.
        ParameterError
            If PyMC does not take a prior.
        DataError
            If `by` is no attribute of the histories, or missing for some customers.

        Warns
        -----
        FitWarning
            If the maximum is at a boundary, not identified, or not reached, or the chains did not converge; the message
            names the cause and what to do.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
        >>> clv.BGNBD().fit(rfm)
        <BG/NBD (mle): r 0.2426, alpha 4.414, a 0.7929, b 2.426, time in weeks, log-likelihood -9,582.43>
        >>> clv.BGNBD().fit(rfm, method="laplace", draws=500, seed=1).theta.shape
        (1, 500, 4)
        """
        effort = SamplerSettings(draws, tune, chains, seed, sampler, progress)
        model, kept = self._model_of(histories, method, by)
        fit = fit_model(model, self.priors, self.formulas, self._described(histories), method, by, effort)
        return self._completed(cast("F", replace(fit, **kept) if kept else fit))

    def model_for(self, histories: Histories) -> M:  # noqa: ARG002 - where a model depends on the data, they are asked
        """Return the model that is fitted to these histories.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.GammaGamma().model_for(rfm).key
        'gamma_gamma'
        """
        return self.model

    def to_pymc(self, histories: Histories, *, by: str | None = None) -> pm.Model:
        """Return the PyMC model of the histories: to look at, extend, and sample in your own way.

        Its variables are the quantities that priors are stated in (`priors`), the papers' parameters (in the unit of
        the histories) are deterministic, and the likelihood is a potential.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
        >>> [variable.name for variable in clv.BGNBD().to_pymc(rfm).free_RVs]
        ['purchase_rate', 'purchase_rate_cv', 'dropout', 'dropout_concentration']
        """
        require_no_segments(by, self.formulas)
        model, _ = self._model_of(histories, "posterior", by)
        return pymc_of(model, self.priors, self.formulas, self._described(histories), by)


@dataclass(frozen=True)
class _TimedEstimator[M: TransactionModel, F: TransactionFit](Estimator[M, F]):
    """A model whose parameters count in a unit of time."""

    def from_params(self, params: Mapping[str, float], *, unit: str) -> F:
        """Return a fit with known parameters, such as published ones.

        Parameters
        ----------
        params
            Every parameter by name; arrays of shape (chain, draw) give a fit with draws.
        unit
            The unit of time that the parameters count in; of contracts, their period.

        Raises
        ------
        ParameterError
            If a name is unknown or missing, or a value is out of its range.
        UnitError
            If there is no such unit.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        <BG/NBD (given): r 0.243, alpha 4.414, a 0.793, b 2.426, time in weeks>
        >>> clv.SBG().from_params({"gamma": 0.764, "delta": 1.296}, unit="year")
        <sBG (given): gamma 0.764, delta 1.296, time in years>
        """
        return cast("F", given(self.model, params, parse_unit(unit)))


@dataclass(frozen=True)
class TransactionEstimator(_TimedEstimator[TransactionModel, TransactionFit]):
    """A model of transactions, to be fitted.

    Examples
    --------
    >>> import clvmodels as clv
    >>> clv.BGNBD().model.names
    ('r', 'alpha', 'a', 'b')
    >>> clv.ParetoNBD().model.source
    'Schmittlein, Morrison & Colombo (1987), Management Science 33(1)'
    """


@dataclass(frozen=True)
class ContractEstimator(_TimedEstimator[ContractModel, ContractFit]):
    """A model of customers under contract, to be fitted.

    Examples
    --------
    >>> import clvmodels as clv
    >>> clv.BDW().model.names
    ('gamma', 'delta', 'c')
    """


@dataclass(frozen=True)
class SpendEstimator(Estimator[SpendModel, SpendFit]):
    """A model of the value of orders, to be fitted.

    Attributes
    ----------
    depends_on
        A fit of transactions to all customers together: the scale of order values is then proportional to a power of
        the rate at which it expects a customer to buy, ``fit.coefficients`` has the exponent, and expectations and
        values follow. Two steps: the rates are those of its point estimate, and what is unsure about them is left out
        of standard errors and intervals. A customer who has just been acquired has the mean rate of all. None: order
        values do not depend on the rate.

    Examples
    --------
    >>> import clvmodels as clv
    >>> list(clv.GammaGamma().default_priors)
    ['mean_spend', 'order_cv', 'spend_spread']
    """

    depends_on: TransactionFit | PurchaseRates | None = None

    def __post_init__(self) -> None:
        given: object = self.depends_on
        if isinstance(given, TransactionFit):
            _require_one_population(given)
        elif not (given is None or isinstance(given, PurchaseRates)):
            raise FitError(
                "depends_on is a fit of transactions such as clv.ParetoNBD().fit(rfm), of models averaged the best of"
                f" them, transactions.best; got {abridged(given)}"
            )
        super().__post_init__()

    @property
    def formulas(self) -> Covariates | None:
        """The formulas of what acts on the processes; None if nothing does."""
        if self.depends_on is None:
            return self.covariates
        given = dict(self.covariates or {})
        return {**given, "spend": with_term(given.get("spend"), BY_RATE)}

    @property
    def _rates(self) -> PurchaseRates | None:
        given = self.depends_on
        if isinstance(given, TransactionFit):
            assert given.unit is not None
            return PurchaseRates(given.model, given.estimate, given.unit)
        return given

    def _described(self, histories: Histories) -> Histories:
        if self._rates is None:
            return histories
        require_histories(histories)
        there = histories.collect()
        return there if RATE in there.attribute_names else with_rates(there, self._rates.of(there))

    def _completed(self, fit: SpendFit) -> SpendFit:
        if fit.covariates is None:
            return fit
        return replace(fit, covariates=replace(fit.covariates, rates=self._rates))

    def from_params(self, params: Mapping[str, float]) -> SpendFit:
        """Return a fit with known parameters, such as published ones.

        Parameters
        ----------
        params
            Every parameter by name; arrays of shape (chain, draw) give a fit with draws.

        Raises
        ------
        ParameterError
            If a name is unknown or missing, or a value is out of its range.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        <Gamma-Gamma (given): p 6.25, q 3.74, v 15.44>
        """
        return cast("SpendFit", given(self.model, params, None))


def _require_one_population(transactions: TransactionFit) -> None:
    """Raise FitError unless a fit of transactions says the rate of a customer by their history alone."""
    kind = (
        f"by {transactions.by!r}"
        if transactions.by is not None
        else "with covariates"
        if transactions.covariates is not None
        else "with a calendar"
        if transactions.calendar is not None
        else None
    )
    if kind is not None:
        raise FitError(
            f"depends_on takes a fit of transactions to all customers together, and this is one {kind}; write"
            f" depends_on=clv.{transactions.model.public_name}().fit(rfm)"
        )
