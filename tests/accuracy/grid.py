"""What is compared with arbitrary precision, and where: quantities, and the grid of parameters and histories."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from mpmath import mp, mpf

from clvmodels.models.derived import expected_purchases, residual
from clvmodels.models.registry import SPEND_MODELS, TRANSACTION_MODELS, known_model
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.discounting import discounting
from tests.accuracy import reference as truth

Point = dict[str, Any]
Array = np.ndarray

WIDE = (1e-3, 0.25, 1.0, 30.0, 1e3)
EDGE = (1e-3, 0.8, 1.0, 1.0 + 1e-12, 1e3)
"""Of the parameter whose value one is special: a of the beta-geometric models, s of Pareto/NBD."""
TAIL = (1.0 + 1e-3, 1.5, 3.74, 1e3)
"""Of q, which is above one."""
COUNTS = (0, 1, 2, 10, 1000, 100_000)
AGES = ((0.0, 0.0), (0.0, 39.0), (39.0, 39.0), (20.0, 39.0), (0.01, 0.02), (900.0, 1e4), (38.999, 39.0))
"""(t_x, T)."""
TIMES = (1e-3, 52.0, 1e4)
RATES = ((0.15, None), (0.15, "10 years"), (1e-9, "10 years"), (0.08, None), (2.0, None))
"""Effective annual rate and horizon."""
MEANS = (0.01, 1.0, 35.0, 1e4)
ABSURD = 1e-290
"""What is smaller than this, in truth and in result, is not compared: doubles end at 1e-308."""


def known(model: str) -> Any:
    """Return a model by its key, be it one that has no class of its own."""
    return known_model(model)


@dataclass(frozen=True)
class Quantity:
    """A quantity, how it is computed at points, its truth, and how many points of the grid are taken.

    `few` points make the ordinary run, `many` the slow one. `error` is relative, save for logarithms: the absolute
    error of a log-likelihood is the relative error of the likelihood; where the log is beyond 1e5 it is the error in
    units of 1e-5 of the log, as doubles have 16 digits and no more.
    """

    name: str
    axes: dict[str, Sequence[Any]]
    ours: Callable[[str, list[Point]], Array]
    truth: Callable[[str, Point], Any]
    few: int
    many: int
    error: Literal["relative", "of log"] = "relative"

    def points(self, model: str, *, whole: bool) -> list[Point]:
        names = known(model).names
        special = {"a": EDGE, "s": EDGE, "q": TAIL}
        axes = {name: special.get(name, WIDE) for name in names} | self.axes
        size = int(np.prod([len(values) for values in axes.values()]))
        wanted = min(self.many if whole else self.few, size)
        chosen = random.Random(f"{self.name}, {model}").sample(range(size), wanted)
        every = itertools.product(*axes.values()) if wanted == size else None
        rows = every if every is not None else (_decode(list(axes.values()), index) for index in chosen)
        points = [dict(zip(axes, row, strict=True)) for row in rows]
        return [point for point in points if _possible(point)]


def _decode(axes: list[Sequence[Any]], index: int) -> list[Any]:
    row = []
    for values in reversed(axes):
        index, place = divmod(index, len(values))
        row.append(values[place])
    return row[::-1]


def _possible(point: Point) -> bool:
    """A customer without a repeat purchase has no recency, one with has lived for some time."""
    if "age" not in point:
        return True
    t_x, T = point["age"]
    return t_x == 0.0 if point["x"] == 0 else T == 0.0 or t_x > 0.0


def _theta(model: str, points: list[Point]) -> Array:
    return np.array([[point[name] for name in known(model).names] for point in points])


def _column(points: list[Point], name: str) -> Array:
    return np.array([point[name] for point in points], float)


def _history(points: list[Point]) -> tuple[Array, Array, Array]:
    ages = np.array([point["age"] for point in points], float)
    return _column(points, "x"), ages[:, 0], ages[:, 1]


def _log_likelihood(model: str, points: list[Point]) -> Array:
    return TRANSACTION_MODELS[model].log_likelihood(_theta(model, points), *_history(points))


def _p_alive(model: str, points: list[Point]) -> Array:
    return TRANSACTION_MODELS[model].p_alive(_theta(model, points), *_history(points))


def _future(model: str, points: list[Point], which: int) -> Array:
    x, _, T = _history(points)
    return TRANSACTION_MODELS[model].future(_theta(model, points), x, T, _column(points, "t"))[which]


def _pmf(model: str, points: list[Point]) -> Array:
    x, _, T = _history(points)
    return TRANSACTION_MODELS[model].pmf(_theta(model, points), x, T, _column(points, "t"), _column(points, "n"))


def _by_fit(model: str, points: list[Point], given: Callable[..., Array]) -> Array:
    """Evaluate all customers of one fit at once, as predictions do: one grid in time serves them all."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, point in enumerate(points):
        key = (*(point[name] for name in known(model).names), point.get("t"), point.get("rate"))
        groups.setdefault(key, []).append(i)
    result = np.empty(len(points))
    for rows in groups.values():
        some = [points[i] for i in rows]
        x, _, T = _history(some)
        result[rows] = given(TRANSACTION_MODELS[model], _theta(model, some)[0], x, T, some[0])
    return result


