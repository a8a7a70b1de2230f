"""A line of a user's own is worth what the built-in line with the same rate and driver is, everywhere."""

from __future__ import annotations

import json
import pickle
from dataclasses import astuple, replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError
from clvmodels.reporting.workbook.amounts import AMOUNTS, by_customer
from clvmodels.valuation.audit import audit
from clvmodels.valuation.contribution import contribution, contribution_statement
from clvmodels.valuation.levers import levers_of
from clvmodels.valuation.line_table import FORMULAS, RATES, contributions_of
from clvmodels.valuation.unprofitable import causes

ORDERS = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
BASE = {"discount_rate": 0.12, "margin": 0.4, "tax": 0.2, "horizon": "15 years", "return_cost": 1.0}
TWINS = {
    "order_cost": ({"driver": "orders"}, {}),
    "maintenance_cost": ({"driver": "living years"}, {}),
    "contact_cost": ({"driver": "calendar years"}, {"campaigns_per_year": 1.0}),
    "payment_share": ({"driver": "sales"}, {}),
    "referral_value": ({"driver": "living years", "group": "attributed"}, {"referrals_per_year": 1.0}),
    "word_of_mouth_cost": (
        {"driver": "orders", "group": "attributed", "sign": -1},
        {"returns_per_order": 1.0, "return_cost": 0.0},
    ),
}
"""By the rate of a built-in line: what a line with the same rate is made of, and what else the built-in line needs."""
LINE_OF = {"contact_cost": "campaigns", "payment_share": "payment", "referral_value": "referrals"}
LINE_OF |= {"word_of_mouth_cost": "word_of_mouth"}
STATED = {
    "number": 0.45,
    "segment": {"by": "segment", "rates": {"A": 0.3, "B": 0.05}},
    "column": {"column": "own", "factor": 0.8},
}


@pytest.fixture(scope="module")
def rfm() -> clv.Histories:
    truth = clv.BGNBD().from_params(ORDERS, unit="week")
    table = truth.simulate(300, "60 weeks", seed=3).to_frame()[["frequency", "recency", "T"]]
    generator = np.random.default_rng(5)
    spend = np.where(table["frequency"] > 0, generator.gamma(6.0, 5.0, len(table)), np.nan)
    table = table.assign(monetary_value=spend, segment=np.where(np.arange(len(table)) % 3 == 0, "A", "B"))
    table["own"] = np.linspace(0.2, 0.5, len(table))
    return clv.Histories.from_frame(table.reset_index(), unit="week")


def fits(draws: int = 1):
    noise = np.exp(0.05 * np.random.default_rng(1).standard_normal((1, draws)) * (draws > 1))
    orders = clv.BGNBD().from_params({name: value * noise for name, value in ORDERS.items()}, unit="week")
    return orders, clv.GammaGamma().from_params(SPEND)


def pair(rate_of: str, rate, rfm, draws: int = 1) -> tuple[clv.Book, clv.Book]:
    """Return the valuation with a line of one's own, and that with the built-in line."""
    made_of, needed = TWINS[rate_of]
    own = clv.Assumptions(**BASE | needed | {"lines": (clv.Line("gift", rate=rate, **made_of),)})
    built_in = clv.Assumptions(**BASE | needed | {rate_of: rate})
    return clv.value(*fits(draws), rfm, own), clv.value(*fits(draws), rfm, built_in)


