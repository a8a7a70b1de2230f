"""What it changes in money that segments differ: one population for all customers against one of segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clvmodels.inference.bayes import segments_of
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.valuation.book import valued

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.inference.estimator import Estimator
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Model
    from clvmodels.valuation.book import Book

__all__ = ["segment_effect"]


def segment_effect(book: Book, by: str) -> pd.DataFrame:
    """Value the customers of a book with fits to all of them and with fits by segment, under the same assumptions.

    Both are fitted by likelihood; the models are those of the book, whose own fits are taken where they were found so.

    Parameters
    ----------
    book
        The valuation. The customers of an engine are fetched.
    by
        The attribute that names the segments.

    Returns
    -------
    DataFrame
        By segment: customers; equity under one population (``equity``) and under segments that borrow strength
        (``equity_by_segment``), and the difference; the value of a customer just acquired, acquisition cost deducted,
        under each (``new_customer``, ``new_customer_by_segment``), at the rates and the first orders of the segment.

    Raises
    ------
    DataError
        If `by` is no attribute of the histories, or missing for some customers.
    FitError
        If there is nothing to fit.

    Warns
    -----
    FitWarning
        If a fit has no clean maximum.

    Examples
    --------
    Customers who differ by chance alone:

    >>> import numpy as np
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1998-06-30")
    >>> rfm = rfm.with_attributes(pd.DataFrame({"half": np.arange(len(rfm)) % 2}, index=rfm.customer_id))
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    >>> book = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, assumptions)
    >>> table = segment_effect(book, "half")
    >>> bool(abs(table["difference"].sum() / table["equity"].sum()) < 0.01)
    True
    """
    import pandas as pd

    histories, assumptions, transactions = book.histories.collect(), book.assumptions, book.transactions.best
    code, names = segments_of(histories, by)
    pooled, apart = (
        valued(
            _fit(TransactionEstimator(transactions.model), transactions, histories, attribute),
            _fit(SpendEstimator(book.spend.model), book.spend, histories, attribute),
            histories,
            assumptions,
        )
        for attribute in (None, by)
    )
    equity, equity_apart = (np.bincount(code, each.each.rlv, minlength=len(names)) for each in (pooled, apart))
    new, new_apart = [], []
    for number, name in enumerate(names):
        members = histories.select(code == number)
        alike = valued(pooled.transactions, pooled.spend, members, assumptions)
        own = valued(apart.transactions.best.segment(name), apart.spend.segment(name), members, assumptions)
        new.append(alike.new_customer.lifetime_value)
        new_apart.append(own.new_customer.lifetime_value)
    return pd.DataFrame(
        {
            "customers": np.bincount(code, minlength=len(names)),
            "equity": equity,
            "equity_by_segment": equity_apart,
            "difference": equity_apart - equity,
            "new_customer": new,
            "new_customer_by_segment": new_apart,
        },
        index=pd.Index(names, name=by),
    )


def _fit[M: Model, F: TransactionFit | SpendFit](
    estimator: Estimator[M, F], given: F, histories: Histories, by: str | None
) -> F:
    """Return the maximum likelihood fit, which may be the one that is given."""
    known = given.method == "mle" and given.by == by and bool(given.fingerprint)
    return given if known else estimator.fit(histories, by=by)
