"""What a fit says about the number of purchases of each customer: not one number, a distribution, and how it scored.

The probabilities of n = 0, 1, 2, ... purchases are gone through once; customers drop out when what is left of their
distribution no longer matters. Memory is by customer, whatever the largest number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.inference.one_or_many import thinned

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array
    from clvmodels.units import Duration

type Rows = NDArray[np.intp]

__all__ = ["LEVEL", "Distributions", "distributions"]

LEVEL: Final = 0.90
"""Probability of the central interval whose coverage is looked at."""
NEGLIGIBLE: Final = 1e-6
"""What may be left of a distribution when a customer is done."""
DRAWS: Final = 40
"""Predictive probabilities are means over at most about this many draws of the parameters."""


@dataclass(frozen=True, eq=False)
class Distributions:
    """The predictive distribution of each customer's number of purchases, beside what happened; shape (n,) each.

    Attributes
    ----------
    log_score
        Log of the probability of what happened; greater is better.
    crps
        Continuous ranked probability score: the sum over k of (P(X <= k) - 1[y <= k])^2; smaller is better.
    any_purchase
        P(X > 0).
    low, high
        Ends of the central interval: the smallest numbers whose cumulative probability reaches 5 and 95 %.
    within
        P(low <= X <= high): 90 % or more, as a count cannot be cut finer.
    """

    log_score: Array
    crps: Array
    any_purchase: Array
    low: Array
    high: Array
    within: Array


def distributions(fit: TransactionFit, histories: Histories, t: Duration, observed: Array) -> Distributions:
    """Score what a fit says about purchases within `t` after the end of observation.

    Parameters
    ----------
    fit, histories, t
        As of `TransactionFit.expected_purchases`.
    observed
        What the customers did, shape (n,).

    Notes
    -----
    Log score and CRPS are proper: nobody betters their expected score by saying something else than what they believe.
    Source: Gneiting & Raftery (2007), JASA 102, eqs. 20 and 21; Czado, Gneiting & Held (2009), Biometrics 65, for
    counts.

    Examples
    --------
    >>> import clvmodels as clv
    >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> rfm = fit.simulate(3, "39 weeks", seed=1)
    >>> scored = distributions(fit, rfm, "39 weeks", np.zeros(3))
    >>> bool(np.allclose(scored.log_score, np.log(1.0 - scored.any_purchase)))
    True
    """
    fit = thinned(fit, DRAWS)
    tally = _Tally.empty(len(histories))
    rows, remaining, n = np.arange(len(histories)), histories, 0
    while len(rows):
        probability = fit.probability_of_purchases(remaining, t, n)["mean"].to_numpy()
        tally.add(rows, probability, n, observed[rows])
        going_on = (tally.cumulative[rows] < 1.0 - NEGLIGIBLE) | (observed[rows] > n)
        if going_on.sum() < len(rows) / 2:
            rows, remaining = rows[going_on], remaining.select(going_on)
        n += 1
    return Distributions(tally.log_score, tally.crps, tally.any_purchase, tally.low, tally.high, tally.within())


@dataclass(eq=False)
class _Tally:
    """Sums over n so far, by customer."""

    cumulative: Array
    log_score: Array
    crps: Array
    any_purchase: Array
    low: Array
    high: Array
    below: Array
    upto: Array

    @classmethod
    def empty(cls, size: int) -> _Tally:
        zeros = [np.zeros(size) for _ in range(4)]
        unknown = [np.full(size, np.nan) for _ in range(4)]
        return cls(*zeros, *unknown)

    def add(self, rows: Rows, probability: Array, n: int, observed: Array) -> None:
        """Add P(X = n) of some customers."""
        before = self.cumulative[rows]
        after = before + probability
        self.cumulative[rows] = after
        self.crps[rows] += (after - (observed <= n)) ** 2
        if n == 0:
            self.any_purchase[rows] = np.maximum(1.0 - probability, 0.0)
        happened = observed == n
        with np.errstate(divide="ignore"):  # what was said to be impossible has a log score of minus infinity
            self.log_score[rows[happened]] = np.log(probability[happened])
        tail = (1.0 - LEVEL) / 2.0
        lowest = np.isnan(self.low[rows]) & (after >= tail)
        self.low[rows[lowest]], self.below[rows[lowest]] = n, before[lowest]
        highest = np.isnan(self.high[rows]) & (after >= 1.0 - tail)
        self.high[rows[highest]], self.upto[rows[highest]] = n, after[highest]

    def within(self) -> Array:
        """Return P(low <= X <= high)."""
        return self.upto - self.below
