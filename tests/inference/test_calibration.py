"""Posteriors are calibrated: simulation-based calibration, and intervals that cover as often as they say.

If parameters are drawn from the prior, data from the parameters, and then a posterior from the data, the rank of
the truth among the posterior's draws is uniform (Talts, Betancourt, Simpson, Vehtari & Gelman 2018, arXiv 1804.06788).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clvmodels as clv
from clvmodels.models.registry import MODELS, TRANSACTION_MODELS

pytestmark = [
    pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning"),  # short chains have few effective draws
    pytest.mark.filterwarnings("ignore::clvmodels.errors.DataWarning"),  # simulated at chance, some bases look odd
]

PRIORS = {
    "purchase_rate": ("LogNormal", {"mu": 1.5, "sigma": 0.4}, lambda g: g.lognormal(1.5, 0.4)),
    "purchase_rate_cv": ("LogNormal", {"mu": 0.1, "sigma": 0.2}, lambda g: g.lognormal(0.1, 0.2)),
    "dropout": ("Beta", {"alpha": 4.0, "beta": 12.0}, lambda g: g.beta(4.0, 12.0)),
    "dropout_concentration": ("LogNormal", {"mu": 1.0, "sigma": 0.4}, lambda g: g.lognormal(1.0, 0.4)),
    "first_year_loss": ("Beta", {"alpha": 5.0, "beta": 5.0}, lambda g: g.beta(5.0, 5.0)),
    "dropout_rate_cv": ("LogNormal", {"mu": 0.1, "sigma": 0.2}, lambda g: g.lognormal(0.1, 0.2)),
    "mean_spend": ("LogNormal", {"mu": 3.5, "sigma": 0.3}, lambda g: g.lognormal(3.5, 0.3)),
    "order_cv": ("LogNormal", {"mu": -0.7, "sigma": 0.2}, lambda g: g.lognormal(-0.7, 0.2)),
    "median_spend": ("LogNormal", {"mu": 3.5, "sigma": 0.3}, lambda g: g.lognormal(3.5, 0.3)),
    "order_log_sd": ("LogNormal", {"mu": -0.7, "sigma": 0.2}, lambda g: g.lognormal(-0.7, 0.2)),
    "between_share": ("Beta", {"alpha": 6.0, "beta": 8.0}, lambda g: g.beta(6.0, 8.0)),
    "mean_contribution": ("LogNormal", {"mu": 2.5, "sigma": 0.3}, lambda g: g.lognormal(2.5, 0.3)),
    "order_sd": ("LogNormal", {"mu": 2.5, "sigma": 0.3}, lambda g: g.lognormal(2.5, 0.3)),
    "spend_spread": ("Beta", {"alpha": 6.0, "beta": 12.0}, lambda g: g.beta(6.0, 12.0)),
}
YEAR = 365.25 / 7
CUSTOMERS, CHAINS, DRAWS, THIN = 250, 2, 300, 6


def simulated(model, params, customers, seed):
    """Histories under known parameters; spend belongs to customers with a BG/NBD base."""
    if model.key in TRANSACTION_MODELS:
        return (
            getattr(clv, model.public_name)()
            .from_params(params, unit="week")
            .simulate(customers, "60 weeks", seed=seed)
        )
    generator = np.random.default_rng(seed)
    x = 1.0 + generator.poisson(3.0, customers)
    owner = np.repeat(np.arange(customers), x.astype(int))
    nothing = np.zeros(customers)
    values = model.draw_orders(np.array(list(params.values())), nothing, nothing, owner, generator)
    table = pd.DataFrame({"customer_id": np.arange(customers), "frequency": x, "recency": 20.0, "T": 30.0})
    table = table.assign(monetary_value=np.bincount(owner, values) / x)
    if model.signed:
        names = {"known_ss": "known_ss"}
        table["known_ss"] = np.bincount(owner, (values - table["monetary_value"].to_numpy()[owner]) ** 2)
        return clv.Histories.from_frame(table, unit="week", statistics=names)
    table["log_mean"] = np.bincount(owner, np.log(values)) / x
    table["log_ss"] = np.bincount(owner, (np.log(values) - table["log_mean"].to_numpy()[owner]) ** 2)
    names = {"log_mean": "log_mean", "log_ss": "log_ss"}
    return clv.Histories.from_frame(table, unit="week", statistics=names)


def ranks(model, repetitions):
    """Return the ranks of the true quantities among thinned draws, shape (repetitions, quantities)."""
    priors = {one.name: {"dist": PRIORS[one.name][0], **PRIORS[one.name][1]} for one in model.quantities}
    estimator = getattr(clv, model.public_name)(priors=priors)
    found = []
    for seed in range(repetitions):
        generator = np.random.default_rng(1_000 + seed)
        truth = {one.name: PRIORS[one.name][2](generator) for one in model.quantities}
        rfm = simulated(model, model.from_quantities(truth, YEAR), CUSTOMERS, seed)
        fit = estimator.fit(rfm, method="nuts", draws=DRAWS, tune=200, chains=CHAINS, seed=seed, progress=False)
        draws = model.to_quantities(
            dict(zip(model.names, fit.theta[:, ::THIN].reshape(-1, len(truth)).T, strict=True)), YEAR
        )
        found.append([int((draws[name] < truth[name]).sum()) for name in truth])
    return np.array(found)


def p_value(some, bins):
    """Return the p value of a chi-square test that ranks are uniform."""
    counts = np.histogram(some, bins=bins, range=(0, CHAINS * DRAWS // THIN + 1))[0]
    return stats.chisquare(counts).pvalue


@pytest.mark.parametrize("key", MODELS)
def test_ranks_are_uniform(key):
    found = ranks(MODELS[key], 24)
    assert min(p_value(column, 4) for column in found.T) > 1e-3, found


@pytest.mark.slow
@pytest.mark.parametrize("key", MODELS)
def test_ranks_are_uniform_in_full(key):
    found = ranks(MODELS[key], 200)
    assert min(p_value(column, 10) for column in found.T) > 1e-3, found


TRUTH = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4}
SPENDING = {"p": 6.25, "q": 3.74, "v": 15.44}
OBSERVED = 78.0


def purchases_of_one(generator, weeks):
    """Return the times of the repeat purchases of a new customer: BG/NBD as Fader, Hardie & Lee (2005) tell it."""
    rate = generator.gamma(TRUTH["r"]) / TRUTH["alpha"]
    leaves = generator.beta(TRUTH["a"], TRUTH["b"])
    times, now = [], generator.exponential(1.0 / rate)
    while now < weeks:
        times.append(now)
        if generator.random() < leaves:
            break
        now += generator.exponential(1.0 / rate)
    return np.array(times)


def a_base(generator, customers):
    """Return histories with spend of weeks 0 to 78, and the number of repeat purchases in the year after."""
    rows, after = [], 0
    for _ in range(customers):
        times = purchases_of_one(generator, OBSERVED + YEAR)
        seen = times[times <= OBSERVED]
        after += len(times) - len(seen)
        scale = generator.gamma(SPENDING["q"]) / SPENDING["v"]
        values = generator.gamma(SPENDING["p"], size=len(seen)) / scale
        rows.append((len(seen), seen.max(initial=0.0), OBSERVED, values.mean() if len(seen) else np.nan))
    table = pd.DataFrame(rows, columns=["frequency", "recency", "T", "monetary_value"]).rename_axis("customer_id")
    return clv.Histories.from_frame(table.reset_index(), unit="week"), after


def coverage(repetitions, customers, draws):
    """Return how often 90 % intervals cover the repeat orders that the next year really brings, and the equity."""
    orders, spend = clv.BGNBD().from_params(TRUTH, unit="week"), clv.GammaGamma().from_params(SPENDING)
    terms = clv.Assumptions(discount_rate=0.1, margin=0.3, horizon="3 years")
    covered = np.zeros(2)
    for seed in range(repetitions):
        rfm, after = a_base(np.random.default_rng(seed), customers)
        fit = clv.BGNBD().fit(rfm, method="laplace", draws=draws, seed=seed)
        money = clv.GammaGamma().fit(rfm, method="laplace", draws=draws, seed=seed)
        said = fit.total_purchases(rfm, YEAR, process=True, seed=seed)
        covered[0] += said["q05"] <= after <= said["q95"]
        interval = clv.value(fit, money, rfm, terms).interval(0.9, process=False)
        covered[1] += interval.low <= clv.value(orders, spend, rfm, terms).equity <= interval.high
    return covered / repetitions


def test_intervals_of_totals_and_equity_cover():
    """Of 20 bases, 90 % is 18 +- 1.3."""
    assert (coverage(20, 500, 150) >= 0.7).all()


@pytest.mark.slow
def test_intervals_of_totals_and_equity_cover_in_full():
    found = coverage(200, 500, 400)
    assert ((found >= 0.85) & (found <= 0.95)).all(), found
