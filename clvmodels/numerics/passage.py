"""Where falling functions pass a level: quantiles of many distributions at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["passage", "whole_passage"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Remaining = Callable[[Array, Index], Array]
"""``(t, rows)``: the share that remains beyond t, for some rows, shape (rows,); it falls from one as t grows."""

LEAST: Final = 1e-300
"""What remains at least; its log is a number."""
GROWTH: Final = 8.0
STEPS: Final = 60
CLOSE: Final = 1e-12


def passage(remaining: Remaining, level: float, start: Array, latest: float) -> Array:
    """Return the t at which the share that remains falls to a level, shape (rows,); inf where it is beyond `latest`.

    The logs of the share and of the level are equated, in log(1 + t / start), by Chandrupatla's method: what remains
    is often nearly a power there. Source: Chandrupatla (1997), Advances in Engineering Software 28(3).

    Parameters
    ----------
    remaining
        The function.
    level
        Between zero and one.
    start
        A scale of t of each row, positive, shape (rows,).
    latest
        The largest t that is looked for.

    Examples
    --------
    Medians of exponential waits with means 1, 2 and 400, of which none beyond 100 is wanted:

    >>> mean = np.array([1.0, 2.0, 400.0])
    >>> passage(lambda t, rows: np.exp(-t / mean[rows]), 0.5, np.ones(3), 100.0).round(6)
    array([0.693147, 1.386294,      inf])
    """

    def excess(v: Array, rows: Index) -> Array:
        times = np.minimum(start[rows] * np.expm1(v), latest)
        return np.asarray(np.log(np.maximum(remaining(times, rows), LEAST)) - np.log(level))

    rows, v = np.arange(len(start)), np.full(len(start), np.inf)
    if not len(rows):
        return v
    low, high = np.zeros(len(rows)), np.log1p(np.minimum(start, latest) / start)
    at_low, at_high = np.full(len(rows), -np.log(level)), excess(high, rows)
    short = at_high > 0.0
    while short.any():
        end = np.log1p(latest / start[rows[short]])
        beyond = high[short] >= end
        low[short], at_low[short] = high[short], at_high[short]
        high[short] = np.minimum(high[short] + np.log(GROWTH), end)
        at_high[short] = np.where(beyond, -1.0, excess(high[short], rows[short]))
        low[np.flatnonzero(short)[beyond]] = np.inf
        short = at_high > 0.0
    kept = np.isfinite(low)
    if kept.any():
        v[kept] = _root(excess, rows[kept], (low[kept], at_low[kept]), (high[kept], at_high[kept]))
    return np.asarray(start * np.expm1(v))


def _root(
    excess: Callable[[Array, Index], Array], rows: Index, low: tuple[Array, Array], high: tuple[Array, Array]
) -> Array:
    """Return where a function is zero between two points of each row, given with its values there."""
    (b, fb), (a, fa) = low, high
    c, fc, share = a.copy(), fa.copy(), np.full(len(rows), 0.5)
    best, active = np.empty(len(rows)), np.arange(len(rows))
    for _ in range(STEPS):
        t = a + share * (b - a)
        ft = excess(t, rows[active])
        same = np.sign(ft) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = t, ft
        nearest = np.where(np.abs(fb) < np.abs(fa), b, a)
        best[active] = nearest
        width = np.abs(b - a)
        tolerance = CLOSE * np.abs(nearest) + 1e-300
        going = (width > 2.0 * tolerance) & (fa != 0.0) & (fb != 0.0)
        best[active] = np.where(fb == 0.0, b, nearest)
        if not going.any():
            break
        active = active[going]
        a, b, c, fa, fb, fc = (values[going] for values in (a, b, c, fa, fb, fc))
        share = _next_share(a, b, c, fa, fb, fc)
        margin = tolerance[going] / width[going]
        share = np.clip(share, margin, 1.0 - margin)
    return best


def _next_share(a: Array, b: Array, c: Array, fa: Array, fb: Array, fc: Array) -> Array:
    """Return by which share of the way from a to b to go: by inverse quadratic interpolation where that is safe."""
    with np.errstate(all="ignore"):
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        safe = (phi**2 < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
        share = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    return np.where(safe & np.isfinite(share), share, 0.5)


def whole_passage(remaining: Remaining, level: float, rows: int, latest: float) -> Array:
    """Return the first whole t at which the share that remains is at most a level; inf where it is beyond `latest`.

    Examples
    --------
    >>> whole_passage(lambda t, rows: 0.8**t, 0.5, 1, 100.0)
    array([4.])
    """
    last = float(np.floor(latest))
    low, high, which = np.zeros(rows), np.ones(rows), np.arange(rows)
    beyond = remaining(high, which) > level
    while beyond.any():
        here = which[beyond]
        low[here] = high[here]
        high[here] = np.where(high[here] >= last, np.inf, np.minimum(2.0 * high[here], last))
        beyond = np.isfinite(high)
        beyond[beyond] = (low[beyond] > 0.0) & (remaining(high[beyond], which[beyond]) > level)
    open_ = np.isfinite(high) & (high - low > 1.0)
    while open_.any():
        here = which[open_]
        middle = np.floor(0.5 * (low[here] + high[here]))
        above = remaining(middle, here) > level
        low[here], high[here] = np.where(above, middle, low[here]), np.where(above, high[here], middle)
        open_ = np.isfinite(high) & (high - low > 1.0)
    return high
