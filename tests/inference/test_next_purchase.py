"""When customers buy next, and how often: against closed forms, against simulated customers, and across all fits."""

from __future__ import annotations

from dataclasses import replace

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import clvmodels as clv
from clvmodels.data.calendar import Calendar
from clvmodels.errors import FitError, ModelError, UnitError
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.models.clocked import on_clock
from clvmodels.models.no_purchase import never, no_purchase
from clvmodels.models.registry import AGEING_MODELS, CONTRACT_MODELS, TRANSACTION_MODELS
from clvmodels.numerics.clocks import Steps
from clvmodels.numerics.passage import passage, whole_passage
from tests.contract.conftest import HISTORIES
from tests.contract.conftest import as_histories as in_memory
from tests.inference.example_fits import BG, PARETO, around, bg, by_segment, pareto
from tests.inference.path_logs import shop
from tests.inference.test_calendar_fit import weekly_calendar
from tests.models.bgbb import BG_BB

MODELS = [*TRANSACTION_MODELS.values(), *AGEING_MODELS["pareto_nbd"].values()]
IDS = [model.key for model in MODELS]
X, T_X, T = HISTORIES


def as_histories(columns=HISTORIES, unit="week"):
    return in_memory(columns, MODELS[0], unit)


def in_periods(columns):
    x, t_x, n = columns
    table = pd.DataFrame({"customer_id": np.arange(len(x)), "frequency": x, "recency": t_x, "periods": n})
    return clv.Histories.from_frame(table, unit="year")


@pytest.fixture(scope="module")
def rfm():
    """Customers of many ages, with segments and a covariate."""
    table = bg.simulate(200, "52 weeks", seed=3).to_frame()
    table["T"] = 52.0 + np.round(np.random.default_rng(1).uniform(0.0, 30.0, len(table)))
    table["segment"] = np.where(np.arange(len(table)) % 3 == 0, "shop", "web")
    return clv.Histories.from_frame(
        table.drop(columns=["purchase_rate", "alive"]).reset_index(), unit="week", observation_end="2024-06-30"
    )


# ------------------------------------------------------------------------------------------------- the mathematics


@pytest.mark.parametrize("model", MODELS, ids=IDS)
@pytest.mark.parametrize("t", [1e-3, 1.0, 52.0, 1e3])
def test_the_ratio_of_likelihoods_is_the_probability_of_no_purchase(model, t):
    theta = model.theta(model.example)
    alive = model.p_alive(theta, X, T_X, T)
    expected = 1.0 - alive + alive * model.pmf(theta, X, T, np.asarray(t), np.zeros(1))
    np.testing.assert_allclose(no_purchase(model, theta, X, T_X, T, np.asarray(t)), expected, rtol=1e-11)


def _bg_none(t, x, t_x, T, params):
    """1 - P(alive) + P(alive) ((alpha + T) / (alpha + T + t))^(r + x); Fader, Hardie & Lee (2005)."""
    r, alpha, a, b = (mp.mpf(value) for value in params.values())
    alive = 1 / (1 + (a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x) if x else 0))
    return 1 - alive + alive * ((alpha + T) / (alpha + T + t)) ** (r + x)


def _pareto_alive(x, t_x, T, params):
    """1 / (1 + odds of having left): the integral over the time of leaving, in arbitrary precision."""
    r, alpha, s, beta = (mp.mpf(value) for value in params.values())
    left = mp.quad(
        lambda u: s * ((alpha + T) / (alpha + u)) ** (r + x) * (beta + T) ** s / (beta + u) ** (s + 1),
        mp.linspace(t_x, T, 5),
    )
    return 1 / (1 + left)


def _pareto_none(t, x, t_x, T, params):
    """They have left, stay for t without a purchase, or leave within t before one."""
    r, alpha, s, beta = (mp.mpf(value) for value in params.values())
    alive = _pareto_alive(x, t_x, T, params)
    stays = 0 if mp.isinf(t) else ((alpha + T) / (alpha + T + t)) ** (r + x) * ((beta + T) / (beta + T + t)) ** s
    points = [0, 10, 100, mp.inf] if mp.isinf(t) else mp.linspace(0, t, 4)
    leaves = mp.quad(
        lambda u: s * (beta + T) ** s / (beta + T + u) ** (s + 1) * ((alpha + T) / (alpha + T + u)) ** (r + x), points
    )
    return 1 - alive + alive * (stays + leaves)


