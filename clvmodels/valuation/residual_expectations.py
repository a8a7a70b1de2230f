"""What customers are expected to do: weighted integrals over the time ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.parameters import distinct_histories
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.derived import alive, residual
from clvmodels.numerics.distinct import DistinctRows
from clvmodels.numerics.quadrature import Weighting
from clvmodels.valuation.lines import DiscountedDrivers

__all__ = ["ResidualExpectations", "ahead"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ResidualExpectations:
    """What customers are expected to do, at the estimate of their parameters.

    Attributes
    ----------
    distinct
        Their distinct histories under the same parameters.
    alive
        P(alive) now, shape (distinct histories,).
    purchases, living_years
        Integrals of the purchase intensity and of survival, shape (distinct histories, weightings); living time in
        years.
    place
        For each of other rows of histories its distinct history; None: the rows are the customers.
    """

    distinct: DistinctRows
    alive: Array
    purchases: Array
    living_years: Array
    place: Index | None = None

    @property
    def index(self) -> Index:
        """For each of the rows its distinct history."""
        return self.distinct.index if self.place is None else self.place

    def drivers(self, discounted: int, grown: int, Z: Array, K: float | Array) -> DiscountedDrivers:
        """Return what lines multiply, for each of the rows.

        Parameters
        ----------
        discounted, grown
            The numbers of two weightings: the discount factors, and the same with the growth of order values.
        Z
            Expected value of an order, shape (rows,).
        K
            Discounted time within the horizon, in years.
        """
        orders, living_years = self.purchases[:, discounted], self.living_years[:, discounted]
        D, L, G = (expected[self.index] for expected in (orders, living_years, self.purchases[:, grown]))
        return DiscountedDrivers(D, L, Z, G, K)


def ahead(
    transactions: TransactionFit, histories: Histories, weightings: Sequence[Weighting], year: float
) -> ResidualExpectations:
    """Return what customers are expected to do, by distinct history under the same parameters.

    Parameters
    ----------
    transactions
        The fit of transactions.
    histories
        The customers.
    weightings
        The factors to integrate with, such as discount factors.
    year
        The length of a year in the unit of the fit.
    """
    model = transactions.model
    distinct, parameters = distinct_histories(model, transactions.parameters(histories), histories)
    theta, group = parameters.estimate, parameters.group
    x, t_x, T = np.ascontiguousarray(distinct.rows[:, :3].T)
    now = alive(model, theta, x, t_x, T, group)
    purchases, living = residual(model, theta, x, T, weightings, group)
    for integral in (purchases, living):
        np.multiply(integral, now[:, None], out=integral)
    living_years = np.divide(living, year, out=living)
    return ResidualExpectations(distinct, now, purchases, living_years)
