"""What a likelihood sees of the histories: columns of numbers with weights, scaled so that units do not matter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError
from clvmodels.models.specification import Array, Model, TransactionModel
from clvmodels.numerics.distinct import distinct_rows
from clvmodels.numerics.threads import map_blocks

__all__ = ["Observations", "observe"]

ROWS_PER_BLOCK = 1 << 14


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
    """

    columns: tuple[Array, ...]
    weight: Array
    fingerprint: str
    time: float = 1.0
    money: float = 1.0

    @property
    def customers(self) -> float:
        """Number of customers."""
        return float(self.weight.sum())

    def sample(self, size: int) -> Observations:
        """Return about `size` customers: every k-th of them."""
        step = max(int(self.customers // size), 1)
        kept = np.floor(np.cumsum(self.weight) / step)
        weight = np.diff(kept, prepend=0.0)
        chosen = weight > 0
        return replace(self, columns=tuple(column[chosen] for column in self.columns), weight=weight[chosen])

    def unscaled(self) -> Observations:
        """Return the same in the units of the data."""
        scale = self.time * self.money
        columns = (self.columns[0], *(scale * column for column in self.columns[1:]))
        return replace(self, columns=columns, time=1.0, money=1.0)

    def log_likelihood(self, model: Model, theta: Array) -> tuple[float, Array]:
        """Return the log-likelihood of all customers and its gradient by theta, shape (parameters,)."""
        x, which = np.unique(self.columns[0], return_inverse=True)
        value, gradient = model.count_terms(theta, x)
        share = np.bincount(which, weights=self.weight)

        def block(rows: slice) -> Array:
            value, gradient = model.history_terms(theta, *(column[rows] for column in self.columns))
            return np.append(self.weight[rows] @ gradient, self.weight[rows] @ value)

        total = np.append(share @ gradient, share @ value)
        total += sum(map_blocks(block, len(self.weight), ROWS_PER_BLOCK))
        return float(total[-1]), total[:-1]


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
    return Observations((x.copy(), t_x / time, T / time), distinct.weight, distinct.fingerprint, time=time)


def _spend(model: Model, histories: Histories) -> Observations:
    x, spend = histories.frequency, histories.monetary_value
    usable = (x > 0) & (spend > 0)
    if usable.sum() < 2:
        raise FitError(
            f"{model.name} needs customers with repeat purchases of positive mean value, got {usable.sum()} of them; "
            'name the column of values: rfm_summary(..., value="amount")'
        )
    distinct = distinct_rows(x[usable], spend[usable])
    x, spend = distinct.rows.T
    money = float(distinct.weight @ spend / distinct.weight.sum())
    return Observations((x.copy(), spend / money), distinct.weight, distinct.fingerprint, money=money)
