"""The simulated company: deterministic, as it says it is, and equal to the files that are bundled."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clvmodels as clv
from clvmodels import datasets
from clvmodels.data.ledgers import Ledgers
from clvmodels.datasets import Company
from clvmodels.datasets.company import CHANNELS, DAYS, SEGMENTS, START, TABLES
from clvmodels.errors import DataError
from clvmodels.valuation.relationship import rates

END = pd.Timestamp("2024-06-30")
KEYS = [field.name for field in fields(clv.Assumptions) if field.name != "lines"]
"""All but lines of one's own, of which the company has none."""


@pytest.fixture(scope="module")
def bundled() -> Company:
    return datasets.simulate_company(1, customers=1_500)


@pytest.fixture(scope="module")
def big() -> Company:
    return datasets.simulate_company(3, customers=20_000)


def people(company: Company) -> pd.DataFrame:
    """Return the truth by customer, with segment, channel and first day."""
    assert company.truth is not None
    first = company.transactions.drop_duplicates("customer_id").set_index("customer_id")
    return company.truth.customers.join(first[["segment", "channel", "date"]])


# ---------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("name", TABLES)
def test_the_bundled_files_are_what_the_simulator_writes(name: str, bundled: Company, tmp_path: Path) -> None:
    bundled.write(tmp_path)
    assert (tmp_path / f"{name}.csv").read_bytes() == datasets.path(f"company/{name}.csv").read_bytes()


def test_the_loaded_company_is_the_simulated_one(bundled: Company) -> None:
    loaded = datasets.load_company()
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(bundled, name))
    assert loaded.truth is None


def test_the_files_are_small_and_all_listed() -> None:
    folder = datasets.path("company/assumptions.toml").parent
    assert {f"company/{file.name}" for file in folder.iterdir()} == set(datasets.COMPANY_FILES)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 3_000_000


def test_the_page_states_the_rows(bundled: Company) -> None:
    page = datasets.path("README.md").read_text(encoding="utf-8")
    for name in TABLES:
        line = next(line for line in page.splitlines() if line.startswith(f"| `company/{name}.csv`"))
        assert line.endswith(f"| {len(getattr(bundled, name)):,} |")
        assert all(f"`{column}`" in line for column in getattr(bundled, name).columns)


def test_the_assumptions_have_all_keys_and_a_comment_on_each() -> None:
    text = datasets.path("company/assumptions.toml").read_text(encoding="utf-8")
    same_at_any_tenure = {"early_order_cost", "cost_half_life"}  # an order of this company always costs as much
    assert {*tomllib.loads(text)} == {*KEYS} - same_at_any_tenure
    for block in text.strip().split("\n\n")[1:]:
        comment, assignment = block.rsplit("\n", 1)
        assert all(line.startswith("# ") for line in comment.splitlines())
        assert assignment.split(" = ")[0] in KEYS


def test_the_assumptions_suit_the_company(bundled: Company) -> None:
    terms = clv.Assumptions.from_file(datasets.path("company/assumptions.toml"))
    rfm = clv.rfm_summary(
        bundled.transactions, value="amount", resolution="day", observation_end=END, attributes=["segment", "channel"]
    )
    activity = Ledgers.read(**bundled.ledgers, histories=rfm).activity(rfm)  # type: ignore[arg-type]
    rfm = rfm.with_attributes(rates(rfm, activity)).with_attributes(activity[["acquisition_cost"]])
    book = clv.value(clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, terms)
    assert book.equity > 0.0
    assert 0.0 < np.mean(book.rlv < 0.0) < 0.8  # who has left costs campaigns still


# ---------------------------------------------------------------------------------------------------- determinism


def test_a_seed_gives_the_same_company_and_another_one_another(bundled: Company) -> None:
    again, other = datasets.simulate_company(1, customers=1_500), datasets.simulate_company(2, customers=1_500)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(bundled, name))
        assert not getattr(other, name).equals(getattr(bundled, name))
    assert again.truth is not None
    assert bundled.truth is not None
    pd.testing.assert_frame_equal(again.truth.customers, bundled.truth.customers)


