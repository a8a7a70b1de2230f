"""A value that is no finite number is refused by what makes it so, as are amounts and parameters that overflow."""

from __future__ import annotations

import math
import warnings

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError, AssumptionWarning, ClvError, DataError, DataWarning, ParameterError
from clvmodels.valuation.contracts import ContractBase, discounted_lifetime, residual_value
from clvmodels.valuation.definitions import Worksheet
from clvmodels.valuation.firm import Firm, Growth
from clvmodels.valuation.levers import levers_of

PARAMS = {
    "BGNBD": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "ParetoNBD": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
}
ORDERS = clv.ParetoNBD().from_params(PARAMS["ParetoNBD"], unit="week")
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
GOOD = {"discount_rate": 0.15, "margin": 0.3}


def histories(money=1.0, **columns):
    table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
    table |= {"monetary_value": [22.35 * money, None, 41.0 * money], **columns}
    return clv.Histories.from_frame(pd.DataFrame(table), unit="week")


def in_engine(**changes):
    log = {"customer_id": [1, 1, 2, 2, 3], "date": [f"2024-0{k}-01" for k in (1, 3, 2, 5, 6)]}
    log |= {"amount": [20.0, 30.0, 50.0, 20.0, 30.0], **changes}
    return ibis.memtable(pa.table(log))


def summary(table, **options):
    return clv.rfm_summary(table, resolution="day", **options)


def equity(rfm=None, orders=ORDERS, spend=SPEND, **changes):
    return clv.value(orders, spend, histories() if rfm is None else rfm, clv.Assumptions(**{**GOOD, **changes})).equity


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"growth": 0.15}, r"growth = 0\.15 is not below the discount rate 0\.15"),
        ({"growth": 0.2, "discount_rate": (0.3, 0.15)}, r"growth = 0\.2 is not below the discount rate 0\.15"),
        ({"growth": 0.15 - 5e-17}, "is not below the discount rate"),
        ({"discount_rate": 0.0}, "discount_rate = 0 needs a horizon"),
        ({"discount_rate": 1e-320}, r"discount_rate = .*e-321 needs a horizon"),
        ({"growth": 2.0, "horizon": "1000 years"}, r"growth = 2 lifts .* horizon = \"1000 years\""),
        ({"growth": 0.2, "horizon": "1e6 years"}, "growth = 0.2 lifts"),
        ({"growth": 0.15, "discount_rate": (*[0.0] * 10_000, 0.2)}, r"growth = 0\.15 lifts .* 10,001 years"),
    ],
)
@pytest.mark.parametrize("where", ["memory", "engine"])
def test_an_infinite_value_is_refused(changes, message, where):
    rfm = histories() if where == "memory" else summary(in_engine(), value="amount")
    with pytest.raises(AssumptionError, match=message):
        equity(rfm, **changes)


@pytest.mark.parametrize("where", ["memory", "engine"])
@pytest.mark.parametrize("growth", [0.14, 0.149, 0.15 - 1e-9])
def test_growth_below_the_rate_is_valued_at_the_net_rate(growth, where):
    rfm = histories() if where == "memory" else summary(in_engine(), value="amount")
    net = (0.15 - growth) / (1.0 + growth)
    assert equity(rfm, growth=growth) == pytest.approx(equity(rfm, discount_rate=net), rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": "1e308 weeks"}, "horizon"),
        ({"horizon": "1e308 years"}, "horizon"),
        ({"order_cost": 1e308}, "order_cost is at most"),
        ({"order_cost": 10**400}, "order_cost must be a number"),
        ({"order_cost": {"by": "tier", "rates": {"A": 1e200}}}, "order_cost is at most"),
        ({"order_cost": {"column": "tier", "factor": 1e308}}, "a factor is a number from 0 up"),
        ({"order_cost": {"column": "tier", "factor": "two"}}, "got 'two'"),
        ({"order_cost": {"column": "tier", "factor": [1]}}, r"got \[1\]"),
        ({"order_cost": {"column": "tier", "factor": math.nan}}, "got nan"),
    ],
)
def test_what_overflows_is_refused_by_name(changes, message):
    with pytest.raises(AssumptionError, match=message):
        clv.Assumptions(**{**GOOD, **changes})


@pytest.mark.parametrize(
    "year", ["12 days", "5000 weeks", "1e308 weeks", "1e-300 days", "1 hour", "349 days", "400 days"]
)
def test_what_is_no_year_is_refused(year):
    with pytest.raises(AssumptionError, match=r"^year"):
        clv.Assumptions(**GOOD, year=year)


