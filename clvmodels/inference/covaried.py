"""What a fit with covariates can say: its coefficients, whom its parameters are about, and the fit of some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from clvmodels.errors import FitError
from clvmodels.inference.parameters import Parameters, Shifts
from clvmodels.models.specification import Array

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.inference.coefficients import Coefficients
    from clvmodels.inference.purchase_rates import PurchaseRates

__all__ = ["Covaried"]


class Covaried:
    """The part of a fit that is about covariates; `Fit` holds the data."""

    if TYPE_CHECKING:
        model: Any
        theta: Array
        estimate: Array
        by: str | None
        covariates: Coefficients | None

        @property
        def draws(self) -> Array:
            """The parameters without distinction of chains."""

    @property
    def coefficients(self) -> pd.DataFrame:
        """The coefficients of covariates, in the units of their columns.

        By process and term: estimate, sd, low, high (95 %), and the p-value of a likelihood-ratio test where the fit is
        by likelihood. A positive coefficient means more of what the process says; exp(coefficient) is the factor of
        the purchase rate, of the rate (BG/NBD, MBG/NBD: the odds) of leaving, or of the mean order.

        Raises
        ------
        FitError
            If the fit has no covariates.

        Examples
        --------
        The covariate here is drawn at random:

        >>> import clvmodels as clv
        >>> rfm = transactions.simulate(2_000, "52 weeks", seed=1)
        >>> table = rfm.to_frame().drop(columns=["purchase_rate", "alive"]).assign(channel=["shop", "web"] * 1_000)
        >>> rfm = clv.Histories.from_frame(table, unit="week")
        >>> clv.BGNBD(covariates={"purchase": "channel"}).fit(rfm).coefficients.columns.to_list()
        ['estimate', 'sd', 'low', 'high', 'p_value']
        """
        if self.covariates is None:
            raise FitError(
                f"this fit has no covariates; write clv.{self.model.public_name}(covariates={{...}}).fit(rfm)"
            )
        return self.covariates.table()

    @property
    def formulas(self) -> dict[str, str] | None:
        """The formula of each process that covariates act on; None without covariates."""
        return None if self.covariates is None else self.covariates.design.formulas

    @property
    def rates(self) -> PurchaseRates | None:
        """The purchase rates that the value of orders depends on; None if it depends on none."""
        return None if self.covariates is None else self.covariates.rates

    @property
    def columns_of_parameters(self) -> tuple[str, ...]:
        """The attributes of customers that their parameters depend on; none, where these follow paths."""
        if self.covariates is not None:
            design = self.covariates.design
            return () if design.paths else design.variables
        return () if self.by is None else (self.by,)

    def at(self, attributes: Mapping[str, object]) -> Self:
        """Return the fit of customers with these attributes, of a fit with covariates: one without covariates.

        Raises
        ------
        FitError
            If the fit has no covariates.
        DataError
            If an attribute is missing, or its value is a level that the fit does not know.

        Examples
        --------
        >>> import clvmodels as clv
        >>> rfm = transactions.simulate(2_000, "52 weeks", seed=1)
        >>> table = rfm.to_frame().drop(columns=["purchase_rate", "alive"]).assign(channel=["shop", "web"] * 1_000)
        >>> fit = clv.BGNBD(covariates={"purchase": "channel"}).fit(clv.Histories.from_frame(table, unit="week"))
        >>> fit.at({"channel": "web"}).covariates is None
        True
        """
        import pandas as pd

        if self.covariates is None:
            raise FitError("this fit has no covariates: its parameters are those of every customer")
        return self._of_row(self.covariates, self.covariates.design.rows(pd.DataFrame({**attributes}, index=[0])))

    def _of_row(self, covariates: Coefficients, row: Array) -> Self:
        """Return the fit of customers with a row of the design, shape (1, coefficients)."""
        effects, size = covariates.design.effects(self.model), len(self.model.parameters)
        logs = np.concatenate([np.eye(size), row[0][:, None] * effects]).T
        factors, at_estimate = (
            Shifts(row, coefficients, effects).factors(slice(None))[0]
            for coefficients in (covariates.flat, covariates.estimate[None])
        )
        fit: Any = self
        changed: Self = replace(
            fit,
            theta=self.theta * factors.reshape(self.theta.shape),
            estimate=self.estimate * at_estimate[0],
            covariance=logs @ covariates.covariance @ logs.T,
            log_likelihood=np.nan,
            covariates=None,
        )
        return changed

    def _by_covariates(self, histories: Histories) -> Parameters:
        """Return the parameters of customers by their distinct covariates."""
        covariates = self.covariates
        assert covariates is not None
        design = covariates.design
        rows, group = np.unique(covariates.rows(histories), axis=0, return_inverse=True)
        shifts = Shifts(rows, covariates.flat, design.effects(self.model))
        estimate = self.estimate * Shifts(rows, covariates.estimate[None], shifts.effects).factors(slice(None))[:, 0]
        return Parameters(self.draws, estimate, group.astype(np.int64).ravel(), shifts)