def _expected_purchases(model: str, points: list[Point]) -> Array:
    return _by_fit(model, points, lambda m, theta, x, T, point: expected_purchases(m, theta, x, T, point["t"]))


def _discounted(model: str, points: list[Point], which: int) -> Array:
    def given(model: Any, theta: Array, x: Array, T: Array, point: Point) -> Array:
        return residual(model, theta, x, T, [discounting(_terms(point), "week")])[which][:, 0]

    return _by_fit(model, points, given)


def _terms(point: Point) -> Assumptions:
    rate, horizon = point["rate"]
    return Assumptions(discount_rate=rate, margin=0.3, horizon=horizon, year="52 weeks")


def _rate(point: Point) -> tuple[Any, Any]:
    rate, horizon = point["rate"]
    return (mp.inf if horizon is None else mpf(520)), mp.log1p(mpf(rate)) / 52


def _true(function: Callable[..., Any], *axes: str) -> Callable[[str, Point], Any]:
    def at(model: str, point: Point) -> Any:
        t_x, T = point["age"]
        history = {"x": point["x"], "t_x": t_x, "T": T, **{axis: point[axis] for axis in ("t", "n") if axis in point}}
        return function(model, point, *(history[axis] for axis in axes))

    return at


_HISTORY: dict[str, Sequence[Any]] = {"x": COUNTS, "age": AGES}
_AHEAD: dict[str, Sequence[Any]] = {**_HISTORY, "t": TIMES}
_RATED: dict[str, Sequence[Any]] = {**_HISTORY, "rate": RATES}

TRANSACTIONS = (
    Quantity(
        "log-likelihood", _HISTORY, _log_likelihood, _true(truth.log_likelihood, "x", "t_x", "T"), 100, 2000, "of log"
    ),
    Quantity("P(alive)", _HISTORY, _p_alive, _true(truth.p_alive, "x", "t_x", "T"), 100, 2000),
    Quantity("survival", _AHEAD, lambda m, p: _future(m, p, 0), _true(truth.survival, "x", "T", "t"), 50, 2000),
    Quantity(
        "purchase intensity", _AHEAD, lambda m, p: _future(m, p, 1), _true(truth.intensity, "x", "T", "t"), 50, 2000
    ),
    Quantity(
        "expected purchases",
        _AHEAD,
        _expected_purchases,
        _true(truth.expected_purchases, "x", "T", "t"),
        50,
        2000,
    ),
    Quantity(
        "D",
        _RATED,
        lambda m, p: _discounted(m, p, 0),
        lambda m, p: truth.discounted_orders(m, p, p["x"], p["age"][1], *_rate(p)),
        7,
        60,
    ),
    Quantity(
        "L",
        _RATED,
        lambda m, p: _discounted(m, p, 1),
        lambda m, p: truth.living_time(m, p, p["x"], p["age"][1], *_rate(p)),
        7,
        60,
    ),
    Quantity(
        "P(n purchases)",
        {**_HISTORY, "t": (1e-3, 52.0, 400.0, 1e4), "n": (0, 1, 10, 171, 1000)},
        _pmf,
        _true(truth.pmf, "x", "T", "t", "n"),
        50,
        1000,
    ),
)

