"""The purchase histories that the published numbers rest on."""

from __future__ import annotations

import pytest

import clvmodels as clv
from tests.golden.published import JMR_ORDERS, JMR_SPEND, cdnow, published_terms


@pytest.fixture(scope="session")
def sample_39() -> clv.Histories:
    return cdnow(sample=True, end="1997-09-30")


@pytest.fixture(scope="session")
def sample_78() -> clv.Histories:
    return cdnow(sample=True, end="1998-06-30")


@pytest.fixture(scope="session")
def everyone() -> clv.Histories:
    return cdnow(sample=False, end="1998-06-30")


@pytest.fixture(scope="session")
def cohort(everyone: clv.Histories) -> clv.Histories:
    """The 23,560 customers of the published table: the ten with repeat spend above 4,000 are left out."""
    repeat_spend = everyone.frequency * everyone.to_frame()["monetary_value"].fillna(0.0).to_numpy()
    return everyone.select(repeat_spend <= 4000.0)


@pytest.fixture(scope="session")
def orders() -> clv.Fit:
    return clv.ParetoNBD().from_params(JMR_ORDERS, unit="week")


@pytest.fixture(scope="session")
def spend() -> clv.Fit:
    return clv.GammaGamma().from_params(JMR_SPEND)


@pytest.fixture(scope="session")
def book(orders, spend, cohort):
    return clv.value(orders, spend, cohort, published_terms())