@pytest.mark.parametrize(
    ("fit", "none", "params"), [(bg, _bg_none, BG), (pareto, _pareto_none, PARETO)], ids=["BG/NBD", "Pareto/NBD"]
)
def test_times_are_those_of_the_closed_form(fit, none, params):
    table = fit.next_purchase(as_histories(), probability=0.8)
    for row, (x, t_x, age) in enumerate(HISTORIES.T.tolist()):
        history = (x, t_x, age, params)
        limit = none(mp.inf, *history)
        assert table["p_never"].iloc[row] == pytest.approx(float(limit), abs=3e-9)
        for column, share in (("median", 0.5), ("low", 0.1), ("high", 0.9)):
            time = table[column].iloc[row]
            if np.isinf(time):
                assert none(mp.mpf(52_178), *history) > 1.0 - share
            else:
                assert float(none(mp.mpf(time), *history)) == pytest.approx(1.0 - share, rel=1e-10)
    assert np.isfinite(table["median"]).any()
    assert np.isinf(table["high"]).any()


def test_the_median_of_one_who_bought_once_is_known_by_hand():
    """Of BG/NBD, ((alpha + T) / (alpha + T + t))^r = 1/2 at t = (alpha + T) (2^(1/r) - 1)."""
    rfm = as_histories((np.zeros(1), np.zeros(1), np.full(1, 39.0)))
    assert bg.next_purchase(rfm)["median"].item() == pytest.approx(43.414 * (2.0 ** (1.0 / 0.243) - 1.0), rel=1e-11)


def test_simulated_customers_who_have_bought_nothing_do_what_is_said():
    """Customers with the story of Pareto/NBD drawn by hand; of those without a purchase until T, what comes next."""
    generator, number, age = np.random.default_rng(5), 400_000, 20.0
    rate = generator.gamma(PARETO["r"], 1.0 / PARETO["alpha"], number)
    lifetime = generator.exponential(size=number) / generator.gamma(PARETO["s"], 1.0 / PARETO["beta"], number)
    first = generator.exponential(size=number) / rate
    first = np.where(first < lifetime, first, np.inf)
    silent, alive = first > age, lifetime > age
    table = pareto.next_purchase(as_histories((np.zeros(1), np.zeros(1), np.full(1, age)))).iloc[0]
    noise = 4.0 * 0.5 / np.sqrt(silent.sum())
    assert np.isinf(first[silent]).mean() == pytest.approx(table["p_never"], abs=noise)
    assert (first[silent] <= age + table["low"]).mean() == pytest.approx(0.05, abs=noise)
    assert 1.0 - silent[alive].mean() == pytest.approx(table["overdue"], abs=noise)
    assert np.isinf(table["median"])
    rates = pareto.purchase_rate(as_histories((np.zeros(1), np.zeros(1), np.full(1, age)))).iloc[0]
    of_alive = rate[silent & alive]
    assert of_alive.mean() == pytest.approx(rates["mean"], abs=4.0 * of_alive.std() / np.sqrt(len(of_alive)))
    for column, share in (("q05", 0.05), ("q50", 0.5), ("q95", 0.95)):
        assert (of_alive <= rates[column]).mean() == pytest.approx(share, abs=2.0 / np.sqrt(len(of_alive)))


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_never_is_the_limit_of_long_times(model):
    theta = model.theta(model.example)
    limit, late = never(model, theta, X, T_X, T), no_purchase(model, theta, X, T_X, T, np.asarray(1e12))
    later = no_purchase(model, theta, X, T_X, T, np.asarray(1e16))
    assert (limit <= later + 1e-12).all()
    assert (later <= late + 1e-12).all()
    assert (later - limit <= 0.2 * (late - limit) + 1e-12).all()  # a power of time is left, which falls to it


@pytest.mark.parametrize("key", ["bg_nbd", "pareto_nbd"])
def test_a_calendar_without_effect_changes_nothing(key):
    model = TRANSACTION_MODELS[key]
    year = Steps(np.array([-52.0, -26.0, 0.0]), np.array([[0.0], [1.0]]), year=52.0, reference=(-52.0, 0.0))
    theta, x, t_x, T = model.theta(model.example), *HISTORIES[:, 1:5]
    plain = never(model, theta, x, t_x, T)
    on_calendar = never(on_clock(model, year, ("summer",)), np.append(theta, 1.0), x, t_x, T)
    np.testing.assert_allclose(on_calendar, plain, atol=5e-5)


