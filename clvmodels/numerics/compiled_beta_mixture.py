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

All series are in y = (1 - v / centre) / reach, which is 1 where they have to reach: their coefficients are their terms
there. A law whose series do not converge, or where terms cancel, is left to others: see `write_powers`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.elementary import compiled, exp, log, log1p

__all__ = ["write_powers"]

Array = NDArray[np.float64]

DIRECT_FROM: Final = 6.0
"""Where d is this or more, the terms of the series about v = 1 fall like k^-7 or faster, and it may serve for all v."""
TERMS: Final = 256
"""Of that series, at most."""
TERMS_OF_STEP, TERMS_NEAR = 80, 40
"""Of a series from centre to centre, and of the same up to a third from its centre."""
REACH, NEAR = 0.5, 1.0 / 3.0
FALL: Final = (NEAR / REACH) ** TERMS_NEAR
"""Of the terms that are left out near the centre, from where the series has to reach."""
STEPS: Final = 48
"""Centres, at most."""
FARTHEST: Final = 2.0 ** (STEPS - 2)
"""Largest z that they serve."""
CENTRES: Final = 0.5 ** np.arange(float(STEPS))
NEGLIGIBLE: Final = 1e-16
"""Terms are left out where they count less, relative to the sum, and to n times the sum: the slope is divided by n."""
LOSS: Final = 1024.0
"""What is subtracted may exceed the difference by this factor, which costs three digits of sixteen."""
LARGEST: Final = 1e7
"""Larger parameters are left to others."""
LARGEST_EXPONENT: Final = 700.0
"""Of the power of v: beyond, numbers underflow."""
LEAST: Final = 1e-300
LOG_2, LOG_4_3 = float(np.log(2.0)), float(np.log(4.0 / 3.0))
NUMBERS: Final = np.arange(float(TERMS))
INVERSE: Final = 1.0 / (NUMBERS + 1.0)


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
    series = np.empty((STEPS, TERMS))
    v, scale, step = np.empty(values), np.empty(values), np.empty(values, np.int64)
    for i in range(laws):
        farthest = z[i].max()
        if not _within_limits(n[i], a[i], b[i], farthest):
            continue
        last, terms, reach = _expand(n[i], a[i], b[i], farthest / (1.0 + farthest), series)
        good[i] = last >= 0
        if last >= 0:
            _write_places(a[i], z[i], last, v, scale, step)
            _write_sums(n[i], a[i], series[:, :terms], reach, step, v, scale, out[0, i], out[1, i])
    return good


@compiled()
def _within_limits(n: float, a: float, b: float, z: float) -> bool:
    """Return whether the terms of the series about v = 1 fall from the first on, or soon, and nothing underflows."""
    small = max(n, a, b) < LARGEST and z < FARTHEST
    return small and n <= 2.0 * (a + b) and a * log1p(z) < LARGEST_EXPONENT


@compiled()
def _expand(n: float, a: float, b: float, w: float, series: Array) -> tuple[int, int, float]:
    """Write the series down to v = 1 - w; return the number of the last centre, of their terms, and their reach.

    The number of the last centre is -1 where they are not good.
    """
    if n - a >= DIRECT_FROM or w <= NEAR:
        reach = max(w, LEAST)
        terms = _expand_at_one(a, (b - n) + a, a + b, reach, NEGLIGIBLE * min(n, 1.0), series[0])
        if terms > 0:
            value, slope, largest = _at_reach(series[0, :terms])
            if _exact(n, a, 1.0, reach, value, slope, largest):
                return 0, terms, reach
    return _expand_in_steps(n, a, b, w, series), TERMS_NEAR, REACH


@compiled()
def _expand_in_steps(n: float, a: float, b: float, w: float, series: Array) -> int:
    """Write the series about 1, 1/2, ... until one of them serves v = 1 - w; return the number of the last, or -1."""
    e, d, centre, share, most = (b - n) + a, n - a, 1.0, NEGLIGIBLE * min(n, 1.0), 0.0
    last = int((LOG_4_3 - log(1.0 - w)) * (1.0 / LOG_2))
    terms = _expand_at_one(a, e, a + b, REACH, share, series[0, :TERMS_OF_STEP])
    for step in range(last + 1):
        if terms == 0:
            return -1
        f = series[step, :terms]
        value, slope, largest = _at_reach(f)
        most = max(most, largest)  # rounding of earlier series stays, while F may fall
        converged = abs(f[TERMS_NEAR - 1]) * FALL < share * min(value, f[0])
        if not (converged and _exact(n, a, centre, REACH, value, slope, most)):
            return -1
        centre *= 0.5
        if step < last:
            f = series[step + 1, :TERMS_OF_STEP]
            terms = _expand_between(centre, a, e, d, value, 0.5 * slope, share * value, f)
    return last