@pytest.mark.parametrize("customers", [1, 2, 31])
def test_small_companies(customers: int) -> None:
    company = datasets.simulate_company(5, customers=customers)
    assert company.transactions["customer_id"].nunique() == len(company.acquisition) == customers


def test_no_customers_are_refused() -> None:
    with pytest.raises(DataError, match="customers=0"):
        datasets.simulate_company(1, customers=0)


# ----------------------------------------------------------------------------------------------------- the ledgers


def test_the_ledgers_are_clean(bundled: Company) -> None:
    rfm = clv.rfm_summary(bundled.transactions, value="amount", resolution="day", observation_end=END)
    ledgers = Ledgers.read(**bundled.ledgers, histories=rfm)  # type: ignore[arg-type]
    assert ledgers.notes(rfm) == ()
    counted = ledgers.activity(rfm)
    assert counted["returned_value"].sum() == pytest.approx(bundled.returns["value"].sum())
    for column, name in (("service_contacts", "service"), ("campaign_contacts", "campaigns"), ("referrals",) * 2):
        assert counted[column].sum() == len(getattr(bundled, name))


def test_dates_and_money(big: Company) -> None:
    log = big.transactions
    assert pd.Timestamp(START + DAYS - 1) == END
    assert log["date"].min() == pd.Timestamp("2022-01-01")
    assert log["date"].max() == END
    assert people(big)["date"].max() == pd.Timestamp("2023-06-30")
    assert log["date"].is_monotonic_increasing
    assert log["amount"].min() > 0
    for table in (big.returns, big.service, big.campaigns):
        assert table["time"].is_monotonic_increasing
        assert table["time"].max() <= END


def test_returns_follow_their_orders(big: Company) -> None:
    log = big.transactions.rename(columns={"date": "time"})
    orders = pd.merge_asof(big.returns, log, on="time", by="customer_id")
    assert orders["amount"].notna().all()
    biggest = log.groupby("customer_id")["amount"].max().reindex(big.returns["customer_id"])
    assert (big.returns["value"].to_numpy() <= biggest.to_numpy()).all()
    assert big.returns["value"].min() > 0


def test_campaigns_reach_those_who_have_left(big: Company) -> None:
    who = people(big)
    last = big.campaigns[big.campaigns["time"] == big.campaigns["time"].max()]
    reached = who.index.isin(last["customer_id"])
    assert reached[~who["alive"]].mean() == pytest.approx(reached[who["alive"]].mean(), abs=0.06)
    assert (big.campaigns["time"].dt.day == 10).all()
    assert big.campaigns["time"].dt.to_period("M").nunique() == 29


def test_the_recommended_come_when_they_were_recommended(big: Company) -> None:
    first, referrals = people(big)["date"], big.referrals
    channel = big.acquisition.set_index("customer_id")["channel"]
    assert (channel.loc[referrals["referred_id"]] == "referral").all()
    assert len(referrals) == pytest.approx((channel == "referral").sum(), abs=5)
    assert (first.loc[referrals["referred_id"]].to_numpy() == referrals["time"].to_numpy()).all()
    assert (first.loc[referrals["customer_id"]].to_numpy() <= referrals["time"].to_numpy()).all()
    last = big.transactions.groupby("customer_id")["date"].max()
    gone = people(big)["alive"].loc[referrals["customer_id"]].to_numpy()
    assert 0.2 < gone.mean() < 1.0
    assert last.loc[referrals["customer_id"]].notna().all()


def test_costs_are_those_of_the_channels(big: Company) -> None:
    mean = big.acquisition.groupby("channel")["cost"].mean()
    np.testing.assert_allclose(mean[CHANNELS.index], CHANNELS["cost"], rtol=0.02)
    assert set(big.acquisition.loc[big.acquisition["channel"] == "referral", "cost"]) == {20.0}


