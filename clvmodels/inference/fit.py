"""The result of fitting: immutable, without customer data, asked for predictions.

Parameters carry the dimensions (chain, draw); a point estimate has one of each, so that nothing downstream asks how a
model was fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Self, cast, overload

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import DataError, FitError, UnitError, one_of
from clvmodels.inference import describe, predictions, simulation
from clvmodels.inference.bayes import split
from clvmodels.inference.diagnostics import Diagnostics
from clvmodels.models.specification import Array, Model, SpendModel, TransactionModel
from clvmodels.units import Duration, Unit, duration

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from arviz_stats.utils import ELPDData

__all__ = ["Fit", "FitMethod", "Method", "OrdersFit", "SpendFit"]

FitMethod = Literal["mle", "map", "laplace", "nuts", "advi"]
Method = FitMethod | Literal["given"]


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A fitted model.

    Attributes
    ----------
    model
        The model's specification.
    theta
        The parameters, shape (chain, draw, parameters), in the order of ``model.names``.
    method
        How they were found.
    unit
        The unit of time; None for a model of spend.
    log_likelihood
        Of the data the model was fitted to, at the point estimate; NaN for given parameters.
    estimate
        The point estimate, shape (parameters,).
    covariance
        Of log(parameter - lower bound), shape (parameters, parameters); NaN where it is not known.
    customers
        Number of customers it was fitted to.
    fingerprint
        Of the histories it was fitted to; equal for equal data in any order.
    diagnostics
        How the fit ended.
    priors
        What was believed before, as plain data; empty for maximum likelihood.
    stats
        What the sampler says of each draw, arrays of shape (chain, draw) by name.
    by
        Name of the attribute whose values are segments with parameters of their own; None if all customers have the
        same, and then the next two are empty. `theta` and `estimate` are then those of the population of segments.
    segments
        The segments.
    segment_theta
        Their parameters, shape (segment, chain, draw, parameters).
    """

    model: Model
    theta: Array
    method: Method
    unit: Unit | None
    log_likelihood: float
    estimate: Array
    covariance: Array
    customers: int
    fingerprint: str
    diagnostics: Diagnostics
    priors: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    stats: Mapping[str, Array] = field(default_factory=dict)
    by: str | None = None
    segments: tuple[str, ...] = ()
    segment_theta: Array = field(default_factory=lambda: np.empty((0, 0, 0, 0)))

    def __post_init__(self) -> None:
        for array in (self.theta, self.estimate, self.covariance, self.segment_theta, *self.stats.values()):
            array.setflags(write=False)

    @property
    def params(self) -> Mapping[str, float]:
        """The point estimate by name."""
        return MappingProxyType(
            {name: float(value) for name, value in zip(self.model.names, self.estimate, strict=True)}
        )

    @property
    def draws(self) -> Array:
        """The parameters without distinction of chains, shape (chain * draw, parameters)."""
        return self.theta.reshape(-1, len(self.model.parameters))

    @property
    def aic(self) -> float:
        """Akaike's information criterion; smaller is better."""
        return 2.0 * len(self.model.parameters) - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's information criterion; smaller is better."""
        return float(np.log(max(self.customers, 1)) * len(self.model.parameters) - 2.0 * self.log_likelihood)

    def summary(self) -> pd.DataFrame:
        """Return a table by parameter: estimate, standard error, and a 95 % interval (on the log scale)."""
        return describe.summary(self)

    def describe(self) -> str:
        """Return what the parameters say about the customers, in words."""
        return describe.in_words(self)

    def parts(self, histories: Histories) -> list[predictions.Part]:
        """Return the groups of customers who share their parameters: all, or those of each segment.

        Raises
        ------
        DataError
            If this is a fit by segment and the histories do not name segments, or name one it does not know.
        """
        if self.by is None:
            return [predictions.Part(self.draws, self.estimate)]
        found = split(histories, self.by)
        unknown = [name for name in found.names if name not in self.segments]
        if unknown:
            raise DataError(one_of(f"value of {self.by}", unknown[0], self.segments))
        parts = []
        for name, rows in zip(found.names, found.rows, strict=True):
            draws = self._draws_of(name)
            parts.append(predictions.Part(draws, draws.mean(axis=0), rows))
        return parts

    def _draws_of(self, segment: str) -> Array:
        theta: Array = self.segment_theta[self.segments.index(segment)]
        return theta.reshape(-1, len(self.model.parameters))

    def segment(self, name: str) -> Self:
        """Return the fit of one segment, of a fit by segment: a fit with the parameters of this segment for everybody.

        Raises
        ------
        FitError
            If this fit knows no such segment.
        """
        if name not in self.segments:
            raise FitError(one_of("segment", name, self.segments))
        theta = self.segment_theta[self.segments.index(name)].copy()
        draws = self._draws_of(name)
        return replace(
            self,
            theta=theta,
            estimate=draws.mean(axis=0),
            covariance=np.cov(np.log(draws - self.model.lower), rowvar=False),
            by=None,
            segments=(),
            segment_theta=np.empty((0, 0, 0, 0)),
        )

    def thinned(self, step: int) -> Self:
        """Return the fit with every `step`-th draw of each chain.

        Examples
        --------
        >>> import numpy as np
        >>> import clvmodels as clv
        >>> drawn = {"p": np.linspace(6.0, 7.0, 100)[None], "q": 3.74, "v": 15.44}
        >>> clv.GammaGamma().from_params(drawn).thinned(10).theta.shape
        (1, 10, 3)
        """
        return replace(
            self,
            theta=self.theta[:, ::step],
            stats={name: values[:, ::step] for name, values in self.stats.items()},
            segment_theta=self.segment_theta[:, :, ::step],
        )

    def to_datatree(self, histories: Histories, *, memory_gb: float = 1.0) -> xr.DataTree:
        """Return what ArviZ needs: ``az.summary``, ``az.plot_*``, ``az.loo`` and ``az.compare`` work on it.

        Parameters
        ----------
        histories
            The histories of the fit.
        memory_gb
            Refuse to hold more than this.

        Returns
        -------
        DataTree
            posterior (parameters, and the quantities that priors are stated in), sample_stats, prior, observed_data,
            and the pointwise log_likelihood of shape (chain, draw, customer_id).

        Raises
        ------
        FitError
            If the pointwise log-likelihood does not fit into `memory_gb`.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
        >>> fit = clv.BGNBD().fit(rfm, method="laplace", draws=200, seed=1)
        >>> fit.to_datatree(rfm)["log_likelihood"]["history"].shape
        (1, 200, 2357)
        """
        from clvmodels.inference import pointwise

        return pointwise.to_datatree(cast("OrdersFit | SpendFit", self), histories, memory_gb)

    def loo(self, histories: Histories) -> ELPDData:
        """Return the expected log predictive density of customers left out (PSIS-LOO), for ``az.compare``.

        It equals ``az.loo(fit.to_datatree(rfm))`` and needs little memory: equal histories are computed once.

        Raises
        ------
        FitError
            If the fit has no draws.
        """
        from clvmodels.inference import pointwise

        return pointwise.loo(cast("OrdersFit | SpendFit", self), histories)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fit as a small JSON file, which holds no customer data.

        Raises
        ------
        OSError
            If the file cannot be written; an existing file is then left as it was.
        """
        from clvmodels.inference import storage

        storage.save(self, path)

    @staticmethod
    def load(path: str | PathLike[str]) -> OrdersFit | SpendFit:
        """Read a fit that `save` wrote.

        Raises
        ------
        FitError
            If the file is not one of ours, or of a later version.
        """
        from clvmodels.inference import storage

        return storage.load(path)

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.params.items())
        time = f", time in {self.unit}s" if self.unit else ""
        draws = f", {len(self.draws):,} draws" if len(self.draws) > 1 else ""
        likelihood = "" if np.isnan(self.log_likelihood) else f", log-likelihood {self.log_likelihood:,.2f}"
        return f"<{self.model.name} ({self.method}): {values}{time}{likelihood}{draws}>"


@dataclass(frozen=True, eq=False, repr=False)
class OrdersFit(Fit):
    """A fitted model of transactions: when customers buy, and when they leave."""

    model: TransactionModel
    unit: Unit

    def time(self, value: Duration) -> float:
        """Return a duration as a number in the unit of this fit."""
        return duration(value, self.unit)

    def require_unit(self, histories: Histories) -> None:
        """Raise UnitError unless the histories count time in the unit of this fit."""
        if histories.unit != self.unit:
            raise UnitError(
                f"this fit counts time in {self.unit}s and the histories in {histories.unit}s; "
                f'write rfm.in_unit("{self.unit}")'
            )

    def parts(self, histories: Histories) -> list[predictions.Part]:
        """Return the groups of customers who share their parameters: all, or those of each segment."""
        self.require_unit(histories)
        return super().parts(histories)

    @overload
    def expected_purchases(
        self,
        histories: Histories,
        t: Duration,
        *,
        process: bool = False,
        seed: int | None = None,
        return_draws: Literal[False] = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame: ...
    @overload
    def expected_purchases(
        self,
        histories: Histories,
        t: Duration,
        *,
        process: bool = False,
        seed: int | None = None,
        return_draws: Literal[True],
        memory_gb: float = 1.0,
    ) -> xr.DataArray: ...
    def expected_purchases(
        self,
        histories: Histories,
        t: Duration,
        *,
        process: bool = False,
        seed: int | None = None,
        return_draws: bool = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame | xr.DataArray:
        """Return the expected number of purchases of each customer in the time `t` after the end of observation.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit.
        t
            Such as ``"52 weeks"``; a bare number is in the unit of this fit.
        process
            Let sd, quantiles and draws say what each customer will really do: one simulated number of purchases under
            each draw of the parameters, or 1,000 of them under a point estimate. The mean stays the expectation.
        seed
            Of the simulation; None: a new one each time.
        return_draws
            Return the draws instead of a table. They need 8 bytes a draw and customer, and as many a distinct history.
        memory_gb
            What the draws and the tables of the computation may take, in GB (1e9 bytes).

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws or `process` is asked for.
        DataArray
            With `return_draws`: dimensions (chain, draw, customer_id).

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit.
        FitError
            If the draws would take more memory than they may.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> table = {"customer_id": ["A"], "frequency": [2], "recency": [30.43], "T": [38.86]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> fit.expected_purchases(rfm, "39 weeks").round(3)
                      mean
        customer_id
        A            1.226
        >>> fit.expected_purchases(rfm, "39 weeks", process=True, seed=1)[["mean", "q05", "q95"]].round(3)
                      mean  q05   q95
        customer_id
        A            1.226  0.0  4.05
        """
        time = self.time(t)
        asked = predictions.asked(self, histories, predictions.expected_purchases(self.model, time), memory_gb)
        if process:
            return asked.simulated(time, seed).told("purchases", return_draws=return_draws)
        return asked.told("expected_purchases", return_draws=return_draws)

    def total_purchases(
        self, histories: Histories, t: Duration, *, process: bool = False, seed: int | None = None
    ) -> pd.Series:
        """Return the number of purchases of all customers together in the time `t` after the end of observation.

        Customers are summed within each draw: an interval of the sum is not the sum of the intervals, which would be
        far too wide.

        Parameters
        ----------
        histories, t, process, seed
            As of `expected_purchases`.

        Returns
        -------
        Series
            mean; and sd, q05, q50, q95 where the fit has draws or `process` is asked for.

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit.

        Examples
        --------
        >>> import clvmodels as clv
        >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> rfm = fit.simulate(1_000, "39 weeks", seed=1)
        >>> fit.total_purchases(rfm, "52 weeks", process=True, seed=1).index.to_list()
        ['mean', 'sd', 'q05', 'q50', 'q95']
        """
        time = self.time(t)
        asked = predictions.asked(self, histories, predictions.expected_purchases(self.model, time))
        return (asked.simulated(time, seed) if process else asked).total()

    @overload
    def probability_alive(
        self,
        histories: Histories,
        after: Duration = 0.0,
        *,
        return_draws: Literal[False] = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame: ...
    @overload
    def probability_alive(
        self, histories: Histories, after: Duration = 0.0, *, return_draws: Literal[True], memory_gb: float = 1.0
    ) -> xr.DataArray: ...
    def probability_alive(
        self, histories: Histories, after: Duration = 0.0, *, return_draws: bool = False, memory_gb: float = 1.0
    ) -> pd.DataFrame | xr.DataArray:
        """Return the probability that each customer is alive at a time `after` the end of observation.

        Under BG/NBD it is 1 now for everyone who bought once only; `probability_of_purchases` is a figure to decide by.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit.
        after
            Such as ``"26 weeks"``; now if left out.
        return_draws, memory_gb
            As of `expected_purchases`.

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws.
        DataArray
            With `return_draws`: dimensions (chain, draw, customer_id).

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit.
        FitError
            If the draws would take more memory than they may.

        Examples
        --------
        >>> import clvmodels as clv
        >>> fit = clv.ParetoNBD().from_params({"r": .553, "alpha": 10.578, "s": .606, "beta": 11.669}, unit="week")
        >>> fit.probability_alive(fit.simulate(10, "39 weeks", seed=1), "26 weeks").shape
        (10, 1)
        """
        question = predictions.probability_alive(self.model, self.time(after))
        return predictions.asked(self, histories, question, memory_gb).told(
            "probability_alive", return_draws=return_draws
        )

    @overload
    def probability_of_purchases(
        self,
        histories: Histories,
        t: Duration,
        n: int = 0,
        *,
        return_draws: Literal[False] = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame: ...
    @overload
    def probability_of_purchases(
        self, histories: Histories, t: Duration, n: int = 0, *, return_draws: Literal[True], memory_gb: float = 1.0
    ) -> xr.DataArray: ...
    def probability_of_purchases(
        self, histories: Histories, t: Duration, n: int = 0, *, return_draws: bool = False, memory_gb: float = 1.0
    ) -> pd.DataFrame | xr.DataArray:
        """Return the probability that each customer buys exactly `n` times within `t` after the end of observation.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit.
        t
            Such as ``"52 weeks"``; a bare number is in the unit of this fit.
        n
            Number of purchases.
        return_draws, memory_gb
            As of `expected_purchases`.

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws.
        DataArray
            With `return_draws`: dimensions (chain, draw, customer_id).

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit.
        FitError
            If `n` is not a whole number from zero up, or the draws would take more memory than they may.

        Examples
        --------
        >>> import clvmodels as clv
        >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> rfm = fit.simulate(10, "39 weeks", seed=1)
        >>> fit.probability_of_purchases(rfm, "52 weeks", 0, return_draws=True).sizes["customer_id"]
        10
        """
        if n != int(n) or n < 0:
            raise FitError(f"n is a number of purchases, 0, 1, 2, ..., got {n!r}")
        question = predictions.probability_of_purchases(self.model, self.time(t), float(n))
        return predictions.asked(self, histories, question, memory_gb).told(
            "probability_of_purchases", return_draws=return_draws
        )

    def expected_purchases_new(self, t: Duration) -> pd.Series:
        """Return the expected number of repeat purchases of a customer just acquired, within `t`.

        Returns
        -------
        Series
            mean; and sd, q05, q50, q95 where the fit has draws.
        """
        time, nothing = np.asarray(self.time(t)), np.zeros(1)
        alive = self.model.p_alive(self.draws, nothing, nothing, nothing)
        purchases = self.model.expected_purchases(self.draws, nothing, nothing, time)
        return predictions.summary(alive * purchases)

    def probability_of_purchases_new(self, t: Duration, n: int = 0) -> float:
        """Return the probability that a customer just acquired buys `n` times more within `t` (mean over draws)."""
        question, nothing = predictions.probability_of_purchases(self.model, self.time(t), float(n)), np.zeros((1, 1))
        alive = self.model.p_alive(self.draws, nothing, nothing, nothing)
        future = alive if question.given is None else question.given(self.draws, nothing[0], nothing[0])
        return float(question.answer(alive, future).mean())

    def simulate(self, customers: int, t: Duration, *, seed: int) -> Histories:
        """Return purchase histories of new customers, observed for `t`, drawn from the model at the point estimate.

        The truth stands in ``attributes``: purchase_rate, and whether the customer is alive at the end.
        """
        return simulation.histories(self.model, self.estimate, customers, self.time(t), self.unit, seed)


@dataclass(frozen=True, eq=False, repr=False)
class SpendFit(Fit):
    """A fitted model of the value of orders."""

    model: SpendModel

    @overload
    def expected_spend(
        self, histories: Histories, *, return_draws: Literal[False] = False, memory_gb: float = 1.0
    ) -> pd.DataFrame: ...
    @overload
    def expected_spend(
        self, histories: Histories, *, return_draws: Literal[True], memory_gb: float = 1.0
    ) -> xr.DataArray: ...
    def expected_spend(
        self, histories: Histories, *, return_draws: bool = False, memory_gb: float = 1.0
    ) -> pd.DataFrame | xr.DataArray:
        """Return the expected value of each customer's orders; the population mean where there is no repeat purchase.

        Parameters
        ----------
        histories
            The customers.
        return_draws
            Return the draws instead of a table. They need 8 bytes a draw and customer.
        memory_gb
            What the draws may take, in GB (1e9 bytes).

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws.
        DataArray
            With `return_draws`: dimensions (chain, draw, customer_id).

        Raises
        ------
        FitError
            If the draws would take more memory than they may.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> fit = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> table = {"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30.43, 0], "T": [38.86, 38.86]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame({**table, "monetary_value": [22.35, None]}), unit="week")
        >>> fit.expected_spend(rfm).round(2)
                      mean
        customer_id
        A            24.66
        B            35.22
        """
        return predictions.asked_of_spend(self, histories, memory_gb).told("expected_spend", return_draws=return_draws)
