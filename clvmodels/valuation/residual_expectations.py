"""What customers are expected to do: weighted integrals over the time ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.block_draws import Rows, over_blocks
from clvmodels.inference.model_average import Transactions
from clvmodels.inference.parameters import Parameters, distinct_histories
from clvmodels.inference.path_model import PathModel
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.derived import alive, residual, residuals
from clvmodels.models.specification import TransactionModel
from clvmodels.models.stages import ConditionalOnAlive, over_stages
from clvmodels.numerics.distinct import DistinctRows, distinct_rows
from clvmodels.numerics.quadrature import Weighting
from clvmodels.numerics.skeleton import TOLERANCE, Skeleton, holds, skeleton
from clvmodels.valuation.lines import DiscountedDrivers

__all__ = ["ResidualExpectations", "ahead", "few_draws"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MEMORY: Final = 5e8
"""Bytes that interpolants may take."""
MOST_GROUPS: Final = 8
DRAWS_OF_CLOCKS: Final = 50
"""Of groups on a calendar's clock: nodes and weights of each draw take a tenth of a second."""
TIMES, NEAREST, NEGLIGIBLE = 12, 1e-3, 1e-3
"""How many times ahead are looked at, from which share of the longest on, to where money weighs less than this."""
TOLERANCE_AT_TIMES: Final = 1e-3
"""Of a value at one time, relatively: integrals over time, in which such errors have either sign, are nearer by far."""
GOLDEN: Final = 0.5 * (np.sqrt(5.0) - 1.0)
DRAWS_OF_GROUPS: Final = 200
"""Where more groups have draws of their own: the means of so many differ from those of all by a fraction of their
spread."""


@dataclass(frozen=True, eq=False)
class ResidualExpectations:
    """What customers are expected to do, at the estimate of their parameters, or on average over their draws.

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
    by_model
        Of models averaged, the same under each of them.
    few
        The draws that they were computed under, of each group that has its own; empty without draws.
    """

    distinct: DistinctRows
    alive: Array
    purchases: Array
    living_years: Array
    place: Index | None = None
    by_model: tuple[ResidualExpectations, ...] = ()
    few: tuple[Skeleton, ...] = ()

    @property
    def index(self) -> Index:
        """For each of the rows its distinct history."""
        return self.distinct.index if self.place is None else self.place

    def drivers(
        self, discounted: int, grown: int, Z: Array, K: float | Array, early: tuple[int, float] | None = None
    ) -> DiscountedDrivers:
        """Return what lines multiply, for each of the rows.

        Parameters
        ----------
        discounted, grown
            The numbers of two weightings: the discount factors, and the same with the growth of order values.
        Z
            Expected value of an order, shape (rows,).
        K
            Discounted time within the horizon, in years.
        early
            The number of the weighting of early orders, and the force with which they count less with tenure.
        """
        orders, living_years = self.purchases[:, discounted], self.living_years[:, discounted]
        D, L, G = (expected[self.index] for expected in (orders, living_years, self.purchases[:, grown]))
        return DiscountedDrivers(D, L, Z, G, K, 0.0 if early is None else self.early(*early)[self.index])

    def early(self, weighting: int, force: float) -> Array:
        """Return early orders, shape (distinct histories,): a customer's tenure now counts before what is ahead."""
        return np.asarray(self.purchases[:, weighting] * np.exp(-force * self.distinct.rows[:, 2]))


