"""Checks in money: published figures, figures computed in another way, stories that violate what a check is about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import clvmodels as clv
from clvmodels.errors import AssumptionError, DataError, UnitError
from clvmodels.evaluation.checks import checks
from clvmodels.evaluation.dependence import dependence, frequency_classes
from clvmodels.evaluation.findings import Checks
from tests.golden.published import BG_NBD_39, WEEK_39_ORDERS, WEEK_39_SPEND, cdnow, published_terms

PARETO = clv.ParetoNBD().from_params(WEEK_39_ORDERS, unit="week")
BG = clv.BGNBD().from_params(BG_NBD_39, unit="week")
SPEND = clv.GammaGamma().from_params(WEEK_39_SPEND)


@pytest.fixture(scope="module")
def sample():
    return cdnow(sample=True, end="1997-09-30")


@pytest.fixture(scope="module")
def sample_spend(sample):
    return clv.GammaGamma().fit(sample)


def book_of(histories, orders=PARETO, spend=SPEND, **terms):
    return clv.value(orders, spend, histories, published_terms(**terms))


def simulated(seed, *, customers=3_000, spend=SPEND, factor=np.ones_like, orders=PARETO):
    """Return histories from the models, order values times a factor that depends on the frequency."""
    histories = orders.simulate(customers, "39 weeks", seed=seed)
    x = histories.frequency
    owner = np.repeat(np.arange(customers), x.astype(int))
    nothing = np.zeros(customers)
    generator = np.random.default_rng(seed)
    values = spend.model.draw_orders(spend.estimate, nothing, nothing - 1.0, owner, generator)
    total = np.bincount(owner, values, minlength=customers) * factor(x)
    return histories.with_statistics({"mean": np.divide(total, x, out=np.full(customers, np.nan), where=x > 0)})


def verdicts(orders, histories, spend=None, **options):
    return checks(orders, spend or clv.GammaGamma().fit(histories), histories, **options).table["verdict"].to_dict()


# ------------------------------------------------------------------------------------- independence of spend


def test_correlations_are_the_published_ones(sample, sample_spend):
    """CDNOW sample, weeks 1-39: .114, and .057 without the one customer with x = 21 (Fader & Hardie, note 025)."""
    found = dependence(sample_spend, sample)
    assert found.pearson == pytest.approx(0.114, abs=5e-4)
    assert found.without_one == pytest.approx(0.057, abs=5e-4)
    table = sample.to_frame().query("frequency > 0")
    others = table.drop(table.query("frequency == 21")["monetary_value"].idxmax())
    assert found.without_one == pytest.approx(others["frequency"].corr(others["monetary_value"]), rel=1e-9)
    assert found.spearman == pytest.approx(stats.spearmanr(table["frequency"], table["monetary_value"]).statistic)


def gamma_gamma(p, q, v, x, mean):
    """Return the log-likelihood of mean spends, written down anew from note 025, equation (1a)."""
    return (
        special.gammaln(p * x + q)
        - special.gammaln(p * x)
        - special.gammaln(q)
        + q * np.log(v)
        + (p * x - 1) * np.log(mean)
        + p * x * np.log(x)
        - (p * x + q) * np.log(v + mean * x)
    ).sum()


def test_populations_by_class_are_those_of_another_implementation(sample, sample_spend):
    """All parameters at once: p, q, and a v for each class."""
    found = dependence(sample_spend, sample)
    x, mean = sample.frequency, sample.monetary_value
    number = np.searchsorted([2, 4], x, side="right")
    assert found.classes == ("0-1", "2-3", "4+")
    known = x > 0

    def minus_log_likelihood(logs, number):
        p, q, v = np.exp(logs[0]), 1 + np.exp(logs[1]), np.exp(logs[2:])[number[known]]
        return -gamma_gamma(p, q, v, x[known], mean[known])

    start = np.log([6.0, 2.5, 15.0])
    how = {"method": "BFGS", "options": {"gtol": 1e-3}}
    one = optimize.minimize(minus_log_likelihood, start, args=(np.zeros_like(number),), **how)
    classes = optimize.minimize(minus_log_likelihood, [*start[:2], *[start[2]] * 3], args=(number,), **how)
    assert -one.fun == pytest.approx(-4_055.92, abs=0.005)  # note 025
    assert found.p_value == pytest.approx(stats.chi2.sf(2 * (one.fun - classes.fun), 2), rel=1e-3)
    values = []
    for (log_p, log_q, *log_v), group in ((one.x, np.zeros_like(number)), (classes.x, number)):
        p, q, v = np.exp(log_p), 1 + np.exp(log_q), np.exp(log_v)
        values.append(p * (v[group] + np.where(known, x * mean, 0.0)) / (p * x + q - 1))
    np.testing.assert_allclose(found.means, p * v / (q - 1), rtol=1e-3)
    np.testing.assert_allclose(found.ratio, values[1] / values[0], rtol=1e-3)


def test_the_effect_is_the_change_of_equity_under_populations_by_class(sample, sample_spend):
    book = book_of(sample, spend=sample_spend, order_cost=1.5, maintenance_cost=2.0, payment_share=0.02)
    customers = book.customers
    sales = customers["contribution_margin"] + customers["payment"]
    found = checks(PARETO, sample_spend, sample, rlv=customers["rlv"], sales=sales)
    ratio = dependence(sample_spend, sample).ratio
    moved = replace(book.each, order_value=book.order_value * ratio).equity
    assert found.table.loc["independence", "effect"] == pytest.approx(moved - book.equity, rel=1e-9)
    assert found.figures["independence", "effect_share"] == pytest.approx(moved / book.equity - 1, rel=1e-9)
    change = sales * (ratio - 1)
    assert found.figures["independence", "moved"] == pytest.approx(change.abs().sum() / 2, rel=1e-9)


def test_without_values_money_is_the_revenue_of_a_year(sample, sample_spend):
    found = checks(PARETO, sample_spend, sample)
    orders = PARETO.expected_purchases(sample, "365.25 days")["mean"]
    revenue = (orders * sample_spend.expected_spend(sample)["mean"]).sort_values(ascending=False)
    assert found.table.loc["influence", "effect"] == pytest.approx(revenue.iloc[:10].sum(), rel=1e-9)
    assert "of the revenue expected within a year" in found.table.loc["influence", "finding"]


def test_segments_that_explain_the_dependence_leave_none():
    """Those who buy often spend three times as much: one population is refused, a fit by these segments is not."""
    histories = simulated(3, factor=lambda x: np.where(x >= 4, 3.0, 1.0))
    segment = np.where(histories.frequency >= 4, "often", "seldom")
    histories = histories.with_attributes(pd.DataFrame({"segment": segment}, histories.customer_id))
    p, q, v = SPEND.estimate
    theta = np.array([[p, q, 3 * v], [p, q, v]])[:, None, None, :]
    by_segment = replace(SPEND, by="segment", segments=("often", "seldom"), segment_theta=theta)
    assert dependence(SPEND, histories).p_value < 1e-20
    found = dependence(by_segment, histories)
    assert found.p_value > 0.01
    np.testing.assert_allclose(found.ratio, 1.0, atol=0.06)


@pytest.mark.parametrize("data_sets", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_independence_is_refused_by_chance_as_often_as_it_says(data_sets):
    """Of data sets from the model, p is below 0.2 for a fifth; within four standard deviations."""
    low = [dependence(SPEND, simulated(seed, customers=1_000)).p_value < 0.2 for seed in range(data_sets)]
    assert sum(low) == pytest.approx(0.2 * data_sets, abs=4 * np.sqrt(0.16 * data_sets))
    assert any(low)


@pytest.mark.parametrize("power", [0.6, -0.6])
@pytest.mark.filterwarnings("ignore:Gamma-Gamma. boundary")  # one population does not suit these data
def test_dependence_is_found_in_money(power):
    """The more frequent spend more (less): one population makes too much (too little) of those who bought once."""

    def factor(x):
        return np.maximum(x, 1.0) ** power

    histories = simulated(7, factor=factor)
    spend = clv.GammaGamma().fit(histories)
    found = checks(PARETO, spend, histories)
    x, mean = histories.frequency, histories.monetary_value
    orders = PARETO.expected_purchases(histories, "1 year")["mean"].to_numpy()
    truth = factor(x) * SPEND.model.expected_spend(SPEND.estimate, x, mean / factor(x))
    effect = (orders * truth).sum() - (orders * spend.expected_spend(histories)["mean"]).sum()
    revenue = found.table.loc["influence", "effect"] / found.figures["influence", "top_share"]
    assert found.table.loc["independence", "effect"] == pytest.approx(effect, abs=0.015 * revenue)
    assert abs(effect) > 0.025 * revenue
    assert found.table.loc["independence", "verdict"] == "look"
    assert 'by="frequency_class"' in found.table.loc["independence", "remedy"]
    # Each class's mean is that of the true factors of its customers times the mean of the population
    depends, classes = dependence(spend, histories), frequency_classes(histories)
    for name, of_class in zip(depends.classes, depends.means, strict=True):
        some = (classes == name).to_numpy() & (x > 0)
        assert of_class == pytest.approx(6.25 * 15.44 / 2.74 * factor(x[some]).mean(), rel=0.12)


def test_the_remedy_can_be_written(sample):
    with_classes = sample.with_attributes(frequency_classes(sample).to_frame())
    assert clv.GammaGamma().to_pymc(with_classes, by="frequency_class").free_RVs


@pytest.mark.slow
def test_the_remedy_moves_the_total_as_the_check_says():
    histories = simulated(7, factor=lambda x: np.maximum(x, 1.0) ** 0.6)
    spend = clv.GammaGamma().fit(histories)
    found = checks(PARETO, spend, histories)
    with_classes = histories.with_attributes(frequency_classes(histories).to_frame())
    by_class = clv.GammaGamma().fit(
        with_classes, method="nuts", by="frequency_class", draws=500, tune=1_000, seed=1, progress=False
    )
    orders = PARETO.expected_purchases(histories, "1 year")["mean"]
    old, new = (fit.expected_spend(with_classes)["mean"] @ orders for fit in (spend, by_class))
    assert new / old - 1 == pytest.approx(found.figures["independence", "effect_share"], abs=0.02)


def test_classes_of_frequency_hold_enough_customers(sample):
    classes = frequency_classes(sample)
    counted = sample.to_frame().query("frequency > 0").groupby(classes).size()
    assert counted.to_dict() == {"0-1": 439, "2-3": 314, "4+": 193}
    assert (classes[sample.frequency == 0] == "0-1").all()
    few = sample.select(np.arange(len(sample)) < 120)
    assert set(frequency_classes(few)) == {"0+"}
    assert dependence(SPEND, few) is None


# ---------------------------------------------------------------------------------------------- the other checks


def test_influence_of_the_ten_and_of_those_who_hold_half(sample, sample_spend):
    rlv = book_of(sample, spend=sample_spend).customers["rlv"]
    found = checks(PARETO, sample_spend, sample, rlv=rlv.sample(frac=1, random_state=1))
    ordered = rlv.sort_values(ascending=False)
    figures = found.figures["influence"]
    assert figures["top_share"] == pytest.approx(ordered.iloc[:10].sum() / rlv.sum())
    half = int(figures["customers_of_half"])
    assert ordered.iloc[: half - 1].sum() < rlv.sum() / 2 <= ordered.iloc[:half].sum()
    assert found.table.loc["influence", "verdict"] == "fine"


@pytest.mark.parametrize(("share", "verdict"), [(0.1, "fine"), (0.25, "look"), (0.38, "serious")])
def test_influence_of_ten_customers_who_hold_a_share(sample, share, verdict):
    values = np.full(len(sample), (1 - share) / (len(sample) - 10))
    values[100:110] = share / 10
    found = checks(PARETO, SPEND, sample, rlv=pd.Series(values, sample.customer_id))
    assert found.table.loc["influence", "verdict"] == verdict
    assert found.table.loc["influence", "effect"] == pytest.approx(share)
    assert f"10 of 2,357 customers hold {share:.1%} of the equity" in found.table.loc["influence", "finding"]


@pytest.mark.parametrize(("orders", "percent", "verdict"), [(BG, 23.1, "look"), (PARETO, 11.4, "fine")])
def test_one_time_buyers_hold_their_share_of_equity(sample, orders, percent, verdict):
    """Share of the zero-repeat class at week 39: 23.1 % under BG/NBD, 11.4 % under Pareto/NBD (recomputed)."""
    rlv = book_of(sample, orders).customers["rlv"]
    found = checks(orders, SPEND, sample, rlv=rlv)
    assert 100 * found.figures["one-time buyers", "worth_share"] == pytest.approx(percent, abs=0.051)
    assert found.table.loc["one-time buyers", "effect"] == pytest.approx(rlv[sample.frequency == 0].sum())
    assert found.table.loc["one-time buyers", "verdict"] == verdict
    assert found.figures["one-time buyers", "share"] == pytest.approx(1_411 / 2_357)


def test_one_time_buyers_are_alive_for_sure_under_bg_nbd_alone(sample):
    mbg = clv.MBGNBD().fit(sample)
    sure = [checks(orders, SPEND, sample).figures["one-time buyers", "alive_for_sure"] for orders in (BG, mbg, PARETO)]
    assert sure == [1.0, 0.0, 0.0]


def test_rows_of_one_instant_are_lines_of_one_order(sample, sample_spend):
    """The log of CDNOW knows days alone: rows of one day are one order, and none is merged into another one."""
    log = clv.datasets.load_cdnow(sample=True)
    log = log[log["date"] <= "1997-09-30"]
    days = log.drop_duplicates(["customer_id", "date"])
    found = checks(PARETO, sample_spend, sample)
    figures = found.figures["merged orders"]
    assert figures["merged_share"] == figures["rate_bias"] == 0.0
    assert figures["lines_share"] == pytest.approx(1 - len(days) / len(log))
    assert found.table.loc["merged orders", "verdict"] == "fine"


@pytest.mark.parametrize(("resolution", "verdict"), [(None, "fine"), ("week", "serious")])
def test_orders_merged_by_a_coarse_resolution_are_seen(resolution, verdict):
    """Orders at a rate of 0.1 a day, as users reported them: 0.0997 from exact times, 0.0423 in weekly bins."""
    generator = np.random.default_rng(3)
    owner = np.repeat(np.arange(300), generator.poisson(0.1 * 200, 300) + 1)
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(generator.uniform(0.0, 200.0, len(owner)), unit="D")
    log = pd.DataFrame({"customer_id": owner, "date": time, "amount": generator.gamma(4.0, 5.0, len(owner))})
    how = {"value": "amount", "unit": "day", "observation_end": "2024-07-19"}
    exact, seen = (clv.rfm_summary(log, resolution=one, **how) for one in (None, resolution))
    orders = clv.ParetoNBD().from_params({"r": 2.0, "alpha": 20.0, "s": 1.0, "beta": 1000.0}, unit="day")
    found = checks(orders, SPEND, seen)
    assert found.table.loc["merged orders", "verdict"] == verdict
    bias = seen.frequency.sum() / exact.frequency.sum() - 1
    assert found.figures["merged orders", "rate_bias"] == pytest.approx(bias, abs=1e-12)


def test_without_the_largest_spender_equity_is_that_of_the_others_under_their_fit(sample, sample_spend):
    book = book_of(sample, spend=sample_spend)
    found = checks(PARETO, sample_spend, sample, rlv=book.customers["rlv"])
    spent = sample.to_frame().eval("frequency * monetary_value")
    others = sample.select(sample.customer_id != spent.idxmax())
    without = book_of(others, spend=clv.GammaGamma().fit(others))
    assert found.table.loc["heavy tails", "effect"] == pytest.approx(without.equity - book.equity, rel=1e-6)
    figures = found.figures["heavy tails"]
    assert figures["top_revenue_share"] == pytest.approx(spent.nlargest(10).sum() / spent.sum())
    assert figures["q"] == sample_spend.params["q"]
    tail = np.sort(sample.monetary_value[sample.frequency > 0])[::-1][:48]
    assert figures["hill"] == pytest.approx(1 / np.mean(np.log(tail[:47] / tail[47])))


def test_heavy_tails_are_seen():
    light, heavy = ({"p": 6.25, "q": q, "v": 15.44} for q in (3.74, 1.4))
    found = []
    for params in (light, heavy):
        truth = clv.GammaGamma().from_params(params)
        histories = simulated(5, customers=4_000, spend=truth)
        found.append(checks(PARETO, truth, histories))
    assert [one.table.loc["heavy tails", "verdict"] for one in found] == ["fine", "look"]
    hill = [one.figures["heavy tails", "hill"] for one in found]
    assert hill[1] < 1.7 < 2.0 < hill[0]


def test_one_huge_customer_is_serious(sample):
    value = sample.monetary_value.copy()
    value[np.argmax(sample.frequency)] = 2_000.0
    histories = sample.with_statistics({"mean": value})
    found = checks(PARETO, clv.GammaGamma().fit(histories), histories)
    assert found.table.loc["heavy tails", "verdict"] == "serious"
    assert found.verdict == "serious"


def test_dropped_one_time_buyers_are_serious(sample, sample_spend):
    found = checks(PARETO, sample_spend, sample.select(sample.frequency > 0))
    assert found.table.loc["selection", "verdict"] == "serious"
    assert "those who bought once were dropped" in found.table.loc["selection", "finding"]
    fitted = sample.select(sample.frequency > 0)
    for model in (clv.BGNBD(), clv.MBGNBD()):
        assert verdicts(model.fit(fitted), fitted, sample_spend)["selection"] == "serious"
    few = sample.select(sample.customer_id[sample.frequency > 0][:15])
    assert verdicts(PARETO, few, SPEND)["selection"] == "fine"


def test_a_panel_of_frequent_buyers_misses_nobody():
    orders = clv.BGNBD().from_params({"r": 60.0, "alpha": 700.0, "a": 0.1, "b": 20.0}, unit="week")
    panel = orders.simulate(400, "98 weeks", seed=1)
    panel = panel.with_statistics({"mean": np.random.default_rng(1).gamma(4.0, 5.0, len(panel))})
    panel = panel.select(panel.frequency > 0)
    found = checks(orders, SPEND, panel)
    assert found.table.loc["selection", "verdict"] == "fine"
    assert found.figures["selection", "expected_once"] < 2.0


@pytest.mark.parametrize("model", [clv.BGNBD, clv.MBGNBD, clv.ParetoNBD])
def test_one_time_buyers_are_expected_as_simulation_has_them(model, sample):
    """Against draws of new customers of each one's age, of who buys again."""
    fit = model().fit(sample)
    expected = checks(fit, SPEND, sample).figures["selection", "expected_once"]
    age, customers = np.unique(sample.T, return_counts=True)
    simulated = [fit.simulate(3_000, float(T), seed=seed).frequency for seed, T in enumerate(age)]
    once = sum(n * (x == 0).mean() for n, x in zip(customers, simulated, strict=True))
    assert expected == pytest.approx(once, rel=0.01)