@pytest.mark.parametrize("year", ["52 weeks", "53 weeks", "365.25 days", "365 days", "12 months", "360 days", "1 year"])
def test_what_is_a_year_is_taken(year):
    assert 350 <= clv.Assumptions(**GOOD, year=year).year_in("day") <= 380


@pytest.mark.parametrize("column", [[1e308, 1.0, 1.0], [1e16, 1.0, 1.0]])
def test_rates_in_columns_that_overflow_are_refused(column):
    with pytest.raises(AssumptionError, match="order_cost: the column 'cost' is at most"):
        equity(histories(cost=column), order_cost={"column": "cost"})
    with pytest.raises(AssumptionError, match="order_cost: the column 'cost' times 1e"):
        equity(histories(cost=[1e10, 1.0, 1.0]), order_cost={"column": "cost", "factor": 1e10})
    rfm = summary(in_engine(cost=[1e16, 1e16, 1.0, 1.0, 1.0]), value="amount", attributes=["cost"])
    with pytest.raises(AssumptionError, match="order_cost: the column 'cost' is at most"):
        equity(rfm, order_cost={"column": "cost"})


@pytest.mark.parametrize("money", [1e101, 1e306])
def test_amounts_that_overflow_are_refused(money):
    with pytest.raises(DataError, match=r"above 1e\+100|too large to be valued"):
        equity(histories(money))


@pytest.mark.parametrize("size", [1e-308, 1e-150, 1e150, 1e308])
@pytest.mark.parametrize(("name", "parameter"), [(name, key) for name, values in PARAMS.items() for key in values])
def test_parameters_that_overflow_are_refused(name, parameter, size):
    with pytest.raises(ParameterError, match=rf"{parameter} must lie between 1e-25 and 1e\+25"):
        getattr(clv, name)().from_params({**PARAMS[name], parameter: size}, unit="week")


def test_a_sum_that_overflows_is_refused_with_its_line():
    """Parameters, growth and horizon within their ranges whose product is no number: 1e155 times e^590."""
    spend = clv.GammaGamma().from_params({"p": 1e24, "q": 1.0 + 1e-12, "v": 1e119})
    table = {"customer_id": ["A"], "frequency": [0], "recency": [0], "T": [1.0]}
    rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    long = {"discount_rate": 0.12, "growth": 2.0, "horizon": "600 years"}
    with np.errstate(over="ignore"), pytest.raises(AssumptionError, match="contribution_margin overflows"):
        equity(rfm, spend=spend, **long)


# ---------------------------------------------------------------------------------------------- sensitivities


def test_sensitivities_near_the_discount_rate_are_finite():
    book = clv.value(ORDERS, SPEND, histories(), clv.Assumptions(**GOOD, growth=0.14, order_cost=1.0))
    with pytest.warns(AssumptionWarning, match="leaves out discount_rate and growth"):
        table = clv.tornado(book)
    assert list(table.index) == ["margin", "order_cost"]
    assert np.isfinite(table.to_numpy()).all()
    assert np.isfinite(clv.tornado(book, by=0.01).to_numpy()).all()
    assert "discount_rate" in clv.tornado(book, by=0.01).index
    with pytest.raises(AssumptionError, match="not below the discount rate"):
        clv.two_way(book, ("discount_rate", [0.13]), ("margin", [0.3]))
    table = clv.two_way(book, ("discount_rate", [0.1401, 0.15]), ("growth", [0.1, 0.14]))
    assert np.isfinite(table.to_numpy()).all()


@pytest.mark.parametrize("growth", [0.14, 0.149, 0.14999])
def test_sliders_near_the_discount_rate_are_finite(growth):
    book = clv.value(ORDERS, SPEND, histories(), clv.Assumptions(**GOOD, growth=growth))
    levers = levers_of(book)
    assert all(np.isfinite(term.sums).all() for term in levers.terms)
    assert levers.error < 1e-3
    (rate,) = (lever for lever in levers.levers if lever.name == "discount_rate")
    assert growth < rate.low <= rate.stated <= rate.high


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"discount_rate": 1.9}, ["discount_rate"]),
        ({"discount_rate": 1.95, "growth": 1.9}, ["discount_rate", "growth"]),
        ({"growth": -0.95}, ["growth"]),
    ],
)
def test_a_step_out_of_the_range_of_an_assumption_is_left_out(changes, left_out):
    book = clv.value(ORDERS, SPEND, histories(), clv.Assumptions(**{**GOOD, **changes}))
    with pytest.warns(AssumptionWarning, match=" and ".join(left_out)):
        assert not clv.tornado(book).index.isin(left_out).any()


