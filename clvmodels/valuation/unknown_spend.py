"""Customers who bought again for money that is not known: they are valued as average ones, with a warning."""

from __future__ import annotations

import warnings
from typing import Final

from clvmodels.data.columns import count
from clvmodels.data.histories import Histories
from clvmodels.errors import DataWarning
from clvmodels.inference.spend_fit import SpendFit

__all__ = ["warn_of_unknown_spend"]

NOTEWORTHY: Final = 0.1
"""Share of the customers with repeat purchases: of fewer, the summary of the histories shows how many are known."""


def warn_of_unknown_spend(spend: SpendFit, histories: Histories) -> None:
    """Warn if the mean spend of a tenth of the customers with repeat purchases, or of more, is not known.

    Customers without a repeat purchase have no mean spend in any log, and are not counted.
    """
    summary = histories.summary
    repeat = summary.customers - summary.once
    unknown = repeat - (_of_known_value(histories) if spend.model.signed else summary.known)
    if unknown <= NOTEWORTHY * repeat:
        return
    everybody = "every customer" if unknown == repeat else "each of these"
    warnings.warn(
        f"the spend of {count(unknown, 'customer')} with repeat purchases is not known ({unknown / repeat:.1%} of "
        f"{repeat:,}): {everybody} got the mean of the population by {spend.model.name}; make the histories with "
        'the value of purchases, such as value="amount"',
        DataWarning,
        stacklevel=3,
    )


def _of_known_value(histories: Histories) -> int:
    """Return how many customers have repeat orders of known value, be it negative."""
    known = histories.statistic("known") > 0.0
    return int(known.sum() if histories.weight is None else histories.weight[known].sum())
