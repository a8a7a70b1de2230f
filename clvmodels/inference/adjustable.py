"""The part of a fit that is about levers; `Fit` holds the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from clvmodels.errors import FitError, ModelError, one_of
from clvmodels.inference.adjustment import Adjustment, Where, factors_of, read_changes, read_where
from clvmodels.inference.covaried import Covaried
from clvmodels.models.adjusted import adjusted_model
from clvmodels.units import DAYS, Unit

if TYPE_CHECKING:
    from clvmodels.models.specification import Array, Model

__all__ = ["Adjustable"]


class Adjustable(Covaried):
    """What a fit says if levers are moved."""

    if TYPE_CHECKING:
        unit: Unit | None
        covariance: Array
        segment_theta: Array
        segments: tuple[str, ...]
        adjustment: Adjustment | None

        def segment(self, name: str) -> Self:
            """Return the fit of one segment."""

    @property
    def columns_of_parameters(self) -> tuple[str, ...]:
        """The attributes of customers that their parameters depend on; none, where these follow paths."""
        own = super().columns_of_parameters
        where = {} if self.adjustment is None else self.adjustment.where or {}
        return tuple(dict.fromkeys((*own, *where)))

    def adjusted(self, changes: Mapping[str, float], where: Where | None = None) -> Self:
        """Return the fit of customers who buy more often, leave less, or order for more, from now on.

        Levers multiply the quantities that priors are stated in: ``purchase_rate``; ``first_year_loss`` (Pareto/NBD) or
        ``dropout`` (BG/NBD, MBG/NBD), the chance to leave; ``mean_spend`` or ``median_spend``, the value of orders.
        Each customer's own rate, odds or mean order changes by the factor that changes the quantity so. What has
        happened stays as it was, P(alive) too. Under BG/NBD and MBG/NBD who buys more often leaves sooner, and a new
        customer's chance to leave at the first purchase stays.

        It is what a change would be worth, not what an action would bring about: only a holdout shows that.

        Parameters
        ----------
        changes
            By quantity, what it is multiplied by.
        where
            Attributes and their values, such as ``{"segment": "web"}``: of all customers if left out. It holds for new
            customers with these attributes, too. With covariates, factors are those of a customer with their means.

        Raises
        ------
        FitError
            If a name is no quantity that a lever moves, a factor is not above zero, a share would be one or more, the
            fit has been adjusted already or its model takes no levers (as with a calendar, paths or ageing).

        Examples
        --------
        >>> more = transactions.adjusted({"purchase_rate": 1.05}, where={"segment": "web"})
        >>> (more.expected_purchases(rfm, "52 weeks") / transactions.expected_purchases(rfm, "52 weeks")).round(3)
                      mean
        customer_id
        A            1.000
        B            1.044
        C            1.039
        """
        model = self._with_levers()
        checked, year = read_changes(self.model, changes), self._year
        adjustment = Adjustment(checked, read_where(where), len(self.model.effects))
        return self._moved(model, adjustment, lambda theta: factors_of(self.model, theta, checked, year))

    def with_factors(self, factors: Mapping[str, float]) -> Self:
        """Return the fit of customers whose processes change by factors from now on, each customer by the same.

        `adjusted` finds the factors that change quantities as stated; here they are stated themselves.

        Parameters
        ----------
        factors
            By process: ``purchase``, ``dropout``, ``spend``; those left out stay as they are.

        Raises
        ------
        FitError
            As of `adjusted`.

        Examples
        --------
        >>> transactions.with_factors({"purchase": 2.0}).params["purchase_factor"]
        2.0
        """
        model = self._with_levers()
        wrong = [name for name in factors if name not in self.model.effects]
        if wrong:
            raise FitError(f"{self.model.name}: {one_of('process', wrong[0], self.model.effects)}")
        row = np.array([factors.get(process, 1.0) for process in self.model.effects])
        adjustment = Adjustment(dict(factors), None, len(row))
        return self._moved(model, adjustment, lambda theta: np.broadcast_to(row, (*theta.shape[:-1], len(row))))

    def _moved(self, model: Model, adjustment: Adjustment, factors: Callable[[Array], Array]) -> Self:
        theta, estimate, segment_theta = (
            np.concatenate([each, factors(each)], axis=-1) if each.size else np.empty((*each.shape[:-1], 0))
            for each in (self.theta, self.estimate, self.segment_theta)
        )
        processes = adjustment.processes
        covariance = np.pad(self.covariance, ((0, processes), (0, processes)))
        changed: dict[str, Any] = {
            "model": model,
            "theta": theta,
            "estimate": estimate,
            "segment_theta": segment_theta,
            "covariance": covariance,
            "log_likelihood": np.nan,
            "fingerprint": "",
            "adjustment": adjustment,
        }
        return replace(self, **changed)  # type: ignore[type-var]

    def _with_levers(self) -> Model:
        if self.adjustment is not None:
            raise FitError("this fit has been adjusted already; state all levers at once, of the fit itself")
        if self.covariates is not None and self.covariates.design.paths:
            raise FitError(
                "a fit that follows each customer's own path takes no levers; move fit.at({...}) in its place"
            )
        try:
            return adjusted_model(self.model)
        except ModelError as error:
            raise FitError(str(error)) from error

    @property
    def _year(self) -> float:
        return 1.0 if self.unit is None else DAYS["year"] / DAYS[self.unit]

    def of_kind(self, attributes: Mapping[Any, object]) -> Self:
        """Return the fit of customers with these attributes, as far as their parameters depend on them.

        Examples
        --------
        >>> transactions.of_kind({"segment": "web"}) is transactions
        True
        """
        fit = self
        if self.by is not None:
            fit = self.segment(str(attributes[self.by]))
        elif self.covariates is not None:
            fit = self.at({name: attributes[name] for name in self.covariates.design.variables})
        levers = fit.adjustment
        if levers is None or levers.where is None:
            return fit
        anywhere = Adjustment(levers.changes, None, levers.processes)
        if levers.of_kind(attributes):
            return replace(fit, adjustment=anywhere)  # type: ignore[type-var]
        plain: dict[str, Any] = {"theta": levers.undone(fit.theta), "estimate": levers.undone(fit.estimate)}
        return replace(fit, adjustment=anywhere, **plain)  # type: ignore[type-var]
