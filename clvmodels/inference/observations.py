"""What a likelihood sees of the histories: columns of numbers with weights, scaled so that units do not matter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.data.lazy import LazyHistories
from clvmodels.errors import FitError
from clvmodels.models.specification import Array, Model, TransactionModel
from clvmodels.numerics.threads import dot, map_blocks

__all__ = ["Observations", "observe"]

ROWS_PER_BLOCK = 1 << 16


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
        """The distinct x, and the number of customers with each; the columns are sorted by x."""
        x = self.columns[0]
        first = np.flatnonzero(np.diff(x, prepend=-1.0))
        return x[first], np.add.reduceat(self.weight, first)

    def in_units_of_data(self, log_likelihood: float) -> float:
        """Return the log-likelihood of the data as they were before scaling."""
        return log_likelihood - self.densities * float(np.log(self.time * self.money))

    def in_data_units(self) -> tuple[Array, ...]:
        """Return the columns as they were before scaling."""
        x, *others = self.columns
        return (x, *(column * (self.time * self.money) for column in others))

    def sample(self, size: int) -> Observations:
        """Return about `size` customers: every k-th of them, in the order of their histories."""
        last = np.cumsum(self.weight)
        step = max(int(last[-1] // size), 1)
        chosen, weight = np.unique(np.searchsorted(last, np.arange(step, last[-1] + 1, step)), return_counts=True)
        return replace(self, columns=tuple(column[chosen] for column in self.columns), weight=weight.astype(float))

    def log_likelihood(self, model: Model, theta: Array) -> tuple[float, Array]:
        """Return the log-likelihood of all customers and its gradient by theta, shape (parameters,)."""

        def block(rows: slice) -> tuple[float, Array]:
            weight, columns = self.weight[rows], [column[rows] for column in self.columns]
            if model.history_sums is not None:
                return model.history_sums(theta, weight, *columns)
            return _weighted_sum(weight, *model.history_terms(theta, *columns))

        x, customers = self.histogram
        sums = [_weighted_sum(customers, *model.count_terms(theta, x))]
        sums += map_blocks(block, len(self.weight), ROWS_PER_BLOCK)
        values, gradients = zip(*sums, strict=True)
        return sum(values), np.sum(gradients, axis=0)

    def curvature(self, model: Model, theta: Array) -> Array | None:
        """Return the second derivatives of the log-likelihood by theta, or None if the model has no closed form."""
        by_count, by_history = model.count_curvature, model.history_curvature
        if by_count is None or by_history is None:
            return None

        def block(rows: slice) -> Array:
            return by_history(theta, self.weight[rows], *(column[rows] for column in self.columns))

        x, customers = self.histogram
        parts = [by_count(theta, customers, x), *map_blocks(block, len(self.weight), ROWS_PER_BLOCK)]
        return np.asarray(np.sum(parts, axis=0))


def _weighted_sum(weight: Array, value: Array, gradient: Array) -> tuple[float, Array]:
    return dot(weight, value), np.einsum("i,ij->j", weight, gradient)


def observe(model: Model, histories: Histories | LazyHistories) -> Observations:
    """Return what `model` sees of `histories`, time divided by the mean age and money by the mean spend.

    Raises
    ------
    FitError
        If nothing is left to fit.
    """
    if isinstance(model, TransactionModel):
        return _transactions(model, histories)
    return _spend(model, histories)


def _transactions(model: Model, histories: Histories | LazyHistories) -> Observations:
    distinct = histories.distinct
    x, t_x, T = distinct.rows.T
    if not np.any(x > 0):
        raise FitError(f"{model.name} needs repeat purchases, and none of the {len(histories):,} customers has one")
    time = dot(distinct.weight, T) / float(distinct.weight.sum())
    return Observations(
        (x, t_x / time, T / time),
        distinct.weight,
        distinct.fingerprint,
        time=time,
        densities=dot(distinct.weight, x),
    )


def _spend(model: Model, histories: Histories | LazyHistories) -> Observations:
    distinct = histories.distinct_spend
    customers = float(distinct.weight.sum())
    if customers < 2:
        raise FitError(
            f"{model.name} needs two customers or more with repeat purchases of positive mean value, "
            f"got {customers:.0f}"
            + ("" if histories.has_spend else '; name the column of values: rfm_summary(..., value="amount")')
        )
    x, spend = distinct.rows.T
    money = dot(distinct.weight, spend) / customers
    return Observations((x, spend / money), distinct.weight, distinct.fingerprint, money=money, densities=customers)