@compiled()
def _expand_at_one(a: float, e: float, c: float, reach: float, least: float, f: Array) -> int:
    """Write the series of F about v = 1 up to a least term; return how many there are, in eights, or 0: too few."""
    f[0] = 1.0
    for k in range(len(f) - 1):
        f[k + 1] = f[k] * (reach * INVERSE[k] * ((a + NUMBERS[k]) * (e + NUMBERS[k])) / (c + NUMBERS[k]))
        if abs(f[k + 1]) * NUMBERS[k + 1] < least:
            return _filled(f, k + 2)
    return 0


@compiled()
def _expand_between(
    centre: float, a: float, e: float, d: float, value: float, slope: float, least: float, f: Array
) -> int:
    """Do the same about another centre, given its first two terms."""
    bend, level, share = 1.0 - 2.0 * centre, 1.0 - d - (a + e + 1.0) * centre, REACH / (1.0 - centre)
    first, second, per_pair = value, slope, REACH * share * centre
    f[0], f[1] = first, second
    for k in range(len(f) - 2):
        by_first = per_pair * ((NUMBERS[k] + a) * (NUMBERS[k] + e)) * (INVERSE[k] * INVERSE[k + 1])
        by_second = share * (bend * NUMBERS[k] + level) * INVERSE[k + 1]
        first, second = second, by_first * first + by_second * second
        f[k + 2] = second
        if (abs(first) + abs(second)) * NUMBERS[k + 2] < least:
            return _filled(f, k + 3)
    return 0


@compiled()
def _filled(f: Array, terms: int) -> int:
    """Write zeros after the last term, as many as are summed near a centre; return the number of terms in eights."""
    stop = -(-terms // 8) * 8
    for k in range(terms, max(stop, TERMS_NEAR)):
        f[k] = 0.0
    return stop


@compiled(reordered=True)
def _at_reach(f: Array) -> tuple[float, float, float]:
    """Return the sum of a series at y = 1, its derivative, and the size of its largest term."""
    value, slope, largest = 0.0, 0.0, 0.0
    for k in range(len(f)):
        value += f[k]
        slope += k * f[k]
        largest = max(largest, abs(f[k]))
    return value, slope, largest


@compiled()
def _exact(n: float, a: float, centre: float, reach: float, value: float, slope: float, largest: float) -> bool:
    """Return whether neither F nor G, at y = 1, is much smaller than what they are the sums of."""
    v = centre * (1.0 - reach)
    w = (1.0 - v) / n
    more = (1.0 - w * a) * value + w * v / (centre * reach) * slope
    return largest * (1.0 + w * a) <= LOSS * min(value, more)


@compiled()
def _write_places(a: float, z: Array, last: int, v: Array, scale: Array, step: NDArray[np.int64]) -> None:
    """Write v, v^a and the number of the nearest centre for each z."""
    for j in range(len(v)):
        log_more = log1p(z[j])
        v[j] = 1.0 / (1.0 + z[j])
        scale[j] = exp(-a * log_more)
        step[j] = min(int((log_more + LOG_4_3) * (1.0 / LOG_2)), last)


@compiled()
def _write_sums(
    n: float,
    a: float,
    series: Array,
    reach: float,
    step: NDArray[np.int64],
    v: Array,
    scale: Array,
    mean: Array,
    more: Array,
) -> None:
    """Write both expectations at each v, by the series of its step."""
    start, values = 0, len(v)
    while start < values:
        stop, number = start + 1, step[start]
        while stop < values and step[stop] == number:
            stop += 1
        per_v = 1.0 / (CENTRES[number] * reach)
        _write_run(series[number], reach, per_v, v[start:stop], mean[start:stop], more[start:stop])
        for j in range(start, stop):
            w = (1.0 - v[j]) / n
            more[j] = scale[j] * (mean[j] - w * (a * mean[j] - v[j] * per_v * more[j]))
            mean[j] *= scale[j]
        start = stop


@compiled()
def _write_run(f: Array, reach: float, per_v: float, v: Array, value: Array, slope: Array) -> None:
    """Write the sum of a series and its derivative by y = 1 / reach - v per_v, eight terms at a time (Horner)."""
    for j in range(len(v)):
        value[j], slope[j] = 0.0, 0.0
    for k in range(len(f) - 8, -1, -8):
        f0, f1, f2, f3, f4, f5, f6, f7 = f[k], f[k + 1], f[k + 2], f[k + 3], f[k + 4], f[k + 5], f[k + 6], f[k + 7]
        for j in range(len(v)):
            y, p, q = 1.0 / reach - v[j] * per_v, value[j], slope[j]
            p, q = p * y + f7, q * y + p
            p, q = p * y + f6, q * y + p
            p, q = p * y + f5, q * y + p
            p, q = p * y + f4, q * y + p
            p, q = p * y + f3, q * y + p
            p, q = p * y + f2, q * y + p
            p, q = p * y + f1, q * y + p
            value[j], slope[j] = p * y + f0, q * y + p
