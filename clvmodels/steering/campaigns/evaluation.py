"""Evaluating a campaign from histories at three dates: its opening, the end of its window, and now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from clvmodels.data.columns import count, examples
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.errors import DataError, UnitError
from clvmodels.steering.campaigns.assignment_checks import check_assignments
from clvmodels.steering.campaigns.contributions import of_orders, present_value, realised_orders, rows_of
from clvmodels.steering.campaigns.effect import CampaignEffect, Outcomes
from clvmodels.steering.campaigns.mechanisms import multipliers
from clvmodels.steering.campaigns.plan import Plan
from clvmodels.steering.campaigns.planning import covariates_of
from clvmodels.steering.require_book import require_book
from clvmodels.units import DAYS
from clvmodels.valuation.book import Book
from clvmodels.valuation.valued_rows import ValuedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["evaluate_campaign"]

Array = NDArray[np.float64]

TOLERANCE: Final = 1.0
"""Days between a closing and the time at which it was planned."""
IMBALANCE: Final = 0.001


def evaluate_campaign(
    plan: Plan,
    assignments: pd.DataFrame,
    opening_book: Book,
    during: Histories,
    closing: Histories,
    *,
    contacts: pd.DataFrame | None = None,
) -> CampaignEffect:
    """Evaluate a campaign: what it brought by the evaluation, and what it did to customer equity under its mechanism.

    Customers are analysed as they were assigned, whether or not they were reached.

    Parameters
    ----------
    plan
        The plan, as it was written.
    assignments
        The ledger of assignments: customer_id, campaign, arm, holdouts included; with contact_from, other campaigns in
        it are checked for overlap.
    opening_book
        The valuation at the opening.
    during, closing
        The histories at the end of the window, and at the evaluation or at a planned look.
    contacts
        The contacts made: customer_id, campaign. None: that no holdout was contacted is not checked.

    Returns
    -------
    CampaignEffect
        Its `table` has the figures by arm.

    Raises
    ------
    DataError
        If assignments are not as planned, or their randomisation is broken: the message lists all that is wrong. If
        closings are at other times than planned, lack a customer, or do not know the value of an order.
    UnitError
        If histories are in different units.
    FitError, ModelError
        If the mechanism is not defined for the model.

    Notes
    -----
    With m(a, b] the contribution of orders in a time, discounted to the opening, the outcome is m(0, h] less discount
    and cost, and for equity also M m(w, h], with M of `multipliers`. The difference of the arms is adjusted for what
    the valuation at the opening expected (Lin 2013), with HC2 errors. That m is observed, not read from a valuation at
    the closing: there, an order that a coupon induced counts as loyalty.

    Examples
    --------
    A campaign of which nobody heard:

    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> opening, during, closing = (
    ...     clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end=end)
    ...     for end in ("1997-09-30", "1997-10-28", "1998-03-31")
    ... )
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    >>> book = clv.value(clv.BGNBD().fit(opening), clv.GammaGamma().fit(opening), opening, assumptions)
    >>> arms = {"holdout": 0.5, "coupon": 0.5}
    >>> plan = clv.plan_campaign(book, "spring", arms=arms, window="4 weeks", until="26 weeks")
    >>> clv.evaluate_campaign(plan, plan.assignments, book, during, closing).verdict
    'not known yet'
    """
    if not isinstance(plan, Plan):
        raise DataError(f"plan is what plan_campaign or load_plan returns, got {type(plan).__name__}")
    require_book(opening_book, "opening_book")
    arm = check_assignments(plan, assignments, contacts)
    rows = rows_of(opening_book, arm.index)
    window = _elapsed("during", rows, during, plan, (plan.window,))
    until = _elapsed("closing", rows, closing, plan, plan.looks)
    names = ["holdout", *plan.treated_arms]
    number = np.asarray(arm.map({name: place for place, name in enumerate(names)}), np.int64)
    plan_of_look = replace(plan, until=until)
    outcomes = _outcomes(plan_of_look, rows, number, during, closing, window)
    notes = _imbalance(rows, number, plan)
    return CampaignEffect(plan, outcomes, until, notes, opening_book.assumptions.currency)


def _elapsed(name: str, rows: ValuedRows, later: Histories, plan: Plan, planned: tuple[float, ...]) -> float:
    """Return at which of the planned times from the opening a closing was made."""
    require_histories(later)
    if later.unit != plan.unit or rows.histories.unit != plan.unit:
        raise UnitError(
            f"the plan is in {plan.unit}s, {name} in {later.unit}s and the opening in {rows.histories.unit}s; use"
            f" histories.in_unit({plan.unit!r})"
        )
    place = later.customer_id.get_indexer(rows.histories.customer_id)
    if (place < 0).any():
        missing = rows.histories.customer_id[place < 0]
        raise DataError(f"{count(len(missing), 'customer')} are missing in {name}: {examples(missing)}")
    elapsed = later.T[place] - rows.histories.T
    tolerance = TOLERANCE / DAYS[plan.unit]
    for time in planned:
        if np.abs(elapsed - time).max() <= tolerance + 1e-9:
            return time
    raise DataError(
        f"{name} is to be {' or '.join(f'{time:g}' for time in planned)} {plan.unit}s after the opening, as planned; it"
        f" is {elapsed.min():g} to {elapsed.max():g}. An unplanned look raises false alarms"
    )


def _outcomes(
    plan: Plan, rows: ValuedRows, arm: NDArray[np.int64], during: Histories, closing: Histories, window: float
) -> Outcomes:
    orders_in, sales_in = realised_orders(rows.histories, during)
    orders, sales = realised_orders(rows.histories, closing)
    of_window = present_value(rows, 0.0, window)
    margin_in = of_orders(rows, orders_in, sales_in) * of_window
    margin_after = of_orders(rows, orders - orders_in, sales - sales_in) * present_value(rows, window, plan.until)
    shares = np.array([0.0, *(plan.discount[name] for name in plan.treated_arms)])
    costs = np.array([0.0, *(plan.cost[name] for name in plan.treated_arms)])
    return Outcomes(
        histories=rows.histories,
        arm=arm,
        margin=margin_in + margin_after,
        discount=shares[arm] * sales_in * of_window,
        cost=costs[arm],
        window_sales=sales_in * of_window,
        later=multipliers(rows, plan.mechanism, window, plan.until) * margin_after,
        covariates=covariates_of(rows, plan.until),
    )


def _imbalance(rows: ValuedRows, arm: NDArray[np.int64], plan: Plan) -> tuple[str, ...]:
    """Return which arms differ in residual lifetime value at the opening by more than chance explains."""
    notes = []
    for number, name in enumerate(plan.treated_arms, start=1):
        p = float(stats.ttest_ind(rows.rlv[arm == number], rows.rlv[arm == 0], equal_var=False).pvalue)
        if p < IMBALANCE:
            notes.append(
                f"look: {name!r} and the holdout differed in residual lifetime value at the opening (p = {p:.1g}); the"
                " effect is adjusted for it"
            )
    return tuple(notes)
