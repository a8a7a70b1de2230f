"""Does the story fit the last third of the log? What was predicted of it, against what came."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from clvmodels.evaluation.findings import Finding, Verdict, verdict_of, worst
from clvmodels.evaluation.holdout_total import total_text

if TYPE_CHECKING:
    from clvmodels.evaluation.holdout_total import HoldoutTotal

__all__ = ["fit_to_the_last_third"]

OFF: Final = (0.0, 0.20)
"""From how far off a total outside its interval is worth a look, and from where on it is serious."""


def fit_to_the_last_third(third: HoldoutTotal) -> Finding:
    """Return the finding on the last third of a log; its effect is the revenue that came less what was predicted.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> third = clv.last_third(log, clv.BGNBD(), method="mle", resolution="day", seed=1)
    >>> fit_to_the_last_third(third).verdict
    'fine'
    """
    by_purchases: Verdict = "fine" if third.inside else verdict_of(abs(third.off), OFF)
    money = third.revenue_inside is not None
    by_revenue: Verdict = verdict_of(abs(third.revenue_off), OFF) if third.revenue_inside is False else "fine"
    return Finding(
        "fit to the last third",
        worst((by_purchases, by_revenue)),
        total_text(third).replace("\n", " "),
        third.revenue_actual - third.revenue_predicted if money else math.nan,
        "say by how much the last forecast missed beside the figure, compare models with the rules of thumb,"
        " clv.backtest(log, ...).verdict, and rely on the value within the time observed rather than on what lies"
        " beyond",
        {
            "predicted": third.predicted,
            "low": third.low,
            "high": third.high,
            "actual": third.actual,
            "off": third.off,
            "revenue_off": third.revenue_off,
            "late_share": third.late_share,
            "late_purchase_share": third.late_purchase_share,
        },
    )
