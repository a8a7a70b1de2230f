"""Whether purchases are as random as a fit takes them to be, and who is overdue and called alive nevertheless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.errors import FitError
from clvmodels.evaluation.findings import Finding, verdict_of, worst
from clvmodels.models.registry import call_of

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["regularity_of_purchases"]

ALIVE: Final = 0.5
"""From this probability on, a customer is called alive."""
MATERIAL: Final = 2.0
"""Log units that purchases at random must lie behind, about what is significant, to say anything at all."""
OFF: Final = (0.02, 0.10)
"""Share of the revenue expected within a year, from where on it is worth a look, and from where on it is serious."""
OVERDUE: Final = (0.01, 0.05)
"""The same of a share of the customers."""


def regularity_of_purchases(
    transactions: TransactionFit, regular: TransactionFit, spend: SpendFit, histories: Histories
) -> Finding:
    """Return the finding on regularity; its effect is the revenue that regular purchases add to what is expected.

    Parameters
    ----------
    transactions, spend
        The fits that are checked.
    regular
        A fit of a model of regular purchases to the same customers, with its k chosen.
    histories
        The customers.

    Raises
    ------
    FitError
        If `regular` is no such fit.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
    >>> fits = clv.MBGNBD().fit(rfm), clv.MBGCNBDk().fit(rfm), clv.GammaGamma().fit(rfm)
    >>> regularity_of_purchases(*fits, rfm).verdict
    'fine'
    """
    chosen = regular.regularity
    if chosen is None:
        raise FitError(
            "the check of regularity needs a fit that chose its k, such as clv.MBGCNBDk().fit(rfm), got"
            f" {call_of(regular.model)}"
        )
    value = spend.expected_spend(histories)["mean"].to_numpy()
    weight = np.ones(len(value)) if histories.weight is None else histories.weight
    alive, revenue = [], []
    for fit in (transactions, regular):
        alive.append(fit.probability_alive(histories)["mean"].to_numpy())
        revenue.append(value * fit.expected_purchases(histories, "1 year")["mean"].to_numpy())
    overdue = (alive[0] >= ALIVE) & (alive[1] < ALIVE)
    number, total = float(weight @ overdue), float(weight @ revenue[0])
    effect = float(weight @ (revenue[1] - revenue[0]))
    of_overdue = [float((weight * overdue) @ each) for each in revenue]
    shares = effect / total, number / float(weight.sum())
    sizes = worst((verdict_of(abs(shares[0]), OFF), verdict_of(shares[1], OVERDUE)))
    return Finding(
        "regularity",
        sizes if abs(chosen.k - 1.0) > MATERIAL * chosen.sd and chosen.gain > MATERIAL else "fine",
        f"{chosen} {number:,.0f} customers ({shares[1]:.1%}) are overdue: {transactions.model.name} calls them alive,"
        f" {regular.model.name} does not, and expects {of_overdue[1]:,.2f} of revenue from them within a year in place"
        f" of {of_overdue[0]:,.2f}. Of all customers it expects {effect:+,.2f} ({shares[0]:+.1%})",
        effect,
        f"value the customers by the fit of regular purchases, {call_of(regular.model)}.fit(rfm), and compare both on a"
        " holdout: clv.compare([...], holdout)",
        {
            "k": chosen.k,
            "sd": chosen.sd,
            "gain": chosen.gain,
            "overdue": number,
            "overdue_share": shares[1],
            "overdue_revenue": of_overdue[0],
            "overdue_revenue_regular": of_overdue[1],
            "effect_share": shares[0],
        },
    )