def ahead(
    transactions: Transactions,
    histories: Histories,
    weightings: Sequence[Weighting],
    year: float,
    known: ResidualExpectations | None = None,
) -> ResidualExpectations:
    """Return what customers are expected to do, by distinct history under the same parameters.

    Of a fit with draws, these are means over the draws; of several models, means over the models with their weights.

    Parameters
    ----------
    transactions
        The fit of transactions, or several averaged.
    histories
        The customers.
    weightings
        The factors to integrate with, such as discount factors.
    year
        The length of a year in the unit of the fit.
    known
        The same of these customers with other factors: its few draws serve here too, if they hold.
    """
    several = () if known is None else known.by_model or (known,)
    few = [each.few for each in several] or [()] * len(transactions.fits)
    by_model = tuple(
        _of_fit(fit, histories, weightings, year, draws) for fit, draws in zip(transactions.fits, few, strict=True)
    )
    if len(by_model) == 1:
        return by_model[0]
    weights = np.array(transactions.weights)
    now, purchases, living_years = (
        np.tensordot(weights, np.stack([getattr(each, name) for each in by_model]), axes=1)
        for name in ("alive", "purchases", "living_years")
    )
    return ResidualExpectations(by_model[0].distinct, now, purchases, living_years, by_model=by_model)


def _of_fit(
    fit: TransactionFit, histories: Histories, weightings: Sequence[Weighting], year: float, known: tuple[Skeleton, ...]
) -> ResidualExpectations:
    fit = fit.of_customers(histories)
    model = fit.model
    distinct, parameters = distinct_histories(model, fit.parameters(histories), histories)
    if parameters.number == 1 or not len(distinct.rows):
        theta, group = parameters.estimate, parameters.group
        x, t_x, T = np.ascontiguousarray(distinct.rows[:, :3].T)
        now = alive(model, theta, x, t_x, T, group)
        given_alive = residual(model, theta, x, T, weightings, group, t_x=t_x)
        purchases, living = (now[:, None] * part for part in given_alive)
        return ResidualExpectations(distinct, now, purchases, living / year)
    if max(weighting.end for weighting in weightings) == 0.0:
        zeros = np.zeros((len(distinct.rows), len(weightings)))
        return ResidualExpectations(distinct, _alive_alone(model, parameters, distinct), zeros, zeros.copy(), few=known)
    now, both = np.empty(len(distinct.rows)), np.empty((2, len(distinct.rows), len(weightings)))
    few = []
    for number, part in enumerate(_parts(model, parameters, distinct)):
        draws = few_draws(model, part.parameters, part.distinct, weightings, known[number] if known else None)
        means = _means_over_draws(model, part.parameters, part.distinct, weightings, draws)
        now[part.rows], both[0][part.rows], both[1][part.rows] = (mean[part.place] for mean in means)
        few.append(draws)
    return ResidualExpectations(distinct, now, both[0], both[1] / year, few=tuple(few))


@dataclass(frozen=True, eq=False)
class _Part:
    """Some of the rows, with their parameters and distinct histories as if there were no others.

    Attributes
    ----------
    rows
        Which they are.
    parameters, distinct
        Theirs.
    place
        For each of them its distinct history.
    """

    rows: Index | slice
    parameters: Parameters
    distinct: DistinctRows
    place: Index | slice


def _parts(model: TransactionModel, parameters: Parameters, distinct: DistinctRows) -> Iterator[_Part]:
    """Yield the rows of each of a few groups; many groups stay together, with some of the draws.

    So do customers on their own paths, and groups on a calendar's clock, which is another one under each draw: each
    needs weights of its own, which groups share.
    """
    every, group, clocked = slice(None), parameters.group, model.reading is not None
    if group is None and not isinstance(model, PathModel):
        yield _Part(every, parameters, distinct, every)
    elif group is None or clocked or parameters.groups > MOST_GROUPS:
        number = min(parameters.number, DRAWS_OF_CLOCKS if clocked else DRAWS_OF_GROUPS)
        which = np.linspace(0, parameters.number - 1, number).round().astype(np.int64)
        yield _Part(every, parameters.of_draws(which), distinct, every)
    else:
        for which_group in np.unique(group).tolist():
            rows = np.flatnonzero(group == which_group)
            own = parameters.of_one(which_group)
            of_group = distinct_rows(*distinct.rows[rows, :3].T, with_order=True)
            yield _Part(rows, own, of_group, of_group.index)


