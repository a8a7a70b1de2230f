"""BG/CNBD-k and MBG/CNBD-k: regular purchases, and a chance to leave after each of them.

Story: while alive, customers wait Gamma(k, lambda) for each purchase, at their own rate lambda ~ Gamma(r, alpha): the
larger k is, the more evenly they buy, and the sooner a silence means that they have left. After each repeat purchase
(in MBG/CNBD-k after the first purchase too) they leave with their own probability p ~ Beta(a, b). With k = 1 they buy
at random, as in BG/NBD and MBG/NBD.

The likelihood takes any k > 0. What customers do next is exact for whole k: a purchase is then k stages, passed at
random. k is the same for all customers.

Source: Reutterer, Platzer & Schroeder (2021), International Journal of Research in Marketing 38(1); Platzer & Reutterer
(2016), Marketing Science 35(5); k that is not whole and the exact future from the stages of a purchase.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import numpy as np
from scipy import special

from clvmodels.models import beta_geometric as shared
from clvmodels.models.regular_waits import (
    LEAST,
    LOG_WAITS,
    count_terms,
    factor_of_waits,
    log_purchases,
    log_silence,
    log_stages_passed,
    own_rates_of_stages,
    passed,
    silence,
    stacked,
    stage_weights,
    thinned,
    words_of_stages,
)
from clvmodels.models.specification import Array, Events, Model, Parameter, Stages, TransactionModel
from clvmodels.numerics.special import digamma_difference, log_gamma_ratio
from clvmodels.numerics.whole_sums import blocks_of_whole_numbers

__all__ = ["bg_cnbd", "bg_cnbd_real", "mbg_cnbd", "mbg_cnbd_real"]

NEGLIGIBLE: Final = 1e-17
"""A probability that is lost in the rounding of one."""
COMPILED_FROM: Final = 256
"""Futures asked for at once: compiled, each takes a microsecond and not a hundred, and loading the compiler pays."""
FIRST_LINES: Final = (
    "BG/CNBD-k: regular purchases, and a chance to leave after each repeat purchase.",
    "MBG/CNBD-k: regular purchases, and a chance to leave after each purchase.",
)
STARTS: Final = (
    (0.3, 0.2, 0.8, 2.5),
    (1.0, 1.0, 0.3, 3.0),
    (0.1, 0.1, 2.0, 2.0),
    (3.0, 1.0, 1.0, 10.0),
    (0.5, 5.0, 1.0, 1.0),
)
"""In BG/NBD's order, for k = 1; with k stages to a purchase, alpha is k times as small."""


