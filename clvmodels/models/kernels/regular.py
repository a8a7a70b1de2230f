"""Compiled future of (M)BG/CNBD-k; formulas and sources are in `models.beta_geometric_regular`.

The number e of stages passed is negative binomial, and its probabilities follow each other by a recurrence. They are
summed from where they begin to count. Where they form a bell that is wide against the stages of a purchase, only some
purchases are summed, each for several: the trapezoidal rule, whose error falls with exp(-2 pi^2 (sd / step)^2)
(Trefethen & Weideman 2014, SIAM Review 56(3)).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled_special import log_gamma_ratio
from clvmodels.numerics.elementary import compiled

__all__ = ["write_future"]

Array = NDArray[np.float64]

BELL: Final = 9.0
"""Standard deviations below the mean; from there to zero, a bell has nothing left."""
PER_SD: Final = 2.5
"""Purchases that are summed in a standard deviation of a bell: the error is exp(-120)."""
BEGIN: Final = -60.0
"""Log of a probability that does not count."""
NEGLIGIBLE: Final = 1e-18


@compiled()
def _log_probability(e: float, n: float, ratio: float) -> float:
    """Return the log of the probability of e stages in a time that is `ratio` times alpha + T."""
    share = math.log(ratio) - math.log1p(ratio)
    return log_gamma_ratio(n, e) - math.lgamma(e + 1.0) + e * share - n * math.log1p(ratio)


@compiled()
def _first(low: float, n: float, ratio: float, stage: float, k: int) -> float:
    """Return the first number of purchases from `low` on whose probability counts."""
    high = math.floor(max(n - 1.0, 0.0) * ratio / k)
    while low < high:
        middle = math.floor(0.5 * (low + high))
        if _log_probability(max(middle * k - stage, 0.0), n, ratio) < BEGIN:
            low = middle + 1.0
        else:
            high = middle
    return low


@compiled()
def write_future(n: Array, ratio: Array, a: Array, stays: Array, stage: Array, k: int, out: Array) -> None:
    """Write P(alive at T+t), and E[purchase rate at T+t] times alpha+T+t, to `out`, shape (2, size).

    Parameters
    ----------
    n, a, stays, stage
        Shape of the distribution of rates, a, b + K, and stage of each customer, shape (size,).
    ratio
        t / (alpha + T), shape (size,).
    k
        Stages of a purchase.
    """
    for row in range(len(n)):
        if ratio[row] <= 0.0:
            out[0, row], out[1, row] = 1.0, n[row] if stage[row] == k - 1.0 else 0.0
            continue
        mean, j, up = n[row] * ratio[row], stage[row], ratio[row] / (1.0 + ratio[row])
        sd = math.sqrt(mean * (1.0 + ratio[row]))
        low = math.floor((mean - BELL * sd) / k)
        step = max(math.floor(sd / (PER_SD * k)), 1.0) if low > 0.0 else 1.0
        m = low if low > 0.0 else _first(0.0, n[row], ratio[row], j, k)
        survival, rate, fresh = 0.0, 0.0, True
        probability, share = 0.0, 0.0
        while True:
            if fresh:
                probability = math.exp(_log_probability(max(m * k - j, 0.0), n[row], ratio[row]))
                share = math.exp(log_gamma_ratio(stays[row], m) - log_gamma_ratio(a[row] + stays[row], m))
                fresh = step > 1.0
            e, last = max(m * k - j, 0.0), (m + 1.0) * k - j - 1.0
            together = 0.0
            while e < last:
                together += probability
                probability *= (n[row] + e) / (e + 1.0) * up
                e += 1.0
            together += probability
            survival += share * together
            rate += share * probability * (n[row] + e)
            growth = (n[row] + e) / (e + 1.0) * up
            probability *= growth
            if growth < 1.0 and probability * step < NEGLIGIBLE * (1.0 - growth):
                break
            share *= (stays[row] + m) / (a[row] + stays[row] + m)
            m += step
        out[0, row], out[1, row] = step * survival, step * rate
