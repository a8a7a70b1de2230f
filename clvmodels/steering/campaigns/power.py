"""How many customers a campaign needs, and how small an effect it can show.

Source: Cohen (1988), Statistical Power Analysis, chapter 2; two-sided tests of a difference of means of large samples.
"""

from __future__ import annotations

import math

from scipy import stats

from clvmodels.arguments import as_number
from clvmodels.errors import DataError

__all__ = ["customers_needed", "power_of", "smallest_effect"]


def customers_needed(effect: float, sd: float, share: float = 0.5, power: float = 0.8, critical: float = 1.96) -> int:
    """Return how many customers, treated and held out, show an effect with a probability.

    Parameters
    ----------
    effect
        Per treated customer, in money.
    sd
        Standard deviation of the outcome, in money: that of what covariates leave of it.
    share
        Of the customers who are treated.
    power
        The probability.
    critical
        What ``|z|`` must exceed.

    Raises
    ------
    DataError
        If effect or sd is not positive, or share or power does not lie between 0 and 1.

    Examples
    --------
    >>> customers_needed(1.0, 10.0)
    3140
    """
    _require(effect=effect, sd=sd, share=share, power=power)
    z = critical + float(stats.norm.ppf(power))
    return math.ceil(z**2 * sd**2 / (share * (1.0 - share) * effect**2))


def smallest_effect(
    customers: float, sd: float, share: float = 0.5, power: float = 0.8, critical: float = 1.96
) -> float:
    """Return the smallest effect per treated customer that so many customers show with a probability.

    Raises
    ------
    DataError
        As of `customers_needed`.

    Examples
    --------
    >>> round(smallest_effect(3140, 10.0), 3)
    1.0
    """
    _require(customers=customers, sd=sd, share=share, power=power)
    return (critical + float(stats.norm.ppf(power))) * sd / math.sqrt(share * (1.0 - share) * customers)


def power_of(effect: float, customers: float, sd: float, share: float = 0.5, critical: float = 1.96) -> float:
    """Return the probability with which so many customers show an effect.

    Raises
    ------
    DataError
        As of `customers_needed`.

    Examples
    --------
    >>> round(power_of(1.0, 3140, 10.0), 3)
    0.8
    """
    _require(effect=effect, customers=customers, sd=sd, share=share)
    shift = effect * math.sqrt(share * (1.0 - share) * customers) / sd
    return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))


def _require(*, sd: float, share: float, effect: float = 1.0, customers: float = 1.0, power: float = 0.5) -> None:
    for name, number in (("effect", effect), ("sd", sd), ("customers", customers)):
        if not 0.0 < as_number(number) < math.inf:
            raise DataError(f"{name} is a positive number, got {number!r}")
    for name, number in (("share", share), ("power", power)):
        if not 0.0 < as_number(number) < 1.0:
            raise DataError(f"{name} lies between 0 and 1, such as 0.8, got {number!r}")