SPEND = (
    Quantity(
        "log-likelihood",
        {"x": COUNTS[1:], "mean": MEANS},
        lambda m, p: SPEND_MODELS[m].log_likelihood(_theta(m, p), _column(p, "x"), _column(p, "mean")),
        lambda _, p: truth.spend_log_likelihood(p, p["x"], p["mean"]),
        300,
        2000,
        "of log",
    ),
    Quantity(
        "expected spend",
        {"x": COUNTS, "mean": MEANS},
        lambda m, p: SPEND_MODELS[m].expected_spend(_theta(m, p), _column(p, "x"), _column(p, "mean")),
        lambda _, p: truth.expected_spend(p, p["x"], p["mean"]),
        300,
        2400,
    ),
)

_LOGS: dict[str, Sequence[Any]] = {"s": (0.02, 0.5, 1.0, 5.0), "t": (1e-3, 0.5, 3.0), "log_mean": (-4.6, 0.0, 3.5, 9.2)}

LOG_NORMAL = (
    Quantity(
        "log-likelihood",
        {**_LOGS, "x": COUNTS[1:], "log_ss": (1e-6, 0.5, 1e3)},
        lambda m, p: SPEND_MODELS[m].log_likelihood(
            _theta(m, p), *(_column(p, name) for name in ("x", "log_mean", "log_ss"))
        ),
        lambda _, p: truth.log_normal_log_likelihood(p, p["x"], p["log_mean"], p["log_ss"]),
        300,
        2000,
        "of log",
    ),
    Quantity(
        "expected spend",
        {**_LOGS, "x": COUNTS},
        lambda m, p: SPEND_MODELS[m].expected_spend(_theta(m, p), _column(p, "x"), _column(p, "log_mean")),
        lambda _, p: truth.log_normal_expected_spend(p, p["x"], p["log_mean"]),
        300,
        2400,
    ),
)

ON_ORDERS = (
    Quantity(
        "log-likelihood",
        {"x": COUNTS[1:], "mean_of_orders": MEANS, "below": (0.0, 0.01, 0.3, 2.0)},
        lambda m, p: known(m).log_likelihood(
            _theta(m, p),
            _column(p, "x"),
            _column(p, "mean_of_orders"),
            np.log(_column(p, "mean_of_orders")) - _column(p, "below") * (_column(p, "x") > 1),
        ),
        lambda _, p: truth.gamma_gamma_of_orders(p, p["x"], p["mean_of_orders"], p["below"] * (p["x"] > 1)),
        300,
        2000,
        "of log",
    ),
)

_AMOUNTS: dict[str, Sequence[Any]] = {"s": WIDE, "t": WIDE, "known_mean": (-9173.0, -37.0, 0.01, 3.7, 1e4)}

CONTRIBUTION = (
    Quantity(
        "log-likelihood",
        {**_AMOUNTS, "x": COUNTS[1:], "known_ss": (1e-6, 0.5, 1e6)},
        lambda m, p: known(m).log_likelihood(
            _theta(m, p), *(_column(p, name) for name in ("x", "known_mean", "known_ss"))
        ),
        lambda _, p: truth.contribution_log_likelihood(p, p["x"], p["known_mean"], p["known_ss"]),
        300,
        2000,
        "of log",
    ),
    Quantity(
        "expected contribution",
        {**_AMOUNTS, "x": COUNTS},
        lambda m, p: known(m).expected_spend(_theta(m, p), _column(p, "x"), _column(p, "known_mean")),
        lambda _, p: truth.expected_contribution(p, p["x"], p["known_mean"]),
        300,
        2400,
    ),
)

OF_SPEND = {
    "gamma_gamma": SPEND,
    "gamma_gamma_orders": ON_ORDERS,
    "log_normal": LOG_NORMAL,
    "normal_contribution": CONTRIBUTION,
}
CASES = [(model, quantity) for model in TRANSACTION_MODELS for quantity in TRANSACTIONS]
CASES += [(model, quantity) for model, quantities in OF_SPEND.items() for quantity in quantities]


def errors(model: str, quantity: Quantity, points: list[Point]) -> Array:
    """Return the error at each point; infinite where the result is not finite."""
    pairs = zip(quantity.ours(model, points), points, strict=True)
    return np.array([_error(quantity, float(ours), quantity.truth(model, point)) for ours, point in pairs])


def _error(quantity: Quantity, got: float, true: Any) -> float:
    if not np.isfinite(got):
        return np.inf
    gap = abs(mpf(got) - true)
    if quantity.error == "of log":
        return float(gap / max(1, abs(true) / 100_000))
    if abs(true) < ABSURD:
        return 0.0 if abs(got) < 2 * ABSURD else np.inf
    return float(gap / abs(true))
