"""Numbers by row and draw, computed in blocks of rows, in threads; blocks do not depend on the number of threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.estimands import Estimand
from clvmodels.inference.parameters import Parameters, columns_of, distinct_histories
from clvmodels.inference.spend_state import spend_state
from clvmodels.models.derived import interpolate_over_age
from clvmodels.models.simulation import future_counts
from clvmodels.models.specification import Array, SpendModel, TransactionModel
from clvmodels.models.stages import ConditionalOnAlive, over_stages
from clvmodels.numerics.distinct import DistinctRows, distinct_rows
from clvmodels.numerics.interpolate import AgeInterpolant, spans
from clvmodels.numerics.interpolate_readings import ReadingInterpolant
from clvmodels.numerics.threads import map_blocks

__all__ = ["BlockDraws", "Reducer", "Rows", "order_answers", "over_blocks", "simulated_counts", "spend_answers"]

Rows = NDArray[np.int64] | slice
Reducer = Callable[[Rows, Array], Array | None]
"""``(rows, values)``: takes the values of some rows, shape (rows, draws), which it may overwrite."""

NUMBERS_PER_BLOCK: Final = 1 << 16
"""Rows times draws evaluated at a time by each thread."""
SIMULATED_FUTURES: Final = 1_000
"""Futures simulated of each customer where the fit is a point estimate."""
COPIES: Final = 4.0
"""Of the draws of groups, while they are made and used."""
BYTES_PER_POINT: Final = 64
"""Of an interpolant, a draw: two outputs, and copies of them while it is made."""


@dataclass(frozen=True)
class BlockDraws:
    """Numbers by row and draw, computed in blocks when somebody asks.

    Attributes
    ----------
    rows, draws
        How many there are.
    weight
        Number of customers that each row stands for, shape (rows,); None: one each.
    index
        Returns the row of each customer; None: the rows are the customers.
    blocks
        Calls a `Reducer` for all rows, block by block, in threads, and returns its results in the order of the blocks.
    """

    rows: int
    draws: int
    weight: Array | None
    index: Callable[[], NDArray[np.int64]] | None
    blocks: Callable[[Reducer], list[Array | None]]


def order_answers(
    model: TransactionModel, parameters: Parameters, histories: Histories, question: Estimand, memory: float
) -> BlockDraws:
    """Return the answers to a question, by distinct history under the same parameters; memory in bytes."""
    distinct, of_rows = distinct_histories(model, parameters, histories)

    def blocks(use: Reducer) -> list[Array | None]:
        def tell(rows: Rows, alive: Array, future: Array) -> Array | None:
            return use(rows, question.answer(alive, future))

        return over_blocks(model, of_rows, distinct, question.given, tell, memory=memory)

    return BlockDraws(len(distinct.rows), parameters.number, distinct.weight, lambda: distinct.index, blocks)


def simulated_counts(
    model: TransactionModel, parameters: Parameters, histories: Histories, t: float, seed: np.random.SeedSequence
) -> BlockDraws:
    """Return simulated numbers of purchases in (T, T + t], by customer."""
    futures = parameters
    if parameters.number == 1:
        futures = parameters.of_draws(np.zeros(SIMULATED_FUTURES, np.int64))
    columns = [column[:, None] for column in columns_of(model, histories)]
    size = max(NUMBERS_PER_BLOCK // futures.number, 1)

    def blocks(use: Reducer) -> list[Array | None]:
        def block(rows: slice) -> Array | None:
            generator = np.random.default_rng(
                np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, rows.start))
            )
            x, t_x, T = (column[rows] for column in columns)
            return use(rows, future_counts(model, futures.theta(rows), x, t_x, T, np.asarray(t), generator))

        return map_blocks(block, len(columns[0]), size)

    return BlockDraws(len(columns[0]), futures.number, None, None, blocks)


def spend_answers(model: SpendModel, parameters: Parameters, histories: Histories) -> BlockDraws:
    """Return expected values of an order, by customer."""
    x, spend = (column[:, None] for column in spend_state(model, histories))
    size = max(NUMBERS_PER_BLOCK // parameters.number, 1)

    def blocks(use: Reducer) -> list[Array | None]:
        def block(rows: slice) -> Array | None:
            return use(rows, model.expected_spend(parameters.theta(rows), x[rows], spend[rows]))

        return map_blocks(block, len(x), size)

    return BlockDraws(len(x), parameters.number, None, None, blocks)


def over_blocks[R](
    model: TransactionModel,
    parameters: Parameters,
    distinct: DistinctRows,
    given: ConditionalOnAlive | None,
    use: Callable[[Rows, Array, Array], R],
    *,
    memory: float,
    width: int | None = None,
) -> list[R]:
    """Call ``use`` for all rows in blocks, in threads, and return its results.

    Parameters
    ----------
    model, parameters
        The model, and the parameters of the rows.
    distinct
        The rows: x, t_x and T, and what else tells them apart.
    given
        What has to be known of customers who are alive; None if nothing.
    use
        ``(rows, alive, future)``: takes P(alive) of some rows, shape (rows, draws), and `given`, shape
        (rows, draws, outputs); an empty array if there is no `given`.
    memory
        Bytes that interpolants may take.
    width
        How many numbers `use` makes of a row; None: as many as there are draws.
    """
    if parameters.shifts is not None:
        return _by_parts(model, parameters, distinct, given, use, memory=memory, width=width)
    x, t_x, T = distinct.rows[:, :3].T
    size = max(NUMBERS_PER_BLOCK // (width or parameters.number), 1)
    if given is None:

        def block(rows: slice) -> R:
            alive = model.p_alive(parameters.theta(rows), x[rows, None], t_x[rows, None], T[rows, None])
            return use(rows, alive, np.empty(0))

        return map_blocks(block, len(x), size)
    pairs = (
        distinct.by(0, 2) if parameters.group is None else distinct_rows(*parameters.columns(), x, T, with_order=True)
    )
    ends = np.concatenate(([0], np.cumsum(pairs.weight))).astype(np.int64)
    *columns, counts, ages = np.ascontiguousarray(pairs.rows.T)
    group = parameters.of_groups(np.array(columns)).group
    curves = counts if group is None else group * (counts.max(initial=0.0) + 1.0) + counts
    results: list[R] = []
    for span in spans(curves, int(memory / (BYTES_PER_POINT * parameters.number))):
        of_span = None if group is None else group[span]
        prepared = interpolate_over_age(given, model, parameters.draws, counts[span], ages[span], of_span)
        part = _Span(
            model,
            parameters,
            prepared,
            counts[span],
            t_x,
            pairs.order[ends[span.start] :],
            ends[span.start : span.stop + 1],
        )
        results += map_blocks(lambda rows, part=part: part.tell(use, rows), part.rows, size)  # type: ignore[misc]
    return results


def _by_parts[R](
    model: TransactionModel,
    parameters: Parameters,
    distinct: DistinctRows,
    given: ConditionalOnAlive | None,
    use: Callable[[Rows, Array, Array], R],
    *,
    memory: float,
    width: int | None,
) -> list[R]:
    """Do what `over_blocks` does for some groups after others, with the draws of these at hand."""
    results: list[R] = []
    for rows, part in parameters.parts(memory / COPIES):
        own = DistinctRows(distinct.rows[rows], distinct.weight[rows])

        def use_part(chosen: Rows, alive: Array, future: Array, rows: Rows = rows) -> R:
            return use(rows[chosen] if isinstance(rows, np.ndarray) else chosen, alive, future)

        results += over_blocks(model, part, own, given, use_part, memory=memory, width=width)
    return results


@dataclass(frozen=True, eq=False)
class _Span:
    """Rows sorted by group and x, then T, whose interpolants are held together.

    Attributes
    ----------
    parameters
        Of all rows.
    prepared
        What is known of customers who are alive, by pair (x, T).
    x
        Of the pairs.
    t_x
        Of all rows.
    order
        The rows in the order of the pairs.
    ends
        Where the rows of each pair begin in the order of all pairs, and their end; shape (pairs + 1,).
    """

    model: TransactionModel
    parameters: Parameters
    prepared: AgeInterpolant | ReadingInterpolant
    x: Array
    t_x: Array
    order: NDArray[np.int64]
    ends: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Their number."""
        return int(self.ends[-1] - self.ends[0])

    def tell[R](self, use: Callable[[Rows, Array, Array], R], block: slice) -> R:
        """Call ``use`` for a block of rows."""
        ends = self.ends - self.ends[0]
        low = int(np.searchsorted(ends, block.start, "right")) - 1
        high = int(np.searchsorted(ends, block.stop, "left"))
        pair = np.repeat(np.arange(high - low), np.diff(np.clip(ends[low : high + 1], block.start, block.stop)))
        rows = self.order[block]
        x, T = (column[low:high][pair, None] for column in (self.x, self.prepared.T))
        theta, history = self.parameters.theta(rows), (x, self.t_x[rows, None], T)
        future = over_stages(self.model, theta, *history, self.prepared.at(slice(low, high))[pair])
        return use(rows, self.model.p_alive(theta, *history), future)
