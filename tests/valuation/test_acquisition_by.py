"""New customers by segment: against valuations of each segment by itself, and ratios by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitWarning
from clvmodels.valuation.acquisition import acquisition_by, payback_years
from clvmodels.valuation.contribution import contribution

ASSUMPTIONS = clv.Assumptions(discount_rate=0.12, margin=0.3, order_cost=0.5, acquisition_cost={"column": "cac"})
OTHER = {"shop": {"r": 0.9, "alpha": 6.0, "a": 0.6, "b": 2.4}, "web": {"r": 0.9, "alpha": 12.0, "a": 0.8, "b": 2.4}}


@pytest.fixture(scope="module")
def rfm():
    """Two channels that differ: web customers buy half as often and cost nothing to win."""
    parts = []
    for seed, (channel, params) in enumerate(OTHER.items()):
        part = (
            clv.BGNBD().from_params(params, unit="week").simulate(300, "78 weeks", seed=seed).to_frame().reset_index()
        )
        spend = np.random.default_rng(seed).gamma(6.0, 5.0, len(part))
        parts.append(part.assign(channel=channel, monetary_value=np.where(part["frequency"] > 0, spend, np.nan)))
    frame = pd.concat(parts, ignore_index=True)[["frequency", "recency", "T", "monetary_value", "channel"]]
    frame["customer_id"] = frame.index
    frame["cac"] = np.where(frame["channel"] == "shop", 20.0, 0.0)
    frame["first_value"] = np.where(frame["channel"] == "shop", 40.0, 10.0)
    rfm = clv.Histories.from_frame(frame.drop(columns=["channel", "cac", "first_value"]), unit="week")
    return rfm.with_attributes(frame.set_index("customer_id")[["channel", "cac", "first_value"]])


@pytest.fixture(scope="module")
def book(rfm):
    """Fits by segment, with draws; that two segments say little of their population does not matter here."""
    options = {"by": "channel", "method": "laplace", "draws": 80, "seed": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fits = [model().fit(rfm, **options) for model in (clv.BGNBD, clv.ParetoNBD)]
        return clv.value(fits, clv.GammaGamma().fit(rfm, **options), rfm, ASSUMPTIONS)


def test_segments_are_valued_with_their_own_parameters(rfm, book):
    table = acquisition_by(book, "channel")
    assert list(table.index) == ["shop", "web", "total"]
    for name in OTHER:
        members = rfm.select((rfm.attributes["channel"] == name).to_numpy())
        spend = book.spend.segment(name)
        alone = [clv.value(fit.segment(name), spend, members, ASSUMPTIONS) for fit in book.transactions.fits]
        repeat = np.dot(book.transactions.weights, [each.new_customer.repeat for each in alone])
        ceiling = alone[0].new_customer.first_order + repeat
        assert table.loc[name, "ceiling"] == pytest.approx(ceiling, rel=1e-9)
        cost = {"shop": 20.0, "web": 0.0}[name]
        assert table.loc[name, "acquisition_cost"] == pytest.approx(cost)
        assert table.loc[name, "new_customer"] == pytest.approx(ceiling - cost, rel=1e-9)
    assert table.loc["shop", "ceiling"] > 1.5 * table.loc["web", "ceiling"]
    assert table.loc["total", "ceiling"] == pytest.approx(book.new_customer.post_acquisition_value, rel=1e-12)


def test_ratios_are_those_of_sums_by_segment(rfm, book):
    table, so_far = acquisition_by(book, "channel"), contribution(book)
    brought = pd.Series(so_far["contribution_3"].to_numpy() + book.rlv, index=rfm.attributes["channel"].to_numpy())
    mean = brought.groupby(level=0).mean()
    for name in OTHER:
        assert table.loc[name, "lifetime_value"] == pytest.approx(mean[name], rel=1e-12)
    assert table.loc["shop", "ltv_to_cac"] == pytest.approx(mean["shop"] / 20.0)
    assert np.isnan(table.loc["web", "ltv_to_cac"])
    assert table.loc["total", "ltv_to_cac"] == pytest.approx(brought.sum() / (300 * 20.0))


def test_payback_is_when_what_was_brought_reaches_the_cost(book):
    """A horizon of that length makes a new customer worth their cost."""
    table = acquisition_by(book, "channel")
    assert table.loc["web", "payback_years"] == 0.0
    years = table.loc["shop", "payback_years"]
    assert 0.0 < years < 10.0
    horizon = book.with_assumptions(ASSUMPTIONS.replace({"horizon": f"{365.25 * float(years)!r} days"}))
    assert acquisition_by(horizon, "channel").loc["shop", "new_customer"] == pytest.approx(0.0, abs=0.02)
    assert table.loc["total", "payback_years"] == pytest.approx(payback_years(book), rel=1e-9)


def test_fits_to_all_customers_serve_any_column(rfm):
    book = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, ASSUMPTIONS)
    table = acquisition_by(book, "channel")
    repeat = book.new_customer.repeat
    margin = {"shop": 0.3 * 40.0 - 0.5, "web": 0.3 * 10.0 - 0.5}
    for name, first in margin.items():
        assert table.loc[name, "ceiling"] == pytest.approx(first + repeat, rel=1e-9)
    with pytest.raises(DataError, match="chanel"):
        acquisition_by(book, "chanel")


def test_all_customers_and_other_columns_are_means_over_the_segments(rfm, book):
    """A column that splits channels unevenly: new customers are weighted means of those of the channels."""
    shop = (rfm.attributes["channel"] == "shop").to_numpy()
    region = np.where(shop, np.arange(len(rfm)) % 4 == 0, np.arange(len(rfm)) % 4 != 0)
    with_region = rfm.with_attributes(pd.DataFrame({"region": np.where(region, "east", "west")}, rfm.customer_id))
    book = clv.value(list(book.transactions.fits), book.spend, with_region, ASSUMPTIONS)
    by_channel, by_region = (acquisition_by(book, by) for by in ("channel", "region"))
    for name in ("ceiling", "new_customer"):
        assert by_channel.loc["total", name] == pytest.approx(by_channel.loc[["shop", "web"], name].mean(), rel=1e-9)
        for part in ("east", "west"):
            share = shop[region == (part == "east")].mean()
            mixed = share * by_channel.loc["shop", name] + (1.0 - share) * by_channel.loc["web", name]
            assert by_region.loc[part, name] == pytest.approx(mixed, rel=1e-9)
    assert by_region.loc["west", "ceiling"] > 1.2 * by_region.loc["east", "ceiling"]
    assert book.new_customer.post_acquisition_value == pytest.approx(by_channel.loc["total", "ceiling"], rel=1e-9)
