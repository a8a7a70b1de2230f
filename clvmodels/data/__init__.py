"""Purchase histories: from a log of transactions, or from a table somebody has made of it.

`rfm_summary` and `rfm_train_test_split` aggregate logs; `Histories` is what the models take. The data engine (Ibis,
DuckDB) is imported when a log is aggregated, and only then.
"""

from __future__ import annotations

from clvmodels.data.build import Returns
from clvmodels.data.histories import Histories
from clvmodels.data.holdout import Holdout
from clvmodels.data.opportunities import opportunity_summary
from clvmodels.data.report import DataReport, Refunds, RowsAndMoney
from clvmodels.data.transactions import rfm_summary, rfm_train_test_split

__all__ = [
    "DataReport",
    "Histories",
    "Holdout",
    "Refunds",
    "Returns",
    "RowsAndMoney",
    "opportunity_summary",
    "rfm_summary",
    "rfm_train_test_split",
]
