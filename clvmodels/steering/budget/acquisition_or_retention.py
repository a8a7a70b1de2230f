"""How much to spend on acquiring a customer: until the last unit of money brings no more than itself.

Source: Blattberg & Deighton (1996), Harvard Business Review 74(4): the share acquired of prospects is
ceiling (1 - exp(-k spend per prospect)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from clvmodels.arguments import as_number
from clvmodels.errors import DataError

__all__ = ["ProspectSpend", "best_spend_per_prospect"]


@dataclass(frozen=True)
class ProspectSpend:
    """The best spend per prospect.

    Attributes
    ----------
    spend
        Money per prospect.
    acquired
        The share of prospects who become customers.
    value
        Money per prospect, less the spend.
    """

    spend: float
    acquired: float
    value: float


def best_spend_per_prospect(value: float, ceiling: float, k: float) -> ProspectSpend:
    """Return the spend per prospect that brings most: log(value ceiling k) / k.

    Parameters
    ----------
    value
        Of a customer acquired, before the cost of acquiring them.
    ceiling
        The share of prospects who can be won at any cost.
    k
        How fast that is approached, per unit of money.

    Raises
    ------
    DataError
        If a number is not positive, or the ceiling exceeds 1.

    Examples
    --------
    >>> best = best_spend_per_prospect(52.449, ceiling=0.5, k=0.1)
    >>> round(best.spend, 5), round(best.acquired, 4), round(best.value, 4)
    (9.64109, 0.3093, 6.5834)
    """
    for name, number, high in (("value", value, math.inf), ("ceiling", ceiling, 1.0), ("k", k, math.inf)):
        if not 0.0 < as_number(number) <= high or math.isinf(as_number(number)):
            raise DataError(f"{name} is a number above 0{' and at most 1' * (high == 1.0)}, got {number!r}")
    spend = max(math.log(value * ceiling * k) / k, 0.0)
    acquired = -ceiling * math.expm1(-k * spend)
    return ProspectSpend(spend, acquired, acquired * value - spend)