def test_growth_beyond_one_is_moved_in_full():
    terms = clv.Assumptions(discount_rate=0.1, margin=0.3, growth=1.5, horizon="2 years")
    book = clv.value(ORDERS, SPEND, histories(), terms)
    higher = book.with_assumptions(terms.replace({"growth": 1.65})).equity
    assert clv.tornado(book).loc["growth", "high"] == pytest.approx(higher, rel=1e-12)


# ---------------------------------------------------------------------------------------------- unknown spend


@pytest.mark.parametrize("where", ["memory", "engine"])
def test_histories_without_spend_are_warned_of(where):
    rfm = summary(in_engine())
    rfm = rfm.collect() if where == "memory" else rfm
    with pytest.warns(DataWarning, match=r"2 customers .* \(100\.0% of 2\): every customer got the mean"):
        book = clv.value(ORDERS, SPEND, rfm, clv.Assumptions(**GOOD))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        book.with_assumptions(book.assumptions.replace({"discount_rate": 0.1}))  # said once


def test_a_part_without_spend_is_warned_of():
    table = {"customer_id": range(10), "frequency": [3] * 9 + [0], "recency": [30] * 9 + [0], "T": [39] * 10}
    table |= {"monetary_value": [20.0] * 6 + [None] * 4}
    rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    with pytest.warns(DataWarning, match=r"3 customers .* \(33\.3% of 9\): each of these got the mean"):
        clv.value(ORDERS, SPEND, rfm, clv.Assumptions(**GOOD))


def test_one_time_buyers_are_not_warned_of():
    table = pd.DataFrame({"customer_id": [1, 2], "frequency": [0, 0], "recency": [0, 0], "T": [9, 10]})
    assert equity(clv.Histories.from_frame(table, unit="week")) > 0.0


def test_every_error_is_one_of_the_package():
    for content in ({"growth": {"a": 1}}, {"margin": {"column": 1}}, {"year": {"a": {"b": 1}}}, {"tax": [1]}):
        with pytest.raises(ClvError):
            clv.Assumptions.from_mapping({**GOOD, **content})


# ------------------------------------------------------------------------------------------------ contracts and firms


@pytest.mark.parametrize("rate", [1e-13, 1e-300, 1e-320])
def test_contracts_without_an_end_need_a_rate(rate):
    for function in (
        lambda: discounted_lifetime(0.764, 1.296, rate),
        lambda: residual_value(0.764, 1.296, [1], rate),
        lambda: ContractBase(active=[10], renewals=[0], payment=100, discount_rate=rate),
    ):
        with pytest.raises(AssumptionError, match="discount_rate is at least 1e-12"):
            function()


def test_a_low_rate_is_not_lost_beside_retention():
    base = ContractBase(active=[1], renewals=[0], payment=1.0, discount_rate=1e-9)
    assert base.at_one_rate(1.0)[0] == pytest.approx(1e9 + 1.0, rel=1e-12)
    firm = {"customers": 1, "quarterly_margin": 1.0, "acquisition_cost": 0.0, "quarter": 1.0}
    firm |= {"growth": Growth(alpha=1.0, beta=0.0, gamma=1.0), "retention": 1.0}
    assert Firm(**firm, discount_rate=4e-9).lifetime_value == pytest.approx(1e9, rel=1e-8)
    with pytest.raises(AssumptionError, match="worth infinitely much"):
        Firm(**firm, discount_rate=1e-17)


def test_amounts_of_contracts_and_firms_that_overflow_are_refused():
    with pytest.raises(AssumptionError, match="payment is at most"):
        ContractBase(active=[10], renewals=[0], payment=1e300, discount_rate=0.1)
    with pytest.raises(AssumptionError, match="active is at most"):
        ContractBase(active=[1e300], renewals=[0], payment=1.0, discount_rate=0.1)
    with pytest.raises(AssumptionError, match="customers is at most"):
        Firm(
            customers=1e300,
            quarterly_margin=1.0,
            acquisition_cost=1.0,
            retention=0.9,
            growth=Growth(alpha=1.0, beta=1.0, gamma=1.0),
            quarter=1.0,
            discount_rate=0.1,
        )
    sheet = Worksheet(times=[0, 1], profits=[1, 1], acquisition_cost=1.0, rate=0.1)
    with pytest.raises(AssumptionError, match="more than a number holds"):
        sheet.historic_value(1e7)
