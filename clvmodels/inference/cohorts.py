"""Customers by when they first bought: who of them is still one, and what they will buy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged
from clvmodels.data.moments import end_of
from clvmodels.errors import DataError
from clvmodels.inference.parameters import distinct_histories
from clvmodels.models.no_purchase import no_purchase
from clvmodels.models.specification import Array, TransactionModel
from clvmodels.numerics.threads import map_blocks
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.inference.predictions import Prediction
    from clvmodels.inference.protocols import Fitted

__all__ = ["Cohorts", "cohorts_of", "p_alive_at", "sums_by_cohort", "survival_by_cohort", "with_bands"]

PERIODS: Final = {"month": "M", "quarter": "Q", "year": "Y"}
BAND: Final = (0.05, 0.95)
MOST_DRAWS: Final = 200
"""Of more draws, so many at even distances: the ends of a band are then known to a tenth of its width."""
NUMBERS_PER_BLOCK: Final = 1 << 16


@dataclass(frozen=True, eq=False)
class Cohorts:
    """The cohorts of customers.

    Attributes
    ----------
    names
        In the order of time, or of the alphabet, shape (cohorts,).
    code
        The number of each customer's cohort, shape (customers,).
    """

    names: pd.Index
    code: NDArray[np.int64]


def cohorts_of(histories: Histories, by: str) -> Cohorts:
    """Return customers by the month, quarter or year of their first purchase, or by an attribute.

    Raises
    ------
    DataError
        If the histories do not say when observation ended; or there is no such attribute, or it is missing for some.

    Examples
    --------
    >>> cohorts_of(rfm, "segment").code.tolist()
    [0, 1, 1]
    """
    import pandas as pd

    if by in PERIODS:
        if histories.observation_end is None:
            raise DataError(
                "cohorts by month need to know when observation ended: make the histories with rfm_summary, or write"
                ' Histories.from_frame(..., observation_end="2024-12-31")'
            )
        age = np.round(histories.T * DAYS[histories.unit] * 86_400.0).astype("timedelta64[s]")
        first = pd.DatetimeIndex(end_of(histories.observation_end).astype("datetime64[s]") - age)
        values: object = first.to_period(PERIODS[by])
    elif by in histories.attributes.columns:
        values = histories.attributes[by]
    else:
        known = ", ".join([*PERIODS, *map(str, histories.attributes.columns)])
        raise DataError(f"cohorts are by one of {known}; got {abridged(by)}")
    code, names = pd.factorize(values, sort=True)  # type: ignore[call-overload]
    if (code < 0).any():
        raise DataError(f"{by} is missing for {int((code < 0).sum()):,} customers; fill it in, or leave them out")
    return Cohorts(pd.Index(np.asarray(names).astype(str), name="cohort"), np.asarray(code, np.int64))


def _weights(cohorts: Cohorts, histories: Histories, index: NDArray[np.int64], rows: int) -> Array:
    """Return how many customers of each cohort have each distinct history, shape (cohorts, rows)."""
    number = np.ones(len(index)) if histories.weight is None else histories.weight
    flat = np.bincount(cohorts.code * rows + index, number, minlength=len(cohorts.names) * rows)
    return flat.reshape(len(cohorts.names), rows).astype(float)


def sums_by_cohort(prediction: Prediction, cohorts: Cohorts) -> Array:
    """Return the sums of a prediction over the customers of each cohort under each draw, shape (cohorts, draws)."""
    answers = prediction.answers
    index = np.arange(answers.rows) if answers.index is None else answers.index()
    weight = _weights(cohorts, prediction.histories, index, answers.rows)

    def add(rows: NDArray[np.int64] | slice, values: Array) -> Array:
        return np.asarray(np.einsum("ck,kd->cd", weight[:, rows], values))

    parts = [part for part in answers.blocks(add) if part is not None]
    return np.asarray(np.sum([np.zeros((len(weight), answers.draws)), *parts], axis=0))


def p_alive_at(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array, age: Array) -> Array:
    """Return P(alive at an age | x, t_x, T), for an age at which they were observed already.

    Until the last purchase it is one. After it, who has left by then is silent until T for sure: with what was known
    then, P(left by then | T) = (1 - P(alive then)) / P(no purchase from then to T).

    Parameters
    ----------
    model, theta
        The model and its parameters, the last axis over the parameters.
    x, t_x, T, age
        Histories and an age of at most T; they and the other axes of theta broadcast.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> model = MODELS["pareto_nbd"]
    >>> theta, (x, t_x, T) = model.theta(model.example), np.array([[2.0], [30.43], [38.86]])
    >>> ages = np.array([20.0, 32.0, 36.0, 38.86])
    >>> p_alive_at(model, theta, x, t_x, T, ages).round(3), model.p_alive(theta, x, t_x, T).round(3)
    (array([1.   , 0.967, 0.903, 0.869]), array([0.869]))
    """
    then = np.maximum(age, t_x)
    left = (1.0 - model.p_alive(theta, x, t_x, then)) / no_purchase(model, theta, x, t_x, then, T - then)
    return np.where(age < t_x, 1.0, np.clip(1.0 - left, 0.0, 1.0))


def survival_by_cohort(
    fit: Fitted[TransactionModel], histories: Histories, cohorts: Cohorts, ages: Array
) -> tuple[Array, Array]:
    """Return how many customers of each cohort were observed at each age, and how many of them were alive then.

    Returns
    -------
    customers, alive
        Shapes (cohorts, ages) and (cohorts, ages, draws).
    """
    model, parameters = fit.model, fit.parameters(histories)
    distinct, of_rows = distinct_histories(model, parameters, histories)
    x, t_x, T = np.ascontiguousarray(distinct.rows[:, :3].T)
    number = min(of_rows.number, MOST_DRAWS)
    of_rows = of_rows.of_draws(np.linspace(0, of_rows.number - 1, number).round().astype(np.int64))
    weight = _weights(cohorts, histories, distinct.index, len(x))
    reached = np.floor(ages) if model.time == "periods" else ages

    def block(rows: slice) -> Array:
        theta, sums = of_rows.theta(rows), np.zeros((len(weight), len(ages), number))
        for k, age in enumerate(reached.tolist()):
            then = np.minimum(age, T[rows, None])
            alive = p_alive_at(model, theta, x[rows, None], t_x[rows, None], T[rows, None], then)
            reaching = weight[:, rows] * (T[rows] >= age)
            sums[:, k] = np.einsum("ck,kd->cd", reaching, np.broadcast_to(alive, (len(then), number)))
        return sums

    blocks = map_blocks(block, len(x), max(NUMBERS_PER_BLOCK // number, 1))
    customers = weight @ (T[:, None] >= reached)
    return customers, np.asarray(np.sum([np.zeros((len(weight), len(ages), number)), *blocks], axis=0))


def with_bands(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Return the means of draws, on the last axis, and where there are several the ends of their bands."""
    table: dict[str, Array] = {}
    for name, draws in columns.items():
        table[name] = draws.mean(axis=-1)
        if draws.shape[-1] > 1:
            table[f"{name}_low"], table[f"{name}_high"] = np.quantile(draws, BAND, axis=-1)
    return table
