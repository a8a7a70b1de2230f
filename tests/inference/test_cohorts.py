"""Cohorts: who was alive at each age, against simulated customers whose end is known; and what cohorts will buy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.calendar import Calendar
from clvmodels.errors import DataError, FitError, UnitError
from clvmodels.inference.cohorts import p_alive_at
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.models.registry import AGEING_MODELS, CONTRACT_MODELS, TRANSACTION_MODELS
from tests.contract.conftest import HISTORIES
from tests.inference.example_fits import BG, PARETO, around, bg, by_segment, pareto
from tests.models.bgbb import BG_BB

MODELS = [*TRANSACTION_MODELS.values(), *AGEING_MODELS["pareto_nbd"].values()]
END = pd.Timestamp("2024-06-30")


def simulated(number=40_000, seed=2, model="pareto"):
    """Customers who came within a year, drawn by hand, with the age at which each left; infinite if they stay."""
    generator = np.random.default_rng(seed)
    T = generator.uniform(26.0, 78.0, number)
    params = PARETO if model == "pareto" else BG
    rate = generator.gamma(params["r"], 1.0 / params["alpha"], number)
    count = generator.poisson(rate * T)
    customer = np.repeat(np.arange(number), count)
    time = generator.random(len(customer)) * T[customer]
    time = time[np.lexsort((time, customer))]
    if model == "pareto":
        left = generator.exponential(size=number) / generator.gamma(params["s"], 1.0 / params["beta"], number)
        kept = time < left[customer]
    else:
        leaves = generator.random(len(customer)) < generator.beta(params["a"], params["b"], number)[customer]
        first = np.full(number, np.inf)
        np.minimum.at(first, customer[leaves], time[leaves])
        left, kept = first, time <= first[customer]
    x, t_x = np.bincount(customer[kept], minlength=number), np.zeros(number)
    np.maximum.at(t_x, customer[kept], time[kept])
    table = pd.DataFrame({"customer_id": np.arange(number), "frequency": x, "recency": t_x, "T": T})
    table["side"] = np.where(np.arange(number) % 2, "left", "right")
    return clv.Histories.from_frame(table, unit="week", observation_end=END), left


def begun(rfm, freq):
    """The period of each customer's first purchase."""
    ages = pd.to_timedelta(np.round(rfm.T * 604_800.0), unit="s")
    return (END + pd.Timedelta(days=1) - ages).to_period(freq).astype(str)


@pytest.mark.parametrize(("fit", "model"), [(pareto, "pareto"), (bg, "bg")], ids=["Pareto/NBD", "BG/NBD"])
def test_the_share_alive_is_that_of_simulated_customers(fit, model):
    rfm, left = simulated(model=model)
    table = fit.survival(rfm, every="13 weeks")
    cohort = begun(rfm, "Q")
    assert set(cohort) == set(table.index.get_level_values("cohort"))
    for (name, age), row in table.iterrows():
        members = (cohort == name) & (age <= rfm.T)
        assert row["customers"] == members.sum()
        truth = (left[members] > age).mean()
        assert row["share_alive"] == pytest.approx(truth, abs=4.0 * 0.5 / np.sqrt(members.sum()) + 1e-12)
    assert table["share_alive"].min() < 0.8


@pytest.mark.parametrize("model", MODELS, ids=[model.key for model in MODELS])
def test_who_was_alive_follows_from_likelihoods(model):
    """P(alive then) times P(no purchase from then on | alive then), over P(no purchase from then on)."""
    theta = model.theta(model.example)
    x, t_x, T = HISTORIES[:, 1:]
    for share in (0.0, 0.3, 1.0):
        age = t_x + share * (T - t_x)
        then = model.p_alive(theta, x, t_x, age)
        quiet = model.pmf(theta, x, age, np.maximum(T - age, 1e-300), np.zeros(1))
        whole = 1.0 - then + then * quiet
        np.testing.assert_allclose(p_alive_at(model, theta, x, t_x, T, age), then * quiet / whole, rtol=1e-9)
    now = model.p_alive(theta, x, t_x, T)
    np.testing.assert_allclose(p_alive_at(model, theta, x, t_x, T, T), np.where(t_x > T, 1.0, now), rtol=1e-12)
    np.testing.assert_array_equal(p_alive_at(model, theta, x, t_x, T, t_x / 2.0)[t_x > 0.0], 1.0)


def test_bands_are_quantiles_over_draws():
    rfm, _ = simulated(300)
    fit = clv.ParetoNBD().from_params(around(PARETO, draws=40, sd=0.3), unit="week")
    table = fit.survival(rfm, "side", every="26 weeks")
    alone = np.stack(
        [
            replace(fit, theta=draw[None, None], estimate=draw).survival(rfm, "side", every="26 weeks")["share_alive"]
            for draw in fit.draws
        ]
    )
    np.testing.assert_allclose(table["share_alive"], alone.mean(axis=0), rtol=1e-10)
    ends = np.quantile(alone, [0.05, 0.95], axis=0).T
    np.testing.assert_allclose(table[["share_alive_low", "share_alive_high"]], ends, rtol=1e-9)