# --------------------------------------------------------------------------------------------- the fits of the package


def _requires_its_own_medians(fit, rfm, draws=1):
    """Within their own median, a customer buys with probability one half, as `probability_of_purchases` has it."""
    table = fit.next_purchase(rfm)
    known = np.flatnonzero(np.isfinite(table["median"]))
    assert len(known) >= 3
    for row in known[:: max(len(known) // 3, 1)]:
        customer = rfm.select([rfm.customer_id[row]])
        for column, share in (("median", 0.5), ("low", 0.05)):
            none = fit.probability_of_purchases(customer, float(table[column].iloc[row]), 0)["mean"].item()
            assert none == pytest.approx(1.0 - share, rel=1e-7 if draws == 1 else 2e-4)
    assert ((table["p_never"] > 0.5) <= np.isinf(table["median"])).all()
    return table


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_point_estimates_of_every_model(model, rfm):
    _requires_its_own_medians(TransactionEstimator(model).from_params(model.example, unit="week"), rfm)


@pytest.mark.parametrize("kind", [clv.BGNBD, clv.ParetoNBD])
def test_draws(kind, rfm):
    params = around(BG if kind is clv.BGNBD else PARETO, draws=300)
    _requires_its_own_medians(kind().from_params(params, unit="week"), rfm, draws=300)


def test_segments(rfm):
    shop_, web = (clv.BGNBD().from_params(around(BG, draws=20, seed=seed), unit="week") for seed in (1, 2))
    faster = replace(web, theta=web.theta * [1.0, 0.3, 1.0, 1.0])
    fit = by_segment({"shop": shop_, "web": faster})
    table = _requires_its_own_medians(fit, rfm, draws=20)
    of_web = rfm.select((rfm.attributes["segment"] == "web").to_numpy())
    alone = fit.segment("web").next_purchase(of_web)
    np.testing.assert_allclose(table.loc[alone.index, "median"], alone["median"], rtol=1e-9)
    with pytest.raises(FitError, match="by segment"):
        fit.next_purchase(rfm, as_table=True)


@pytest.mark.parametrize("method", ["mle", pytest.param("laplace", marks=pytest.mark.slow)])  # 6 s
def test_covariates(method):
    many = bg.simulate(1_000, "78 weeks", seed=4)
    halves = pd.DataFrame({"half": np.where(np.arange(1_000) % 2, "odd", "even")}, index=many.customer_id)
    many, options = many.with_attributes(halves), {} if method == "mle" else {"draws": 200, "seed": 1}
    fit = clv.BGNBD(covariates={"purchase": "half"}).fit(many, method=method, **options)
    _requires_its_own_medians(fit, many, draws=1 if method == "mle" else 200)
    rates = fit.purchase_rate(many)
    assert (rates["q05"] < rates["q50"]).all()


@pytest.mark.parametrize("key", ["bg_nbd", "pareto_nbd"])
def test_calendars(key):
    calendar = Calendar.from_frame(weekly_calendar(), columns=["high_season"], periodic=True)
    sold = shop(key, 150, 60, 3, purchase=0.0)
    histories = sold.histories()
    kind = clv.BGNBD if key == "bg_nbd" else clv.ParetoNBD
    fit = kind(calendar=calendar).fit(histories)
    _requires_its_own_medians(fit, histories)
    rates = fit.purchase_rate(histories)
    level = fit.at_end_of(histories).at_mean_season()
    few = histories.select(histories.customer_id[:3])
    week = level.expected_purchases(few, 1e-6)["mean"] / 1e-6 / level.probability_alive(few)["mean"]
    np.testing.assert_allclose(week, rates["mean"].iloc[:3], rtol=1e-5)


def test_paths():
    sold = shop("pareto_nbd", 120, 60, 3, every=8.0)
    histories = sold.with_paths()
    fit = clv.ParetoNBD(covariates={"purchase": "price"}).fit(histories)
    _requires_its_own_medians(fit, histories)
    rates = fit.purchase_rate(histories)
    few = histories.select(histories.customer_id[:3])
    now = fit.expected_purchases(few, 1e-6)["mean"] / 1e-6 / fit.probability_alive(few)["mean"]
    np.testing.assert_allclose(now, rates["mean"].iloc[:3], rtol=1e-5)


def test_a_model_in_periods_gives_whole_periods():
    fit = TransactionEstimator(BG_BB).from_params(BG_BB.example, unit="year")
    counts = np.array([(0, 0, 2), (1, 1, 2), (3, 5, 6), (6, 6, 6)]).T
    rfm = in_periods(counts)
    table = fit.next_purchase(rfm)
    for row, time in enumerate(table["median"]):
        customer = rfm.select([row])
        if np.isinf(time):
            assert fit.probability_of_purchases(customer, 200, 0)["mean"].item() > 0.5
            continue
        before, after = (fit.probability_of_purchases(customer, t, 0)["mean"].item() for t in (time - 1.0, time))
        assert after <= 0.5 < before
    assert np.isfinite(table["median"]).any()
    a, b, g, d = (mp.mpf(BG_BB.example[name]) for name in BG_BB.names)
    alive = mp.mpf(float(fit.probability_alive(rfm.select([3]))["mean"].item()))
    a, d = a + 6, d + 6  # of 6 purchases at 6 opportunities
    leaves = mp.nsum(lambda i: mp.beta(a, b + i) / mp.beta(a, b) * mp.beta(g + 1, d + i) / mp.beta(g, d), [0, mp.inf])
    assert table["p_never"].iloc[3] == pytest.approx(float(1 - alive + alive * leaves), abs=1e-6)


def test_dates_count_from_the_end_of_the_last_day(rfm):
    table = bg.next_purchase(rfm)
    finite = np.isfinite(table["median"])
    assert finite.any()
    days = (table["date"] - pd.Timestamp("2024-07-01")) / pd.Timedelta(days=7)
    np.testing.assert_allclose(days[finite], table.loc[finite, "median"], atol=1e-5)
    assert table.loc[np.isinf(table["high"]), "date_high"].isna().all()
    undated = bg.next_purchase(replace(rfm, observation_end=None))
    assert undated["date"].isna().all()


def test_another_unit_gives_the_same_dates(rfm):
    days = clv.BGNBD().from_params({**BG, "alpha": 7.0 * BG["alpha"]}, unit="day")
    one, other = bg.next_purchase(rfm), days.next_purchase(rfm.in_unit("day"))
    np.testing.assert_allclose(other["median"], 7.0 * one["median"], rtol=1e-9)
    assert (one["date"].dropna() - other["date"].dropna()).abs().max() <= pd.Timedelta(seconds=2)


def test_customers_of_an_engine():
    lazy = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), unit="week", resolution="day")
    memory = lazy.collect()
    for ask in (bg.next_purchase, bg.purchase_rate):
        here = ask(memory).sort_index()
        pd.testing.assert_frame_equal(ask(lazy).sort_index(), here)
        table = ask(lazy, as_table=True).to_pyarrow().to_pandas().set_index("customer_id").sort_index()
        pd.testing.assert_frame_equal(table, here[table.columns], check_names=False)


