"""Pareto/CNBD-k: regular purchases of customers who may leave at any time.

Story: while alive, customers wait Gamma(k, lambda) for each purchase, at their own rate lambda ~ Gamma(r, alpha): the
larger k is, the more evenly they buy, and the sooner a silence means that they have left. They leave at their own rate
mu ~ Gamma(s, beta), whether or not they buy. With k = 1 they buy at random, as in Pareto/NBD.

The likelihood takes any k > 0. What customers do next is exact for whole k: a purchase is then k stages, passed at
random. k is the same for all customers.

Source: Platzer & Reutterer (2016), Marketing Science 35(5), whose Pareto/GGG has this k for each customer; Schmittlein,
Morrison & Colombo (1987), Management Science 33(1), for k = 1. Here the time of leaving is integrated over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import special

from clvmodels.models import pareto_nbd as shared
from clvmodels.models.counts import until_leaving
from clvmodels.models.grids import panel_growth
from clvmodels.models.regular_waits import (
    LEAST,
    LOG_WAITS,
    Silence,
    count_terms,
    factor_of_waits,
    log_purchases,
    own_rates_of_stages,
    passed,
    renewal_intensity,
    silence,
    stacked,
    stage_weights,
    thinned,
    words_of_stages,
)
from clvmodels.models.specification import Array, Events, Model, Parameter, Stages, TransactionModel

__all__ = ["pareto_cnbd", "pareto_cnbd_real"]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
FINE_NODES, FINE_WEIGHTS = np.polynomial.legendre.leggauss(80)
BLUNT: Final = 0.5
SHARP: Final = 20.0
"""Below and from these k on, the probability of a silence falls so suddenly or steeply that it takes more nodes."""
COMPILED_FROM: Final = 64
"""Histories at once: compiled, each takes microseconds, and loading the compiler pays."""
PANEL, PANEL_WEIGHTS = np.polynomial.legendre.leggauss(16)
STAGES_OF_PANEL: Final = 4.0
"""Those that are passed in the first panel of time ahead."""
SOURCE: Final = "Platzer & Reutterer (2016), Marketing Science 35(5)"


class _Terms(NamedTuple):
    """Logs of the likelihoods of a silence: of those alive at T, last, and of those who left around earlier times.

    Attributes
    ----------
    logs
        They are relative to what the purchases themselves contribute; the times are the last axis.
    times
        The times.
    silence
        The probability of no purchase until these, with its slopes.
    """

    logs: Array
    times: Array
    silence: Silence

    @property
    def log_sum(self) -> Array:
        return np.asarray(special.logsumexp(self.logs, axis=-1))


@dataclass(frozen=True)
class _ParetoCNBD:
    """The functions of the model; theta holds r, alpha, s, beta, and then k where it is not known."""

    k: int | None

    def _split(self, theta: Array) -> tuple[tuple[Array, Array, Array, Array], Array | int]:
        r, alpha, s, beta, *k = np.moveaxis(theta, -1, 0)
        return (r, alpha, s, beta), k[0] if self.k is None else self.k

    @property
    def _stages(self) -> int:
        assert self.k is not None
        return self.k

    def count_terms(self, theta: Array, x: Array) -> tuple[Array, Array]:
        """Return the part of the log-likelihood that depends on x alone, and its gradient."""
        (r, alpha, _, _), k = self._split(theta)
        value, by_r, by_alpha, by_k = count_terms(r, alpha, np.asarray(k, float), x)
        zero = np.zeros(value.shape)
        return value, stacked([by_r, by_alpha, zero, zero, by_k], value.shape, theta.shape[-1])

    def _terms(self, theta: Array, x: Array, t_x: Array, T: Array) -> _Terms:
        """Return the logs of Q(T) (1+T/beta)^-s, and of the integral of s/beta Q(t) (1+t/beta)^-(s+1) from t_x to T.

        The nodes are t_x + w sinh(h y^2): for a small k, Q is no smooth function of t at t_x, and a small beta, or a
        steep Q, need ever closer nodes towards it.
        """
        (r, alpha, s, beta), k = self._split(theta[..., None, :])
        k_of_node = k if isinstance(k, int) else k + np.zeros(1)
        x, t_x, T = (np.asarray(each)[..., None] for each in (x, t_x, T))
        y, mass = _nodes(k)
        width = np.minimum(k * (alpha + t_x) / (r + k * x), beta + t_x)
        h = np.arcsinh((T - t_x) / width)
        with np.errstate(divide="ignore"):  # there was no silence to leave in
            log_mass = np.log(mass * y * h * width * np.cosh(h * y**2))
        shape = np.broadcast_shapes(log_mass.shape, (*T.shape[:-1], 1))
        times = np.concatenate(
            [np.broadcast_to(t_x + width * np.sinh(h * y**2), shape), np.broadcast_to(T, (*shape[:-1], 1))], axis=-1
        )
        Q = silence(r, alpha, k_of_node, x, t_x, times)
        leaving = np.log1p(times / beta)
        left = Q.log[..., :-1] + log_mass + np.log(s / beta) - (s + 1.0) * leaving[..., :-1]
        return _Terms(np.concatenate([left, Q.log[..., -1:] - s * leaving[..., -1:]], axis=-1), times, Q)

    def history_terms(self, theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
        """Return log of (1+t_x/alpha)^-(r+kx) times the likelihood of the silence, and its gradient."""
        (r, alpha, _, _), k = self._split(theta)
        n, growth = r + k * x, np.log1p(t_x / alpha)
        value, by_r, by_alpha, by_s, by_beta, by_k, _ = self._left_or_alive(theta, x, t_x, T)
        by_alpha = by_alpha + n / alpha * (t_x / (alpha + t_x))
        value = np.asarray(value - n * growth)
        slopes = [by_r - growth, by_alpha, by_s, by_beta, by_k - x * growth]
        return value, stacked(slopes, value.shape, theta.shape[-1])

    def _left_or_alive(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
        """Return the log of the likelihood of the silence, its slopes by r, alpha, s, beta and k, and P(alive)."""
        (r, alpha, s, beta), k = self._split(theta)
        columns = np.broadcast_arrays(r, alpha, s, beta, np.asarray(k, float), x, t_x, T)
        if columns[0].size >= COMPILED_FROM:
            return _compiled(columns, self.k is not None)
        terms = self._terms(theta, x, t_x, T)
        share = np.exp(terms.logs - terms.log_sum[..., None])
        left = 1.0 - share[..., -1]
        age = terms.times / (beta[..., None] + terms.times)
        rows = [
            terms.log_sum,
            (share * terms.silence.by_r).sum(axis=-1),
            (share * terms.silence.by_alpha).sum(axis=-1),
            left / s - (share * np.log1p(terms.times / beta[..., None])).sum(axis=-1),
            (s * (share * age).sum(axis=-1) + (share * age)[..., :-1].sum(axis=-1) - left) / beta,
            (share * terms.silence.by_k).sum(axis=-1),
            share[..., -1],
        ]
        return np.stack(np.broadcast_arrays(*rows))

    def total_factors(self, theta: Array) -> tuple[Array, Array]:
        """Return k - 1, which the sum of all log waits is multiplied by, and its gradient."""
        return factor_of_waits(theta, self.k)

    def p_alive(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
        """Return P(alive at T | x, t_x, T): the share of the likelihood that is due to those who are alive."""
        return np.asarray(self._left_or_alive(theta, x, t_x, T)[-1])

    def weights(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
        """Return the probabilities of the stages of customers alive at T."""
        r, alpha = theta[..., 0], theta[..., 1]
        return stage_weights(r + self._stages * x, self._stages, (T - t_x) / (alpha + T))

    def rate(self, theta: Array, y: Array, T: Array) -> Array:
        """Return E[lambda] after y stages, at age T."""
        return np.asarray((theta[..., 0] + y) / (theta[..., 1] + T))

    def future(self, theta: Array, y: Array, T: Array, t: Array) -> tuple[Array, Array]:
        """Return ((beta+T)/(beta+T+t))^s, and the rate of purchases of those who stay times that."""
        r, alpha, s, beta = np.moveaxis(theta, -1, 0)
        survival = np.exp(-s * np.log1p(t / (beta + T)))
        stage = passed(y, self._stages)[1]
        return survival, survival * renewal_intensity(self._stages, r + y, alpha + T, stage, t)

    def expected_purchases(self, theta: Array, y: Array, T: Array, t: Array) -> Array:
        """Return E[purchases in (T, T+t]], the integral of the intensity, by panels that grow with time ahead."""
        r, alpha, _, beta = np.moveaxis(theta, -1, 0)
        first = np.minimum(STAGES_OF_PANEL * (alpha + T) / (r + y), np.minimum(alpha, beta) + T)
        growth = panel_growth(self._stages)
        y, T, t, first = y[..., None], T[..., None], t[..., None], first[..., None]
        total, start, end = np.zeros(np.broadcast_shapes(first.shape, t.shape)[:-1]), np.zeros(1), np.minimum(first, t)
        while np.any(end > start):
            half = 0.5 * (end - start)
            intensity = self.future(theta[..., None, :], y, T, start + half * (1.0 + PANEL))[1]
            total += (half * intensity) @ PANEL_WEIGHTS
            start, end = end, np.minimum(growth * end, t)
        return total

    def pmf(self, theta: Array, y: Array, T: Array, t: Array, number: Array) -> Array:
        """Return P(number purchases in (T, T+t]): they stay and buy so often, or have done so when they leave."""
        r, alpha, s, beta = np.moveaxis(theta, -1, 0)
        stage = passed(y, self._stages)[1]
        columns = np.broadcast_arrays(r + y, alpha + T, stage, np.asarray(number, float), s, beta + T, t)
        n, age, stage, number = (column[..., None] for column in columns[:4])

        def log_count(time: Array) -> Array:
            log_share, none = np.log(np.maximum(time / (age + time), LEAST)), -n * np.log1p(time / age)
            return log_purchases(number, self._stages, stage, n, log_share, none)

        return until_leaving(log_count, *columns[4:])

    def simulate(self, theta: Array, y: Array, T: Array, duration: Array, generator: np.random.Generator) -> Events:
        """Draw the purchases of customers who have passed y stages and are alive at T."""
        traits = shared.draw_traits(theta, y, T, generator)
        return thinned(traits, passed(y, self._stages)[1], self._stages, duration, generator)

    def from_quantities(self, quantities: Mapping[str, Any], year: float) -> dict[str, Any]:
        """Return r, alpha, s, beta: k stages at r / alpha make a purchase."""
        params = shared.from_quantities(quantities, year)
        return {**params, "alpha": params["alpha"] / self._stages}

    def to_quantities(self, params: Mapping[str, Any], year: float) -> dict[str, Any]:
        """Return the quantities."""
        return shared.to_quantities({**params, "alpha": params["alpha"] * self._stages}, year)


def _nodes(k: Array | int) -> tuple[Array, Array]:
    """Return nodes on [0, 1] and their weights."""
    fine = float(np.min(k)) < BLUNT or float(np.max(k)) >= SHARP
    nodes, weights = (FINE_NODES, FINE_WEIGHTS) if fine else (NODES, WEIGHTS)
    return 0.5 * (1.0 + nodes), weights


def _compiled(columns: Sequence[Array], whole: bool) -> Array:
    """Return what `_left_or_alive` does of many histories; columns are r, alpha, s, beta, k, x, t_x, T."""
    from clvmodels.models.kernels.silences import write_left_or_alive

    shape, out = columns[0].shape, np.empty((7, columns[0].size))
    flat = np.stack([column.ravel() for column in columns])
    x, t_x, T = flat[5:]
    y, mass = _nodes(flat[4])
    write_left_or_alive(flat[:5], whole, x, t_x, T, y, mass, out)
    return out.reshape(7, *shape)


@cache
def pareto_cnbd(k: int) -> TransactionModel:
    """Return the model of a whole k; always the same one."""
    functions = _ParetoCNBD(k)
    stages = Stages(k, functions.weights, functions.rate)
    return TransactionModel(
        key=f"pareto_cnbd_{k}",
        name=f"Pareto/CNBD-{k}",
        public_name="ParetoCNBDk",
        source=SOURCE,
        parameters=(Parameter("r"), Parameter("alpha", "time"), Parameter("s"), Parameter("beta", "time")),
        example={"r": 1.5, "alpha": 4.0, "s": 0.606, "beta": 11.669},
        starts=tuple((r, alpha / k, s, beta) for r, alpha, s, beta in shared.PARETO_NBD.starts),
        count_terms=functions.count_terms,
        history_terms=functions.history_terms,
        totals=(LOG_WAITS,),
        total_factors=functions.total_factors,
        p_alive=functions.p_alive,
        future=functions.future,
        expected_purchases=functions.expected_purchases,
        pmf=functions.pmf,
        simulate=functions.simulate,
        stages=stages,
        own_rates=own_rates_of_stages(stages),
        mean_purchase_rate=lambda theta: np.asarray(theta[..., 0] / theta[..., 1] / k),
        tail="s",
        quantities=shared.QUANTITIES,
        from_quantities=functions.from_quantities,
        to_quantities=functions.to_quantities,
        in_words=partial(words_of_stages, k, "Pareto/NBD"),
        limits=shared.LIMITS,
        story=__doc__ or "",
        effects={"purchase": (("alpha", -1),), "dropout": (("beta", -1),)},
    )


@cache
def pareto_cnbd_real() -> Model:
    """Return the model of which k is a parameter; it has a likelihood only."""
    functions = _ParetoCNBD(None)
    return Model(
        key="pareto_cnbd",
        name="Pareto/CNBD-k",
        public_name="ParetoCNBDk",
        source=SOURCE,
        parameters=(*pareto_cnbd(1).parameters, Parameter("k")),
        example={"r": 1.5, "alpha": 4.0, "s": 0.606, "beta": 11.669, "k": 1.8},
        starts=tuple((r, a / k, s, b, k) for r, a, s, b in shared.PARETO_NBD.starts[:2] for k in (1.0, 3.0)),
        count_terms=functions.count_terms,
        history_terms=functions.history_terms,
        totals=(LOG_WAITS,),
        total_factors=functions.total_factors,
        statistics=("x", "t_x", "T"),
        limits=shared.LIMITS,
        story=__doc__ or "",
    )
