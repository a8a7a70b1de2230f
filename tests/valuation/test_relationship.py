"""Rates of the relationship: shrunk, finite, near the truth of a simulated company, and adding up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.ledgers import Ledgers
from clvmodels.errors import DataError
from clvmodels.inference.shrinkage import beta_binomial, gamma_poisson
from clvmodels.valuation.relationship import COLUMNS, rates


@pytest.fixture(scope="module")
def company() -> clv.datasets.Company:
    return clv.datasets.simulate_company(7, customers=3_000)


@pytest.fixture(scope="module")
def rfm(company: clv.datasets.Company) -> clv.Histories:
    return clv.rfm_summary(company.transactions, value="amount", resolution="day", observation_end="2024-06-30")


@pytest.fixture(scope="module")
def activity(company: clv.datasets.Company, rfm: clv.Histories) -> pd.DataFrame:
    return Ledgers.read(**company.ledgers, histories=rfm).activity(rfm)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found(rfm: clv.Histories, activity: pd.DataFrame) -> pd.DataFrame:
    return rates(rfm, activity)


def test_columns(found: pd.DataFrame, rfm: clv.Histories) -> None:
    assert tuple(found.columns) == COLUMNS[:-2]
    assert found.index.equals(rfm.customer_id)
    assert np.isfinite(found).all(axis=None)
    assert found.to_numpy().min() >= 0.0
    assert found[["returns_per_order", "return_share"]].to_numpy().max() <= 1.0


def test_they_are_the_posterior_means(found: pd.DataFrame, rfm: clv.Histories, activity: pd.DataFrame) -> None:
    orders = rfm.frequency + 1
    returned = beta_binomial(activity["returned_orders"], orders)
    contacts = gamma_poisson(activity["service_contacts"], orders)
    np.testing.assert_array_equal(found["returns_per_order"], returned.mean)
    np.testing.assert_array_equal(found["returns_per_order_sd"], returned.sd)
    np.testing.assert_array_equal(found["contacts_per_order"], contacts.mean)
    np.testing.assert_array_equal(found["contacts_per_order_sd"], contacts.sd)
    days = rfm.attributes["first_purchase"].rsub(pd.Timestamp("2024-06-30")).dt.days + 1
    referrals = gamma_poisson(activity["referrals"], days / 365.25)
    np.testing.assert_allclose(found["referrals_per_year"], referrals.mean, rtol=1e-12)


def test_they_are_nearer_the_truth_than_raw_rates(
    company: clv.datasets.Company, found: pd.DataFrame, rfm: clv.Histories, activity: pd.DataFrame
) -> None:
    assert company.truth is not None
    true = company.truth.customers.loc[rfm.customer_id]
    orders = rfm.frequency + 1
    for rate, count, name in (
        ("returns_per_order", "returned_orders", "return_rate"),
        ("contacts_per_order", "service_contacts", "contact_rate"),
    ):
        shrunk, raw = found[rate] - true[name], activity[count] / orders - true[name]
        assert np.mean(shrunk**2) < 0.5 * np.mean(raw**2)
        # Customers of three segments are not quite one gamma or beta population.
        assert np.mean((shrunk / found[f"{rate}_sd"]) ** 2) == pytest.approx(1.0, abs=0.2)
        assert np.average(found[rate], weights=orders) == pytest.approx(
            np.average(true[name], weights=orders), rel=0.06
        )


def test_return_shares_meet_the_value_returned(found: pd.DataFrame, activity: pd.DataFrame, rfm: clv.Histories) -> None:
    sales = rfm.attributes["first_value"] + (rfm.frequency * np.nan_to_num(rfm.monetary_value))
    assert (found["return_share"] * sales).sum() == pytest.approx(activity["returned_value"].sum(), rel=1e-9)
    ratio = found["return_share"] / found["returns_per_order"]
    assert np.ptp(ratio) == pytest.approx(0.0, abs=1e-12)
    assert ratio.iloc[0] == pytest.approx(0.8, abs=0.1)  # half of the returns whole, the others 60 % on average


def test_campaigns_reach_each_segment_as_they_do(found: pd.DataFrame, company: clv.datasets.Company) -> None:
    # Sent once a month to nine in ten, and to six in ten businesses: counts that vary less than at random.
    segment = company.transactions.drop_duplicates("customer_id").set_index("customer_id")["segment"]
    mean = found["campaigns_per_year"].groupby(segment.reindex(found.index)).mean()
    assert mean["private"] == pytest.approx(12 * 0.9, rel=0.04)
    assert 12 * 0.6 < mean["business"] < 8.6  # shrunk towards the others


def test_campaigns_add_up(found: pd.DataFrame, rfm: clv.Histories, activity: pd.DataFrame) -> None:
    years = (rfm.T * 7 + 1) / 365.25
    contacts = activity["campaign_contacts"].sum()
    assert (found["campaigns_per_year"] * years).sum() == pytest.approx(contacts, rel=0.01)


def test_a_year_is_that_of_the_valuation(found: pd.DataFrame, rfm: clv.Histories, activity: pd.DataFrame) -> None:
    shorter = rates(rfm, activity, year="52 weeks")
    for name in ("campaigns_per_year", "referrals_per_year"):
        np.testing.assert_allclose(shorter[name], found[name] * 364 / 365.25, rtol=1e-6)
    pd.testing.assert_series_equal(shorter["contacts_per_order"], found["contacts_per_order"])


def test_the_unit_of_the_histories_does_not_matter(
    found: pd.DataFrame, rfm: clv.Histories, activity: pd.DataFrame
) -> None:
    pd.testing.assert_frame_equal(rates(rfm.in_unit("month"), activity), found)


def test_rates_go_to_their_customers(found: pd.DataFrame, rfm: clv.Histories, activity: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(rates(rfm, activity.iloc[::-1]), found)
    assert "returns_per_order" in rfm.with_attributes(found).attributes


def small(**columns: list[float]) -> tuple[clv.Histories, pd.DataFrame]:
    """Return three customers, with spend but without the value of their first orders, and their activity."""
    table = {"customer_id": [1, 2, 3], "frequency": [1, 2, 0], "recency": [3, 4, 0], "T": [10, 10, 0]}
    histories = clv.Histories.from_frame(
        pd.DataFrame(table | {"monetary_value": [10.0, 40.0, np.nan]}), unit="day", observation_end="2024-01-31"
    )
    return histories, Ledgers.read().activity(histories).assign(**columns)


def test_ledgers_that_were_not_given_have_no_column() -> None:
    histories, activity = small(service_contacts=[0.0, 4.0, 0.0])
    names = ["contacts_per_order", "contacts_per_order_sd", "contacts_per_order_common_sd"]
    assert list(rates(histories, activity).columns) == names
    histories, activity = small()
    assert rates(histories, activity).shape == (3, 0)


def test_first_orders_of_unknown_value_count_as_usual_ones() -> None:
    histories, activity = small(returned_orders=[1.0, 1.0, 0.0], returned_value=[5.0, 20.0, 0.0])
    found = rates(histories, activity)
    sales = np.array([20.0, 120.0, 30.0])  # 30: the mean of three repeat orders
    assert found["returns_per_order"].to_numpy() == pytest.approx(1 / 3)
    assert float(found["return_share"].to_numpy() @ sales) == pytest.approx(25.0)


def test_who_came_on_the_last_day_was_observed_for_a_day() -> None:
    histories, activity = small(referrals=[9.0, 0.0, 1.0])
    expected = gamma_poisson([9, 0, 1], np.array([11, 11, 1]) / 365.25)
    assert not expected.pooled
    np.testing.assert_allclose(rates(histories, activity)["referrals_per_year"], expected.mean, rtol=1e-12)


def test_campaigns_by_hand() -> None:
    histories, activity = small(campaign_contacts=[8.0, 0.0, 0.0], campaign_days=[4.0, 4.0, 0.0])
    share = beta_binomial([4, 0, 0], [4, 4, 0]).mean
    a_year = 8 / (23 / 365.25)  # campaigns by customer and year on the books
    np.testing.assert_allclose(rates(histories, activity)["campaigns_per_year"], share * 2 * a_year, rtol=1e-12)
    histories, activity = small(campaign_contacts=[0.0, 0.0, 0.0], campaign_days=[0.0, 0.0, 0.0])
    assert (rates(histories, activity)["campaigns_per_year"] == 0.0).all()


def test_nothing_returned_is_a_share_of_zero() -> None:
    histories, activity = small(returned_orders=[0.0, 0.0, 0.0], returned_value=[0.0, 0.0, 0.0])
    assert (rates(histories, activity) == 0.0).all(axis=None)


def test_what_does_not_fit_is_refused() -> None:
    histories, activity = small(returned_orders=[1.0, 1.0, 0.0], returned_value=[5.0, 20.0, 0.0])
    with pytest.raises(DataError, match="lacks 1 of 3 customers, for example 2"):
        rates(histories, activity.drop(index=2))
    with pytest.raises(DataError, match="no column 'referrals'"):
        rates(histories, activity.drop(columns="referrals"))
    poor = clv.Histories.from_frame(
        histories.to_frame().drop(columns="monetary_value").reset_index(), unit="day", observation_end="2024-01-31"
    )
    with pytest.raises(DataError, match="no spend"):
        rates(poor, activity)