@dataclass(frozen=True)
class _BetaGeometricCNBD:
    """The functions of the model; theta holds r, alpha, a, b, and then k where it is not known.

    Attributes
    ----------
    first
        The number of opportunities to leave at the first purchase: 0 or 1.
    k
        Stages of a purchase; None: the last parameter, which need not be whole.
    """

    first: int
    k: int | None

    def _split(self, theta: Array) -> tuple[tuple[Array, Array, Array, Array], Array | int]:
        r, alpha, a, b, *k = np.moveaxis(theta, -1, 0)
        return (r, alpha, a, b), k[0] if self.k is None else self.k

    @property
    def _stages(self) -> int:
        assert self.k is not None
        return self.k

    def count_terms(self, theta: Array, x: Array) -> tuple[Array, Array]:
        """Return the part of the log-likelihood that depends on x alone, and its gradient."""
        (r, alpha, a, b), k = self._split(theta)
        K = x + float(self.first)
        value, by_r, by_alpha, by_k = count_terms(r, alpha, np.asarray(k, float), x)
        value = value + log_gamma_ratio(b, K) - log_gamma_ratio(a + b, K)
        by_a = -digamma_difference(a + b, K)
        slopes = [by_r, by_alpha, by_a, by_a + digamma_difference(b, K), by_k]
        return value, stacked(slopes, value.shape, theta.shape[-1])

    def history_terms(self, theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
        """Return log of (1+t_x/alpha)^-(r+kx) (Q + odds), and its gradient; Q is the probability of the silence.

        The odds are a/(b+K-1), K = x or x + 1 opportunities to leave, and zero where K = 0.
        """
        (r, alpha, a, b), k = self._split(theta)
        rest = shared.opportunities_rest(b, x + float(self.first))
        Q, log_odds, growth = silence(r, alpha, k, x, t_x, T), np.log(a) - np.log(rest), np.log1p(t_x / alpha)
        total = np.logaddexp(Q.log, log_odds)
        alive, left = np.exp(Q.log - total), np.exp(log_odds - total)
        n = r + k * x
        slopes = [
            alive * Q.by_r - growth,
            alive * Q.by_alpha + n / alpha * (t_x / (alpha + t_x)),
            left / a,
            -left / rest,
            alive * Q.by_k - x * growth,
        ]
        value = np.asarray(total - n * growth)
        return value, stacked(slopes, value.shape, theta.shape[-1])

    def total_factors(self, theta: Array) -> tuple[Array, Array]:
        """Return k - 1, which the sum of all log waits is multiplied by, and its gradient."""
        return factor_of_waits(theta, self.k)

    def p_alive(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
        """Return P(alive at T | x, t_x, T) = Q / (Q + odds); one where there has been no opportunity to leave."""
        (r, alpha, a, b), k = self._split(theta)
        log_odds = np.log(a) - np.log(shared.opportunities_rest(b, x + float(self.first)))
        return np.asarray(special.expit(log_silence(r, alpha, k, x, t_x, T) - log_odds))

    def weights(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
        """Return the probabilities of the stages of customers alive at T."""
        r, alpha = theta[..., 0], theta[..., 1]
        return stage_weights(r + self._stages * x, self._stages, (T - t_x) / (alpha + T))

    def rate(self, theta: Array, y: Array, T: Array) -> Array:
        """Return E[lambda] after y stages, at age T."""
        return np.asarray((theta[..., 0] + y) / (theta[..., 1] + T))

    def _customers(self, theta: Array, y: Array, T: Array) -> tuple[Array, Array, Array, Array, Array, Array]:
        """Return n, alpha + T, a, b + K, x and the stage of customers who have passed y stages."""
        r, alpha, a, b = np.moveaxis(theta, -1, 0)
        x, stage = passed(y, self._stages)
        return r + y, alpha + T, a, b + (x + float(self.first)), x, stage

    def future(self, theta: Array, y: Array, T: Array, t: Array) -> tuple[Array, Array]:
        """Return P(alive at T+t) and E[purchase rate at T+t] of customers who have passed y stages, alive at T.

        Sums over the m purchases until then, m k - j + i stages: sum_m B(a, b+K+m) / B(a, b+K) sum_{i<k} P(stages).
        """
        n, age, a, stays, _, stage = self._customers(theta, y, T)
        k, ahead = self._stages, age + t
        columns = np.broadcast_arrays(n, t / age, a, stays, stage)
        if columns[0].size >= COMPILED_FROM:
            return _compiled_future(k, columns, ahead)
        log_share, none = np.log(np.maximum(t / ahead, LEAST)), -n * np.log1p(t / age)
        survival, intensity = np.zeros(np.shape(none)), np.zeros(np.shape(none))
        furthest = float(np.max(n * (t / age), initial=0.0))
        for nodes, weights in blocks_of_whole_numbers(float(np.sqrt(np.max(n, initial=0.0)))):
            for m, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
                share = weight * _staying(a, stays, np.asarray(m))
                for i in range(k):
                    e = m * k - stage + i
                    part = np.exp(log_stages_passed(np.maximum(e, 0.0), n, log_share, none))
                    part = np.where(e >= 0.0, share * part, 0.0)
                    survival += part
                intensity += part * (n + e) / ahead  # of those in the last stage
                if m * k > furthest and float(np.max(part, initial=0.0)) * m * k < NEGLIGIBLE:
                    return survival, intensity
        raise AssertionError("blocks of whole numbers do not end")

    def expected_purchases(self, theta: Array, y: Array, T: Array, t: Array) -> Array:
        """Return E[purchases in (T, T+t]] = sum_{m>=1} B(a, b+K+m-1) / B(a, b+K) I_{t/(alpha+T+t)}(m k - j, n)."""
        n, age, a, stays, _, stage = self._customers(theta, y, T)
        share = t / (age + t)
        total = np.zeros(np.broadcast_shapes(np.shape(share), np.shape(n), np.shape(a)))
        for nodes, weights in blocks_of_whole_numbers(float(np.sqrt(np.max(n, initial=0.0)))):
            for m, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
                e = (m + 1.0) * self._stages - stage
                part = weight * _staying(a, stays, np.asarray(m)) * special.betainc(e, n, share)
                total += part
                if float(np.max(part, initial=0.0)) * (m + 1.0) < NEGLIGIBLE:
                    return total
        raise AssertionError("blocks of whole numbers do not end")

    def pmf(self, theta: Array, y: Array, T: Array, t: Array, number: Array) -> Array:
        """Return P(number purchases in (T, T+t]): they stay and buy so often, or leave with the last of them."""
        n, age, a, stays, _, stage = self._customers(theta, y, T)
        k, number = self._stages, np.asarray(number, float)
        log_share, none = np.log(np.maximum(t / (age + t), LEAST)), -n * np.log1p(t / age)
        bought = np.exp(log_purchases(number, k, stage, n, log_share, none))
        any_ = np.maximum(number, 1.0)
        leaves = _staying(a, stays, any_ - 1.0) * a / (a + stays + any_ - 1.0)
        leaves = leaves * special.betainc(any_ * k - stage, n, t / (age + t))
        return np.asarray(_staying(a, stays, number) * bought + np.where(number > 0.0, leaves, 0.0))

    def simulate(self, theta: Array, y: Array, T: Array, duration: Array, generator: np.random.Generator) -> Events:
        """Draw the purchases of customers who have passed y stages and are alive at T."""
        x, stage = passed(y, self._stages)
        traits = shared.draw_traits(theta, y, x + float(self.first), T, generator)
        return thinned(traits, stage, self._stages, duration, generator)

    def from_quantities(self, quantities: Mapping[str, Any], year: float) -> dict[str, Any]:
        """Return r, alpha, a, b: k stages at r / alpha make a purchase."""
        params = shared.from_quantities(quantities, year)
        return {**params, "alpha": params["alpha"] / self._stages}

    def to_quantities(self, params: Mapping[str, Any], year: float) -> dict[str, Any]:
        """Return the quantities."""
        return shared.to_quantities({**params, "alpha": params["alpha"] * self._stages}, year)


def _staying(a: Array, stays: Array, m: Array) -> Array:
    """Return B(a, b+K+m) / B(a, b+K), the probability of staying at m opportunities to leave; stays = b + K."""
    return np.asarray(np.exp(log_gamma_ratio(stays, m) - log_gamma_ratio(a + stays, m)))


def _compiled_future(k: int, columns: Sequence[Array], ahead: Array) -> tuple[Array, Array]:
    """Return what `future` does of many customers and times; columns as of the kernel, broadcast."""
    from clvmodels.models.kernels.regular import write_future

    shape, out = columns[0].shape, np.empty((2, columns[0].size))
    n, ratio, a, stays, stage = (np.ascontiguousarray(column).ravel() for column in columns)
    write_future(n, ratio, a, stays, stage, k, out)
    survival, rate = out.reshape(2, *shape)
    return survival, rate / ahead


@cache
def _model(first: int, k: int) -> TransactionModel:
    name, poisson = ("MBG", "MBG/NBD") if first else ("BG", "BG/NBD")
    functions = _BetaGeometricCNBD(first, k)
    stages = Stages(k, functions.weights, functions.rate)
    return TransactionModel(
        key=f"{name.lower()}_cnbd_{k}",
        name=f"{name}/CNBD-{k}",
        public_name=f"{name}CNBDk",
        source="Reutterer, Platzer & Schroeder (2021), International Journal of Research in Marketing 38(1)",
        parameters=(Parameter("r"), Parameter("alpha", "time"), Parameter("a"), Parameter("b")),
        example={"r": 1.5, "alpha": 4.0, "a": 0.8, "b": 4.0},
        starts=tuple((r, alpha / k, a, b) for r, alpha, a, b in STARTS),
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
        tail="a",
        quantities=shared.QUANTITIES,
        from_quantities=functions.from_quantities,
        to_quantities=functions.to_quantities,
        in_words=partial(words_of_stages, k, poisson),
        limits=shared.LIMITS,
        story=_story(first),
        effects={"purchase": (("alpha", -1),), "dropout": (("a", 1),)},
    )


def _story(first: int) -> str:
    return "\n".join([FIRST_LINES[first], *(__doc__ or "").splitlines()[1:]])


@cache
def _real(first: int) -> Model:
    name = "MBG" if first else "BG"
    functions = _BetaGeometricCNBD(first, None)
    return Model(
        key=f"{name.lower()}_cnbd",
        name=f"{name}/CNBD-k",
        public_name=f"{name}CNBDk",
        source="Reutterer, Platzer & Schroeder (2021), International Journal of Research in Marketing 38(1)",
        parameters=(Parameter("r"), Parameter("alpha", "time"), Parameter("a"), Parameter("b"), Parameter("k")),
        example={"r": 1.5, "alpha": 4.0, "a": 0.8, "b": 4.0, "k": 1.8},
        starts=tuple((r, alpha / k, a, b, k) for r, alpha, a, b in STARTS[:2] for k in (1.0, 3.0)),
        count_terms=functions.count_terms,
        history_terms=functions.history_terms,
        totals=(LOG_WAITS,),
        total_factors=functions.total_factors,
        statistics=("x", "t_x", "T"),
        limits=shared.LIMITS,
        story=_story(first),
    )


bg_cnbd, mbg_cnbd = partial(_model, 0), partial(_model, 1)
bg_cnbd_real, mbg_cnbd_real = partial(_real, 0), partial(_real, 1)