def same(ours: pd.DataFrame, theirs: pd.DataFrame, rate_of: str) -> None:
    """Compare tables, wherever in them the line stands."""
    names = {"gift": LINE_OF.get(rate_of, rate_of)}
    ours = ours.rename(index=names, columns=names)
    assert set(ours.columns) == set(theirs.columns)
    pd.testing.assert_frame_equal(ours.loc[theirs.index, theirs.columns], theirs, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("stated", STATED)
@pytest.mark.parametrize("rate_of", TWINS)
def test_it_is_worth_what_the_built_in_line_is(rate_of: str, stated: str, rfm) -> None:
    own, built_in = pair(rate_of, STATED[stated], rfm)
    assert own.equity == pytest.approx(built_in.equity, rel=1e-12)
    assert own.equity != pytest.approx(own.with_assumptions(own.assumptions.replace({"lines": ()})).equity, rel=1e-3)
    np.testing.assert_allclose(own.rlv, built_in.rlv, rtol=1e-12, atol=1e-11)
    assert [line.name for line in own.lines][-2:] == ["gift", "tax"]
    for by in (None, "segment"):
        same(own.statement(by), built_in.statement(by), rate_of)
    same(own.statement_lines, built_in.statement_lines, rate_of)
    same(own.customers, built_in.customers, rate_of)
    same(causes(own), causes(built_in), rate_of)
    assert astuple(own.new_customer) == pytest.approx(astuple(built_in.new_customer), rel=1e-12)


@pytest.mark.parametrize("rate_of", ["order_cost", "payment_share"])
def test_intervals_and_draws(rate_of: str, rfm) -> None:
    own, built_in = pair(rate_of, STATED["segment"], rfm, draws=40)
    ours, theirs = own.interval(0.9), built_in.interval(0.9)
    assert (ours.low, ours.high, ours.sd) == pytest.approx((theirs.low, theirs.high, theirs.sd), rel=1e-12)
    same(own.statement("segment"), built_in.statement("segment"), rate_of)
    same(own.statement_lines, built_in.statement_lines, rate_of)
    process = [book.draws(process=True, seed=3) for book in (own, built_in)]
    np.testing.assert_allclose(*process, rtol=1e-12)


@pytest.mark.parametrize("ending", ["_sd", "_common_sd"])
def test_a_rate_that_is_not_sure_widens_the_interval_as_its_moments_say(ending: str, rfm) -> None:
    """Equity is linear in the rate: its draws have the variance of the rate, summed over the customers."""
    sd = np.full(len(rfm), 0.05)
    known = rfm.with_attributes(pd.DataFrame({"customer_id": rfm.customer_id, f"own{ending}": sd}))
    line = clv.Line("gift", "orders", {"column": "own"})
    book = clv.value(*fits(), known, clv.Assumptions(**BASE | {"lines": (line,)}))
    orders = clv.BGNBD().from_params({name: np.full((1, 1_000), value) for name, value in ORDERS.items()}, unit="week")
    drawn = clv.value(orders, book.spend, known, book.assumptions)
    weight = (1.0 - book.assumptions.tax) * book.future.D
    truth = 0.05 * weight.sum() if ending == "_common_sd" else 0.05 * np.sqrt((weight**2).sum())
    draws = drawn.draws(process=False)
    assert draws.std(ddof=1) == pytest.approx(truth, rel=0.1)
    assert draws.mean() == pytest.approx(book.equity, abs=4.0 * truth / np.sqrt(len(draws)))


def test_the_numbers_drawn_for_built_in_rates_stay(rfm) -> None:
    """A line beside them that costs nothing moves no draw."""
    sd = pd.DataFrame({"customer_id": rfm.customer_id, "own_common_sd": 0.1, "own_sd": 0.2})
    known = rfm.with_attributes(sd)
    terms = clv.Assumptions(**BASE | {"order_cost": {"column": "own"}})
    with_line = terms.replace({"lines": [{"name": "gift", "driver": "orders", "rate": 0.0}]})
    plain, beside = (clv.value(*fits(20), known, each).draws(process=False) for each in (terms, with_line))
    np.testing.assert_array_equal(plain, beside)


@pytest.mark.parametrize("rate_of", ["order_cost", "payment_share", "maintenance_cost"])
@pytest.mark.parametrize("stated", STATED)
def test_scenarios_and_levers(rate_of: str, stated: str, rfm) -> None:
    own, built_in = pair(rate_of, STATED[stated], rfm)
    tornados = [clv.tornado(book, by=0.2) for book in (own, built_in)]
    pd.testing.assert_frame_equal(tornados[0].rename(index={"gift": rate_of}), tornados[1], rtol=1e-9)
    changed = clv.scenarios(own, {"less": {"gift": 0.1}}), clv.scenarios(built_in, {"less": {rate_of: 0.1}})
    pd.testing.assert_frame_equal(*changed, rtol=1e-9)
    across = ("margin", [0.3, 0.4])
    tables = clv.two_way(own, ("gift", [0.1, 0.2]), across), clv.two_way(built_in, (rate_of, [0.1, 0.2]), across)
    np.testing.assert_allclose(*tables, rtol=1e-12)
    own_levers, levers = levers_of(own), levers_of(built_in)
    moving = [{lever.name: astuple(lever)[1:] for lever in each.levers} for each in (own_levers, levers)]
    assert moving[0].pop("gift") == moving[1].pop(rate_of)
    assert moving[0] == moving[1]
    names = "gift", LINE_OF.get(rate_of, rate_of)
    (ours,), (theirs,) = (
        [term for term in each.terms if term.line == name]
        for each, name in zip((own_levers, levers), names, strict=True)
    )
    assert (ours.factors, theirs.factors) == (("gift",), (rate_of,))
    np.testing.assert_allclose(ours.sums, theirs.sums, rtol=1e-12)


def test_the_movement_between_closings() -> None:
    """A line that costs more at the closing is a change of costs, as that of a built-in line is."""
    later = {**ORDERS, "r": 0.26}
    log = clv.datasets.load_cdnow(sample=True)
    ends = ("1997-06-30", "1997-12-31")
    known = [clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end=end) for end in ends]
    tables = []
    for changed in (
        [{"lines": [{"name": "gift", "driver": "orders", "rate": rate}]} for rate in (0.5, 0.9)],
        [{"order_cost": rate} for rate in (0.5, 0.9)],
    ):
        opening = clv.value(*fits(), known[0], clv.Assumptions(**BASE | changed[0]))
        orders = clv.BGNBD().from_params(later, unit="week")
        closing = clv.value(orders, opening.spend, known[1], clv.Assumptions(**BASE | changed[1]))
        tables.append(clv.movement(opening, closing).table["value"])
    np.testing.assert_allclose(*tables, rtol=1e-9, atol=1e-12 * abs(tables[1]["closing"]))
    assert tables[0]["costs"] < 0.0


