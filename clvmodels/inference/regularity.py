"""How regular purchases are: what a fit of a model of regular purchases keeps of the choice of its k."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Regularity"]


@dataclass(frozen=True)
class Regularity:
    """How regular purchases are: waits are gamma-distributed with shape k, and k = 1 is at random.

    Attributes
    ----------
    k
        Maximum-likelihood estimate; need not be whole.
    sd
        Its standard error; NaN where the likelihood is flat.
    log_likelihood
        The maximum.
    by_k
        The maximum at some whole k, all other parameters refitted: at the neighbours of `k`, at those of the whole k
        that is used, and at 1.

    Examples
    --------
    >>> print(Regularity(1.8, 0.1, -100.0, {1: -110.0, 2: -101.5, 3: -104.0}))
    The regularity of purchases is k = 1.8 (s.e. 0.1), where purchases at random have k = 1. Predictions use k = 2, ...
    """

    k: float
    sd: float
    log_likelihood: float
    by_k: Mapping[int, float]

    @property
    def whole(self) -> int:
        """The whole k of the highest likelihood, which predictions use."""
        return max(self.by_k, key=lambda k: self.by_k[k])

    @property
    def gain(self) -> float:
        """By how much the log-likelihood at `k` lies above that of purchases at random."""
        return self.log_likelihood - self.by_k[1]

    def __str__(self) -> str:
        used = self.by_k[self.whole]
        others = ", ".join(
            f"k = {k} lies {used - value:,.1f}" for k, value in sorted(self.by_k.items()) if k != self.whole
        )
        error = f" (s.e. {self.sd:.2g})" if np.isfinite(self.sd) else ""
        return (
            f"The regularity of purchases is k = {self.k:.3g}{error}, where purchases at random have k = 1. Predictions"
            f" use k = {self.whole}, {self.log_likelihood - used:,.1f} log units below the maximum; {others} log units"
            f" below k = {self.whole}."
        )
