"""What is refused before any figure, and that the figures are those of the rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import ClvError, DataError, FitError, UnitError
from clvmodels.steering.campaigns.adjusted_effect import adjusted_effects
from clvmodels.steering.campaigns.assignment_checks import check_assignments, sample_ratio_p
from clvmodels.steering.campaigns.contributions import expected_contributions
from clvmodels.steering.campaigns.effect import break_even_share
from clvmodels.steering.campaigns.mechanisms import multipliers
from clvmodels.valuation.roll_forward import expectation
from tests.steering.worlds import ASSUMPTIONS, PARETO, SPEND, World, simulate, with_arms

ARMS = {"holdout": 0.5, "mail": 0.5}


@pytest.fixture(scope="module")
def company() -> World:
    return simulate("coupon", 1, 2_000)


@pytest.fixture(scope="module")
def book(company: World) -> clv.Book:
    opening = company.closings[0]
    segment = pd.DataFrame({"customer_id": opening.customer_id, "segment": np.where(company.T > 46, "new", "old")})
    fit, spend = clv.ParetoNBD().from_params(PARETO, unit="week"), clv.GammaGamma().from_params(SPEND)
    return clv.value(fit, spend, opening.with_attributes(segment), ASSUMPTIONS)


@pytest.fixture(scope="module")
def plan(book: clv.Book, company: World) -> clv.Plan:
    terms = {"cost": {"mail": 0.05}, "discount": {"mail": 0.1}, "mechanism": "lasting"}
    return with_arms(
        clv.plan_campaign(book, "spring", arms=ARMS, window="4 weeks", until="26 weeks", **terms), company
    )[0]


@pytest.fixture(scope="module")
def effect(plan: clv.Plan, book: clv.Book, company: World) -> clv.CampaignEffect:
    return clv.evaluate_campaign(plan, plan.assignments, book, *company.closings[1:])


def test_figures_follow_the_rule(effect: clv.CampaignEffect, book: clv.Book, company: World) -> None:
    """Everything again from the histories, with plain numpy."""
    spent = [each.frequency * np.nan_to_num(each.monetary_value) for each in company.closings]
    delta, treated = np.log(1.15) / 52, company.arm == 1
    in_window = (spent[1] - spent[0]) * np.exp(-delta * 2.0)
    after = 0.3 * (spent[2] - spent[1]) * np.exp(-delta * 15.0)
    y = 0.3 * in_window + after - treated * (0.1 * in_window + 0.05)
    of_evaluation, of_window = expectation(book.each, 26.0), expectation(book.each, 4.0)
    M = (book.rlv - of_evaluation.within) / (of_evaluation.within - of_window.within)
    X = np.column_stack([of_evaluation.within, book.rlv, book.alive])
    realised = adjusted_effects(y, company.arm, 1, X)
    whole = adjusted_effects(y + M * after, company.arm, 1, X)
    row = effect.table.loc["mail"]
    assert row["effect"] == pytest.approx(realised.effect[0], rel=1e-8)
    assert row["se"] == pytest.approx(realised.se[0], rel=1e-8)
    assert row["equity_effect"] == pytest.approx(whole.effect[0], rel=1e-8)
    assert row["later"] == pytest.approx(whole.effect[0] - realised.effect[0], rel=1e-7)
    assert row["high"] - row["effect"] == pytest.approx(1.959964 * row["se"], rel=1e-6)
    assert row["treated"] + row["holdout"] == 2_000
    assert row["cost"] == pytest.approx(50.0)
    assert row["discount"] == pytest.approx(0.1 * in_window[treated].sum())
    assert row["subsidy"] == pytest.approx(0.1 * in_window[~treated].mean() * 1_000)
    assert row["net"] == pytest.approx(row["margin"] - row["discount"] - row["cost"])
    assert row["net"] == pytest.approx(row["effect"] * 1_000)


def test_lasting_multiplier_is_that_of_the_book(book: clv.Book) -> None:
    of_evaluation, of_window = expectation(book.each, 26.0), expectation(book.each, 4.0)
    expected = (book.rlv - of_evaluation.within) / (of_evaluation.within - of_window.within)
    assert multipliers(book.each, "lasting", 4.0, 26.0) == pytest.approx(expected, rel=1e-8)
    columns = expected_contributions(book.each, [4.0, 26.0])
    assert columns[:, 2] == pytest.approx(book.rlv, rel=1e-9)


@pytest.mark.parametrize("mechanism", ["won back", "saved"])
def test_multipliers_against_simulated_returns(book: clv.Book, mechanism: str) -> None:
    """Of one customer: rates drawn from their posterior, given when they leave."""
    which = int(np.argmax(book.histories.frequency))
    x, t_x, T = (float(each[which]) for each in (book.histories.frequency, book.histories.recency, book.histories.T))
    r, alpha, s, beta = PARETO.values()
    rng, n, delta = np.random.default_rng(7), 400_000, np.log(1.15) / 52
    tau = np.full(n, T + 2.0)
    if mechanism == "won back":
        grid = np.linspace(t_x, T, 50_001)
        mass = np.cumsum(np.exp(-(r + x) * np.log1p(grid / alpha) - (s + 1) * np.log1p(grid / beta)))
        tau = np.interp(rng.random(n), mass / mass[-1], grid)
    rate, mu = rng.gamma(r + x, size=n) / (alpha + tau), rng.gamma(s + 1, size=n) / (beta + tau)
    k = mu + delta
    between, after = rate / k * (np.exp(-2.0 * k) - np.exp(-24.0 * k)), rate / k * np.exp(-24.0 * k)
    ratio = after.mean() / between.mean()
    error = (after - ratio * between).std() / between.mean() / np.sqrt(n)
    assert multipliers(book.each, mechanism, 4.0, 26.0)[which] == pytest.approx(ratio, abs=4.0 * error)


def test_one_off_has_no_later_part(plan: clv.Plan, book: clv.Book, company: World) -> None:
    row = clv.evaluate_campaign(
        replace(plan, mechanism="one-off"), plan.assignments, book, *company.closings[1:]
    ).table.loc["mail"]
    assert row["later"] == 0.0
    assert row["equity_effect"] == row["effect"]


def test_order_of_the_ledger_does_not_matter(plan, effect, book, company) -> None:
    again = clv.evaluate_campaign(plan, plan.assignments.iloc[::-1], book, *company.closings[1:])
    numbers = effect.table.columns.drop("verdict")
    assert again.table[numbers].to_numpy(float) == pytest.approx(effect.table[numbers].to_numpy(float), rel=1e-9)


def test_ids_may_be_anything(plan: clv.Plan, book: clv.Book, company: World, effect: clv.CampaignEffect) -> None:
    """Customers named otherwise and in another order in each table have the same effect."""

    def renamed(rfm: clv.Histories, seed: int) -> clv.Histories:
        table = rfm.to_frame().reset_index().sample(frac=1.0, random_state=seed)
        return clv.Histories.from_frame(table.assign(customer_id="c" + table["customer_id"].astype(str)), unit="week")

    opening, during, closing = (
        renamed(each, seed) for seed, each in enumerate((book.histories, *company.closings[1:]))
    )
    table = plan.assignments.assign(customer_id="c" + plan.assignments["customer_id"].astype(str))
    valued = clv.value(book.transactions, book.spend, opening, ASSUMPTIONS)
    again = clv.evaluate_campaign(replace(plan, assignments=table), table, valued, during, closing)
    assert again.table.loc["mail", "net"] == pytest.approx(effect.table.loc["mail", "net"], rel=1e-9)


def test_segments(effect: clv.CampaignEffect, company: World) -> None:
    table = effect.by("segment")
    assert table["treated"].sum() == 1_000
    assert table["holdout"].sum() == 1_000
    rows = company.T > 46
    outcomes = effect.outcomes
    alone = adjusted_effects(outcomes.net[rows], outcomes.arm[rows], 1, outcomes.covariates[rows])
    new = table.loc[("new", "mail")]
    assert new["effect"] == pytest.approx(alone.effect[0], rel=1e-10)
    assert (new["high"] - new["effect"]) / new["se"] == pytest.approx(2.2365, abs=0.003)
    with pytest.raises(DataError, match="no column 'channel'"):
        effect.by("channel")


def test_several_arms_have_one_critical_value(book: clv.Book, company: World) -> None:
    arms = {"holdout": 0.4, "mail": 0.3, "call": 0.3}
    plan = clv.plan_campaign(book, "spring", arms=arms, window="4 weeks", until="26 weeks", cost={"call": 3.0})
    effect = clv.evaluate_campaign(plan, plan.assignments, book, *company.closings[1:])
    assert list(effect.table.index) == ["mail", "call"]
    assert effect.critical_value == pytest.approx(plan.critical_value, abs=0.02)
    assert effect.critical_value > 2.1
    assert effect.realised.correlation[0, 1] > 0.2


def test_verdicts(book: clv.Book, company: World) -> None:
    def verdict(cost: float) -> str:
        made = clv.plan_campaign(book, "s", arms=ARMS, window="4 weeks", until="26 weeks", cost={"mail": cost})
        plan, table = with_arms(made, company)
        effect = clv.evaluate_campaign(plan, table, book, *company.closings[1:])
        assert effect.verdict in repr(effect)
        return effect.verdict

    assert verdict(30.0) == "does not"
    assert verdict(0.5) == "not known yet"
    assert break_even_share(-2.0, 8.0) == 0.25


def test_a_campaign_that_pays(book: clv.Book, company: World) -> None:
    """Everybody treated spends 40 more."""
    opening, during, closing = company.closings
    more = opening.frequency > 0

    def richer(rfm: clv.Histories) -> clv.Histories:
        mean = rfm.monetary_value + np.where((company.arm == 1) & more, 40.0 / np.maximum(rfm.frequency, 1.0), 0.0)
        return rfm.with_statistics({"mean": mean})

    plan, table = with_arms(clv.plan_campaign(book, "s", arms=ARMS, window="4 weeks", until="26 weeks"), company)
    before = clv.evaluate_campaign(plan, table, book, during, closing).table.loc["mail"]
    effect = clv.evaluate_campaign(plan, table, book, richer(during), richer(closing))
    gain = 0.3 * 40.0 * more[company.arm == 1].mean() * 1.15 ** (-2.0 / 52)
    assert effect.table.loc["mail", "effect"] - before["effect"] == pytest.approx(gain, rel=0.05)
    assert effect.verdict == "pays"


# ------------------------------------------------------------------------------------------------ what is refused


def test_broken_assignments_are_refused_with_the_list(plan: clv.Plan) -> None:
    table = plan.assignments.copy()
    table["arm"] = table["arm"].astype(object)
    table.loc[:4, "arm"] = "phone"
    table = pd.concat([table.iloc[:-3], table.iloc[[10]]])
    holdouts = plan.assignments.loc[plan.assignments["arm"] == "holdout", "customer_id"]
    contacts = pd.DataFrame({"customer_id": holdouts[:7], "campaign": "spring"})
    with pytest.raises(DataError) as caught:
        check_assignments(plan, table, contacts)
    message = str(caught.value)
    for part in (
        "unknown arms 'phone'; planned are holdout, mail",
        "1 customer assigned more than once",
        "3 customers planned and missing",
        "customers in another arm than planned: 0, 1, 2",
        "customers of the holdout contacted",
    ):
        assert part in message


def test_a_missing_holdout_is_refused(plan: clv.Plan) -> None:
    treated = plan.assignments[plan.assignments["arm"] == "mail"]
    with pytest.raises(DataError, match="nobody is assigned to 'holdout'"):
        check_assignments(plan, treated, None)


def test_a_broken_ratio_is_refused(book: clv.Book) -> None:
    made = clv.plan_campaign(book, "s", arms=ARMS, window="4 weeks", until="26 weeks")
    table = made.assignments.copy()
    table["arm"] = ["mail"] * 1_090 + ["holdout"] * 910
    assert sample_ratio_p(np.array([910, 1_090]), np.array([0.5, 0.5])) == pytest.approx(5.7e-5, rel=0.02)
    with pytest.raises(
        DataError, match=r"do not divide into the arms as planned \(p = 6e-05\): holdout 910, mail 1,090"
    ):
        check_assignments(replace(made, assignments=table), table, None)


def test_campaigns_at_the_same_time(plan: clv.Plan) -> None:
    planned = plan.assignments.assign(contact_from=pd.Timestamp("2024-07-01"))
    plan = replace(plan, assignments=planned)
    mail = planned[planned["arm"] == "mail"].assign(campaign="summer")
    half = planned.iloc[::2].assign(campaign="summer", arm="mail")
    check_assignments(plan, pd.concat([planned, half]), None)  # independent of these arms
    check_assignments(plan, pd.concat([planned, mail.assign(contact_from=pd.Timestamp("2025-07-01"))]), None)
    with pytest.raises(DataError, match="the campaign 'summer' at the same time"):
        check_assignments(plan, pd.concat([planned, mail]), None)


def test_contacts_of_other_campaigns_do_not_matter(plan: clv.Plan) -> None:
    contacts = plan.assignments[["customer_id"]].assign(campaign="other")
    assert len(check_assignments(plan, plan.assignments, contacts)) == 2_000


def test_wrong_closings_are_refused(plan: clv.Plan, book: clv.Book, company: World) -> None:
    opening, during, closing = company.closings
    table = plan.assignments

    def evaluate(*closings: object) -> None:
        clv.evaluate_campaign(plan, table, book, *closings)

    with pytest.raises(DataError, match=r"closing is to be 26 weeks after the opening.*unplanned look"):
        evaluate(during, company.histories(13.0))
    with pytest.raises(DataError, match="during is to be 4 weeks"):
        evaluate(closing, closing)
    with pytest.raises(DataError, match="2 customers are missing in closing: 0, 1"):
        evaluate(during, closing.select(closing.customer_id[2:]))
    with pytest.raises(UnitError, match=r"during in days"):
        evaluate(during.in_unit("day"), closing)
    with pytest.raises(DataError, match="of unknown value"):
        evaluate(during, closing.with_statistics({"mean": np.full(2_000, np.nan)}))
    with pytest.raises(DataError, match="fewer orders"):
        evaluate(during, closing.with_statistics({"x": np.zeros(2_000), "t_x": np.zeros(2_000)}))
    assert opening.customers == 2_000


def test_what_is_no_plan_or_no_table_is_refused(plan: clv.Plan, book: clv.Book, company: World) -> None:
    closings = company.closings[1:]
    with pytest.raises(DataError, match="plan is what plan_campaign"):
        clv.evaluate_campaign(3, plan.assignments, book, *closings)
    with pytest.raises(ClvError, match="opening_book is a valuation"):
        clv.evaluate_campaign(plan, plan.assignments, 3, *closings)
    with pytest.raises(DataError, match="are a pandas table"):
        clv.evaluate_campaign(plan, [1], book, *closings)
    with pytest.raises(DataError, match="lack the column 'arm'"):
        clv.evaluate_campaign(plan, plan.assignments.drop(columns="arm"), book, *closings)
    with pytest.raises(DataError, match="no row of the campaign"):
        clv.evaluate_campaign(plan, plan.assignments.assign(campaign="x"), book, *closings)


def test_mechanisms_that_know_no_calendar_refuse_one(company: World) -> None:
    purchases = company.purchases[company.purchases["time"].to_numpy() <= company.T[company.purchases["owner"]]]
    first = pd.DataFrame({"owner": np.arange(2_000), "time": 0.0, "amount": 30.0})
    log = pd.concat([first, purchases])
    ago = (company.T[log["owner"]] - log["time"].to_numpy()) * 7.0
    log["date"] = (pd.Timestamp("2024-06-30") - pd.to_timedelta(ago, unit="D")).normalize()
    rfm = clv.rfm_summary(
        log,
        customer_id="owner",
        time="date",
        value="amount",
        unit="week",
        resolution="day",
        observation_end="2024-06-30",
    )
    sale = pd.DataFrame(
        {"date": pd.to_datetime(["2022-01-01", "2023-11-20", "2023-12-24", "2060-01-01"]), "sale": [0.0, 1.0, 0.0, 0.0]}
    )
    fit = clv.BGNBD(calendar=clv.Calendar.from_frame(sale, date="date", columns=["sale"])).fit(rfm)
    book = clv.value(fit, clv.GammaGamma().from_params(SPEND), rfm, ASSUMPTIONS.replace({"horizon": "5 years"}))
    with pytest.raises(FitError, match="not defined for a fit with a calendar"):
        multipliers(book.each, "won back", 4.0, 26.0)