# ------------------------------------------------------------------------------------------- contribution schema


@pytest.mark.parametrize(
    ("rate_of", "step"), [("order_cost", "contribution_2"), ("payment_share", "contribution_2"),
                          ("maintenance_cost", "contribution_3"), ("contact_cost", "contribution_3")]
)  # fmt: skip
def test_the_contribution_so_far(rate_of: str, step: str, rfm) -> None:
    books = pair(rate_of, STATED["column"], rfm)
    ours, theirs = (contribution(book).rename(columns={"gift": "own"}) for book in books)
    name = LINE_OF.get(rate_of, rate_of)
    np.testing.assert_allclose(ours["own"], theirs[name], rtol=1e-12)
    assert ours["own"].max() <= 0.0 > ours["own"].sum()
    totals = [f"contribution_{place}" for place in (1, 2, 3, 4)]
    np.testing.assert_allclose(ours[totals], theirs[totals], rtol=1e-12)
    columns = [column for column in ours.columns if column in ("own", *totals)]
    assert columns[columns.index("own") + 1] == step
    table = contribution_statement(books[0], contribution(books[0]), by="segment")
    assert table.loc["gift", "total"] == pytest.approx(theirs[name].sum(), rel=1e-12)


def test_the_place_in_the_contribution_may_be_stated() -> None:
    lines = (
        clv.Line("gift", "orders", 0.5, contribution=3),
        clv.Line("advertising", "sales", 0.02, group="benefit", contribution=1),
        clv.Line("club", "living years", 1.0, group="attributed"),
    )
    formulas = clv.Assumptions(**BASE | {"lines": lines}).formulas
    steps = contributions_of(formulas)
    assert steps["contribution_1"] == ("sales", "cost_of_sales", "advertising")
    assert steps["contribution_3"][-1] == "gift"
    assert "club" not in [part for parts in steps.values() for part in parts]


def test_the_schema_of_the_built_in_lines() -> None:
    assert contributions_of(FORMULAS) == {
        "contribution_1": ("sales", "cost_of_sales"),
        "contribution_2": ("payment", "returned_goods", "order_cost", "early_orders", "returns"),
        "contribution_3": ("service", "maintenance_cost", "loyalty_cost", "campaigns"),
        "contribution_4": ("acquisition_cost",),
    }


