"""How often each customer bought in each category of a purchase log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clvmodels.arguments import require_text
from clvmodels.data.build import profiled
from clvmodels.data.log import attribute
from clvmodels.data.reading import Day, LogFormat, end_of, log_of, plan_of
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["category_counts"]


def category_counts(
    log_format: LogFormat, log: object, category: str, observation_end: Day | pd.Timestamp | None
) -> pd.DataFrame:
    """Return in how many purchase occasions each customer bought something of each category.

    An occasion in which a customer bought of two categories counts in both. Refunds are read as the format says: an
    occasion that they bring to nothing counts nowhere.

    Parameters
    ----------
    log_format, log
        The log and its format.
    category
        Its column with the category of each row.
    observation_end
        The last day that counts; None: that of the last transaction.

    Returns
    -------
    DataFrame
        By customer id, a column of whole numbers for each category, in alphabetical order. Rows without a category
        count nowhere; a customer with nothing else has zeros.

    Raises
    ------
    DataError
        If the log cannot be read, or has no such column.
    """
    import pandas as pd

    category = require_text("category", category, "the name of a column of the log", DataError)
    reading = replace(log_format, attributes=(category,))
    opened = log_of(reading, log)
    plan = plan_of(reading, opened, None, end_of(opened, observation_end, "observation_end"))
    _, rows, refunds = profiled(plan)
    occasions = plan.occasions(rows, refunds=refunds)
    kept = occasions.filter(occasions.kept).select("id", "w")
    netted = refunds and plan.returns == "net"
    bought = rows.filter(~(rows.v < 0).fill_null(False)) if netted else rows
    picks = bought.select(id=bought.id, w=plan.window.dates(bought.t), category=bought[attribute(0)]).distinct()
    counted = picks.semi_join(kept, ["id", "w"]).group_by("id", "category")
    table = opened.run(counted.aggregate(orders=lambda pick: pick.count())).to_pandas()
    wide = table.pivot_table(index="id", columns="category", values="orders", aggfunc="sum", dropna=False)
    counts = wide.reindex(pd.Index(table["id"].unique(), name="customer_id")).fillna(0.0)
    named: pd.DataFrame = counts.loc[:, counts.columns.notna()].sort_index(axis=1)
    return named.rename_axis(columns="category")
