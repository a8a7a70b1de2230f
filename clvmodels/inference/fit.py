"""The result of fitting: immutable, without customer data, asked for predictions.

Parameters carry the dimensions (chain, draw); a point estimate has one of each, so that nothing downstream asks how a
model was fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError, UnitError
from clvmodels.inference import describe, predictions, simulation
from clvmodels.inference.diagnostics import Diagnostics
from clvmodels.models.derived import expected_purchases, survival
from clvmodels.models.specification import Array, Model, SpendModel, TransactionModel
from clvmodels.units import Duration, Unit, duration

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Fit", "Method", "OrdersFit", "SpendFit"]

Method = Literal["mle", "laplace", "given"]


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
    sd
        Standard errors of the parameters (standard deviations of the draws if sampled), shape (parameters,).
    covariance
        Of log(parameter - lower bound), shape (parameters, parameters); NaN where it is not known.
    customers
        Number of customers it was fitted to.
    fingerprint
        Of the histories it was fitted to; equal for equal data in any order.
    diagnostics
        How the fit ended.
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

    def __post_init__(self) -> None:
        for array in (self.theta, self.estimate, self.covariance):
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

    def expected_purchases(self, histories: Histories, t: Duration) -> pd.DataFrame:
        """Return the expected number of purchases of each customer in the time `t` after the end of observation.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit.
        t
            Such as ``"52 weeks"``; a bare number is in the unit of this fit.

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws.

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
        """
        time = self.time(t)

        def given(theta: Array, x: Array, t_x: Array, T: Array) -> Array:
            return self.model.p_alive(theta, x, t_x, T) * expected_purchases(self.model, theta, x, T, time)

        return predictions.by_customer(self, histories, given)

    def probability_alive(self, histories: Histories, after: Duration = 0.0) -> pd.DataFrame:
        """Return the probability that each customer is alive at a time `after` the end of observation.

        Under BG/NBD it is 1 now for everyone who bought once only; `probability_of_purchases` is a figure to decide by.

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws.
        """
        t = self.time(after)

        def given(theta: Array, x: Array, t_x: Array, T: Array) -> Array:
            alive = self.model.p_alive(theta, x, t_x, T)
            return alive if t == 0.0 else alive * survival(self.model, theta, x, T, t)

        return predictions.by_customer(self, histories, given)

    def probability_of_purchases(self, histories: Histories, t: Duration, n: int = 0) -> pd.DataFrame:
        """Return the probability that each customer buys exactly `n` times within `t` after the end of observation.

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws.

        Raises
        ------
        FitError
            If `n` is not a whole number from zero up.
        """
        if n != int(n) or n < 0:
            raise FitError(f"n is a number of purchases, 0, 1, 2, ..., got {n!r}")
        time = self.time(t)

        def given(theta: Array, x: Array, t_x: Array, T: Array) -> Array:
            return predictions.probability(self.model, theta, x, t_x, T, time, float(n))

        return predictions.by_customer(self, histories, given)

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
        return predictions.summarise((alive * purchases)[:, None]).iloc[0]

    def probability_of_purchases_new(self, t: Duration, n: int = 0) -> float:
        """Return the probability that a customer just acquired buys `n` times more within `t` (mean over draws)."""
        nothing = np.zeros(1)
        time = self.time(t)
        each = [
            predictions.probability(self.model, theta, nothing, nothing, nothing, time, float(n))
            for theta in self.draws
        ]
        return float(np.mean(each))

    def simulate(self, customers: int, t: Duration, *, seed: int) -> Histories:
        """Return purchase histories of new customers, observed for `t`, drawn from the model at the point estimate.

        The truth stands in ``attributes``: purchase_rate, and whether the customer is alive at the end.
        """
        return simulation.histories(self.model, self.estimate, customers, self.time(t), self.unit, seed)


@dataclass(frozen=True, eq=False, repr=False)
class SpendFit(Fit):
    """A fitted model of the value of orders."""

    model: SpendModel

    def expected_spend(self, histories: Histories) -> pd.DataFrame:
        """Return the expected value of each customer's orders; the population mean where there is no repeat purchase.

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws.
        """
        return predictions.spend_by_customer(self, histories)
