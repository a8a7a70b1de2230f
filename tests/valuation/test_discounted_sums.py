"""Equity under other discount factors, from sums by count and age: that of a valuation of every customer."""

from __future__ import annotations

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError
from clvmodels.inference.model_average import ModelAverage
from clvmodels.valuation import book as valuation
from clvmodels.valuation import scenarios
from clvmodels.valuation.discounted_sums import parts_of, sums_under
from clvmodels.valuation.scenarios import equities

DRAWS = 120
TRUTHS = {
    "BGNBD": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "ParetoNBD": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
}
GAMMA_GAMMA = {"p": 6.25, "q": 3.74, "v": 15.44}
EVERY_DRIVER = {
    "order_cost": 1.5,
    "maintenance_cost": 0.4,
    "campaigns_per_year": 3.0,
    "contact_cost": 0.1,
    "growth": 0.02,
    "tax": 0.2,
}
BY_SEGMENT = {"order_cost": {"by": "segment", "rates": {"shop": 1.0, "web": 3.0}}, "margin": {"column": "share"}}
OTHERS = [
    {"discount_rate": 0.08},
    {"discount_rate": (0.12, 0.2, 0.3)},
    {"growth": 0.05, "margin": 0.2},
    {"horizon": "5 years", "year": "360 days"},
    {"timing": "end-year", "tax": 0.3},
    {"margin": 0.25},
]


def drawn(estimator, truth, seed, **options):
    """Return a fit with draws about the truth."""
    names = list(truth)
    noise = 0.05 * np.random.default_rng(seed).standard_normal((1, DRAWS, len(names)))
    theta = np.array(list(truth.values())) * np.exp(noise)
    return estimator.from_params(dict(zip(names, np.moveaxis(theta, -1, 0), strict=True)), **options)


@pytest.fixture(scope="module")
def rfm():
    """The sample of CDNOW, with made-up segments and margins."""
    log = clv.datasets.load_cdnow(sample=True)
    table = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30").to_frame()
    number = np.arange(len(table))
    table["segment"], table["share"] = np.where(number % 3, "web", "shop"), 0.2 + 0.1 * (number % 4)
    return clv.Histories.from_frame(table, unit="week")


@pytest.fixture(scope="module")
def fits():
    """Fits by name: point estimates, draws, and both models with draws, averaged."""
    points = {name: getattr(clv, name)().from_params(TRUTHS[name], unit="week") for name in ("BGNBD", "ParetoNBD")}
    drawings = [drawn(getattr(clv, name)(), TRUTHS[name], 1, unit="week") for name in points]
    average = ModelAverage(tuple(drawings), (0.7, 0.3), "stacking")
    return {**points, "draws of BGNBD": drawings[0], "draws of ParetoNBD": drawings[1], "average": average}


@pytest.mark.parametrize("terms", [{}, EVERY_DRIVER, BY_SEGMENT], ids=["margin alone", "every driver", "by segment"])
@pytest.mark.parametrize("name", ["BGNBD", "ParetoNBD", "draws of BGNBD", "draws of ParetoNBD", "average"])
def test_equity_is_that_of_a_valuation_of_every_customer(rfm, fits, name, terms):
    spend = drawn(clv.GammaGamma(), GAMMA_GAMMA, 2) if "draws" in name else clv.GammaGamma().from_params(GAMMA_GAMMA)
    stated = clv.Assumptions(**{"discount_rate": 0.15, "margin": 0.3, "year": "52 weeks", **terms})
    book = valuation.valued(fits[name], spend, rfm, stated)
    others = [stated.replace(changes) for changes in OTHERS]
    whole = [valuation.valued(fits[name], spend, rfm, other).equity for other in others]
    assert len(np.unique(np.round(whole, 2))) == len(others)
    np.testing.assert_allclose(equities(book, others), whole, rtol=1e-7)
    np.testing.assert_allclose(sums_under(book.rows, parts_of(book.rows.lines), [stated]).sum(), book.equity, rtol=1e-7)


def test_customers_are_not_valued_again(rfm, fits, monkeypatch):
    """Two discount rates and three margins: one pass over the customers for each margin."""
    stated = clv.Assumptions(discount_rate=0.15, margin=0.3, order_cost=0.5)
    book = clv.value(fits["BGNBD"], clv.GammaGamma().from_params(GAMMA_GAMMA), rfm, stated)
    rates, margins = [0.05, 0.15], [0.1, 0.2, 0.3]
    whole = [[book.with_assumptions(stated.replace({"discount_rate": rate, "margin": margin})).equity
              for rate in rates] for margin in margins]  # fmt: skip
    tornado = {rate: book.with_assumptions(stated.replace({"discount_rate": rate})).equity for rate in (0.135, 0.165)}
    monkeypatch.setattr(valuation, "valued", None)
    table = clv.two_way(book, ("margin", margins), ("discount_rate", rates))
    np.testing.assert_allclose(table.to_numpy(), whole, rtol=1e-7)
    np.testing.assert_allclose(clv.tornado(book).loc["discount_rate", ["low", "high"]], [*tornado.values()], rtol=1e-7)


def test_segments_with_parameters_of_their_own(rfm):
    """There, the valuation of every customer gives the sums."""
    fit = clv.BGNBD().fit(rfm, by="segment", progress=False)
    stated = clv.Assumptions(discount_rate=0.15, margin=0.3, growth=0.01, maintenance_cost=0.2)
    book = clv.value(fit, clv.GammaGamma().from_params(GAMMA_GAMMA), rfm, stated)
    others = [stated.replace(changes) for changes in OTHERS]
    whole = [book.with_assumptions(other).equity for other in others]
    np.testing.assert_allclose(equities(book, others), whole, rtol=1e-7)


def test_customers_of_an_engine(fits):
    log, spend = clv.datasets.path("cdnow.parquet"), clv.GammaGamma().from_params(GAMMA_GAMMA)
    rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day")
    assert not rfm.in_memory
    book = clv.value(fits["draws of BGNBD"], spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.3))
    others = [book.assumptions.replace(changes) for changes in OTHERS]
    whole = [book.with_assumptions(other).equity for other in others]
    np.testing.assert_allclose(equities(book, others), whole, rtol=1e-7)


def test_infinite_equity_is_refused(rfm, fits):
    stated = clv.Assumptions(discount_rate=0.15, margin=0.3)
    book = clv.value(fits["BGNBD"], clv.GammaGamma().from_params(GAMMA_GAMMA), rfm, stated)
    with pytest.raises(AssumptionError, match=r"growth = 0\.2 is not below the discount rate 0\.15"):
        clv.two_way(book, ("margin", [0.3]), ("growth", [0.1, 0.2]))


def test_a_sum_that_is_no_number_is_left_to_the_valuation(rfm, fits, monkeypatch):
    """It says what is wrong."""
    stated = clv.Assumptions(discount_rate=0.15, margin=0.3)
    book = clv.value(fits["BGNBD"], clv.GammaGamma().from_params(GAMMA_GAMMA), rfm, stated)
    other = stated.replace({"discount_rate": 0.1})
    monkeypatch.setattr(scenarios, "sums_under", lambda _, parts, others: np.full((len(parts), len(others)), np.inf))
    assert equities(book, [other]) == [book.with_assumptions(other).equity]
