"""How customers move between segments from one closing to the next, and what that is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.data.required import require_customers
from clvmodels.errors import AssumptionError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.book import Book

__all__ = ["migration"]

NEW: Final = "(new)"
GONE: Final = "(not in the closing)"


def migration(
    opening: Book, closing: Book, opening_segments: str | pd.Series[Any], closing_segments: str | pd.Series[Any]
) -> pd.DataFrame:
    """Return how many customers moved from which segment to which between two closings, and their equity at both.

    Parameters
    ----------
    opening, closing
        The valuations. Customers of an engine are fetched.
    opening_segments, closing_segments
        The segments at each closing: a Series by customer id, such as `rfm_segments` returns, or an attribute of the
        histories.

    Returns
    -------
    DataFrame
        By from and to: customers, ``opening_equity``, ``closing_equity`` and their ``change``. Customers acquired since
        come from ``(new)``; those whom the closing does not have go to ``(not in the closing)``. Equities sum to those
        of the closings.

    Raises
    ------
    AssumptionError
        If the closings are in different currencies.
    DataError
        If a segment is not known of every customer.

    Examples
    --------
    >>> segments = clv.rfm_segments(rfm, frequency=[1, 4])
    >>> clv.migration(book, book, segments, segments).round(2)
             customers  opening_equity  closing_equity  change
    from to
    F1   F1          1           10.77           10.77     0.0
    F2   F2          1           37.88           37.88     0.0
    F3   F3          1          158.09          158.09     0.0
    """
    import pandas as pd

    currencies = opening.assumptions.currency, closing.assumptions.currency
    if currencies[0] != currencies[1]:
        raise AssumptionError(
            f"the opening is in {currencies[0]!r} and the closing in {currencies[1]!r}; value both in one currency"
        )
    before = _segments("opening", opening, opening_segments)
    after = _segments("closing", closing, closing_segments)
    moved = before.add_suffix("_opening").join(after.add_suffix("_closing"), how="outer")
    moved["from"] = moved["segment_opening"].fillna(NEW)
    moved["to"] = moved["segment_closing"].fillna(GONE)
    moved = moved.fillna({"equity_opening": 0.0, "equity_closing": 0.0})
    sums = moved.groupby(["from", "to"], sort=True)
    table = pd.DataFrame(
        {
            "customers": sums.size(),
            "opening_equity": sums["equity_opening"].sum(),
            "closing_equity": sums["equity_closing"].sum(),
        }
    )
    return table.assign(change=table["closing_equity"] - table["opening_equity"])


def _segments(name: str, book: Book, segments: str | pd.Series[Any]) -> pd.DataFrame:
    """Return the segment and the equity of each customer.

    Raises
    ------
    DataError
        If a segment is not known of every customer.
    """
    import pandas as pd

    require_customers(book.histories, "migration")
    each = book.each
    ids = each.histories.customer_id
    if isinstance(segments, pd.Series):
        known = segments.reindex(ids)
    elif segments in each.histories.attributes.columns:
        known = each.histories.attributes[segments]
    else:
        raise DataError(
            f"segments of the {name} are a Series by customer id, as clv.rfm_segments(rfm, ...) returns, or an"
            f" attribute of its histories; got {segments!r}"
        )
    missing = np.asarray(known.isna())
    if missing.any():
        raise DataError(f"the segment of {int(missing.sum()):,} customers of the {name} is not known")
    return pd.DataFrame({"segment": np.asarray(known.astype(str)), "equity": each.rlv}, index=ids)
