"""Pareto/NBD on a clock of age: the risk of leaving changes as a customer ages.

Story: while alive, customers buy at random at their own rate lambda ~ Gamma(r, alpha), as in Pareto/NBD. They leave,
whether or not they buy, at their own rate mu ~ Gamma(s, 1) on a clock G(t) of their own age: a share (1 + G(t))^-s
stays for t. G(t) = expm1(c t) / (c beta) is Gompertz's, on which a customer's risk grows by the factor exp(c) in each
unit of time; G(t) = (t / beta)^c is Weibull's. Without ageing (c -> 0, c = 1) both are Pareto/NBD.

Source: Bemmaor & Glady (2012), Modeling purchasing behavior with sudden "death": a flexible customer lifetime model,
Management Science 58(5), with c = their b and beta = their beta / b; the likelihood is that of Pareto/NBD (Fader &
Hardie, note 009) in the time of the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import special

from clvmodels.models import pareto_nbd
from clvmodels.models.counts import log_negative_binomial
from clvmodels.models.specification import Array, Limit, Parameter, Quantity, Traits, TransactionModel
from clvmodels.numerics.age_clocks import GOMPERTZ, WEIBULL, AgeClock, panels
from clvmodels.numerics.special import log_sums

__all__ = ["PARETO_NBD_GOMPERTZ", "PARETO_NBD_WEIBULL"]

ROWS_AT_A_TIME: Final = 2048
"""Histories whose nodes are held at a time: some ten megabytes."""
AGES: Final = 12
"""At so many ages the risk ahead is looked at."""
LOST: Final = 38.0
"""exp(-38) is below the rounding of a sum."""
LOST_TIME: Final = 60.0
"""Log of the share of customers who stay beyond a time that no expectation can tell from none."""


@dataclass(frozen=True, eq=False)
class _Points:
    """Parameters and histories in one row each, shape (n,); `shape` is that of all of them together."""

    params: Array
    columns: tuple[Array, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, theta: Array, *columns: Array) -> _Points:
        """Return them; `params` of shape (5, n)."""
        shape = np.broadcast_shapes(theta.shape[:-1], *(np.shape(column) for column in columns))
        params = np.broadcast_to(theta, (*shape, theta.shape[-1])).reshape(-1, theta.shape[-1]).T
        return cls(params, tuple(np.broadcast_to(column, shape).ravel().astype(float) for column in columns), shape)


@dataclass(frozen=True, eq=False)
class _AgeingParetoNBD:
    """The functions of a Pareto/NBD model on a clock of age; theta holds r, alpha, s, beta, c."""

    clock: AgeClock

    def count_terms(self, theta: Array, x: Array) -> tuple[Array, Array]:
        """Return those of Pareto/NBD, which know no dropout."""
        value, gradient = pareto_nbd.count_terms(theta, x)
        return value, np.concatenate([gradient, np.zeros_like(gradient[..., :1])], axis=-1)

    def history_terms(self, theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
        """Return log of who stays through T, and who left between t_x and T, together; and its gradient."""
        points = _Points.of(theta, x, t_x, T)
        x, _, T = points.columns
        staying, by_staying = self._staying(points.params, x, T), self._staying_slopes(points.params, x, T)
        leaving, by_leaving = self._leaving(points, slopes=True)
        value = np.logaddexp(staying, leaving)
        left = np.exp(leaving - value)[:, None]
        gradient = np.exp(staying - value)[:, None] * by_staying.T + left * by_leaving
        return value.reshape(points.shape), gradient.reshape(*points.shape, -1)

    def p_alive(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
        """Return P(alive at T): the share of those who stay."""
        points = _Points.of(theta, x, t_x, T)
        x, _, T = points.columns
        staying = self._staying(points.params, x, T)
        leaving = self._leaving(points, slopes=False)[0]
        return np.exp(staying - np.logaddexp(staying, leaving)).reshape(points.shape)

    def _staying(self, params: Array, x: Array, t: Array) -> Array:
        """Return log of (1+t/alpha)^-(r+x) (1+G(t))^-s."""
        r, alpha, s, beta, c = params
        return np.asarray(-(r + x) * np.log1p(t / alpha) - s * self.clock.log_stay(t, beta, c))

    def _staying_slopes(self, params: Array, x: Array, t: Array) -> Array:
        """Return its gradient, shape (5, n)."""
        r, alpha, s, beta, c = params
        log_growth = self.clock.log_growth(t, beta, c)
        stay = np.logaddexp(0.0, log_growth)
        by_beta, by_c, _, _ = self.clock.slopes(t, beta, c)
        gone = s * np.exp(log_growth - stay)
        by_purchases = (r + x) / alpha * t / (alpha + t)
        return np.stack([-np.log1p(t / alpha), by_purchases, -stay, -gone * by_beta, -gone * by_c])

    def _leaving(self, points: _Points, *, slopes: bool) -> tuple[Array, Array]:
        """Return log of s int_{t_x}^T (1+t/alpha)^-(r+x) (1+G(t))^-(s+1) G'(t) dt, and its slopes, if wanted."""
        x, t_x, T = points.columns
        value = np.full(len(x), -np.inf)
        gradient = np.zeros((len(x), len(points.params) if slopes else 0))
        silent = np.flatnonzero(t_x < T)
        for start in range(0, len(silent), ROWS_AT_A_TIME):
            rows = silent[start : start + ROWS_AT_A_TIME]
            params = points.params[:, rows]
            value[rows], gradient[rows] = self._block(params, x[rows], t_x[rows], T[rows] - t_x[rows], slopes=slopes)
        return value, gradient

    def _block(self, params: Array, x: Array, t_x: Array, silent: Array, *, slopes: bool) -> tuple[Array, Array]:
        r, alpha, _, _, c = params
        width = np.minimum((alpha + t_x) / (r + x), self._width(params, t_x, silent))
        span = np.minimum(silent, self._lost(params, x, t_x, width))
        at = panels(self.clock, t_x, span, self.clock.near(t_x, width), c)
        r, alpha, s, beta, c = params[:, at.row, None]
        n, t = r + x[at.row, None], t_x[at.row, None] + at.time
        growth, log_growth = np.log1p(t / alpha), self.clock.log_growth(t, beta, c)
        stay = np.logaddexp(0.0, log_growth)
        terms = at.log_weight - n * growth - (s + 1.0) * stay + self.clock.log_speed(t, beta, c) + np.log(s)
        top = terms.max(axis=1)
        share = np.exp(terms - top[:, None])
        total = share.sum(axis=1)
        by_panel = np.zeros((len(at.row), 0))
        if slopes:
            by_beta, by_c, speed_by_beta, speed_by_c = self.clock.slopes(t, beta, c)
            gone = (s + 1.0) * np.exp(log_growth - stay)
            by_params = (
                -growth,
                n / alpha * t / (alpha + t),
                1.0 / s - stay,
                speed_by_beta - gone * by_beta,
                speed_by_c - gone * by_c,
            )
            by_panel = np.column_stack([np.einsum("ij,ij->i", slope, share) for slope in by_params]) / total[:, None]
        return log_sums(len(x), at.row, top + np.log(total), by_panel)

    def _width(self, params: Array, start: Array, span: Array) -> Array:
        """Return the time from `start` on within which (1 + G)^-(s+1) falls by a factor of e, or the span."""
        _, _, s, beta, c = params
        risk = (s + 1.0) * self.clock.risk(np.where(start > 0.0, start, span), beta, c)
        new = self.clock.age(-np.log1p(s), beta, c)
        return np.where(start > 0.0, span / (1.0 + risk * span), np.minimum(new, span))

    def _lost(self, params: Array, x: Array, t_x: Array, width: Array) -> Array:
        """Return the time from t_x on after which what is left of the integral is below its rounding.

        The integral is at least what its first factor, e^-1, leaves of those who leave within `width`; the rest is at
        most what both factors have fallen to.
        """
        r, alpha, s, beta, c = params
        stay = self.clock.log_stay(t_x, beta, c)
        with np.errstate(divide="ignore", over="ignore"):
            gone = np.maximum(self.clock.log_stay(t_x + width, beta, c) - stay, 0.0)
            wanted = LOST - np.log(-np.expm1(-s * gone))
            by_purchases = (alpha + t_x) * np.expm1(np.minimum(wanted / (r + x), 700.0))
        return np.asarray(np.minimum(by_purchases, self._all_left(params, t_x, stay, wanted)))

    def _all_left(self, params: Array, start: Array, stay: Array, wanted: Array | float) -> Array:
        """Return the time from `start` on at which the log of the share who stay has fallen by `wanted`."""
        _, _, s, beta, c = params
        reached = np.maximum(stay + wanted / s, np.finfo(float).tiny)
        log_growth = reached + np.log(-np.expm1(-reached))
        return np.asarray(np.maximum(self.clock.age(log_growth, beta, c) - start, np.finfo(float).tiny))

    def future(self, theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
        """Return ((1+G(T)) / (1+G(T+t)))^s and, as purchases and leaving are independent, (r+x)/(alpha+T) times it."""
        r, alpha, s, beta, c = np.moveaxis(theta, -1, 0)
        gone = self.clock.log_stay(T + t, beta, c) - self.clock.log_stay(T, beta, c)
        survival = np.exp(-s * np.maximum(gone, 0.0))
        return survival, (r + x) / (alpha + T) * survival

    def expected_purchases(self, theta: Array, x: Array, T: Array, t: Array) -> Array:
        """Return (r+x)/(alpha+T) times the integral of survival, by a quadrature of its own."""
        points = _Points.of(theta, x, T, t)
        x, T, t = points.columns
        r, alpha = points.params[:2]
        living = np.zeros(len(x))
        ahead = np.flatnonzero(t > 0.0)
        for start in range(0, len(ahead), ROWS_AT_A_TIME):
            rows = ahead[start : start + ROWS_AT_A_TIME]
            living[rows] = self._living(points.params[:, rows], T[rows], t[rows])
        return np.asarray((r + x) / (alpha + T) * living).reshape(points.shape)

    def _living(self, params: Array, T: Array, t: Array) -> Array:
        """Return the expected time alive in (T, T+t]; from where survival falls exponentially, in closed form."""
        _, _, s, beta, c = params
        stay = self.clock.log_stay(T, beta, c)
        span = np.minimum(t, self._all_left(params, T, stay, LOST_TIME))
        span = np.minimum(span, np.maximum(self.clock.exponential_from(beta, c) - T, 1.0 / c))
        fall = s * c * (t - span)
        later = np.exp(-s * (self.clock.log_stay(T + span, beta, c) - stay)) * (t - span) * special.exprel(-fall)
        later = np.where(T + span >= self.clock.exponential_from(beta, c), later, 0.0)
        at = panels(self.clock, T, span, self.clock.near(T, self._width(params, T, span)), c)
        _, _, s, beta, c = params[:, at.row, None]
        gone = self.clock.log_stay(T[at.row, None] + at.time, beta, c) - stay[at.row, None]
        survival = np.exp(at.log_weight - s * np.maximum(gone, 0.0)).sum(axis=1)
        return np.asarray(later + np.bincount(at.row, survival, minlength=len(T)))

    def pmf(self, theta: Array, x: Array, T: Array, t: Array, n: Array) -> Array:
        """Return P(n purchases in (T, T+t]): they stay through and buy n times, or have done so when they leave."""
        points = _Points.of(theta, x, T, t, n)
        x, T, t, n = points.columns
        r, alpha, s, beta, c = points.params
        gone = self.clock.log_stay(T + t, beta, c) - self.clock.log_stay(T, beta, c)
        stays = log_negative_binomial(n, r + x, alpha + T, t) - s * np.maximum(gone, 0.0)
        total = np.exp(stays)
        ahead = np.flatnonzero(t > 0.0)
        for start in range(0, len(ahead), ROWS_AT_A_TIME // 8):
            rows = ahead[start : start + ROWS_AT_A_TIME // 8]
            total[rows] += self._leave_after(points.params[:, rows], x[rows], T[rows], t[rows], n[rows])
        return np.asarray(total).reshape(points.shape)

    def _leave_after(self, params: Array, x: Array, T: Array, t: Array, n: Array) -> Array:
        """Return P(leaving in (T, T+t] after n purchases), given alive at T; the more purchases, the steeper it is."""
        r, alpha, s, beta, c = params
        stay = self.clock.log_stay(T, beta, c)
        width = np.minimum((alpha + T) / (r + x), self._width(params, T, t))
        at = panels(self.clock, T, t, self.clock.near(T, width), c, fine=np.sqrt(np.maximum(n, 1.0)))
        r, alpha, s, beta, c = params[:, at.row, None]
        age, of_row = T[at.row, None], x[at.row, None]
        count = log_negative_binomial(n[at.row, None], r + of_row, alpha + age, at.time)
        then = self.clock.log_stay(age + at.time, beta, c)
        leaves = np.log(s) + self.clock.log_speed(age + at.time, beta, c) - then - s * (then - stay[at.row, None])
        mass = np.exp(count + leaves + at.log_weight).sum(axis=1)
        return np.asarray(np.bincount(at.row, mass, minlength=len(T)), float)

    def draw_traits(self, theta: Array, x: Array, T: Array, generator: np.random.Generator) -> Traits:
        """Draw customers alive at T: lambda ~ Gamma(r+x, alpha+T), and 1 + G at leaving (1+G(T)) (1 + E / Gamma(s))."""
        r, alpha, s, beta, c = np.moveaxis(theta, -1, 0)
        size = np.broadcast(r, x, T).shape
        rate = generator.gamma(np.broadcast_to(r + x, size)) / (alpha + T)
        with np.errstate(divide="ignore"):
            drawn = np.log(generator.standard_exponential(size) / generator.gamma(np.broadcast_to(s, size)))
        now = self.clock.log_growth(T, beta, c)
        left = self.clock.age(np.logaddexp(now, np.logaddexp(0.0, now) + drawn), beta, c)
        return Traits(rate, np.maximum(left - T, 0.0), np.full(size, np.inf))

    def breaks(self, draws: Array, T: Array, end: float) -> Array:
        """Return ends of panels of time ahead, the same for all draws and ages."""
        _, _, s, beta, c = draws.reshape(-1, draws.shape[-1]).T
        youngest, ages = float(T.min()), np.linspace(T.min(), T.max(), AGES)[:, None]
        first = np.full((AGES, len(s)), min(float(beta.min()) + youngest, end))
        for part in (1.0, 0.1, 1.0):  # the risk may have grown within the first guess
            first = np.minimum(first, 1.0 / ((s + 1.0) * self.clock.risk(ages + part * first, beta, c)))
        return self.clock.breaks(float(first.min()), youngest, end, beta, c)


_LIMITS: Final = (*pareto_nbd.LIMITS, Limit("everybody leaves at the same age", ({"c": 1.0, "s": -1.0}, {"c": 1.0})))


def _gompertz_from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:
    """Return the parameters; the loss is 1 - (1 + G(year))^-s."""
    base = pareto_nbd.from_quantities(quantities, year)
    c = quantities["ageing"] / year
    return {**base, "beta": base["beta"] * np.expm1(quantities["ageing"]) / quantities["ageing"], "c": c}


def _gompertz_to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:
    ageing = params["c"] * year
    base = {**params, "beta": params["beta"] * ageing / np.expm1(ageing)}
    return {**pareto_nbd.to_quantities(base, year), "ageing": ageing}


def _weibull_from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:
    base, c = pareto_nbd.from_quantities(quantities, year), quantities["ageing"]
    return {**base, "beta": year * (base["beta"] / year) ** (1.0 / c), "c": c}


def _weibull_to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:
    base = {**params, "beta": year * (params["beta"] / year) ** params["c"]}
    return {**pareto_nbd.to_quantities(base, year), "ageing": params["c"]}


_OF_C: Final = {
    "gompertz": Quantity(
        "ageing",
        "growth of the log of a customer's risk of leaving in a year of age",
        ("LogNormal", {"mu": -0.5, "sigma": 1.0}),
        leaving=True,
    ),
    "weibull": Quantity(
        "ageing",
        "power of age with which leaving goes: above one the risk grows with age, below it falls",
        ("LogNormal", {"mu": 0.0, "sigma": 0.5}),
        leaving=True,
    ),
}


_MODEL_RISK: Final = (
    "Few data can tell this from risks that differ among customers: what it does to value is model risk."
)
NO_AGEING: Final = 1e-3
"""Growth of the log of the risk within `beta` below which there is none to speak of."""


def _gompertz_words(params: Mapping[str, float]) -> list[str]:
    if params["c"] * params["beta"] < NO_AGEING:
        return ["A customer's risk of leaving hardly changes with age, as in Pareto/NBD."]
    doubles = np.log(2.0) / params["c"]
    return [f"A customer's risk of leaving doubles with every {doubles:,.3g} units of time. {_MODEL_RISK}"]


def _weibull_words(params: Mapping[str, float]) -> list[str]:
    power = params["c"] - 1.0
    return [f"A customer's risk of leaving {'grows' if power > 0.0 else 'falls'} as age^{power:.3g}. {_MODEL_RISK}"]


def _model(
    clock: AgeClock,
    name: str,
    of_c: Parameter,
    example: Mapping[str, float],
    starts: tuple[tuple[float, ...], ...],
    limits: tuple[Limit, ...],
) -> TransactionModel:
    functions = _AgeingParetoNBD(clock)
    gompertz = clock is GOMPERTZ
    base = pareto_nbd.PARETO_NBD
    return TransactionModel(
        key=f"{base.key}_{name.lower()}",
        name=f"{base.name} ({name} ageing)",
        public_name=base.public_name,
        source="Bemmaor & Glady (2012), Management Science 58(5)",
        parameters=(*base.parameters, of_c),
        example=example,
        starts=starts,
        count_terms=functions.count_terms,
        history_terms=functions.history_terms,
        p_alive=functions.p_alive,
        future=functions.future,
        expected_purchases=functions.expected_purchases,
        pmf=functions.pmf,
        draw_traits=functions.draw_traits,
        breaks=functions.breaks,
        mean_purchase_rate=base.mean_purchase_rate,
        tail=None if gompertz else "s c",
        quantities=(*base.quantities, _OF_C[name.lower()]),
        from_quantities=_gompertz_from_quantities if gompertz else _weibull_from_quantities,
        to_quantities=_gompertz_to_quantities if gompertz else _weibull_to_quantities,
        in_words=_gompertz_words if gompertz else _weibull_words,
        limits=(*_LIMITS, *limits),
        story=__doc__ or "",
        effects=base.effects,
        own_rates=base.own_rates,
    )


PARETO_NBD_GOMPERTZ: Final = _model(
    GOMPERTZ,
    "Gompertz",
    Parameter("c", "rate"),
    {"r": 0.57864, "alpha": 12.64326, "s": 0.17461, "beta": 2.88623, "c": 0.04484},
    (
        (0.5, 0.3, 0.6, 0.4, 0.1),
        (1.0, 1.0, 1.0, 1.0, 1.0),
        (0.2, 0.1, 0.3, 0.3, 0.01),
        (0.5, 0.3, 0.2, 0.1, 2.0),
        (1.0, 3.0, 3.0, 10.0, 3.0),
    ),
    (Limit("the risk of leaving does not grow with age, as in Pareto/NBD", ({"c": -1.0},)),),
)
PARETO_NBD_WEIBULL: Final = _model(
    WEIBULL,
    "Weibull",
    Parameter("c"),
    {"r": 0.553, "alpha": 10.578, "s": 0.5, "beta": 10.0, "c": 1.2},
    (
        (0.5, 0.3, 0.6, 0.4, 1.0),
        (1.0, 1.0, 1.0, 1.0, 1.5),
        (0.2, 0.1, 0.3, 0.3, 0.7),
        (0.5, 0.3, 0.2, 0.1, 2.0),
        (1.0, 3.0, 3.0, 10.0, 0.5),
    ),
    (),
)
