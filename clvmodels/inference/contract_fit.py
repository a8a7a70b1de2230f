"""A fitted model of customers under contract, asked how many renew and what they will pay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.arguments import abridged, as_number, require_whole
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_contracts
from clvmodels.errors import FitError
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.contract import residual_payments
from clvmodels.models.specification import Array, ContractModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ContractFit"]

MOST_RENEWALS: Final = 100_000
LOWEST_RATE: Final = 1e-4
"""Of a discount rate: below, more than half a million periods count."""


@dataclass(frozen=True, eq=False, repr=False)
class ContractFit(TransactionFit, of=ContractModel):
    """A fitted model of customers under contract: what it calls purchases are renewals, and times are periods."""

    model: ContractModel

    def require_unit(self, histories: Histories) -> None:
        """Raise UnitError or DataError unless the histories are of contracts with the period of this fit.

        Examples
        --------
        >>> import clvmodels as clv
        >>> fit = clv.SBG().from_params({"gamma": 0.764, "delta": 1.296}, unit="year")
        >>> fit.require_unit(fit.simulate(10, "3 years", seed=1))
        """
        super().require_unit(histories)
        require_contracts(histories)

    def _require_purchases(self, what: str) -> None:
        raise FitError(
            f"{what} is about customers who buy when they like, and those under contract pay in every period or leave;"
            " ask probability_alive, expected_purchases (renewals) or retention_curve"
        )

    def retention_curve(self, renewals: int = 10) -> pd.DataFrame:
        """Return which share of new customers renews, and which share of those left does at each renewal.

        Parameters
        ----------
        renewals
            Up to which renewal.

        Returns
        -------
        DataFrame
            By renewal, from 1: retention (of those who are left, the share who renew), survival (of new customers, the
            share who have renewed so often). Where the fit has draws, their means, and retention_low to survival_high:
            each lies between with probability 0.9.

        Raises
        ------
        FitError
            If the number of renewals is no whole number from 1 up.

        Examples
        --------
        >>> import clvmodels as clv
        >>> fit = clv.SBG().from_params({"gamma": 0.764, "delta": 1.296}, unit="year")
        >>> fit.retention_curve(3).round(3)
                 retention  survival
        renewal
        1            0.629     0.629
        2            0.750     0.472
        3            0.812     0.383
        """
        number = np.arange(1.0, require_whole("renewals", renewals, low=1, high=MOST_RENEWALS, error=FitError) + 1.0)
        theta, new = self.draws[:, None, :], np.zeros(1)
        curves = {
            "retention": self.model.future(theta, number - 1.0, number - 1.0, np.ones(1))[0],
            "survival": self.model.future(theta, new, new, number)[0],
        }
        return _table(curves, "renewal", number.astype(np.int64))

    def residual_payments(self, discount_rate: float, renewals: int = 10) -> pd.DataFrame:
        """Return how many payments to come customers are worth by their renewals, and how that depends on retention.

        Parameters
        ----------
        discount_rate
            Effective, for one *period of the contract*.
        renewals
            Up to which number of renewals.

        Returns
        -------
        DataFrame
            By number of renewals so far, from 0: after_renewal (discounted payments after a renewal, the next
            payment one period away), before_next (the same right before it is due), elasticity (by how many per cent
            both rise if retention at all renewals is higher by one per cent). Where the fit has draws, their means,
            and after_renewal_low to elasticity_high: each lies between with probability 0.9.

        Raises
        ------
        FitError
            If the rate is not at least 0.0001, or the number of renewals no whole number.

        Notes
        -----
        Source: Fader & Hardie (2010), Marketing Science 29(1), for the values before a renewal.

        Examples
        --------
        >>> import clvmodels as clv
        >>> fit = clv.SBG().from_params({"gamma": 0.764, "delta": 1.296}, unit="year")
        >>> fit.residual_payments(0.10, renewals=4).round(3)
                  after_renewal  before_next  elasticity
        renewals
        0                 2.620        2.882       6.246
        1                 3.581        3.939       6.711
        2                 4.250        4.675       7.055
        3                 4.759        5.235       7.327
        4                 5.166        5.682       7.552
        """
        rate = as_number(discount_rate)
        if not LOWEST_RATE <= rate < np.inf:
            raise FitError(
                f"discount_rate is a share a period from {LOWEST_RATE:g} up (10 % is 0.10), got"
                f" {abridged(discount_rate)}"
            )
        most = require_whole("renewals", renewals, low=0, high=MOST_RENEWALS, error=FitError)
        payments, elasticity = residual_payments(self.draws, most, rate)
        columns = {"after_renewal": payments, "before_next": (1.0 + rate) * payments, "elasticity": elasticity}
        return _table(columns, "renewals", np.arange(most + 1))


def _table(columns: dict[str, Array], name: str, index: np.ndarray[Any, np.dtype[np.int64]]) -> pd.DataFrame:
    """Return the means of draws, shape (draws, rows) each, and the ends of their intervals."""
    import pandas as pd

    table = {column: values.mean(axis=0) for column, values in columns.items()}
    for column, values in columns.items():
        if len(values) > 1:
            table[f"{column}_low"], table[f"{column}_high"] = np.quantile(values, [0.05, 0.95], axis=0)
    return pd.DataFrame(table, index=pd.Index(index, name=name))
