"""How the sales behind a valuation tie to the total of the ledger: every item listed, nothing left over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories

__all__ = ["UNEXPLAINED", "reconciliation"]

UNEXPLAINED: Final = "unexplained"


def reconciliation(histories: Histories, ledger_total: float | None = None) -> pd.DataFrame:
    """Return the items that lead from the sales of the histories to the total of the purchase ledger.

    Parameters
    ----------
    histories
        The customers, made by `rfm_summary` with values.
    ledger_total
        Total of the log according to the books; None: the sum of the values of all rows read.

    Returns
    -------
    DataFrame
        By item, its money: first orders, repeat orders, then what was left out and why, the ledger's total, and
        ``unexplained``: zero, up to rounding, or the report must say so.

    Raises
    ------
    DataError
        If the histories have no data report, or no values.
    """
    import pandas as pd

    report = histories.report
    if report is None or not np.isfinite(report.money_read):
        raise DataError(
            "a reconciliation needs the money of the log: make the histories with rfm_summary(log, value=...)"
        )
    first = float(np.nansum(np.asarray(histories.attributes["first_value"], dtype=np.float64)))
    items = {"first orders": first, "repeat orders": report.money_used - first}
    items |= {f"left out: {reason}": part.money for reason, part in report.dropped.items()}
    total = report.money_read if ledger_total is None else ledger_total
    left = total - sum(items.values())
    rounding = 1e-9 * max(abs(total), *(abs(item) for item in items.values()))
    items |= {"ledger": total, UNEXPLAINED: 0.0 if abs(left) <= rounding else left}
    return pd.DataFrame({"money": items}).rename_axis("item")
