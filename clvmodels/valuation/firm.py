"""The value of a firm from published figures: its customers now, those still to come, and the way to the shareholders.

Nothing is known of single customers here: everybody brings the same margin and leaves at the same rate, and new
customers follow a logistic growth curve. Source: Gupta, Lehmann & Stuart (2004), Journal of Marketing Research 41(1);
Schulze, Skiera & Wiesel (2012), Journal of Marketing 76(2), for the bridge to shareholder value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scipy.integrate import quad

from clvmodels.errors import AssumptionError
from clvmodels.valuation.checks import SMALLEST_RATE, require_amount, require_number

__all__ = ["Bridge", "Firm", "Growth"]

PRECISION: Final = 1e-10
NEGLIGIBLE: Final = 40.0
"""What has fallen by this power of e is left out."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Logistic growth of the customers ever acquired: alpha / (1 + exp(-beta - gamma t)), with t in quarters.

    Attributes
    ----------
    alpha
        How many customers there will ever have been.
    beta
        Where the curve starts; the more negative, the later most customers come.
    gamma
        How quickly it rises, a quarter.

    Raises
    ------
    AssumptionError
        If alpha or gamma is not positive, or a parameter is no number.

    Examples
    --------
    >>> growth = Growth(alpha=67.045, beta=-4.114, gamma=0.265)
    >>> round(growth.new_customers(21), 3)
    2.733
    """

    alpha: float
    beta: float
    gamma: float

    def __post_init__(self) -> None:
        require_number("alpha", self.alpha, "customers ever acquired", low=0.0, above=True)
        require_amount("alpha", self.alpha, "customers ever acquired")
        require_number("beta", self.beta, "where the growth curve starts")
        require_number("gamma", self.gamma, "growth a quarter", low=0.0, above=True)

    def new_customers(self, quarter: float) -> float:
        """Return the customers acquired a quarter at a time."""
        odds = math.exp(-abs(self.beta + self.gamma * quarter))  # the curve is symmetric about its peak
        return self.alpha * self.gamma * odds / (1.0 + odds) ** 2

    def discounted(self, quarter: float, rate: float) -> float:
        """Return the customers acquired after a time, each discounted to it at an effective quarterly rate."""
        delta = math.log1p(rate)
        peak = max(0.0, -self.beta / self.gamma - quarter)
        pieces = [(0.0, peak), (peak, peak + NEGLIGIBLE / (self.gamma + delta))]

        def integrand(wait: float) -> float:
            return self.new_customers(quarter + wait) * math.exp(-delta * wait)

        return math.fsum(quad(integrand, low, high, epsabs=0.0, epsrel=PRECISION)[0] for low, high in pieces)


@dataclass(frozen=True, kw_only=True)
class Firm:
    """The value of a firm's customers, present and future.

    Retention and rate are given a year and converted to quarters: r^(1/4) and (1 + i)^(1/4) - 1. A customer brings the
    first margin a quarter after they came. New customers come continuously.

    Attributes
    ----------
    customers
        How many there are now, in the unit of `growth.alpha` (heads, or millions, which give values in millions).
    quarterly_margin
        What a customer brings a quarter, before the cost of their acquisition.
    acquisition_cost
        Of one customer.
    retention
        Share of the customers who stay for a year.
    growth
        Of the customers ever acquired.
    quarter
        Where on the growth curve we are: the number of quarters of data it was fitted to, the first being t = 1.
    discount_rate
        Effective annual rate.
    tax
        Share of the value that goes in tax.

    Raises
    ------
    AssumptionError
        If a number is outside its range, or customers stay indefinitely and there is no discount rate.

    Examples
    --------
    >>> amazon = Firm(
    ...     customers=33.8, quarterly_margin=3.87, acquisition_cost=7.70, retention=0.70,
    ...     growth=Growth(alpha=67.045, beta=-4.114, gamma=0.265), quarter=21, discount_rate=0.12, tax=0.38,
    ... )
    >>> round(amazon.value), round(amazon.existing), round(amazon.future)
    (815, 650, 165)
    """

    customers: float
    quarterly_margin: float
    acquisition_cost: float
    retention: float
    growth: Growth
    quarter: float
    discount_rate: float
    tax: float = 0.0

    def __post_init__(self) -> None:
        require_number("customers", self.customers, "how many there are now", low=0.0)
        require_number("quarterly_margin", self.quarterly_margin, "money a customer and quarter")
        require_number("acquisition_cost", self.acquisition_cost, "money a customer", low=0.0)
        require_number("retention", self.retention, "a share a year; 80 % is 0.80", low=0.0, high=1.0)
        require_number("quarter", self.quarter, "quarters since the growth curve's t = 0")
        rate = "an effective annual rate; 12 % a year is 0.12"
        require_number("discount_rate", self.discount_rate, rate, low=0.0, high=2.0)
        require_number("tax", self.tax, "a share; 38 % is 0.38", low=0.0, high=1.0)
        for name in ("customers", "quarterly_margin", "acquisition_cost"):
            require_amount(name, getattr(self, name), "customers and money")
        if self._leaving + self._rate < SMALLEST_RATE:
            raise AssumptionError(
                "customers who all stay (retention = 1) at discount_rate = 0 are worth infinitely much; lower the "
                "retention or raise the rate"
            )

    @property
    def lifetime_value(self) -> float:
        """What a customer brings from now on, before tax: m r / (1 + i - r), with r and i a quarter."""
        return self.quarterly_margin * (1.0 - self._leaving) / (self._leaving + self._rate)

    @property
    def existing(self) -> float:
        """The value of the customers of today, after tax."""
        return (1.0 - self.tax) * self.customers * self.lifetime_value

    @property
    def future(self) -> float:
        """The value of the customers still to come, after acquisition cost and tax; negative if they cost more."""
        each = self.lifetime_value - self.acquisition_cost
        return (1.0 - self.tax) * each * self.growth.discounted(self.quarter, self._rate)

    @property
    def value(self) -> float:
        """The value of all customers, present and future, after tax."""
        return self.existing + self.future

    @property
    def _leaving(self) -> float:
        """The share of the customers who leave in a quarter: 1 - r^(1/4), to full precision where r is near 1."""
        return -math.expm1(math.log(self.retention) / 4.0) if self.retention else 1.0

    @property
    def _rate(self) -> float:
        return math.expm1(math.log1p(self.discount_rate) / 4.0)


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """From customer equity to what belongs to the shareholders, all as present values in the same money.

    Attributes
    ----------
    customer_equity
        The value of the customers.
    indirect_cost
        Costs that no customer causes, such as those of administration; from 0 up.
    non_operating_assets
        What the firm owns beside its business, such as securities.
    debt
        What it owes.
    tax
        Taxes still to pay, in money; 0 if customer equity is one after tax.

    Raises
    ------
    AssumptionError
        If a number is outside its range.

    Examples
    --------
    >>> Bridge(customer_equity=1100, indirect_cost=300, non_operating_assets=50, debt=200, tax=150).shareholder_value
    500
    """

    customer_equity: float
    indirect_cost: float = 0.0
    non_operating_assets: float = 0.0
    debt: float = 0.0
    tax: float = 0.0

    def __post_init__(self) -> None:
        require_number("customer_equity", self.customer_equity, "money")
        for name in ("indirect_cost", "non_operating_assets", "debt"):
            require_number(name, getattr(self, name), "a present value in money, without a sign", low=0.0)
        require_number("tax", self.tax, "money; a tax refund is negative")

    @property
    def shareholder_value(self) -> float:
        """Customer equity - indirect cost + non-operating assets - debt - tax."""
        return self.customer_equity - self.indirect_cost + self.non_operating_assets - self.debt - self.tax
