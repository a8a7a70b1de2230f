"""Compiled expectations of powers of 1 + p z over many laws p ~ Beta(a, b), each at many z, by power series.

With v = 1 / (1 + z), Pfaff's transformation (DLMF 15.8.1) writes

    E[(1 + p z)^-n] = 2F1(n, a; a + b; -z) = v^a F,    F = 2F1(a, e; a + b; 1 - v),    e = a + b - n.

Under BG/NBD, e is a number of the population, however often a customer buys: F is positive, monotone and changes
little. Its series about v = 1 converges for all v > 0, quickly where d = n - a is large or v is above 2/3. Elsewhere
the differential equation (DLMF 15.10.1) is followed in steps: as a function of v it is

    v (1 - v) F'' + [1 - d - (a + e + 1) v] F' - a e F = 0,

and its Taylor series about v = 1/2, 1/4, ... have a three-term recurrence. Each serves up to a third from its centre,
and gives value and slope at the next one. The expectation of one power more follows from the slope,

    E[(1 + p z)^-(n + 1)] = v^a G,    G = [1 - (1 - v) a / n] F - (1 - v) v F' / n.

A law whose series do not converge, or where terms cancel, is left to others: see `write_powers`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.elementary import compiled, exp, log, log1p

__all__ = ["write_powers"]

Array = NDArray[np.float64]

DIRECT_FROM: Final = 6.0
"""Where d is this or more, the terms of the series about v = 1 fall like k^-7 or faster, and it serves for all z."""
TERMS: Final = 256
"""Of that series, at most."""
TERMS_OF_STEP, TERMS_NEAR = 80, 40
"""Of a series from centre to centre, and up to a third from its centre."""
STEPS: Final = 48
"""Centres, at most."""
NEGLIGIBLE: Final = 1e-16
"""Terms are left out where they count less, relative to the sum."""
LOSS: Final = 1024.0
"""What is subtracted may exceed the difference by this factor, which costs three digits of sixteen."""
LARGEST: Final = 1e7
"""Larger parameters are left to others."""
LARGEST_EXPONENT: Final = 700.0
"""Of the power of v: beyond, numbers underflow."""
LOG_2, LOG_4_3 = float(np.log(2.0)), float(np.log(4.0 / 3.0))


@compiled()
def write_powers(n: Array, z: Array, a: Array, b: Array, out: Array) -> NDArray[np.bool_]:
    """Write E[(1 + p z)^-n] and E[(1 + p z)^-(n + 1)] to `out`, and return for which laws they are right.

    Parameters
    ----------
    n, a, b
        One of each law, > 0, shape (laws,).
    z
        Those of each law, >= 0, shape (laws, values); quickest where they are in order.
    out
        Shape (2, laws, values); of the other laws it holds anything.

    Examples
    --------
    The mean of 1 / (1 + p z) for a uniform p is log(1 + z) / z:

    >>> ones, z, out = np.ones(1), np.array([[1.0, 3.0]]), np.empty((2, 1, 2))
    >>> write_powers(ones, z, ones, ones, out)
    array([ True])
    >>> (out[0] - np.log1p(z) / z).round(12) + 0.0
    array([[0., 0.]])
    """
    laws, values = z.shape
    good = np.zeros(laws, np.bool_)
    series, work = np.empty((STEPS, TERMS)), np.empty((2, TERMS))
    v, scale, step = np.empty(values), np.empty(values), np.empty(values, np.int64)
    for i in range(laws):
        farthest = z[i].max()
        if not _within_limits(n[i], a[i], b[i], farthest):
            continue
        last, terms = _expand(n[i], a[i], b[i], 1.0 / (1.0 + farthest), series, work)
        good[i] = last >= 0
        if last >= 0:
            for j in range(values):
                more = 1.0 + z[i, j]
                log_more = log1p(z[i, j])
                v[j] = 1.0 / more
                scale[j] = exp(-a[i] * log_more)
                step[j] = min(int((log_more + LOG_4_3) * (1.0 / LOG_2)), last)
            _write_sums(n[i], a[i], series[:, :terms], step, v, scale, out[0, i], out[1, i])
    return good


@compiled()
def _within_limits(n: float, a: float, b: float, z: float) -> bool:
    """Return whether the terms of the series about v = 1 fall from the first on, or soon, and nothing underflows."""
    small = max(n, a, b) < LARGEST and z < 2.0 ** (STEPS - 2)
    return small and n <= 2.0 * (a + b) and a * log1p(z) < LARGEST_EXPONENT


@compiled()
def _expand(n: float, a: float, b: float, v: float, series: Array, work: Array) -> tuple[int, int]:
    """Write the series down to v; return the number of the last centre, -1 if they are not good, and of their terms."""
    if n - a >= DIRECT_FROM:
        _expand_at_one(a, (b - n) + a, a + b, series[0], work)
        terms = _needed(series[0], 1.0 - v)
        value, slope, largest = _at(series[0, :terms], v - 1.0)
        if terms > 0 and _exact(n, a, 1.0, largest, value, slope, v):
            return 0, terms
    return _expand_in_steps(n, a, b, v, series, work), TERMS_NEAR


@compiled()
def _expand_in_steps(n: float, a: float, b: float, v: float, series: Array, work: Array) -> int:
    e, d, centre = (b - n) + a, n - a, 1.0
    last = int((LOG_4_3 - log(v)) * (1.0 / LOG_2))
    _expand_at_one(a, e, a + b, series[0, :TERMS_OF_STEP], work)
    for step in range(last + 1):
        f = series[step, :TERMS_OF_STEP]
        value, slope, largest = _at(f, -0.5)
        small = NEGLIGIBLE * min(value, f[0]) / TERMS_OF_STEP
        good = abs(f[-1]) * 0.5 ** (len(f) - 1) < small and abs(f[TERMS_NEAR]) * (1.0 / 3.0) ** TERMS_NEAR < small
        if not (good and _exact(n, a, centre, largest, value, slope, 0.5 * centre)):
            return -1
        centre *= 0.5
        if step < last:
            _expand_between(centre, a, e, d, value, 0.5 * slope, series[step + 1, :TERMS_OF_STEP], work)
    return last


@compiled()
def _expand_at_one(a: float, e: float, c: float, f: Array, work: Array) -> None:
    """Write the series of F in x = v - 1."""
    for k in range(len(f) - 1):
        work[0, k] = ((a + k) * (e + k)) / ((c + k) * (-1.0 - k))
    f[0] = 1.0
    for k in range(len(f) - 1):
        f[k + 1] = f[k] * work[0, k]


@compiled()
def _expand_between(
    centre: float, a: float, e: float, d: float, value: float, slope: float, f: Array, work: Array
) -> None:
    """Write the Taylor series of F about a centre in x = v / centre - 1, given its first two terms."""
    bend, level, per_rest = 1.0 - 2.0 * centre, 1.0 - d - (a + e + 1.0) * centre, 1.0 / (1.0 - centre)
    for k in range(len(f) - 2):
        share = per_rest / (k + 2.0)
        work[0, k] = share / (k + 1.0) * centre * ((k + a) * (k + e))
        work[1, k] = share * (bend * k + level)
    f[0], f[1] = value, slope
    for k in range(len(f) - 2):
        f[k + 2] = work[0, k] * f[k] - work[1, k] * f[k + 1]


@compiled()
def _needed(f: Array, farthest: float) -> int:
    """Return how many terms of the series about v = 1 are needed up to a distance, in eights; 0: too many."""
    power = 1.0
    for k in range(len(f)):
        if abs(f[k]) * power * (k + 1.0) < NEGLIGIBLE:
            return (k // 8 + 1) * 8
        power *= farthest
    return 0


@compiled()
def _at(f: Array, x: float) -> tuple[float, float, float]:
    """Return the sum of a series at x, its derivative, and the size of its largest term."""
    value, slope, largest, power = 0.0, 0.0, 0.0, 1.0
    for k in range(len(f) - 1):
        value += f[k] * power
        slope += (k + 1.0) * f[k + 1] * power
        largest = max(largest, abs(f[k] * power))
        power *= x
    return value, slope, largest


@compiled()
def _exact(n: float, a: float, centre: float, largest: float, value: float, slope: float, v: float) -> bool:
    """Return whether neither F nor G at v is much smaller than what they are the sums of."""
    w = 1.0 - v
    more = (1.0 - w * a / n) * value - w * v / n * slope / centre
    return largest * (1.0 + w * a / n) <= LOSS * min(value, more)


@compiled()
def _write_sums(
    n: float, a: float, series: Array, step: NDArray[np.int64], v: Array, scale: Array, mean: Array, more: Array
) -> None:
    """Write both expectations at each v, by the series of its step."""
    start, values = 0, len(v)
    while start < values:
        stop = start + 1
        while stop < values and step[stop] == step[start]:
            stop += 1
        _write_run(
            n,
            a,
            series[step[start]],
            2.0 ** step[start],
            v[start:stop],
            scale[start:stop],
            mean[start:stop],
            more[start:stop],
        )
        start = stop


@compiled()
def _write_run(
    n: float, a: float, f: Array, per_centre: float, v: Array, scale: Array, mean: Array, more: Array
) -> None:
    for j in range(len(v)):
        mean[j], more[j] = 0.0, 0.0
    for k in range(len(f) - 8, -1, -8):
        f0, f1, f2, f3, f4, f5, f6, f7 = f[k], f[k + 1], f[k + 2], f[k + 3], f[k + 4], f[k + 5], f[k + 6], f[k + 7]
        for j in range(len(v)):
            x, value, slope = v[j] * per_centre - 1.0, mean[j], more[j]
            value, slope = value * x + f7, slope * x + value
            value, slope = value * x + f6, slope * x + value
            value, slope = value * x + f5, slope * x + value
            value, slope = value * x + f4, slope * x + value
            value, slope = value * x + f3, slope * x + value
            value, slope = value * x + f2, slope * x + value
            value, slope = value * x + f1, slope * x + value
            mean[j], more[j] = value * x + f0, slope * x + value
    for j in range(len(v)):
        w = (1.0 - v[j]) / n
        more[j] = scale[j] * (mean[j] - w * (a * mean[j] + v[j] * per_centre * more[j]))
        mean[j] *= scale[j]
