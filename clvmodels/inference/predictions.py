"""Predictions by customer.

They are computed once a distinct history and parameter draw, in blocks of histories; the draws are summarised, or the
customers summed, within the block, and what is left is joined back to the table of histories. A point estimate is one
draw. Blocks do not depend on the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.arguments import require_flag, require_memory, require_seed
from clvmodels.data.engine import EngineTable
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_customers, require_histories
from clvmodels.data.statistics import MEAN_OF, SPEND, TRANSACTIONS
from clvmodels.errors import FitError
from clvmodels.inference.block_draws import BlockDraws, Rows, order_answers, simulated_counts, spend_answers
from clvmodels.inference.estimands import Estimand
from clvmodels.inference.parameters import Parameters
from clvmodels.inference.protocols import Fitted
from clvmodels.models.specification import Array, SpendModel, TransactionModel
from clvmodels.numerics.threads import take

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = [
    "Prediction",
    "linear_spend",
    "predict",
    "predict_spend",
    "require_no_draws",
    "spend_line",
    "spend_table",
    "summarise",
    "summary",
]

COLUMNS: Final = ("mean", "sd", "q05", "q50", "q95")
QUANTILES: Final = (0.05, 0.50, 0.95)


def summarise(values: Array) -> Array:
    """Return mean, sd and quantiles of rows of draws, shape (rows, 5), or the one draw; `values` are sorted in place.

    Quantiles lie on the straight line between the draws next to them, as in `numpy.quantile`.

    Examples
    --------
    >>> summarise(np.array([[3.0, 1.0, 2.0]])).round(2)
    array([[2. , 1. , 1.1, 2. , 2.9]])
    """
    draws = values.shape[1]
    if draws == 1:
        return values
    result = np.empty((len(values), len(COLUMNS)))
    result[:, 0] = values.mean(axis=1)
    result[:, 1] = values.std(axis=1, ddof=1)
    values.sort(axis=1)
    for column, share in enumerate(QUANTILES, start=2):
        below = int(share * (draws - 1))
        beyond = share * (draws - 1) - below
        result[:, column] = values[:, below]
        result[:, column] += beyond * (values[:, min(below + 1, draws - 1)] - values[:, below])
    return result


def summary(values: Array) -> pd.Series:
    """Return mean (and sd and quantiles if there is more than one) of the draws of one number, shape (draws,)."""
    import pandas as pd

    numbers = summarise(np.array(values, dtype=float)[None])[0]
    return pd.Series(numbers, index=list(COLUMNS[: len(numbers)]))


@dataclass(frozen=True, eq=False)
class Prediction:
    """A question put to a fit about customers; made by `predict` and `predict_spend`.

    Attributes
    ----------
    histories
        The customers.
    parameters, answers
        Their parameters, and the answers.
    chains
        Number of chains that the draws come from.
    memory
        Bytes that draws may take.
    model
        Of transactions; None for one of spend.
    expected
        What simulated answers are one realisation of; None if the answers are expectations.
    """

    histories: Histories
    parameters: Parameters
    answers: BlockDraws
    chains: int
    memory: float
    model: TransactionModel | None = None
    expected: Prediction | None = None

    def simulated(self, t: float, seed: int | None) -> Prediction:
        """Return what customers will really do in place of what is expected of them: purchases in (T, T + t]."""
        assert self.model is not None
        require_seed(seed, FitError)
        require_customers(self.histories, "process=True")
        (sequence,) = np.random.SeedSequence(seed).spawn(1)
        counts = simulated_counts(self.model, self.parameters, self.histories, t, sequence)
        return replace(self, answers=counts, expected=self)

    def to_frame(
        self, name: str, *, return_draws: bool, as_table: bool = False
    ) -> pd.DataFrame | xr.DataArray | EngineTable:
        """Return a table by customer, the draws, or a table of the engine that the customers lie in."""
        require_flag("return_draws", return_draws, FitError)
        if require_flag("as_table", as_table, FitError):
            require_no_draws(return_draws=return_draws)
            return self.engine_table()
        return self.to_draws(name) if return_draws else self.table()

    def engine_table(self) -> EngineTable:
        """Return a table of the engine that the customers lie in, summarised over draws.

        Raises
        ------
        FitError
            If the answers are not known by distinct history.
        """
        if self.expected is not None or self.parameters.group is not None:
            raise FitError(
                "as_table=True joins what is known of distinct histories: it goes neither with process=True nor with a "
                "fit by segment or with covariates; ask one segment, fit.segment(...), or one kind of customers, "
                "fit.at(...)"
            )
        table = _summarised_rows(self.answers)
        columns = {name: np.ascontiguousarray(table[:, k]) for k, name in enumerate(COLUMNS[: table.shape[1]])}
        assert self.model is not None
        return self.histories.joined(columns, self.model.statistics)

    def table(self) -> pd.DataFrame:
        """Return a table by customer, summarised over draws."""
        import pandas as pd

        index = self.histories.customer_id
        table = _summarised(self.answers)
        if self.expected is not None:
            table[:, 0] = self.expected.table()["mean"]
        return pd.DataFrame(table, index=index, columns=list(COLUMNS[: table.shape[1]]))

    def to_draws(self, name: str) -> xr.DataArray:
        """Return the draws, dimensions (chain, draw, customer_id); refuse if they take too much memory."""
        import xarray as xr

        histories = self.histories
        draws, customers = self.answers.draws, len(histories)
        self._require_memory(draws, customers)
        values = _drawn(self.answers).T.reshape(self.chains, draws // self.chains, customers)
        coords = {
            "chain": np.arange(self.chains),
            "draw": np.arange(draws // self.chains),
            "customer_id": histories.customer_id.to_numpy(),
        }
        return xr.DataArray(values, coords, ("chain", "draw", "customer_id"), name=name)

    def total(self) -> pd.Series:
        """Return mean (and sd and quantiles) of the sum over customers, who are summed within each draw."""
        numbers = summary(_total(self.answers))
        if self.expected is not None:
            numbers["mean"] = self.expected.total()["mean"]
        return numbers

    def _require_memory(self, draws: int, customers: int) -> None:
        copied = 0 if self.answers.index is None else self.answers.rows
        need = 8.0 * draws * (customers + copied)
        if need > self.memory:
            raise FitError(
                f"{draws:,} draws of {customers:,} customers take {need / 1e9:.2g} GB, and memory_gb is "
                f"{self.memory / 1e9:.2g}; select customers with rfm.select(...), thin the draws with "
                "fit.thinned(10), ask for the table of quantiles, or raise memory_gb"
            )


def predict(
    fit: Fitted[TransactionModel], histories: Histories, question: Estimand, memory_gb: float = 1.0
) -> Prediction:
    """Put a question to a fit of transactions; nothing is computed yet."""
    require_histories(histories)
    parameters, memory = fit.parameters(histories), require_memory(memory_gb, FitError)
    answers = order_answers(fit.model, parameters, histories, question, memory)
    return Prediction(histories, parameters, answers, len(fit.theta), memory, fit.model)


def predict_spend(fit: Fitted[SpendModel], histories: Histories, memory_gb: float = 1.0) -> Prediction:
    """Ask a fit of spend for the expected values of orders."""
    parameters, memory = fit.parameters(histories), require_memory(memory_gb, FitError)
    answers = spend_answers(fit.model, parameters, histories)
    return Prediction(histories, parameters, answers, len(fit.theta), memory)


def require_no_draws(*, return_draws: bool) -> None:
    """Refuse to return draws as a table of an engine.

    Raises
    ------
    FitError
        If draws are asked for.
    """
    if return_draws:
        raise FitError("as_table=True returns a table of summaries, and return_draws=True draws; ask for one of them")


def spend_table(fit: Fitted[SpendModel], histories: Histories) -> EngineTable:
    """Return the expected value of an order by customer, averaged over the draws, as a table of the engine."""
    if fit.by is not None or fit.covariates is not None:
        raise FitError(
            "as_table=True does not go with a fit by segment or with covariates; ask one segment, fit.segment(...), or "
            "one kind of customers, fit.at(...)"
        )
    unknown, line = linear_spend(fit.model, fit.draws, histories.distinct(TRANSACTIONS).rows[:, 0])
    return histories.backend.joined_spend(line[0], line[1], unknown)


def linear_spend(model: SpendModel, theta: Array, x: Array) -> tuple[float, Array]:
    """Return the expected value of an order where no value is known, and as intercept + slope * mean value where it is.

    Parameters
    ----------
    model
        The model of spend.
    theta
        Draws of its parameters, shape (draws, parameters); the answers are means over them.
    x
        Repeat purchases, shape (n,).

    Returns
    -------
    tuple
        A number, and an array of shape (2, n); zero where x is.

    Raises
    ------
    FitError
        If the model is not linear in the mean value.
    """
    line = spend_line(model, theta, x) if model.state == SPEND else None
    if line is None:
        raise FitError(
            f"{model.name} is not linear in the mean value of a customer's orders, so that an engine cannot sum over "
            "customers; write rfm.collect()"
        )
    return line


def spend_line(model: SpendModel, theta: Array, orders: Array) -> tuple[float, Array] | None:
    """Return what `linear_spend` does, for numbers of those orders that the model predicts from, shape (n,).

    None if the model is not linear in the mean value of these orders.
    """
    if MEAN_OF.get(model.state[0]) != model.state[1]:
        return None
    counts, index = np.unique(orders, return_inverse=True)
    nobody = np.zeros(1)
    unknown = float(model.expected_spend(theta, nobody, nobody).mean())
    at = [model.expected_spend(theta, counts[:, None], np.array(k * unknown)).mean(axis=1) for k in range(3)]
    if not np.allclose(at[2] - at[1], at[1] - at[0], rtol=1e-9, atol=1e-9 * unknown):
        return None
    slope = (at[1] - at[0]) / unknown
    return unknown, np.where(counts > 0.0, [at[0], slope], 0.0)[:, index]


def _summarised_rows(answers: BlockDraws) -> Array:
    """Return the summaries by row, shape (rows, columns)."""
    table = np.empty((answers.rows, len(COLUMNS) if answers.draws > 1 else 1))

    def use(rows: Rows, values: Array) -> None:
        table[rows] = summarise(values)

    answers.blocks(use)
    return table


def _summarised(answers: BlockDraws) -> Array:
    table = _summarised_rows(answers)
    return table if answers.index is None else take(table, answers.index())


def _drawn(answers: BlockDraws) -> Array:
    values = np.empty((answers.rows, answers.draws))

    def use(rows: Rows, block: Array) -> None:
        values[rows] = block

    answers.blocks(use)
    return values if answers.index is None else take(values, answers.index())


def _total(answers: BlockDraws) -> Array:
    def use(rows: Rows, values: Array) -> Array:
        weight = np.ones(len(values)) if answers.weight is None else answers.weight[rows]
        return np.asarray(np.einsum("i,ij->j", weight, values))

    sums = [part for part in answers.blocks(use) if part is not None]
    return np.asarray(np.sum([np.zeros(answers.draws), *sums], axis=0))
