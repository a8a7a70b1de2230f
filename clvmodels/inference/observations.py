"""What a likelihood sees of the histories: columns of numbers with weights, scaled so that units do not matter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError
from clvmodels.models.specification import Array, Model, TransactionModel
from clvmodels.numerics.distinct import distinct_rows
from clvmodels.numerics.threads import map_blocks

__all__ = ["Observations", "observe"]

ROWS_PER_BLOCK = 1 << 15


@dataclass(frozen=True)
class Observations:
    """Distinct histories and how many customers have each.

    Attributes
    ----------
    columns
        (x, t_x, T) for transactions, (x, mean spend) for spend; shape (n,) each.
    weight
        Customers with this history, shape (n,).
    fingerprint
        Of the data; equal for equal data in any order.
    time, money
        The columns of time (money) were divided by this.
    densities
        How many densities of time (money) the likelihood multiplies: each shifts its log by that of the scale.
    """

    columns: tuple[Array, ...]
    weight: Array
    fingerprint: str
    time: float = 1.0
    money: float = 1.0
    densities: float = 0.0

    @property
    def customers(self) -> float:
        """Number of customers."""
        return float(self.weight.sum())

    @cached_property
    def histogram(self) -> tuple[Array, Array]:
        """The distinct x, and the number of customers with each."""
        distinct = distinct_rows(self.columns[0])
        return distinct.rows[:, 0], np.asarray(np.bincount(distinct.index, weights=self.weight), float)

    def in_units_of_data(self, log_likelihood: float) -> float:
        """Return the log-likelihood of the data as they were before scaling."""
        return log_likelihood - self.densities * float(np.log(self.time * self.money))

    def sample(self, size: int) -> Observations:
        """Return about `size` customers: every k-th of them."""
        step = max(int(self.customers // size), 1)
        kept = np.floor(np.cumsum(self.weight) / step)
        weight = np.diff(kept, prepend=0.0)
        chosen = weight > 0
        return replace(self, columns=tuple(column[chosen] for column in self.columns), weight=weight[chosen])

    def log_likelihood(self, model: Model, theta: Array) -> tuple[float, Array]:
        """Return the log-likelihood of all customers and its gradient by theta, shape (parameters,)."""

        def block(rows: slice) -> tuple[float, Array]:
            terms = model.history_terms(theta, *(column[rows] for column in self.columns))
            return _weighted_sum(self.weight[rows], *terms)

        x, customers = self.histogram
        sums = [_weighted_sum(customers, *model.count_terms(theta, x))]
        sums += map_blocks(block, len(self.weight), ROWS_PER_BLOCK)
        values, gradients = zip(*sums, strict=True)
        return sum(values), np.sum(gradients, axis=0)


def _weighted_sum(weight: Array, value: Array, gradient: Array) -> tuple[float, Array]:
    # Not by BLAS, whose own threads and those of the blocks would get into each other's way.
    return float(np.einsum("i,i", weight, value)), np.einsum("i,ij->j", weight, gradient)


def observe(model: Model, histories: Histories) -> Observations:
    """Return what `model` sees of `histories`, time divided by the mean age and money by the mean spend.

    Raises
    ------
    FitError
        If nothing is left to fit.
    """
    if isinstance(model, TransactionModel):
        return _transactions(model, histories)
    return _spend(model, histories)


def _transactions(model: Model, histories: Histories) -> Observations:
    distinct = histories.distinct
    x, t_x, T = distinct.rows.T
    if not np.any(x > 0):
        raise FitError(f"{model.name} needs repeat purchases, and none of the {len(histories):,} customers has one")
    time = float(distinct.weight @ T / distinct.weight.sum())
    return Observations(
        (x.copy(), t_x / time, T / time),
        distinct.weight,
        distinct.fingerprint,
        time=time,
        densities=float(distinct.weight @ x),
    )


def _spend(model: Model, histories: Histories) -> Observations:
    x, spend = histories.frequency, histories.monetary_value
    usable = (x > 0) & (spend > 0)
    if usable.sum() < 2:
        raise FitError(
            f"{model.name} needs two customers or more with repeat purchases of positive mean value, got {usable.sum()}"
            + ("" if histories.has_spend else '; name the column of values: rfm_summary(..., value="amount")')
        )
    distinct = distinct_rows(x[usable], spend[usable])
    x, spend = distinct.rows.T
    money = float(distinct.weight @ spend / distinct.weight.sum())
    return Observations(
        (x.copy(), spend / money),
        distinct.weight,
        distinct.fingerprint,
        money=money,
        densities=float(distinct.weight.sum()),
    )