def test_every_rate_of_a_line_is_an_assumption() -> None:
    used = {name for formula in FORMULAS for names in formula.factors.values() for name in names}
    assert used | {"acquisition_cost"} == set(RATES)


# ------------------------------------------------------------------------------------------------ as it is written

TOML = b"""
discount_rate = 0.1
margin = 0.4

[[lines]]
name = "gift"
driver = "orders"
rate = 0.5
labels = { en = "Gifts", de = "Geschenke" }

[[lines]]
name = "club"
driver = "living years"
rate = { by = "segment", rates = { A = 1.0, B = 2.0 } }
group = "attributed"
sign = -1

[[lines]]
name = "advertising"
driver = "sales"
rate = { column = "own", factor = 0.1 }
group = "benefit"
contribution = 1
"""


def test_lines_are_read_from_toml_and_written_as_plain_data() -> None:
    read = clv.Assumptions.from_toml(TOML)
    gift, club, advertising = read.lines
    assert gift == clv.Line("gift", "orders", 0.5, labels={"en": "Gifts", "de": "Geschenke"})
    assert gift.formula.labels == ("Gifts", "Geschenke")
    assert (club.formula.sign, club.formula.group, club.bounds.labels) == (-1, "attributed", ("Club", "Club"))
    assert (advertising.formula.sign, advertising.bounds.kind) == (1, "share")
    assert read.columns == ("segment", "own")
    plain = read.to_dict()
    assert clv.Assumptions.from_mapping(json.loads(json.dumps(plain))) == read
    assert "lines" not in read.replace({"lines": []}).to_dict()
    assert pickle.loads(pickle.dumps(read)) == read
    assert replace(read, margin=0.3).lines == read.lines


def test_a_rate_is_replaced_by_the_name_of_its_line() -> None:
    terms = clv.Assumptions.from_toml(TOML)
    changed = terms.replace({"gift": 0.7, "margin": 0.3})
    assert changed.rates["gift"] == 0.7
    assert changed.rates["club"] == terms.rates["club"]
    assert (changed.margin, changed.lines[0].labels) == (0.3, terms.lines[0].labels)
    with pytest.raises(AssumptionError, match=r"unknown assumption 'gifts'.*did you mean 'gift'"):
        terms.replace({"gifts": 0.7})
    with pytest.raises(AssumptionError, match=r"gift must be a number from 0 up \(money an order\), got -1"):
        terms.replace({"gift": -1})


def test_the_audit_changes_with_a_line(rfm) -> None:
    own, _ = pair("order_cost", 0.5, rfm)
    bare = own.with_assumptions(own.assumptions.replace({"lines": ()}))
    hashes = {audit({"now": book}, {})["closings"]["now"]["assumptions"] for book in (own, bare)}
    assert len(hashes) == 2