# ---------------------------------------------------------------------------------------------------------- truth


def cells(company: Company) -> Iterator[tuple[pd.Series, pd.DataFrame]]:
    """Yield the parameters and the customers of each segment and channel."""
    assert company.truth is not None
    parameters: dict[Any, pd.Series] = dict(company.truth.parameters.T.items())
    for cell, part in people(company).groupby(["segment", "channel"]):
        yield parameters[cell], part


def test_the_mix_of_segments_and_channels(big: Company) -> None:
    who = people(big)
    np.testing.assert_allclose(
        who["segment"].value_counts(normalize=True)[SEGMENTS.index], SEGMENTS["share"], atol=0.01
    )
    np.testing.assert_allclose(
        who["channel"].value_counts(normalize=True)[CHANNELS.index], CHANNELS["share"], atol=0.01
    )


def test_customers_come_from_their_populations(big: Company) -> None:
    worst = 1.0
    for row, part in cells(big):
        populations = {
            "purchase_rate": stats.gamma(row["r"], scale=1 / row["alpha"]),
            "return_rate": stats.beta(row["returns_a"], row["returns_b"]),
            "contact_rate": stats.gamma(row["contacts_shape"], scale=1 / row["contacts_rate"]),
            "order_value": stats.invgamma(row["q"], scale=row["p"] * row["v"]),
        }
        for name, population in populations.items():
            worst = min(worst, float(stats.kstest(part[name], population.cdf).pvalue))
        weeks = ((END - part["date"]).dt.days + 0.5) / 7
        alive = (row["beta"] / (row["beta"] + weeks)) ** row["s"]
        error = np.sqrt((alive * (1 - alive)).sum())
        assert abs(part["alive"].sum() - alive.sum()) < 4 * error
    assert worst > 1e-4  # the least of 36


def test_what_happens_is_what_their_nature_says(big: Company) -> None:
    who = people(big)
    log = big.transactions
    seen = log[log["date"] <= END - pd.Timedelta(days=21)]  # what these lead to has been observed
    orders = seen.groupby("customer_id").size().reindex(who.index, fill_value=0)
    returned = big.returns[big.returns["time"] <= END - pd.Timedelta(days=13)]
    assert len(returned) == pytest.approx((who["return_rate"] * orders).sum(), rel=0.03)
    assert len(big.service) == pytest.approx((who["contact_rate"] * log.groupby("customer_id").size()).sum(), rel=0.03)
    mean = log["amount"].mean()
    assert mean == pytest.approx(np.average(who["order_value"], weights=log.groupby("customer_id").size()), rel=0.02)
    rest = who[who["alive"]]
    repeats = log.groupby("customer_id").size().loc[rest.index] - 1
    expected = rest["purchase_rate"] * ((END - rest["date"]).dt.days + 0.5) / 7
    assert repeats.sum() == pytest.approx(expected.sum(), abs=5 * np.sqrt(expected.sum()))


@pytest.mark.parametrize("cell", [("private", "search"), ("business", "social")])
def test_a_model_finds_the_parameters_again(cell: tuple[str, str], big: Company) -> None:
    assert big.truth is not None
    log = big.transactions
    part = log[(log["segment"] == cell[0]) & (log["channel"] == cell[1])]
    rfm = clv.rfm_summary(part, value="amount", observation_end=END, unit="week", resolution="day")
    fit = clv.ParetoNBD().fit(rfm)
    true = big.truth.parameters.T[cell][list(fit.params)].to_numpy()
    found, sd = np.array(list(fit.params.values())), fit.summary().loc[list(fit.params), "sd"].to_numpy()
    np.testing.assert_array_less(np.abs(found - true), 4 * sd + 0.06 * true)  # days merge some purchases
    assert fit.probability_alive(rfm).to_numpy().sum() == pytest.approx(
        big.truth.customers.loc[rfm.customer_id, "alive"].sum(), rel=0.05
    )
