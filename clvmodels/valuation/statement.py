"""The customer-equity statement: what the customers of each segment are worth, line by line.

Source: Wiesel, Skiera & Villanueva (2008), Journal of Marketing 72(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.columns import count, examples
from clvmodels.errors import DataError, one_of
from clvmodels.valuation.lines import DRIVERS
from clvmodels.valuation.uncertainty import SEED

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.valuation.valued_rows import ValuedRows

__all__ = ["TOTAL", "WITHIN", "by_line", "segments_of", "statement"]

Index = NDArray[np.int64]

TOTAL: Final = "total"
WITHIN: Final = (1, 3, 5, 10)
"""Years within which the share of equity is shown."""


def segments_of(histories: Histories, by: object) -> pd.Series[Any]:
    """Return the segment of each customer, in the order of the histories; times as text, as they are labels here.

    Raises
    ------
    DataError
        If there is no such column, it is missing for some customers, or a segment has the name of the sum of all.
    """
    import pandas as pd

    if isinstance(by, pd.Series):
        segments = by.reindex(histories.customer_id)
    elif pd.api.types.is_hashable(by) and by in histories.attributes.columns:
        segments = histories.attributes[by]
    else:
        known = [str(column) for column in histories.attributes.columns]
        raise DataError(
            f"{one_of('column of the customers', by, known)}; keep columns of the log with "
            f"rfm_summary(..., attributes=[{by!r}])"
        )
    missing = np.asarray(segments.isna())
    if missing.any():
        ids, weight = histories.customer_id[missing], histories.weight
        without = examples(ids) if weight is None else count(int(weight[missing].sum()), "customer")
        raise DataError(f"{by if isinstance(by, str) else 'the segment'} is not known of {without}")
    if (segments == TOTAL).any():
        raise DataError(
            f"the segment {TOTAL!r} has the name of the row that sums all segments; "
            f"rename it, for example to {TOTAL.capitalize()!r}"
        )
    texts = segments.astype(str) if segments.dtype.kind in "mM" else segments
    return texts.set_axis(histories.customer_id)


def statement(book: ValuedRows, by: str | pd.Series[Any] | None, *, intervals: bool) -> pd.DataFrame:
    """Return the customer-equity statement; `Book.statement` says more."""
    import pandas as pd

    segments = pd.Series(TOTAL, book.histories.customer_id) if by is None else segments_of(book.histories, by)
    codes, names = pd.factorize(np.asarray(segments), sort=True)
    table = pd.DataFrame(_columns(book)).groupby(codes).sum().set_axis(names)
    if by is not None:
        table.loc[TOTAL] = table.sum()
    table = table.rename_axis(by if isinstance(by, str) else "segment")
    beside: dict[str, Any] = {"per_customer": table["equity"] / table["customers"]}
    if intervals:
        beside |= _ends(book, np.asarray(codes, np.int64), whole=by is None)
    shares = {f"share_{years}": table.pop(f"share_{years}") / table["equity"] for years in WITHIN}
    if not book.acquisition_cost.any():
        return table.assign(**beside, **shares)
    cost = table.pop("acquisition_cost")
    ratio = table["equity"] / cost
    return table.assign(**beside, **shares, acquisition_cost=cost, rlv_to_acquisition_cost_spent=ratio)


def by_line(book: ValuedRows) -> pd.DataFrame:
    """Return what equity is made of, by line; `Book.statement_lines` says more."""
    import pandas as pd

    rows = []
    for line in book.lines:
        amount = np.nan
        if len(line.rates) == 1:
            amount = book.summed(np.broadcast_to(DRIVERS[next(iter(line.rates))](book.future), book.rlv.shape))
        worth = book.summed(line.value(book.future))
        rate = worth / amount if amount else np.nan
        rows.append((line.name, line.group, ", ".join(line.rates), amount, rate, worth))
    table = pd.DataFrame(rows, columns=["line", "group", "driver", "amount", "rate", "value"]).set_index("line")
    table = table.assign(share=table["value"] / book.equity)
    if not book.has_draws:
        return table
    low, high = np.quantile(book.uncertainty(process=True, seed=SEED).lines, [0.05, 0.95], axis=1)
    return table.assign(low=low, high=high)


def _columns(book: ValuedRows) -> dict[str, NDArray[np.float64]]:
    """Return what is summed over the customers of a segment, by customer."""
    future = book.future
    columns = {
        "customers": np.ones(len(book.histories)),
        "living_customers": book.alive,
        "discounted_orders": future.D,
        "living_years": future.L,
    }
    columns |= {line.name: line.value(future) for line in book.lines} | {"equity": book.rlv}
    columns |= {f"share_{years}": book.rlv_within(years) for years in WITHIN}
    columns |= {"acquisition_cost": book.acquisition_cost} if book.acquisition_cost.any() else {}
    return columns if book.weight is None else {name: book.weight * values for name, values in columns.items()}


def _ends(book: ValuedRows, codes: Index, *, whole: bool) -> dict[str, list[float]]:
    """Return the ends of the 90 % interval of equity, of each segment and of all; `codes`: whose segment is which."""
    if whole:
        low, high = np.quantile(book.uncertainty(process=True, seed=SEED).equity, [0.05, 0.95])
        return {"low": [float(low)], "high": [float(high)]}
    drawn = book.drawn_by(codes, process=True, seed=SEED)
    total = book.uncertainty(process=True, seed=SEED).equity
    low, high = np.quantile(np.vstack([drawn, total]), [0.05, 0.95], axis=1)
    return {"low": low.tolist(), "high": high.tolist()}