# --------------------------------------------------------------------------------------------------- altogether


@pytest.mark.parametrize("seed", range(5))
def test_all_is_fine_with_data_from_the_models(seed):
    histories = simulated(seed)
    orders, spend = clv.ParetoNBD().fit(histories), clv.GammaGamma().fit(histories)
    found = checks(orders, spend, histories, rlv=book_of(histories, orders, spend).customers["rlv"])
    assert set(found.table["verdict"]) == {"fine"}, found


def test_what_cannot_be_told_is_said(sample):
    few = replace(sample.select(sample.customer_id[:30]), report=None)
    table = checks(PARETO, SPEND, few).table
    for name in ("independence", "heavy tails", "merged orders"):
        assert table.loc[name, "finding"].startswith("not checked: ")
        assert np.isnan(table.loc[name, "effect"])


def test_if_customers_are_worth_nothing_together_money_is_their_revenue(sample):
    rlv = book_of(sample, order_cost=30.0).customers["rlv"]
    assert rlv.sum() < 0
    pd.testing.assert_frame_equal(checks(PARETO, SPEND, sample, rlv=rlv).table, checks(PARETO, SPEND, sample).table)


def test_checks_are_shown_in_words_and_as_a_table(sample, sample_spend):
    found = checks(BG, sample_spend, sample)
    assert isinstance(found, Checks)
    assert list(found.table.columns) == ["verdict", "finding", "effect", "remedy"]
    text = repr(found)
    assert all(name in text for name in found.table.index)
    assert "look     one-time buyers [" in text
    assert "-> compare with a model" in text
    assert max(map(len, text.splitlines())) <= 110
    html = found._repr_html_()
    assert html.count("<tr>") == len(found.table) + 1
    assert found.table.loc["one-time buyers", "remedy"] in html


def test_bad_arguments_are_refused(sample):
    with pytest.raises(DataError, match="rlv is not known of 2,352 of 2,357 customers"):
        checks(PARETO, SPEND, sample, rlv=pd.Series(1.0, sample.customer_id[:5]))
    with pytest.raises(AssumptionError, match="give both"):
        checks(PARETO, SPEND, sample, sales=pd.Series(1.0, sample.customer_id))
    with pytest.raises(DataError, match="no customers"):
        checks(PARETO, SPEND, sample.select([]))
    with pytest.raises(UnitError):
        checks(PARETO, SPEND, sample.in_unit("day"))
