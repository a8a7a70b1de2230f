"""Migration between segments: a customer is counted once, and equities are those of the closings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError, DataError
from tests.inference.example_fits import bg, gamma_gamma

ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.3, year="52 weeks")
CUTS = {"recency": ["13 weeks"], "frequency": [1, 4]}


@pytest.fixture(scope="module")
def books():
    """CDNOW at two closings: who came in the last weeks of the first is new to the second, and some are taken out."""
    log = clv.datasets.load_cdnow(sample=True)
    ends = ("1997-02-28", "1997-12-31")
    how = {"value": "amount", "unit": "week", "resolution": "day"}
    early, late = (clv.rfm_summary(log[log["date"] <= end], observation_end=end, **how) for end in ends)
    late = late.select(late.customer_id[5:])
    return [clv.value(bg, gamma_gamma, rfm, ASSUMPTIONS) for rfm in (early, late)]


def test_customers_and_equities_add_up(books):
    opening, closing = books
    segments = [clv.rfm_segments(book.histories, **CUTS) for book in books]
    table = clv.migration(opening, closing, *segments)
    known, still = opening.histories.customer_id, closing.histories.customer_id
    assert table["customers"].sum() == len(known.union(still))
    assert table["opening_equity"].sum() == pytest.approx(opening.equity)
    assert table["closing_equity"].sum() == pytest.approx(closing.equity)
    np.testing.assert_allclose(table["change"], table["closing_equity"] - table["opening_equity"])
    flat = table["customers"]
    assert flat.xs("(new)", level="from").sum() == len(still.difference(known))
    assert flat.xs("(not in the closing)", level="to").sum() == len(known.difference(still))
    for name, count in segments[0].value_counts().items():
        assert flat.xs(name, level="from").sum() == count
        of_segment = opening.rlv[(segments[0] == name).to_numpy()].sum()
        assert table["opening_equity"].xs(name, level="from").sum() == pytest.approx(of_segment)
    in_both = pd.concat([each.reindex(known.intersection(still)) for each in segments], axis=1, keys=["from", "to"])
    for pair, count in in_both.value_counts().items():
        assert flat[pair] == count


def test_an_attribute_names_segments(books):
    rfm = books[0].histories
    named = rfm.with_attributes(pd.DataFrame({"kind": "all"}, index=rfm.customer_id))
    book = clv.value(bg, gamma_gamma, named, ASSUMPTIONS)
    table = clv.migration(books[0], book, clv.rfm_segments(rfm, **CUTS), "kind")
    assert set(table.index.get_level_values("to")) == {"all"}
    with pytest.raises(DataError, match="attribute"):
        clv.migration(books[0], books[1], "channel", "channel")


def test_what_cannot_be_compared_is_refused(books):
    segments = [clv.rfm_segments(book.histories, **CUTS) for book in books]
    euro = books[1].with_assumptions(ASSUMPTIONS.replace({"currency": "EUR"}))
    with pytest.raises(AssumptionError, match="currency"):
        clv.migration(books[0], euro, *segments)
    with pytest.raises(DataError, match="not known"):
        clv.migration(books[0], books[1], segments[0].iloc[3:], segments[1])