# ------------------------------------------------------------------------------------------------------- purchase rates


def test_the_posterior_of_the_rate_is_gamma():
    table = bg.purchase_rate(as_histories())
    law = stats.gamma(BG["r"] + X, scale=1.0 / (BG["alpha"] + T))
    np.testing.assert_allclose(table["mean"], law.mean(), rtol=1e-12)
    for column, share in (("q05", 0.05), ("q50", 0.5), ("q95", 0.95)):
        np.testing.assert_allclose(table[column], law.ppf(share), rtol=1e-8, atol=1e-15)
    yearly = bg.purchase_rate(as_histories(), per="364 days")
    np.testing.assert_allclose(yearly, 52.0 * table)


def test_in_periods_the_rate_is_a_chance():
    """Of BG/BB, Beta(alpha + x, beta + n - x)."""
    fit = clv.BGBB().from_params(clv.BGBB().model.example, unit="year")
    counts = np.array([(0, 0, 2), (3, 5, 6), (6, 6, 6)]).T
    table = fit.purchase_rate(in_periods(counts), per="2 years")
    x, _, n = counts
    law = stats.beta(fit.params["alpha"] + x, fit.params["beta"] + n - x)
    np.testing.assert_allclose(table["mean"], law.mean())
    np.testing.assert_allclose(table["q95"], law.ppf(0.95), rtol=1e-8)


