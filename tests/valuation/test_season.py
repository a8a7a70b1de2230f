"""The season in the movement between two closings: against quadrature by hand, whole years, and chance."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import clvmodels as clv
from clvmodels.inference.calendars import FittedCalendar, end_of_observation
from clvmodels.inference.estimation import given
from clvmodels.models.clocked import on_clock
from clvmodels.models.registry import MODELS
from clvmodels.valuation.changes import LINES

DAY = pd.Timedelta(days=1)
FIRST = pd.Timestamp("2020-01-01")
HIGH = ("10-15", "12-20")
MULTIPLIER = 3.0
BASES = {
    "bg_nbd": {"r": 0.6, "alpha": 8.0, "a": 0.8, "b": 3.0},
    "pareto_nbd": {"r": 0.55, "alpha": 8.0, "s": 0.9, "beta": 30.0},
}
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
TERMS = clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.0, maintenance_cost=2.0)
BEHAVIOUR = ["orders", "silence", "order_value"]
CALENDAR = clv.Calendar.seasons({"high": HIGH})


def high(days):
    """Return which days lie in the high season."""
    text = days.strftime("%m-%d")
    return (text >= HIGH[0]) & (text <= HIGH[1])


def speeds(end, ahead=5000):
    """Return days from the first one on, and the speed of the clock on each: one on average before the end."""
    days = pd.date_range(FIRST, end + ahead * DAY, freq="D")
    speed = np.where(high(days), MULTIPLIER, 1.0)
    year = (days > end - 366 * DAY) & (days <= end)  # 365.25 days, in whole ones
    return days, speed / speed[year].mean()


def fitted(key, histories, multiplier=MULTIPLIER):
    """Return a fit with known parameters, on the calendar."""
    end = end_of_observation(histories)
    calendar = FittedCalendar(CALENDAR, end)
    model = on_clock(MODELS[key], calendar.steps(end, histories.summary.oldest, "week"), CALENDAR.columns)
    fit = given(model, {**BASES[key], "high": multiplier}, "week")
    return replace(fit, calendar=calendar)


def shop(key, customers, seed, *ends):
    """Return the histories at some dates of customers who start at all times, each process drawn by hand."""
    generator = np.random.default_rng(seed)
    params, last = BASES[key], ends[-1]
    _, speed = speeds(ends[0])
    clock = np.concatenate([[0.0], np.cumsum(speed)]) / 7.0
    weeks = np.arange(len(clock)) / 7.0
    until = ((last - FIRST) / DAY + 1.0) / 7.0
    start = generator.uniform(0.0, until, customers)
    rate = generator.gamma(params["r"], 1.0 / params["alpha"], customers)
    gone = np.full(customers, until)
    if key == "pareto_nbd":
        lifetime = generator.exponential(size=customers) / generator.gamma(params["s"], 1.0 / params["beta"], customers)
        gone = np.minimum(start + lifetime, until)
    shown, stop = np.interp(start, weeks, clock), np.interp(gone, weeks, clock)
    number = generator.poisson(rate * (stop - shown))
    customer = np.repeat(np.arange(customers), number)
    time = np.interp(generator.uniform(shown[customer], stop[customer]), clock, weeks)
    order = np.lexsort((time, customer))
    customer, time = customer[order], time[order]
    if key == "bg_nbd":
        leaves = generator.beta(params["a"], params["b"], customers)
        rank = np.arange(len(customer)) - np.repeat(np.cumsum(number) - number, number)
        stays = generator.geometric(leaves)
        customer, time = customer[rank < stays[customer]], time[rank < stays[customer]]
    amount = SPEND.model.draw_orders(SPEND.estimate, np.zeros(customers), np.full(customers, -1.0), customer, generator)
    return [_at(end, start, customer, time, amount) for end in ends]


def _at(end, start, customer, time, amount):
    now = ((end - FIRST) / DAY + 1.0) / 7.0
    known = time < now
    x = np.bincount(customer[known], minlength=len(start)).astype(float)
    spent = np.bincount(customer[known], amount[known], minlength=len(start))
    last = start.copy()
    np.maximum.at(last, customer[known], time[known])
    mean = np.divide(spent, x, out=np.full(len(x), np.nan), where=x > 0)
    table = {"customer_id": np.arange(len(start)), "frequency": x, "recency": last - start, "T": now - start}
    frame = pd.DataFrame({**table, "monetary_value": mean})[start < now]
    return clv.Histories.from_frame(frame, unit="week", observation_end=end)


def closings(key, ends, terms=TERMS, customers=300, seed=1):
    before, after = shop(key, customers, seed, *map(pd.Timestamp, ends))
    fit = fitted(key, before)
    return clv.value(fit, SPEND, before, terms), clv.value(fit, SPEND, after, terms)


@pytest.mark.parametrize("key", BASES)
@pytest.mark.parametrize(
    "changed", [{}, {"horizon": "2 years", "growth": 0.02}, {"horizon": "3 years", "timing": "end-year"}]
)
def test_it_adds_up(key, changed):
    why = clv.movement(*closings(key, ("2022-10-10", "2022-12-31"), TERMS.replace(changed)))
    assert abs(why.unexplained) < 1e-9 * why.closing.equity
    values = why.table["value"]
    parts = ["opening", "data_corrections", "unwind", "release", "horizon", "season"]
    assert values[parts].sum() == pytest.approx(why.expected_closing, rel=1e-12)
    assert values["season"] < -0.01 * values["opening"]
    changes = why.customers.drop(columns=["opening", "expected_closing", "closing"]).sum(axis=1)
    np.testing.assert_allclose(why.customers["opening"] + changes, why.customers["closing"], atol=1e-8)
    assert values["unwind"] == pytest.approx(why.opening.equity * (1.15 ** (why.time * 7 / 365.25) - 1.0), rel=1e-10)
    assert (values["horizon"] == 0.0) == (not changed)


def test_its_sign_is_that_of_the_phase():
    before, after = (
        clv.movement(*closings("bg_nbd", ends)).table["value"]["season"]
        for ends in (("2022-10-10", "2022-12-31"), ("2022-06-30", "2022-10-10"))
    )
    assert before < 0.0 < after


@pytest.mark.parametrize("key", BASES)
@pytest.mark.parametrize("opening", ["2021-10-10", "2021-12-31"])
def test_over_a_whole_year_little_is_of_the_season(key, opening):
    """What is: customers of a year that begins with the season buy in it before some of them leave."""
    year = pd.Timestamp(opening) + 365 * DAY
    values = clv.movement(*closings(key, (opening, year))).table["value"]
    assert abs(values["season"]) < 0.12 * abs(values["release"])


def test_without_an_effect_there_is_no_season():
    before, after = shop("bg_nbd", 200, 3, pd.Timestamp("2022-10-10"), pd.Timestamp("2022-12-31"))
    plain = clv.BGNBD().from_params(BASES["bg_nbd"], unit="week")
    flat = fitted("bg_nbd", before, 1.0)
    seasonal, without = (
        clv.movement(*(clv.value(each, SPEND, rfm, TERMS) for rfm in (before, after))).table["value"]
        for each in (flat, plain)
    )
    np.testing.assert_allclose(seasonal, without, rtol=1e-8, atol=1e-8)
    assert without["season"] == 0.0


@pytest.mark.parametrize("key", BASES)
def test_every_expected_line_by_quadrature(key):
    """One customer, two years ahead, the definition integrated day by day."""
    end, closing = pd.Timestamp("2022-11-20"), pd.Timestamp("2023-01-31")
    terms = clv.Assumptions(discount_rate=0.15, margin=0.30, horizon="2 years")
    table = {"customer_id": [1], "frequency": [4.0], "recency": [40.0], "T": [60.0], "monetary_value": [30.0]}
    before = clv.Histories.from_frame(pd.DataFrame(table), unit="week", observation_end=end)
    time = (closing - end) / DAY / 7.0
    after = clv.Histories.from_frame(pd.DataFrame(table).assign(T=60.0 + time), unit="week", observation_end=closing)
    fit = fitted(key, before)
    values = clv.movement(*(clv.value(fit, SPEND, rfm, terms) for rfm in (before, after))).table["value"]
    days, speed = speeds(end)
    clock = np.concatenate([[0.0], np.cumsum(speed)]) / 7.0
    edges = ((days - end) / DAY - 1.0).to_numpy() / 7.0
    at_end = np.interp(0.0, edges, clock[:-1])
    model, theta = MODELS[key], np.array(list(BASES[key].values()))
    x, T = np.array([4.0]), 60.0
    shown = at_end - np.interp(-T, edges, clock[:-1])
    alive = float(fit.model.p_alive(fit.estimate, x, np.array([40.0]), np.array([T]))[0])

    def intensity(t, level):
        own = t if level else np.interp(t, edges, clock[:-1]) - at_end
        pace = 1.0 if level else speed[np.searchsorted(edges, t, side="right") - 1]
        if key == "bg_nbd":
            return float(model.future(theta, x, np.array([shown]), np.array([own]))[1][0]) * pace
        in_time = float(model.future(theta, x, np.array([T]), np.array([t]))[1][0])
        return in_time * pace * (theta[1] + T) / (theta[1] + shown)

    def worth(low, high, since, level):
        change = edges[1:][np.diff(speed) != 0.0]
        cuts = np.unique(np.concatenate([[low, high], change[(change > low) & (change < high)]]))
        each = [
            quad(lambda t: intensity(t, level) * 1.15 ** (-(t - since) * 7.0 / 365.25), *piece, epsabs=0, epsrel=1e-10)
            for piece in pairwise(cuts)
        ]
        Z = float(SPEND.model.expected_spend(SPEND.estimate, x, np.array([30.0]))[0])
        return 0.30 * Z * alive * sum(value for value, _ in each)

    horizon, grown = 2 * 365.25 / 7.0, 1.15 ** (time * 7.0 / 365.25)
    now, then = ((worth(0.0, horizon, 0.0, level), worth(time, time + horizon, time, level)) for level in (False, True))
    within = worth(0.0, time, 0.0, level=True)
    (E, later), (mean_E, mean_later) = now, then
    expected = {
        "opening": E,
        "unwind": E * (grown - 1.0),
        "release": -grown * within,
        "horizon": mean_later - grown * (mean_E - within),
        "season": (later - mean_later) - grown * (E - mean_E),
        "expected_closing": later,
    }
    np.testing.assert_allclose(values[list(expected)], list(expected.values()), rtol=1e-7, atol=1e-9)


def surprises(key, number, customers, seed, *, calendar=True):
    """Return what existing customers did otherwise than expected, of simulated shops with closings in all phases."""
    sums = []
    for run in range(number):
        end = pd.Timestamp("2022-01-10") + (run * 331 % 365) * DAY
        before, after = shop(key, customers, seed + run, end, end + 80 * DAY)
        fit = fitted(key, before)
        if not calendar:
            fit = given(MODELS[key], BASES[key], "week")
        books = [clv.value(fit, SPEND, rfm, TERMS) for rfm in (before, after)]
        values = clv.movement(*books).table["value"]
        sums.append(values[BEHAVIOUR].sum() / values["opening"])
    return np.array(sums)


def scores(sums):
    return sums.mean() / (sums.std(ddof=1) / np.sqrt(len(sums)))


def test_behaviour_has_mean_zero_over_closings_in_all_phases():
    with_calendar, without = (surprises("bg_nbd", 10, 1_500, 100, calendar=calendar) for calendar in (True, False))
    assert abs(scores(with_calendar)) < 3.0
    assert with_calendar.std() < 0.05
    assert without.std() > 3.0 * with_calendar.std()  # the season is taken for a surprise


def test_behaviour_has_mean_zero_where_customers_leave_in_time():
    assert abs(scores(surprises("pareto_nbd", 10, 1_500, 100))) < 3.0


@pytest.mark.slow
@pytest.mark.parametrize("key", BASES)
def test_behaviour_has_mean_zero_over_fifty_closings(key):
    assert abs(scores(surprises(key, 50, 5_000, 500))) < 3.0


def test_closings_in_an_engine_give_the_same_lines(tmp_path):
    log = clv.datasets.load_cdnow(sample=True)
    log.to_parquet(tmp_path / "log.parquet")
    how = {"value": "amount", "unit": "week", "resolution": "day"}

    def books(source):
        rfms = [clv.rfm_summary(source, **how, observation_end=end) for end in ("1998-01-31", "1998-05-31")]
        fit = clv.BGNBD(calendar=CALENDAR).fit(rfms[0])
        return [clv.value(fit, SPEND, rfm, TERMS) for rfm in rfms]

    lazy, memory = clv.movement(*books(tmp_path / "log.parquet")), clv.movement(*books(log))
    assert not lazy.closing.histories.in_memory
    np.testing.assert_allclose(lazy.table["value"], memory.table["value"], rtol=1e-6, atol=1e-3)
    assert lazy.table.loc["season", "line"] == LINES["season"] == "Season"
    assert lazy.table.loc["season", "value"] != 0.0


def test_a_calendar_that_only_the_closing_has_is_another_model():
    before, after = shop("bg_nbd", 200, 3, pd.Timestamp("2022-06-30"), pd.Timestamp("2022-10-10"))
    plain = clv.BGNBD().from_params(BASES["bg_nbd"], unit="week")
    opening = clv.value(plain, SPEND, before, TERMS)
    values = clv.movement(opening, clv.value(fitted("bg_nbd", after), SPEND, after, TERMS)).table["value"]
    assert values["model"] > 0.0  # the high season lies ahead
    assert values["parameters_transactions"] == values["season"] == 0.0