def _means_over_draws(
    model: TransactionModel,
    parameters: Parameters,
    distinct: DistinctRows,
    weightings: Sequence[Weighting],
    few: Skeleton,
) -> tuple[Array, Array, Array]:
    """Return the means over the draws of P(alive), and of it times what is expected of those alive."""
    count = len(weightings)
    drawn, share = parameters.of_draws(few.chosen), few.mean
    now, both = np.empty(len(distinct.rows)), np.empty((len(distinct.rows), 2 * count))

    def keep(rows: Rows, alive_now: Array, future: Array) -> None:
        now[rows] = alive_now @ share
        both[rows] = np.einsum("ij,ijk->ik", alive_now * share, future)

    x, T = np.ascontiguousarray(distinct.rows[:, [0, 2]].T)
    given = residuals(model, drawn.draws, x, T, weightings, drawn.group)
    over_blocks(model, drawn, distinct, given, keep, memory=MEMORY / count, width=2 * count * drawn.number)
    return now, both[:, :count], both[:, count:]


def few_draws(
    model: TransactionModel,
    parameters: Parameters,
    distinct: DistinctRows,
    weightings: Sequence[Weighting],
    known: Skeleton | None = None,
) -> Skeleton:
    """Return a skeleton of the draws for what is asked of these customers: one that is known, if it holds.

    Where groups have draws of their own, these have no skeleton in common: it is all draws.
    """
    x, t_x, T = np.ascontiguousarray(distinct.rows[:, :3].T)
    if parameters.group is not None:
        return Skeleton.whole(parameters.number)
    clocked = model.reading is not None and not isinstance(model, PathModel)
    given = _at_times(model, weightings) if clocked else residuals(model, parameters.draws, x, T, weightings)

    def values(rows: Index) -> Array:
        theta = parameters.theta(rows)
        history = x[rows, None], t_x[rows, None], T[rows, None]
        alive_now = model.p_alive(theta, *history)[..., None]
        future = over_stages(model, theta, *history, given(theta, x[rows], T[rows]))
        return np.concatenate([alive_now, alive_now * future], axis=-1)

    tolerance = TOLERANCE_AT_TIMES if clocked else TOLERANCE
    if known is not None and holds(known, values, len(x), tolerance=tolerance):
        return known
    return skeleton(values, len(x), parameters.number, tolerance=tolerance)


def _at_times(model: TransactionModel, weightings: Sequence[Weighting]) -> ConditionalOnAlive:
    """Return the function that gives survival and intensity at some times ahead, of customers on a calendar's clock.

    Where draws are combinations of a few at every time, their integrals over time are so too, whatever the weights,
    which take much longer. The times of a customer lie elsewhere than those of the next one, so that every season is
    met at many distances.
    """
    end = max(weighting.end for weighting in weightings)
    times = end * np.geomspace(NEAREST, 1.0, TIMES + 1)
    counts = [np.flatnonzero(weighting.factor(times) > NEGLIGIBLE) for weighting in weightings]
    cuts = np.geomspace(times[0], times[max(int(each.max(initial=1)) for each in counts)], TIMES + 1)

    def given(theta: Array, x: Array, T: Array) -> Array:
        share = np.modf(GOLDEN * np.arange(len(x)))[0]
        ahead = cuts[:-1] + np.diff(cuts) * share[:, None, None]
        survival, intensity = model.future(theta[..., None, :], x[:, None, None], T[:, None, None], ahead)
        return np.concatenate([survival, intensity], axis=-1)

    return given


def _alive_alone(model: TransactionModel, parameters: Parameters, distinct: DistinctRows) -> Array:
    now = np.empty(len(distinct.rows))

    def keep(rows: Rows, alive_now: Array, _: Array) -> None:
        now[rows] = alive_now.mean(axis=1)

    over_blocks(model, parameters, distinct, None, keep, memory=MEMORY)
    return now
