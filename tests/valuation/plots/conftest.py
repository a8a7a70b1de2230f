"""The valuations that the pictures show."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

import clvmodels as clv
from tests.golden.published import JMR_ORDERS, JMR_SPEND, WEEK_39_ORDERS, WEEK_39_SPEND, cdnow, published_terms

mpl.use("Agg")


def valued(histories, orders=JMR_ORDERS, spend=JMR_SPEND, **terms):
    fits = clv.ParetoNBD().from_params(orders, unit="week"), clv.GammaGamma().from_params(spend)
    return clv.value(*fits, histories, published_terms(**terms))


@pytest.fixture(scope="package")
def book():
    """The published customer equity of the CDNOW cohort."""
    everyone = cdnow(sample=False, end="1998-06-30")
    return valued(everyone.select(np.nan_to_num(everyone.frequency * everyone.monetary_value) <= 4000.0))


@pytest.fixture(scope="package")
def costly(book):
    """The same with costs of 3.00 an order and 5.00 a living year."""
    return book.with_assumptions(published_terms(order_cost=3.00, maintenance_cost=5.00))


@pytest.fixture(scope="package")
def movement():
    """From week 39 to week 78 of the sample, with the published parameters."""
    opening = valued(cdnow(sample=True, end="1997-09-30"), WEEK_39_ORDERS, WEEK_39_SPEND)
    return clv.movement(opening, valued(cdnow(sample=True, end="1998-06-30")))


@pytest.fixture(scope="package")
def drawn_book():
    """A small valuation with a few draws of the parameters."""
    r = np.array([[0.15, 0.20, 0.25, 0.30, 0.35]])
    orders = clv.BGNBD().from_params({"r": r, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    spend = clv.GammaGamma().from_params(WEEK_39_SPEND)
    rfm = orders.simulate(50, "39 weeks", seed=1)
    rfm = rfm.with_statistics({"mean": np.where(rfm.frequency > 0, 35.0, np.nan)})
    return clv.value(orders, spend, rfm, published_terms())