GIFT = {"name": "gift", "driver": "orders", "rate": 0.5}
REFUSED = {
    "no list": ("gift", r"lines is a list of lines, such as \[\{\"name\": \"gift\".*got 'gift'"),
    "a table": (GIFT, "lines is a list of lines"),
    "no line": ([0.5], r"a line is a clv\.Line or a table such as .*got 0\.5"),
    "a key": ([GIFT | {"rates": 1}], r"unknown key of a line 'rates'.*did you mean 'rate'"),
    "no rate": ([{"name": "gift", "driver": "orders"}], "a line lacks rate; write, for example"),
    "no name": ([{"driver": "orders", "rate": 1}], "a line lacks name; write"),
    "twice": ([GIFT, GIFT | {"name": "Gift"}], "two lines are called 'gift'; give each a name of its own"),
    "a space": ([GIFT | {"name": "a gift"}], "made of letters, digits and underscores.*got 'a gift'"),
    "a digit": ([GIFT | {"name": "1st"}], "made of letters, digits and underscores"),
    "an underscore": ([GIFT | {"name": "_gift"}], "made of letters, digits and underscores"),
    "no text": ([GIFT | {"name": 3}], "made of letters, digits and underscores.*got 3"),
    "a line there is": ([GIFT | {"name": "returns"}], "cannot be called 'returns': .*such as \"own_returns\""),
    "a rate there is": ([GIFT | {"name": "return_cost"}], "cannot be called 'return_cost'"),
    "a column": ([GIFT | {"name": "RLV"}], "cannot be called 'RLV': a built-in line, a rate or a column"),
    "an assumption": ([GIFT | {"name": "growth"}], "cannot be called 'growth': an assumption has this name"),
    "a driver": ([GIFT | {"driver": "order"}], r"unknown driver of the line 'gift' 'order'.*did you mean 'orders'"),
    "a group": ([GIFT | {"group": "tax"}], "unknown group of the line 'gift' 'tax'; use one of 'cost'"),
    "negative": ([GIFT | {"rate": -0.5}], r"gift must be a number from 0 up \(money an order\), got -0\.5"),
    "infinite": ([GIFT | {"rate": float("inf")}], r"gift must be a number from 0 up"),
    "no number": ([GIFT | {"rate": "much"}], r"gift is a number or says where it stands.*got 'much'"),
    "a percentage": (
        [GIFT | {"driver": "sales", "rate": 5}],
        r"gift must be a number from 0 to 1 \(a share of sales\)",
    ),
    "of a segment": (
        [GIFT | {"rate": {"by": "segment", "rates": {"A": -1}}}],
        r"gift must be a number from 0 up \(money an order\), got -1",
    ),
    "a sign": ([GIFT | {"sign": 2}], "the sign of the line 'gift' is 1 or -1, got 2"),
    "signs": ([GIFT | {"sign": np.array([1, -1])}], "the sign of the line 'gift' is 1 or -1, got a ndarray"),
    "a truth": ([GIFT | {"contribution": True}], "the contribution of the line 'gift' is 1, 2 or 3, got True"),
    "a list of drivers": ([GIFT | {"driver": ["orders"]}], r"unknown driver of the line 'gift' \['orders'\]"),
    "a cost that adds": ([GIFT | {"sign": 1}], "is a cost, and has the sign 1; leave the sign out, or write group = "),
    "a place": ([GIFT | {"contribution": 4}], "the contribution of the line 'gift' is 1, 2 or 3, got 4"),
    "attributed": ([GIFT | {"group": "attributed", "contribution": 2}], "leads to no customer contribution"),
    "labels": ([GIFT | {"labels": "Gifts"}], "labels of the line 'gift' are texts by language"),
    "a language": ([GIFT | {"labels": {"fr": "Cadeaux"}}], "unknown language of the labels of 'gift' 'fr'"),
    "an empty label": ([GIFT | {"labels": {"en": ""}}], "the label of the line 'gift' is what reports call it, got ''"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_line_is_refused_in_words(case: str) -> None:
    lines, message = REFUSED[case]
    with pytest.raises(AssumptionError, match=message):
        clv.Assumptions.from_mapping({"discount_rate": 0.1, "margin": 0.4, "lines": lines})


def test_no_line_takes_the_name_of_a_column(rfm) -> None:
    """What the tables with lines hold beside them cannot be the name of a line, in capital letters or small ones."""
    book = clv.value(*fits(3), rfm, clv.Assumptions(**BASE | {"acquisition_cost": 1.0}))
    so_far = contribution_statement(book, contribution(book), by="segment")
    names = {"customer_id", *book.customers, *book.statement("segment"), *so_far.index, *causes(book).index}
    names |= {"total", *by_customer(book), *AMOUNTS.values(), *book.statement_lines.index}
    assert len(names) > 40
    for name in names:
        for written in (name, name.upper()):
            with pytest.raises(AssumptionError, match=f"a line cannot be called '{written}'"):
                clv.Line(written, "orders", 0.5)


def test_a_column_that_customers_lack_is_named(rfm) -> None:
    line = clv.Line("gift", "orders", {"column": "gfit"})
    terms = clv.Assumptions(**BASE | {"lines": (line,)})
    book = clv.value(*fits(), rfm, clv.Assumptions(**BASE))
    with pytest.raises(AssumptionError, match="gift: unknown column of the customers 'gfit'"):
        book.with_assumptions(terms).equity  # noqa: B018 - it is computed when it is asked for
