"""Whether assignments can be evaluated at all: broken randomisation is refused before a figure is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import stats

from clvmodels.data.columns import count, examples
from clvmodels.errors import DataError
from clvmodels.steering.campaigns.plan import HOLDOUT, Plan
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_assignments", "sample_ratio_p"]

COLUMNS: Final = ("customer_id", "campaign", "arm")
ALARM: Final = 0.001
"""Below this probability, customers do not divide as planned by chance: Kohavi, Tang & Xu (2020), chapter 3."""


def check_assignments(plan: Plan, ledger: pd.DataFrame, contacts: pd.DataFrame | None) -> pd.Series[Any]:
    """Return the arm of each customer of the campaign, by customer_id.

    Parameters
    ----------
    plan
        The plan.
    ledger
        Assignments with customer_id, campaign, arm, and contact_from if other campaigns are in it, too.
    contacts
        Contacts made, with customer_id and campaign; None: not known.

    Raises
    ------
    DataError
        With the list of all that is wrong: unknown arms, a missing holdout, customers assigned twice, a ratio of arms
        that chance does not explain, assignments other than planned, contacted holdouts, and other campaigns at the
        same time whose arms are not independent of these.

    Examples
    --------
    >>> arms = {"holdout": 0.5, "coupon": 0.5}
    >>> plan = clv.plan_campaign(book, "spring", arms=arms, window="4 weeks", until="26 weeks")
    >>> check_assignments(plan, plan.assignments, None).to_dict()
    {'A': 'holdout', 'B': 'coupon', 'C': 'holdout'}
    """
    _require_columns("the assignments", ledger, COLUMNS)
    own = ledger[ledger["campaign"] == plan.name]
    if own.empty:
        raise DataError(f"the assignments have no row of the campaign {plan.name!r}")
    arm = own.set_index("customer_id")["arm"]
    wrong = [*_of_arms(plan, arm), *_of_ratio(plan, arm), *_of_plan(plan, arm)]
    wrong += _of_contacts(plan, arm, contacts)
    wrong += _of_others(plan, arm, ledger)
    if wrong:
        listed = "".join(f"\n- {each}" for each in wrong)
        raise DataError(f"the campaign {plan.name!r} cannot be evaluated:{listed}")
    return arm


def sample_ratio_p(counts: np.ndarray[Any, Any], shares: np.ndarray[Any, Any]) -> float:
    """Return the probability of a division into arms as uneven as this one, or more so.

    Examples
    --------
    >>> import numpy as np
    >>> round(sample_ratio_p(np.array([4_821, 5_179]), np.array([0.5, 0.5])), 6)
    0.000344
    """
    return float(stats.chisquare(counts, shares * counts.sum()).pvalue)


def _require_columns(what: str, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise DataError(f"{what} are a pandas table with {', '.join(columns)}, got {type(table).__name__}")
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"{what} lack the column {missing[0]!r}; they have {', '.join(map(repr, table.columns))}")


def _of_arms(plan: Plan, arm: pd.Series[Any]) -> list[str]:
    wrong = []
    unknown = arm[~arm.isin(list(plan.arms))]
    if len(unknown):
        wrong.append(f"unknown arms {examples(unknown.unique())}; planned are {', '.join(plan.arms)}")
    missing = [each for each in plan.arms if each not in set(arm)]
    if missing:
        wrong.append(f"nobody is assigned to {examples(missing)}")
    twice = arm.index[arm.index.duplicated()].unique()
    if len(twice):
        wrong.append(f"{count(len(twice), 'customer')} assigned more than once: {examples(twice)}")
    return wrong


def _of_ratio(plan: Plan, arm: pd.Series[Any]) -> list[str]:
    counts = arm.value_counts().reindex(list(plan.arms), fill_value=0)
    p = sample_ratio_p(counts.to_numpy(float), np.array(list(plan.arms.values())))
    if p >= ALARM:
        return []
    shares = ", ".join(f"{name} {number:,}" for name, number in counts.items())
    return [f"customers do not divide into the arms as planned (p = {p:.1g}): {shares}"]


def _of_plan(plan: Plan, arm: pd.Series[Any]) -> list[str]:
    planned = plan.assignments.set_index("customer_id")["arm"]
    arm = arm[~arm.index.duplicated()]
    left_out, added = planned.index.difference(arm.index), arm.index.difference(planned.index)
    both = planned.index.intersection(arm.index)
    changed = both[(planned[both] != arm[both]).to_numpy()]
    kinds = ((left_out, "planned and missing"), (added, "not planned"), (changed, "in another arm than planned"))
    return [f"{count(len(ids), 'customer')} {what}: {examples(ids)}" for ids, what in kinds if len(ids)]


def _of_contacts(plan: Plan, arm: pd.Series[Any], contacts: pd.DataFrame | None) -> list[str]:
    import pandas as pd

    if contacts is None:
        return []
    _require_columns("the contacts", contacts, ("customer_id", "campaign"))
    contacted = contacts.loc[contacts["campaign"] == plan.name, "customer_id"].unique()
    holdouts = arm.index[(arm == HOLDOUT).to_numpy()].intersection(pd.Index(contacted))
    if holdouts.empty:
        return []
    return [f"{count(len(holdouts), 'customer')} of the holdout contacted: {examples(holdouts)}"]


def _of_others(plan: Plan, arm: pd.Series[Any], ledger: pd.DataFrame) -> list[str]:
    """Return which campaigns at the same time depend on the arms of this one: their effects cannot be told apart."""
    import pandas as pd

    others = ledger[ledger["campaign"] != plan.name]
    if others.empty or "contact_from" not in ledger:
        return []
    start = plan.assignments["contact_from"].iloc[0]
    end = start + pd.Timedelta(days=plan.until * DAYS[plan.unit])
    when = pd.to_datetime(others["contact_from"])
    others = others[((when >= start) & (when < end)).to_numpy() & (others["arm"] != HOLDOUT).to_numpy()]
    wrong = []
    for name, rows in others.groupby("campaign"):
        treated = arm.index.isin(rows["customer_id"])
        table = pd.crosstab(arm.to_numpy(), treated)
        if table.shape[1] == 2 and stats.chi2_contingency(table, correction=False).pvalue < ALARM:
            wrong.append(
                f"the campaign {name!r} at the same time contacts the arms at different rates; their effects cannot be"
                " told apart"
            )
    return wrong
