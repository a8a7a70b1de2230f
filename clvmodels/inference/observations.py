"""What a likelihood sees of the histories: columns of numbers with weights, and the scale of time and money in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.data.required import of_contracts, require_contracts
from clvmodels.data.statistics import LOGS, SPEND, TRANSACTIONS
from clvmodels.errors import FitError
from clvmodels.inference.spend_state import require_order_values, usual_order
from clvmodels.inference.sums import history_expansion, history_sums, weighted_sum
from clvmodels.models.registry import PERIOD_MODELS
from clvmodels.models.specification import Array, ContractModel, Model, SpendModel, TransactionModel
from clvmodels.numerics.distinct import run_starts
from clvmodels.numerics.kernels import MANY
from clvmodels.numerics.threads import dot, map_blocks

__all__ = ["Observations", "observe"]

ROWS_PER_BLOCK = 5 << 14
"""Fewer make threads wait for each other, more leave the processor's cache."""
OLDEST, DEAREST = 1e12, 1e90
"""Ages and amounts above these, and below their reciprocals, are mistaken: figures might leave the range of doubles."""
SAMPLE, FEW = 5_000, 4
"""Customers in a sample; up to so many times as many are few."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Distinct histories and how many customers have each.

    Attributes
    ----------
    columns
        Those of the model's statistics: (x, t_x, T) for transactions, (x, mean spend) for spend; then covariates; shape
        (n,) each.
    weight
        Customers with this history, shape (n,).
    fingerprint
        Of the data; equal for equal data in any order.
    time, money
        Mean age (mean spend) of a customer: parameters are sought in these units, so that those of the data do not
        matter.
    sampled_from
        Number of distinct histories from which these are sampled; 0 if they are all.
    totals
        Sums over all customers of the model's `Model.totals`, shape (totals,).
    """

    columns: tuple[Array, ...]
    weight: Array
    fingerprint: str
    time: float = 1.0
    money: float = 1.0
    sampled_from: int = 0
    totals: tuple[float, ...] = ()

    @property
    def many(self) -> bool:
        """Whether these are many distinct histories, or some of many."""
        return max(len(self.weight), self.sampled_from) >= MANY

    @cached_property
    def customers(self) -> float:
        """Number of customers."""
        return float(self.weight.sum())

    @cached_property
    def histogram(self) -> tuple[Array, Array]:
        """The distinct x, and the number of customers with each; the columns are sorted by x."""
        x = self.columns[0]
        first = run_starts(x)
        return x[first], np.add.reduceat(self.weight, first)

    def sample(self) -> Observations:
        """Return every k-th of many customers, in the order of their histories, each in place of k; of few, all."""
        if self.customers <= FEW * SAMPLE:
            return self
        step = self.customers // SAMPLE
        last = np.cumsum(self.weight)
        chosen, times = np.unique(np.searchsorted(last, np.arange(step, last[-1] + 1, step)), return_counts=True)
        columns, weight = tuple(column[chosen] for column in self.columns), np.asarray(step * times)
        return replace(self, columns=columns, weight=weight, sampled_from=len(self.weight))

    def log_likelihood(self, model: Model, theta: Array) -> tuple[float, Array]:
        """Return the log-likelihood of all customers, and its gradient, of the shape of theta.

        Parameters
        ----------
        model
            The model.
        theta
            The parameters, shape (parameters,); or those of each history, shape (n, parameters).
        """
        if theta.ndim > 1:
            return self._by_row(model, theta)
        of_histories = history_sums(model, many=self.many)

        def block(rows: slice) -> tuple[float, Array]:
            return of_histories(theta, self.weight[rows], *(column[rows] for column in self.columns))

        x, customers = self.histogram
        sums = [self._of_totals(model, theta), weighted_sum(customers, *model.count_terms(theta, x))]
        sums += map_blocks(block, len(self.weight), ROWS_PER_BLOCK)
        values, gradients = zip(*sums, strict=True)
        return sum(values), np.sum(gradients, axis=0)

    def _of_totals(self, model: Model, theta: Array) -> tuple[float, Array]:
        """Return what the totals add to the log-likelihood, and its gradient."""
        if model.total_factors is None:
            return 0.0, np.zeros(len(theta))
        factors, gradient = model.total_factors(theta)
        totals = np.array(self.totals)
        return float(factors @ totals), totals @ gradient

    def _by_row(self, model: Model, theta: Array) -> tuple[float, Array]:
        gradient = np.empty(theta.shape)

        def block(rows: slice) -> float:
            columns, weight = [column[rows] for column in self.columns], self.weight[rows]
            counts, histories = model.count_terms(theta[rows], columns[0]), model.history_terms(theta[rows], *columns)
            np.multiply(counts[1] + histories[1], weight[:, None], out=gradient[rows])
            return dot(weight, counts[0] + histories[0])

        totals = self._of_totals(model, theta[0])[0]  # what the totals are multiplied by is the same for all rows
        return totals + sum(map_blocks(block, len(self.weight), ROWS_PER_BLOCK)), gradient

    def expansion(self, model: Model, theta: Array) -> tuple[float, Array, Array] | None:
        """Return the same and the second derivatives by theta, in one pass; None if the model has no closed form."""
        by_count, by_history = model.count_curvature, history_expansion(model, many=self.many)
        if by_count is None or by_history is None:
            return None

        def block(rows: slice) -> tuple[float, Array, Array]:
            return by_history(theta, self.weight[rows], *(column[rows] for column in self.columns))

        x, customers = self.histogram
        counts = (*weighted_sum(customers, *model.count_terms(theta, x)), by_count(theta, customers, x))
        totals = (*self._of_totals(model, theta), np.zeros((len(theta), len(theta))))
        values, gradients, matrices = zip(
            totals, counts, *map_blocks(block, len(self.weight), ROWS_PER_BLOCK), strict=True
        )
        return sum(values), np.sum(gradients, axis=0), np.sum(matrices, axis=0)


