"""What customers do together in the time ahead: draws of their orders and revenue by period.

A total varies for two reasons: nobody knows the parameters, and under given parameters customers buy by chance. One
future is simulated under each draw of the parameters, so that quantiles of the totals hold both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from clvmodels.arguments import abridged, as_number
from clvmodels.errors import FitError
from clvmodels.inference.fit import Fit
from clvmodels.inference.parameters import columns_of
from clvmodels.inference.spend_state import spend_state
from clvmodels.models.simulation import drawn_stages, simulated
from clvmodels.numerics.threads import map_blocks

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from clvmodels.data.histories import Histories
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array, Events, TransactionModel

__all__ = ["Story", "Totals", "Uncertain", "aic_weights", "drawn_totals", "named_weights", "shares_of_draws"]

type Uncertain = Literal["process", "process and parameters", "process, parameters and models"]

DRAWS: Final = 400
"""Futures simulated: an end of a 90 % interval is then known to a tenth of a standard deviation."""
MOST_CUSTOMERS: Final = 4_000
"""Of more customers, as many are simulated, evenly picked in the order of what is expected of them."""
DRAWS_AT_A_TIME: Final = 8
MEMORY_GB: Final = 1e9
"""No limit: what draws take is bounded by their number and that of the customers."""


@dataclass(frozen=True, eq=False)
class Totals:
    """Draws of what customers do together by period.

    Attributes
    ----------
    orders, revenue
        Shape (draws, periods); revenue is NaN without a model of spend.
    expected_orders, expected_revenue
        The means, without the noise of the simulation; shape (periods,).
    includes
        What the draws vary by.
    """

    orders: Array
    revenue: Array
    expected_orders: Array
    expected_revenue: Array
    includes: Uncertain

    def orders_between(self, level: float = 0.90) -> tuple[Array, Array]:
        """Return the central interval of orders by period."""
        return _between(self.orders, level)

    def revenue_between(self, level: float = 0.90) -> tuple[Array, Array]:
        """Return the central interval of revenue by period."""
        return _between(self.revenue, level)

    def summed(self) -> Totals:
        """Return the totals of all periods together."""
        return Totals(
            self.orders.sum(axis=1, keepdims=True),
            self.revenue.sum(axis=1, keepdims=True),
            self.expected_orders.sum(keepdims=True),
            self.expected_revenue.sum(keepdims=True),
            self.includes,
        )


def _between(draws: Array, level: float) -> tuple[Array, Array]:
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    return low, high


def aic_weights(fits: Mapping[str, TransactionFit]) -> dict[str, float]:
    """Return the weights of models fitted to the same histories, proportional to exp(-AIC / 2).

    Source: Burnham & Anderson (2002), Model Selection and Multimodel Inference, section 2.9. A fit with given
    parameters has none, nor has one by segment: then all have the same weight.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> weights = aic_weights({"A": SimpleNamespace(aic=100.0), "B": SimpleNamespace(aic=102.0)})
    >>> round(weights["A"], 3)
    0.731
    """
    aic = np.array([fit.aic for fit in fits.values()])
    if not np.isfinite(aic).all():
        return dict.fromkeys(fits, 1.0 / len(fits))
    relative = np.exp(-0.5 * (aic - aic.min()))
    return dict(zip(fits, (relative / relative.sum()).tolist(), strict=True))


def named_weights(fits: Mapping[str, TransactionFit], weights: Mapping[str, float] | None) -> dict[str, float]:
    """Return the weights of fits, which sum to one: those given in any scale, or those of `aic_weights`.

    Raises
    ------
    FitError
        If they are not one number from zero up for each fit, or all are zero.

    Examples
    --------
    >>> named_weights({"A": None, "B": None}, {"A": 3.0, "B": 1.0})
    {'A': 0.75, 'B': 0.25}
    """
    if weights is None:
        return aic_weights(fits)
    numbers = np.array([as_number(weights.get(name)) for name in fits])
    if set(weights) != set(fits) or not (numbers >= 0.0).all() or not 0.0 < numbers.sum() < np.inf:
        raise FitError(
            f"weights are numbers from zero up, one each for {', '.join(fits)}; got {abridged(dict(weights))}"
        )
    return dict(zip(fits, (numbers / numbers.sum()).tolist(), strict=True))


def drawn_totals(
    fits: Sequence[tuple[TransactionFit, float]],
    spend: SpendFit | None,
    histories: Histories,
    ends: Array,
    *,
    seed: int | None = None,
    draws: int = DRAWS,
) -> Totals:
    """Return draws of the orders and the revenue of customers together, by period after the end of observation.

    Parameters
    ----------
    fits
        Fits of transactions with their weights; each has as many of the draws as its weight is a share of all.
    spend
        The fit of spend; None: revenue is NaN.
    histories
        The customers, in memory.
    ends
        When each period ends, from the end of observation in the unit of the fits, rising; shape (periods,).
    seed
        Of the simulation; None: a new one each time.
    draws
        How many.

    Notes
    -----
    A fit with draws gives the parameters by them; a point estimate that has converged by draws from the normal
    distribution of its log parameters (Laplace's approximation); another point estimate does not vary.

    Of more than 4,000 customers, as many are simulated. With M the sum of expectations of those picked under a draw
    and S their simulated sum, the total is c M + sqrt(n/m) (S - M): c brings the expectation to that of all customers,
    and the root brings the variance of m customers to that of n.

    Examples
    --------
    >>> import clvmodels as clv
    >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> rfm = fit.simulate(1_000, "39 weeks", seed=1)
    >>> totals = drawn_totals([(fit, 1.0)], None, rfm, np.array([13.0, 26.0]), seed=1)
    >>> totals.orders.shape, totals.includes
    ((400, 2), 'process')
    """
    sequences = np.random.SeedSequence(seed).spawn(len(fits))
    numbers = shares_of_draws(np.array([weight for _, weight in fits]), draws)
    parts = [
        _of_model(Story.drawn(fit, spend, number, np.random.default_rng(sequence)), histories, ends, number, sequence)
        for (fit, _), number, sequence in zip(fits, numbers, sequences, strict=True)
        if number
    ]
    of_parameters = all(part.includes != "process" for part in parts)
    several: Uncertain = "process, parameters and models" if of_parameters and len(fits) > 1 else "process"
    includes = parts[0].includes if len(fits) == 1 else several
    weights = np.array([len(part.orders) for part in parts]) / draws
    return Totals(
        np.concatenate([part.orders for part in parts]),
        np.concatenate([part.revenue for part in parts]),
        weights @ np.stack([part.expected_orders for part in parts]),
        weights @ np.stack([part.expected_revenue for part in parts]),
        includes,
    )


def shares_of_draws(weights: Array, draws: int) -> list[int]:
    """Return how many of the draws each model has: whole numbers that sum to `draws`.

    Examples
    --------
    >>> shares_of_draws(np.array([0.5, 0.25, 0.25]), 10)
    [5, 3, 2]
    """
    ends = np.rint(np.cumsum(weights) / weights.sum() * draws + 1e-9).astype(int)
    numbers: list[int] = np.diff(ends, prepend=0).tolist()
    return numbers


@dataclass(frozen=True, eq=False)
class Story:
    """A model of transactions and one of spend, with as many draws of their parameters.

    Attributes
    ----------
    fit, spend
        The fits.
    vary
        Whether the parameters vary.
    """

    fit: TransactionFit
    spend: SpendFit | None
    vary: bool

    @classmethod
    def drawn(cls, fit: TransactionFit, spend: SpendFit | None, draws: int, generator: np.random.Generator) -> Story:
        """Return the fits with draws of their parameters, or one each if neither varies."""
        varied = [_varied(each, draws, generator) for each in (fit, spend) if each is not None]
        number = max(len(each.draws) for each in varied)
        vary = min(len(each.draws) for each in varied) > 1
        same = [_repeated(each, number) for each in varied]
        return cls(same[0], None if spend is None else same[1], vary)  # type: ignore[arg-type]

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.fit.draws)

    def first(self) -> Story:
        """Return the same with the first draw alone."""
        spend = None if self.spend is None else self.spend.thinned(self.draws)
        return Story(self.fit.thinned(self.draws), spend, vary=False)

    def expectations(self, histories: Histories, ends: Array) -> _Expectations:
        """Return what is expected of customers."""
        value = np.full((self.draws, 1), np.nan)
        if self.spend is not None:
            value = _by_draw(self.spend.expected_spend(histories, return_draws=True, memory_gb=MEMORY_GB))
        orders, revenue = np.empty((self.draws, len(ends))), np.empty((self.draws, len(ends)))
        until: Array = np.zeros((self.draws, len(histories)))
        for k, end in enumerate(ends.tolist()):
            reached = _by_draw(self.fit.expected_purchases(histories, end, return_draws=True, memory_gb=MEMORY_GB))
            orders[:, k] = (reached - until).sum(axis=1)
            revenue[:, k] = ((reached - until) * value).sum(axis=1)
            until = reached
        return _Expectations(orders, revenue, until[0] if self.spend is None else until[0] * value[0])

    def simulated(self, histories: Histories, ends: Array, draws: int, seed: np.random.SeedSequence) -> Array:
        """Return simulated orders and revenue, shape (2, draws, periods)."""
        x, t_x, T = columns_of(self.fit.model, histories)
        buyers = _Buyers(x, t_x, T, ends)
        transactions = self.fit.parameters(histories)
        spend = None if self.spend is None else self.spend.parameters(histories)
        state = None if self.spend is None else spend_state(self.spend.model, histories)
        result = np.full((2, draws, len(ends)), np.nan)

        def simulate(rows: slice) -> None:
            for d in range(rows.start, rows.stop):
                generator = np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, d)))
                events = buyers.events(self.fit.model, transactions.draw(d, slice(None)), generator)
                result[0, d] = buyers.counted(events)
                if self.spend is not None and spend is not None and state is not None:
                    theta = spend.draw(d, slice(None))
                    values = self.spend.model.draw_orders(theta, state[0], state[1], events.customer, generator)
                    result[1, d] = buyers.counted(events, values)

        map_blocks(simulate, draws, DRAWS_AT_A_TIME)
        return result


@dataclass(frozen=True, eq=False)
class _Expectations:
    """What is expected of customers.

    Attributes
    ----------
    orders, revenue
        Of all together by draw and period, shape (draws, periods); revenue is NaN without a model of spend.
    size
        Of each in the whole time under the first draw: revenue or, without a model of spend, orders; shape (n,).
    """

    orders: Array
    revenue: Array
    size: Array


@dataclass(frozen=True, eq=False)
class _Buyers:
    """Customers who are simulated.

    Attributes
    ----------
    x, t_x, T
        Their histories, shape (n,) each.
    ends
        When periods end, shape (periods,).
    """

    x: Array
    t_x: Array
    T: Array
    ends: Array

    def events(self, model: TransactionModel, theta: Array, generator: np.random.Generator) -> Events:
        """Return the purchases of one future."""
        alive = model.p_alive(theta, self.x, self.t_x, self.T)
        time = np.where(generator.random(len(alive)) < alive, self.ends[-1], 0.0)
        points = np.broadcast_to(theta, (len(alive), theta.shape[-1]))
        x = drawn_stages(model, theta, self.x, self.t_x, self.T, generator)
        return simulated(model, points, x, self.T, time, generator)

    def counted(self, events: Events, values: Array | None = None) -> Array:
        """Return the number of events, or the sum of their values, by period."""
        period = np.minimum(np.searchsorted(self.ends, events.time), len(self.ends) - 1)
        return np.bincount(period, weights=values, minlength=len(self.ends)).astype(float)


def _of_model(story: Story, histories: Histories, ends: Array, draws: int, seed: np.random.SeedSequence) -> Totals:
    """Return the totals under one model."""
    picked, factor = histories, np.ones(2)[:, None]
    if len(histories) > MOST_CUSTOMERS:
        everybody = story.first().expectations(histories, ends)
        order = np.argsort(everybody.size, kind="stable")
        places = ((np.arange(MOST_CUSTOMERS) + 0.5) * len(histories) / MOST_CUSTOMERS).astype(np.int64)
        picked = histories.select(histories.customer_id[order[places]])
    expected = story.expectations(picked, ends)
    means = np.stack([expected.orders, expected.revenue])
    if picked is not histories:
        factor = np.stack([everybody.orders[0], everybody.revenue[0]]) / means[:, 0]
    noise = story.simulated(picked, ends, draws, seed) - means[:, np.arange(draws) % story.draws]
    totals = factor[:, None] * means[:, np.arange(draws) % story.draws] + np.sqrt(len(histories) / len(picked)) * noise
    expected_orders, expected_revenue = (factor[:, None] * means).mean(axis=1)
    includes: Uncertain = "process and parameters" if story.vary else "process"
    return Totals(totals[0], totals[1], expected_orders, expected_revenue, includes)


def _varied[F: Fit](fit: F, draws: int, generator: np.random.Generator) -> F:
    """Return a fit with draws of its parameters; with one, if they are not known to vary."""
    if len(fit.draws) > 1:
        return _with_draws(fit, np.linspace(0, len(fit.draws) - 1, min(draws, len(fit.draws))).round().astype(np.int64))
    covariance = fit.covariance if fit.covariates is None else fit.covariates.covariance
    if fit.by is not None or fit.diagnostics.status != "converged" or not np.isfinite(covariance).all():
        return fit
    lower = fit.model.lower
    centre = np.log(fit.estimate - lower)
    if fit.covariates is not None:
        centre = np.concatenate([centre, fit.covariates.estimate])
    normal = generator.standard_normal((-(-draws // 2), len(centre)))
    both = np.concatenate([normal, -normal])[:draws]  # what is linear in a deviation cancels in the mean
    psi = centre + both @ np.linalg.cholesky(covariance).T
    theta = (lower + np.exp(psi[:, : len(lower)]))[None]
    if fit.covariates is None:
        return replace(fit, theta=theta)
    return replace(fit, theta=theta, covariates=fit.covariates.with_draws(psi[None, :, len(lower) :]))


def _repeated[F: Fit](fit: F, draws: int) -> F:
    """Return a fit with as many draws, its own again and again."""
    return fit if len(fit.draws) == draws else _with_draws(fit, np.arange(draws) % len(fit.draws))


def _with_draws[F: Fit](fit: F, which: NDArray[np.int64]) -> F:
    """Return a fit with some of its draws, in one chain."""
    segments = fit.segment_theta
    if fit.by is not None:
        segments = segments.reshape(len(fit.segments), -1, segments.shape[-1])[:, which][:, None]
    covariates = None if fit.covariates is None else fit.covariates.of_draws(which)
    return replace(fit, theta=fit.draws[which][None], stats={}, segment_theta=segments, covariates=covariates)


def _by_draw(values: xr.DataArray) -> Array:
    """Return draws of shape (draws, customers)."""
    array = values.to_numpy()
    return np.asarray(array.reshape(-1, array.shape[-1]))