def test_rates_of_regular_buyers_are_those_of_customers_with_such_a_history():
    """Two purchases of two stages until 20, none until 30: rates lambda ~ Gamma(r, alpha), weighed by the likelihood.

    Of the waits, Gamma(2, lambda), the density is lambda^4 exp(-20 lambda) times a constant; after them, less than two
    stages are passed in 10.
    """
    r, alpha, x, t_x, age = 1.5, 4.0, 2.0, 20.0, 30.0
    fit = clv.BGCNBDk(k=2).from_params({"r": r, "alpha": alpha, "a": 0.8, "b": 4.0}, unit="week")
    table = fit.purchase_rate(as_histories(np.array([[x], [t_x], [age]])))
    rate = np.linspace(1e-4, 4.0, 400_001)
    silent = np.exp(-rate * (age - t_x)) * (1.0 + rate * (age - t_x))
    weight = stats.gamma.pdf(rate, r, scale=1.0 / alpha) * rate ** (2 * x) * np.exp(-rate * t_x) * silent
    weight /= weight.sum()
    assert table["mean"].iloc[0] == pytest.approx(weight @ rate / 2.0, rel=1e-7)
    for column, share in (("q05", 0.05), ("q50", 0.5), ("q95", 0.95)):
        assert table[column].iloc[0] == pytest.approx(np.interp(share, np.cumsum(weight), rate) / 2.0, rel=1e-4)


def test_draws_are_mixed():
    fit = clv.ParetoNBD().from_params(around(PARETO, draws=120, sd=0.4), unit="week")
    table = fit.purchase_rate(as_histories())
    r, alpha = fit.draws[:, 0], fit.draws[:, 1]
    for row, (x, _, age) in enumerate(HISTORIES.T):
        assert table["mean"].iloc[row] == pytest.approx(np.mean((r + x) / (alpha + age)), rel=1e-5)

        def below(rate, x=x, age=age):
            return stats.gamma.cdf(rate, r + x, scale=1.0 / (alpha + age)).mean() - 0.95

        assert table["q95"].iloc[row] == pytest.approx(optimize.brentq(below, 1e-9, 50.0), rel=1e-4)


# ----------------------------------------------------------------------------------------------------- what is refused


def test_contracts_are_refused():
    model = next(iter(CONTRACT_MODELS.values()))
    fit = TransactionEstimator(model).from_params(model.example, unit="year")
    contracts = fit.simulate(5, "3 years", seed=1)
    for ask in (fit.next_purchase, fit.purchase_rate):
        with pytest.raises(FitError, match="retention_curve"):
            ask(contracts)


def test_a_model_that_does_not_say_how_rates_differ_is_refused():
    fit = TransactionEstimator(replace(BG_BB, own_rates=None)).from_params(BG_BB.example, unit="year")
    with pytest.raises(ModelError, match="expected_purchases"):
        fit.purchase_rate(in_periods(np.array([[1.0], [1.0], [2.0]])))


@pytest.mark.parametrize("probability", [0.0, 1.0, -1, "x", None])
def test_intervals_have_a_probability(probability, rfm):
    with pytest.raises(FitError, match="between 0 and 1"):
        bg.next_purchase(rfm, probability=probability)


def test_wrong_units_are_refused(rfm):
    with pytest.raises(UnitError):
        bg.next_purchase(rfm.in_unit("day"))
    with pytest.raises(UnitError):
        bg.purchase_rate(rfm, per="0 weeks")


def test_nobody():
    nobody = as_histories(np.empty((3, 0)))
    assert bg.next_purchase(nobody).empty
    assert bg.purchase_rate(nobody).empty


# -------------------------------------------------------------------------------------------------------------- roots


def test_quantiles_of_many_laws_at_a_time():
    shape = np.array([0.05, 0.3, 1.0, 7.0, 400.0])
    for share in (0.01, 0.5, 0.99):
        times = passage(lambda t, rows: stats.gamma.sf(t, shape[rows]), 1.0 - share, np.ones(5), 1e6)
        np.testing.assert_allclose(times, stats.gamma.ppf(share, shape), rtol=1e-9, atol=1e-13)


def test_whole_times_are_the_first_at_the_level():
    chance = np.array([0.01, 0.3, 0.5, 0.9])
    for level in (0.9, 0.5, 0.05):
        times = whole_passage(lambda t, rows: (1.0 - chance[rows]) ** t, level, 4, 100.0)
        exact = np.ceil(np.log(level) / np.log1p(-chance) - 1e-9)
        np.testing.assert_array_equal(times, np.where(exact > 100.0, np.inf, exact))
