"""What a campaign did: realised net contribution by design, and the effect on customer equity by a named mechanism."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.errors import DataError
from clvmodels.steering.campaigns.adjusted_effect import AdjustedEffects, adjusted_effects
from clvmodels.steering.campaigns.critical_value import critical_value
from clvmodels.steering.campaigns.plan import HOLDOUT, Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CampaignEffect", "Outcomes", "Verdict", "break_even_share"]

Array = NDArray[np.float64]
Verdict = Literal["pays", "does not", "not known yet"]
LEAST_PER_ARM: Final = 30
"""Customers in each arm of a segment: with fewer, an interval of a mean of amounts says nothing."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of the customers of a campaign; shape (customers,) each, discounted to the opening.

    Attributes
    ----------
    histories
        Theirs, at the opening.
    arm
        0 for the holdout, then the arms in their order.
    margin
        The contribution of their orders until the evaluation.
    discount, cost
        What they were given, and what their arm cost.
    window_sales
        Sales within the window.
    later
        What the margin between window and evaluation stands for after the evaluation, under the mechanism.
    covariates
        Known at the opening, shape (customers, covariates).
    """

    histories: Histories
    arm: NDArray[np.int64]
    margin: Array
    discount: Array
    cost: Array
    window_sales: Array
    later: Array
    covariates: Array

    @property
    def net(self) -> Array:
        """The contribution until the evaluation less discount and cost."""
        return self.margin - self.discount - self.cost


@dataclass(frozen=True, eq=False, repr=False)
class CampaignEffect:
    """The effect of a campaign; made by `evaluate_campaign`.

    Attributes
    ----------
    plan
        The plan.
    outcomes
        By customer.
    time
        When the campaign was evaluated, from the opening, in the unit of the plan.
    notes
        What deserves a look.
    currency
        Of amounts.
    """

    plan: Plan
    outcomes: Outcomes
    time: float
    notes: tuple[str, ...]
    currency: str = ""

    @cached_property
    def realised(self) -> AdjustedEffects:
        """Effects on the net contribution until the evaluation, per treated customer."""
        return self._effects(self.outcomes.net)

    @cached_property
    def on_equity(self) -> AdjustedEffects:
        """Effects with what comes after the evaluation under the mechanism, per treated customer."""
        return self._effects(self.outcomes.net + self.outcomes.later)

    def _effects(self, y: Array) -> AdjustedEffects:
        outcomes = self.outcomes
        return adjusted_effects(y, outcomes.arm, len(self.plan.treated_arms), outcomes.covariates)

    @cached_property
    def critical_value(self) -> float:
        """What ``|z|`` must exceed, for all arms and planned looks together."""
        return self.plan.critical_value_of(self.realised.correlation)

    @cached_property
    def table(self) -> pd.DataFrame:
        """By arm, in money.

        Per treated customer: effect (on the net contribution until the evaluation), se, low, high, later (what comes
        after it, under the mechanism), equity_effect, equity_low, equity_high. In total: treated, holdout (customers),
        margin (effect on the margin), discount, subsidy (the part of it on orders that they would have made anyway),
        cost, net (effect times treated), net_low, net_high, equity. And break_even_share: how much of `later` must come
        true for the campaign to pay; verdict, of low and high.
        """
        import pandas as pd

        rows = [self._row(number, arm) for number, arm in enumerate(self.plan.treated_arms)]
        return pd.DataFrame(rows, index=pd.Index(self.plan.treated_arms, name="arm"))

    def _row(self, number: int, arm: str) -> dict[str, Any]:
        outcomes, c = self.outcomes, self.critical_value
        of_arm, of_holdout = outcomes.arm == number + 1, outcomes.arm == 0
        treated = int(of_arm.sum())
        effect, se = float(self.realised.effect[number]), float(self.realised.se[number])
        equity, equity_se = float(self.on_equity.effect[number]), float(self.on_equity.se[number])
        discount, cost = float(outcomes.discount[of_arm].sum()), float(outcomes.cost[of_arm].sum())
        anyway = self.plan.discount[arm] * float(outcomes.window_sales[of_holdout].mean()) * treated
        low, high = effect - c * se, effect + c * se
        return {
            "treated": treated,
            "holdout": int(of_holdout.sum()),
            "margin": effect * treated + discount + cost,
            "discount": discount,
            "subsidy": min(anyway, discount),
            "cost": cost,
            "net": effect * treated,
            "net_low": low * treated,
            "net_high": high * treated,
            "effect": effect,
            "se": se,
            "low": low,
            "high": high,
            "later": equity - effect,
            "equity_effect": equity,
            "equity_low": equity - c * equity_se,
            "equity_high": equity + c * equity_se,
            "equity": equity * treated,
            "break_even_share": break_even_share(effect, equity - effect),
            "verdict": _verdict(low, high),
        }

    def by(self, column: str) -> pd.DataFrame:
        """Return effects per treated customer by the values of an attribute of the opening histories.

        Intervals hold for all segments and arms together.

        Parameters
        ----------
        column
            Name of the attribute.

        Returns
        -------
        DataFrame
            By segment and arm: treated, holdout, effect, se, low, high, net (effect times treated), verdict. Segments
            with fewer than 30 customers in an arm are left out.

        Raises
        ------
        DataError
            If there is no such attribute, or no segment is large enough.

        Examples
        --------
        >>> log = clv.datasets.load_cdnow(sample=True).assign(channel="web")
        >>> how = {"value": "amount", "unit": "week", "resolution": "day"}
        >>> ends = ("1997-09-30", "1997-10-28", "1998-03-31")
        >>> opening, *later = (clv.rfm_summary(log, observation_end=end, attributes=["channel"], **how) for end in ends)
        >>> fits = clv.BGNBD().fit(opening), clv.GammaGamma().fit(opening)
        >>> before = clv.value(*fits, opening, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> arms = {"holdout": 0.5, "coupon": 0.5}
        >>> plan = clv.plan_campaign(before, "spring", arms=arms, window="4 weeks", until="26 weeks")
        >>> effect = clv.evaluate_campaign(plan, plan.assignments, before, *later)
        >>> effect.by("channel")["verdict"].to_list()
        ['not known yet']
        """
        import pandas as pd

        outcomes, arms = self.outcomes, self.plan.treated_arms
        attributes = outcomes.histories.attributes
        if column not in attributes:
            raise DataError(f"the histories have no column {column!r}; they have {list(attributes.columns)}")
        values = attributes[column].to_numpy()
        counts = pd.crosstab(values, outcomes.arm).reindex(columns=range(len(arms) + 1), fill_value=0)
        segments = counts.index[(counts >= LEAST_PER_ARM).all(axis=1)]
        if segments.empty:
            raise DataError(f"no segment of {column!r} has {LEAST_PER_ARM} customers in each arm")
        of_segment = {}
        for segment in segments:
            rows = values == segment
            arm, covariates = outcomes.arm[rows], outcomes.covariates[rows]
            of_segment[segment] = adjusted_effects(outcomes.net[rows], arm, len(arms), covariates)
        correlation = np.zeros((len(segments) * len(arms),) * 2)
        for place, effects in enumerate(of_segment.values()):
            block = slice(place * len(arms), (place + 1) * len(arms))
            correlation[block, block] = effects.correlation
        return _by_segment(of_segment, counts, arms, critical_value(correlation, self.plan.level), column)

    @property
    def verdict(self) -> Verdict:
        """Of the arm with the highest effect: whether it pays, does not, or is not known yet."""
        table = self.table
        best: Verdict = table["verdict"].to_list()[int(table["effect"].to_numpy().argmax())]
        return best

    def __repr__(self) -> str:
        plan, lines = self.plan, []
        money = f" {self.currency}" if self.currency else ""
        lines.append(f"Campaign {plan.name!r}, evaluated after {self.time:g} {plan.unit}s ({plan.level:.0%} intervals)")
        for arm, row in self.table.iterrows():
            lines.append(
                f"{arm}: {row['verdict']}; net contribution {row['net']:,.2f}{money}"
                f" ({row['net_low']:,.2f} to {row['net_high']:,.2f}) of {row['treated']:,} treated against"
                f" {row['holdout']:,} held out"
            )
            lines.append(f"  margin {row['margin']:,.2f}, discount {row['discount']:,.2f}, cost {row['cost']:,.2f}")
            if plan.mechanism != "one-off":
                lines.append(f"  effect on equity {row['equity']:,.2f} if {plan.mechanism!r}; {_in_words(row)}")
        return "\n".join([*lines, *self.notes])


def break_even_share(realised: float, later: float) -> float:
    """Return how much of what comes later must come true for a campaign to pay; infinite if nothing later helps.

    Examples
    --------
    >>> break_even_share(-1.0, 4.0), break_even_share(1.0, 4.0), break_even_share(-1.0, 0.0)
    (0.25, 0.0, inf)
    """
    if realised >= 0.0:
        return 0.0
    return -realised / later if later > 0.0 else np.inf


def _in_words(row: pd.Series[Any]) -> str:
    share = row["break_even_share"]
    if share == 0.0:
        return "it pays without what comes later"
    return (
        f"it pays if {share:.0%} of what comes later comes true"
        if np.isfinite(share)
        else "what comes later does not help"
    )


def _verdict(low: float, high: float) -> Verdict:
    return "pays" if low > 0.0 else "does not" if high < 0.0 else "not known yet"


def _by_segment(
    effects: dict[Any, AdjustedEffects], counts: pd.DataFrame, arms: tuple[str, ...], critical: float, column: str
) -> pd.DataFrame:
    import pandas as pd

    rows = {}
    for segment, of_segment in effects.items():
        for number, arm in enumerate(arms):
            effect, se = float(of_segment.effect[number]), float(of_segment.se[number])
            low, high, treated = effect - critical * se, effect + critical * se, int(counts.loc[segment, number + 1])
            rows[segment, arm] = {
                "treated": treated,
                HOLDOUT: int(counts.loc[segment, 0]),
                "effect": effect,
                "se": se,
                "low": low,
                "high": high,
                "net": effect * treated,
                "verdict": _verdict(low, high),
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.set_axis(pd.MultiIndex.from_tuples(list(rows), names=[column, "arm"]))