def observe(model: Model, histories: Histories) -> Observations:
    """Return what `model` sees of `histories`.

    Raises
    ------
    FitError
        If nothing is left to fit.
    """
    if isinstance(model, SpendModel):
        return _spend(model, histories)
    if model.totals and not histories.has_log_waits:
        raise FitError(
            f"{model.name} needs the waits between purchases, and these histories have purchases and times alone: make"
            " them of the log, rfm_summary(log, ...); or give a column with the sum of the logs of each customer's"
            ' waits, in the unit of T: Histories.from_frame(..., statistics={"sum_of_log_waits": "log_waits"})'
        )
    observations = _transactions(model, histories)
    return replace(observations, totals=tuple(histories.total_of(name) for name in model.totals))


def _transactions(model: Model, histories: Histories) -> Observations:
    if isinstance(model, ContractModel):
        require_contracts(histories)
    elif model.statistics == TRANSACTIONS and of_contracts(histories):
        raise FitError(f"{model.name} is about purchases, and these are contracts: fit clv.SBG() or clv.BDW()")
    elif isinstance(model, TransactionModel):
        _require_its_time(model, histories)
    distinct = histories.distinct(model.statistics)
    x, _, T = distinct.rows.T[:3]
    if not np.any(x > 0):
        wanted = "renewals" if isinstance(model, ContractModel) else "repeat purchases"
        raise FitError(f"{model.name} needs {wanted}, and none of the {histories.customers:,} customers has one")
    columns = tuple(distinct.rows.T)
    if isinstance(model, TransactionModel) and model.time == "periods":
        return Observations(columns, distinct.weight, distinct.fingerprint)
    time = dot(distinct.weight, T) / float(distinct.weight.sum())
    if not 1.0 / OLDEST <= time <= OLDEST:
        raise FitError(
            f"{model.name}: the mean age of the {len(histories):,} customers must lie between {1.0 / OLDEST:g} and "
            f"{OLDEST:g} {histories.unit}s, got {time:.6g}; look at the times and the unit of the histories"
        )
    return Observations(columns, distinct.weight, distinct.fingerprint, time=time)


def _require_its_time(model: TransactionModel, histories: Histories) -> None:
    """Refuse histories in time for a model of opportunities, and the other way round.

    Raises
    ------
    FitError
        Which names the models that these histories are for.
    """
    if not histories.in_memory:
        counted = False
    else:
        known = histories.backend.fetched.statistics
        if "x" not in known or ("n" in known) == ("T" in known):
            return
        counted = "n" in known
    if counted and model.statistics == TRANSACTIONS:
        fitting = ", ".join(f"clv.{other.public_name}()" for other in PERIOD_MODELS.values())
        raise FitError(
            f"{model.name} is about purchases at any time, and these histories count opportunities to buy; fit"
            f' {fitting}, or summarise the log in time: clv.rfm_summary(log, unit="week")'
        )
    if not counted and model.time == "periods" and "n" in model.statistics:
        raise FitError(
            f"{model.name} is about opportunities to buy, one in each period, and these histories are in time; count"
            ' opportunities: clv.opportunity_summary(log, opportunity="1 year")'
        )


def _require_gain(model: SpendModel, x: Array, mean: Array, weight: Array) -> None:
    """Raise FitError if contributions are not positive on average, whether each customer counts alike or each order.

    The mean over customers is estimated between the two, by how much customers differ.
    """
    of_customers, of_orders = (dot(each, mean) / float(each.sum()) for each in (weight, weight * x))
    if max(of_customers, of_orders) <= 0.0:
        raise FitError(
            f"{model.name}: repeat orders contribute {of_orders:,.6g} each on average, and {of_customers:,.6g} on"
            " average over customers, and the model takes a positive mean: such customers are worth nothing or less;"
            " leave out what is no order (corrections, chargebacks), or fit clv.GammaGamma() to order values and state"
            " costs in clv.Assumptions(margin=..., order_cost=...)"
        )


def _spend(model: SpendModel, histories: Histories) -> Observations:
    require_order_values(model, model.statistics, histories)
    distinct = histories.distinct(model.statistics)
    customers = float(distinct.weight.sum())
    if customers < 2:
        raise FitError(
            f"{model.name} needs two customers or more with repeat purchases of "
            f"{'known' if model.signed else 'positive mean'} value, got {customers:.0f}"
            + ("" if histories.has_spend else '; name the column of values: rfm_summary(..., value="amount")')
        )
    columns = tuple(distinct.rows.T)
    money = usual_order(model, columns, distinct.weight)
    level, in_logs = columns[1], model.statistics[1] in LOGS
    ends = (money, np.abs(level).max()) if model.signed else (level.min(), level.max())
    for amount in np.exp(ends) if in_logs else ends:
        if not 1.0 / DEAREST <= amount <= DEAREST:
            raise FitError(
                f"{model.name}: mean spend must lie between {1.0 / DEAREST:g} and {DEAREST:g}, got {amount:.6g}; "
                "look at the amounts, and write them in a unit of money that suits them"
            )
    if model.signed:
        _require_gain(model, columns[0], level, distinct.weight)
    of_repeats = model.statistics[0] == "valued"  # of the same customers as their means: fits to both can be compared
    fingerprint = (histories.distinct(SPEND) if of_repeats else distinct).fingerprint
    return Observations(columns, distinct.weight, fingerprint, money=money)
