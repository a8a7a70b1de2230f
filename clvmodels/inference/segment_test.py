"""Whether segments differ, and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SegmentTest"]


@dataclass(frozen=True)
class SegmentTest:
    """Whether the data say that segments differ.

    Attributes
    ----------
    evidence
        Log-likelihood of a population of segments: its centre at the maximum, segments and spreads integrated out.
    pooled
        Log-likelihood of one population without segments, at its maximum.
    spread
        Standard deviation of each quantity over segments: of its log, of a share of its log odds.

    Examples
    --------
    >>> test = SegmentTest(evidence=-9570.2, pooled=-9582.4, spread={"purchase_rate": 0.3})
    >>> test.differ, round(test.factors["purchase_rate"], 2)
    (True, 1.35)
    """

    evidence: float
    pooled: float
    spread: Mapping[str, float]

    @property
    def differ(self) -> bool:
        """Whether a population of segments explains the data better than one without: by more than chance would."""
        return self.evidence > self.pooled

    @property
    def factors(self) -> Mapping[str, float]:
        """By which factor of the centre, above or below, the quantity of a segment lies at one standard deviation."""
        return {name: math.exp(sd) for name, sd in self.spread.items()}

    def describe(self, by: str) -> str:
        """Return the same in words.

        Examples
        --------
        >>> print(SegmentTest(evidence=-90.0, pooled=-80.0, spread={"purchase_rate": 0.1}).describe("channel"))
        By channel: nothing says that segments differ (evidence 10 below the log-likelihood of one population). ...
        """
        ahead = self.evidence - self.pooled
        distance = (
            f"evidence {abs(ahead):,.3g} {'above' if ahead > 0.0 else 'below'} the log-likelihood of one population"
        )
        verdict = "segments differ" if self.differ else "nothing says that segments differ"
        factors = ", ".join(f"{name} {factor:.2f}" for name, factor in self.factors.items())
        return (
            f"By {by}: {verdict} ({distance}). Two thirds of them lie within these factors of the centre (of a share:"
            f" of its odds): {factors}."
        )