def test_segments_have_curves_of_their_own():
    rfm, _ = simulated(300)
    left, right = (clv.BGNBD().from_params(around(BG, draws=20, seed=seed), unit="week") for seed in (1, 2))
    fit = by_segment({"left": left, "right": replace(right, theta=right.theta * [1.0, 1.0, 3.0, 1.0])}, by="side")
    table = fit.survival(rfm, "side", every="26 weeks")
    members = rfm.select((rfm.attributes["side"] == "right").to_numpy())
    alone = fit.segment("right").survival(members, "side", every="26 weeks")
    pd.testing.assert_frame_equal(table.loc[["right"]], alone, check_names=False)


def test_periods_are_whole():
    fit = TransactionEstimator(BG_BB).from_params(BG_BB.example, unit="year")
    table = pd.DataFrame({"customer_id": [1, 2], "frequency": [1, 3], "recency": [2, 6], "periods": [6, 6]})
    rfm = clv.Histories.from_frame(table.assign(kind="a"), unit="year")
    curve = fit.survival(rfm, "kind")
    assert curve.index.get_level_values("age").tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert curve["share_alive"].iloc[-1] == pytest.approx(fit.probability_alive(rfm)["mean"].mean())


# ----------------------------------------------------------------------------------------------- what cohorts will buy


@pytest.mark.parametrize("drawn", [False, True])
def test_cohorts_add_up_to_all_customers(drawn):
    rfm, _ = simulated(400)
    fit = clv.BGNBD().from_params(around(BG) if drawn else BG, unit="week")
    table = fit.cohorts(rfm, ["12 weeks", "1 year"], by="month")
    assert table.index.is_monotonic_increasing
    assert table["customers"].sum() == 400
    assert table["repeat_purchases"].sum() == rfm.frequency.sum()
    for t in ("12 weeks", "1 year"):
        assert table[f"expected_purchases {t}"].sum() == pytest.approx(fit.total_purchases(rfm, t)["mean"])
        assert table[f"alive {t}"].sum() == pytest.approx(fit.probability_alive(rfm, t)["mean"].sum())
    first = begun(rfm, "M")
    members = rfm.select(np.asarray(first == table.index[3]))
    total = fit.total_purchases(members, "1 year")
    assert table["expected_purchases 1 year"].iloc[3] == pytest.approx(total["mean"])
    if drawn:
        assert table["expected_purchases 1 year_low"].iloc[3] == pytest.approx(total["q05"])
        assert table["expected_purchases 1 year_high"].iloc[3] == pytest.approx(total["q95"])


def test_customers_of_an_engine_are_those_in_memory():
    lazy = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), unit="week", resolution="day")
    memory = lazy.collect()
    table = bg.cohorts(memory, by="month")
    assert table.index.tolist() == ["1997-01", "1997-02", "1997-03"]
    pd.testing.assert_frame_equal(bg.cohorts(lazy, by="month"), table)
    pd.testing.assert_frame_equal(bg.survival(lazy, by="month"), bg.survival(memory, by="month"))


# ----------------------------------------------------------------------------------------------------- what is refused


def test_what_cannot_be_said_is_refused():
    rfm, _ = simulated(20)
    with pytest.raises(DataError, match="observation ended"):
        bg.survival(replace(rfm, observation_end=None))
    with pytest.raises(DataError, match="one of month, quarter, year, side"):
        bg.cohorts(rfm, by="channel")
    with pytest.raises(UnitError):
        bg.survival(rfm, every="0 weeks")
    with pytest.raises(UnitError):
        bg.cohorts(rfm.in_unit("day"))
    with pytest.raises(FitError, match="longer steps"):
        bg.survival(rfm, every=0.001)
    contracts = TransactionEstimator(next(iter(CONTRACT_MODELS.values())))
    fit = contracts.from_params(contracts.model.example, unit="year")
    for ask in (fit.survival, fit.cohorts):
        with pytest.raises(FitError, match="retention_curve"):
            ask(fit.simulate(5, "3 years", seed=1))


def test_a_calendar_has_no_curve_by_age():
    log = clv.datasets.load_cdnow(sample=True)
    rfm = clv.rfm_summary(log, resolution="day", observation_end="1998-06-30")
    fit = clv.BGNBD(calendar=Calendar.seasons({"winter": ("11-15", "12-31")})).fit(rfm)
    with pytest.raises(FitError, match="calendar"):
        fit.survival(rfm, by="month")
    assert fit.cohorts(rfm, by="month")["customers"].sum() == len(rfm)
