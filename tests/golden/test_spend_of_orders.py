"""Models of spend on single orders: published sample, arbitrary precision, quadrature, and what the data decide.

The reference figures of the CDNOW sample (946 customers with 2,457 repeat occasions in 39 weeks) were computed by an
implementation of its own, with scipy on the single orders; they are printed to the digits asserted here.
"""

from __future__ import annotations

from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.errors import FitError
from clvmodels.inference.first_order import first_orders
from clvmodels.inference.spend_choice import BestSpend, best_spend_model
from clvmodels.models.log_normal import LOG_NORMAL
from clvmodels.models.registry import SPEND_FAMILIES, SPEND_MODELS, SPEND_VARIANTS

GAMMA_GAMMA_ORDERS = SPEND_VARIANTS["gamma_gamma_orders"]
TRAIN_END = "1997-09-30"


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return clv.datasets.load_cdnow(sample=True)


@pytest.fixture(scope="module")
def rfm(log: pd.DataFrame) -> Histories:
    return clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end=TRAIN_END)


def test_gamma_gamma_on_the_orders_of_the_sample(rfm: Histories) -> None:
    fit = clv.GammaGamma(orders="all").fit(rfm)
    assert rfm.statistic("valued").sum() == 2457
    assert fit.log_likelihood == pytest.approx(-10707.860, abs=5e-4)
    np.testing.assert_allclose(fit.estimate, [3.610, 4.486, 34.083], atol=5e-4)


def test_log_normal_spend_of_the_sample(rfm: Histories) -> None:
    fit = clv.LogNormalSpend().fit(rfm)
    median, s, t = fit.estimate
    assert fit.log_likelihood == pytest.approx(-10697.276, abs=5e-4)
    np.testing.assert_allclose([np.log(median), s**2, t**2], [3.29085, 0.31612, 0.21995], atol=5e-6)
    assert "m = 3.291" in fit.describe()
    assert "s2 = 0.3161" in fit.describe()


@pytest.mark.parametrize(
    ("estimator", "error"),
    [(clv.GammaGamma(), 20.08), (clv.GammaGamma(orders="all"), 19.77), (clv.LogNormalSpend(), 19.69)],
    ids=repr,
)
def test_mean_absolute_error_of_the_orders_that_followed(estimator, error, rfm, log) -> None:  # type: ignore[no-untyped-def]
    """All orders of weeks 40 to 78 of the 946 repeat buyers."""
    later = log[log["date"] > TRAIN_END].groupby(["customer_id", "date"])["amount"].sum().reset_index()
    later = later[later["customer_id"].isin(rfm.customer_id[rfm.frequency > 0])]
    predicted = estimator.fit(rfm).expected_spend(rfm)["mean"].loc[later["customer_id"]].to_numpy()
    assert np.abs(later["amount"].to_numpy() - predicted).mean() == pytest.approx(error, abs=5e-3)


@pytest.mark.parametrize("p", [1e-3, 0.5, 11.99, 12.01, 1e4, 1e9])
@pytest.mark.parametrize("q", [1.01, 4.5, 150.0, 1e8])
def test_gamma_gamma_on_orders_in_arbitrary_precision(p: float, q: float) -> None:
    x, mean, below = np.array([1.0, 2.0, 40.0, 3000.0]), np.array([27.0, 0.3, 300.0, 60.0]), [0.0, 0.3, 0.01, 0.2]
    log_mean = np.log(mean) - below
    for v in (1e-4, 34.0, 30.0 * q / p):
        values = GAMMA_GAMMA_ORDERS.log_likelihood(np.array([p, q, v]), x, mean, log_mean)
        with mpmath.workdps(60):
            for value, *history in zip(values, x, mean, log_mean, strict=True):
                exact = gamma_gamma_in_full(p, q, v, *history)
                assert abs(value - exact) <= 1e-8 * max(1.0, abs(exact))


def gamma_gamma_in_full(*numbers: float) -> mpmath.mpf:
    """The log-likelihood as it is written down."""
    p, q, v, x, mean, log_mean = map(mpmath.mpf, numbers)
    log_mean = mpmath.log(mean) if x == 1 else log_mean
    value = mpmath.loggamma(p * x + q) - mpmath.loggamma(q) + q * mpmath.log(v) - x * mpmath.loggamma(p)
    return value + (p - 1) * x * log_mean - (p * x + q) * mpmath.log(v + x * mean)


@pytest.mark.parametrize("s", [1e-6, 0.56, 30.0])
@pytest.mark.parametrize("t", [1e-6, 0.47, 30.0])
def test_log_normal_spend_is_the_multivariate_normal_of_logs(s: float, t: float) -> None:
    orders = np.array([12.0, 3.0, 40.0, 7.5])
    logs = np.log(orders)
    squares = ((logs - logs.mean()) ** 2).sum()
    value = LOG_NORMAL.log_likelihood(np.array([20.0, s, t]), *np.array([[4.0], [logs.mean()], [squares]]))[0]
    with mpmath.workdps(60):
        covariance = mpmath.eye(4) * mpmath.mpf(s) ** 2 + mpmath.ones(4) * mpmath.mpf(t) ** 2
        away = mpmath.matrix([mpmath.log(mpmath.mpf(z)) - mpmath.log(20) for z in orders.tolist()])
        quadratic = (away.T * mpmath.inverse(covariance) * away)[0]
        exact = -(quadratic + mpmath.log(mpmath.det(2 * mpmath.pi * covariance))) / 2
        exact -= sum(mpmath.log(mpmath.mpf(z)) for z in orders.tolist())
        assert abs(value - exact) <= 1e-8 * max(1.0, abs(exact))


def test_expected_log_normal_spend_is_an_integral_over_the_posterior() -> None:
    orders, theta = np.array([12.0, 3.0, 40.0]), np.array([20.0, 0.6, 0.5])
    mu = np.linspace(-3.0, 9.0, 40_001)
    posterior = stats.norm(np.log(20.0), 0.5).pdf(mu)
    posterior *= np.prod([stats.norm(mu, 0.6).pdf(np.log(order)) for order in orders], axis=0)
    expected = (posterior * np.exp(mu + 0.18)).sum() / posterior.sum()
    value = LOG_NORMAL.expected_spend(theta, np.array([3.0]), np.log(orders).mean(keepdims=True))[0]
    assert value == pytest.approx(expected, rel=1e-10)


def test_models_of_spend_are_compared_on_orders(rfm: Histories) -> None:
    fits = [clv.GammaGamma().fit(rfm), clv.GammaGamma(orders="all").fit(rfm), clv.LogNormalSpend().fit(rfm)]
    table = clv.compare(fits, rfm)
    assert table["aic"].idxmin() == "Log-normal spend"
    p, q, v = fits[0].estimate
    with mpmath.workdps(30):
        known = rfm.frequency > 0
        columns = (rfm.frequency[known], rfm.monetary_value[known], rfm.statistic("log_mean")[known])
        total = sum(gamma_gamma_in_full(p, q, v, *history) for history in zip(*columns, strict=True))
    assert table.loc["Gamma-Gamma", "log_likelihood"] == pytest.approx(float(total), rel=1e-10)
    with pytest.raises(FitError, match="compared on orders, which takes the histories"):
        clv.compare(fits)
    assert clv.compare([fits[0]])["log_likelihood"].iloc[0] == fits[0].log_likelihood


def test_histories_without_single_orders_say_what_to_write(rfm: Histories) -> None:
    plain = Histories.from_frame(rfm.to_frame(), unit="week")
    for estimator in (clv.GammaGamma(orders="all"), clv.LogNormalSpend(), clv.LogNormalSpend(first_order="use")):
        with pytest.raises(FitError, match=r"needs the values of single orders, .* rfm_summary"):
            estimator.fit(plain)
    with pytest.raises(FitError, match="needs the values of single orders"):
        clv.LogNormalSpend().fit(rfm).expected_spend(plain)
    on_orders = clv.GammaGamma(orders="all").fit(rfm)
    pd.testing.assert_frame_equal(on_orders.expected_spend(plain), on_orders.expected_spend(rfm))
    assert best_spend_model(plain) is SPEND_MODELS["gamma_gamma"]


def simulated(generator: np.random.Generator, *, scale: float, alike: bool = True, gamma: bool = False) -> Histories:
    """3,000 customers; first orders `scale` times as large as later ones, like these of the customer or not."""
    mu = generator.normal(3.0, 0.5, 3_000)
    others = mu if alike else generator.permutation(mu)
    rows = []
    for week in range(6):
        chosen = np.arange(3_000) if week == 0 else np.flatnonzero(generator.random(3_000) < 0.25)
        centre = others if week == 0 else mu
        noise = np.log(generator.gamma(4.0, 0.25, len(chosen))) if gamma else generator.normal(0.0, 0.5, len(chosen))
        amount = np.exp(centre[chosen] + noise) * (scale if week == 0 else 1.0)
        day = pd.Timestamp("2024-01-01") + pd.Timedelta(weeks=week)
        rows.append(pd.DataFrame({"customer_id": chosen, "date": day, "amount": amount}))
    return clv.rfm_summary(pd.concat(rows), value="amount", unit="week", resolution="day", observation_end="2024-02-05")


@pytest.mark.parametrize(
    ("scale", "alike", "belong"), [(1.0, True, True), (1.05, True, True), (1.5, True, False), (1.0, False, False)]
)
def test_first_orders_are_used_where_they_are_like_the_later_ones(scale: float, *, alike: bool, belong: bool) -> None:
    histories = simulated(np.random.default_rng(3), scale=scale, alike=alike)
    for family in SPEND_FAMILIES:
        answer = first_orders(family, histories)
        assert answer.belong is belong
        if alike:
            assert answer.scale == pytest.approx(scale, rel=0.06)
    chosen = clv.LogNormalSpend(first_order="auto").fit(histories).model
    assert chosen.key == ("log_normal_first" if belong else "log_normal")


def test_a_scale_within_ten_per_cent_is_rejected_as_seldom_as_it_should_be() -> None:
    rejected = [
        first_orders(SPEND_FAMILIES[1], simulated(np.random.default_rng(seed), scale=np.exp(0.1))).p_value < 0.05
        for seed in range(10)
    ]
    assert sum(rejected) <= 2


@pytest.mark.parametrize("gamma", [False, True])
def test_the_likelihood_of_orders_chooses(*, gamma: bool) -> None:
    histories = simulated(np.random.default_rng(8), scale=1.0, gamma=gamma)
    family = SPEND_FAMILIES[0 if gamma else 1]
    assert best_spend_model(histories) is family.first


def test_first_orders_tell_of_customers_who_bought_once(rfm: Histories) -> None:
    fit = clv.GammaGamma(orders="all", first_order="auto").fit(rfm)
    once = rfm.frequency == 0
    first = rfm.attributes["first_value"].to_numpy()[once]
    p, q, v = fit.estimate
    expected = np.where(first > 0.0, p * (v + first) / (p + q - 1.0), p * v / (q - 1.0))  # a free one tells nothing
    np.testing.assert_allclose(fit.expected_spend(rfm)["mean"].to_numpy()[once], expected, rtol=1e-12)


def test_free_orders_count_in_expectations_of_the_model_chosen(log: pd.DataFrame) -> None:
    free = log.assign(amount=np.where(np.arange(len(log)) % 10 == 0, 0.0, log["amount"]))
    histories = clv.rfm_summary(free, value="amount", unit="week", resolution="day", observation_end=TRAIN_END)
    assert best_spend_model(histories) is GAMMA_GAMMA_ORDERS
    fit = clv.GammaGamma(orders="all").fit(histories)
    p, q, v = fit.estimate
    known = (histories.frequency > 0.0) & (histories.monetary_value >= 0.0)
    x, mean = histories.frequency[known], histories.monetary_value[known]
    expected = p * (v + x * mean) / (p * x + q - 1.0)
    np.testing.assert_allclose(fit.expected_spend(histories)["mean"].to_numpy()[known], expected, rtol=1e-12)


def test_in_an_engine_the_same_model_is_chosen_and_gives_the_same_value(
    log: pd.DataFrame, rfm: Histories, tmp_path: Path
) -> None:
    log.to_parquet(tmp_path / "log.parquet", index=False)
    there = clv.rfm_summary(
        tmp_path / "log.parquet", value="amount", unit="week", resolution="day", observation_end=TRAIN_END
    )
    assert not there.in_memory
    assert best_spend_model(there) is best_spend_model(rfm)
    transactions, assumptions = clv.BGNBD().fit(rfm), clv.Assumptions(discount_rate=0.1, margin=0.3)
    for estimator in (clv.GammaGamma(orders="all"), clv.LogNormalSpend(first_order="use")):
        here = clv.value(transactions, estimator.fit(rfm), rfm, assumptions)
        in_engine = clv.value(transactions, estimator.fit(there), there, assumptions)
        assert in_engine.equity == pytest.approx(here.equity, rel=1e-9)
    with pytest.raises(FitError, match=r"not linear in the mean value .* write rfm.collect\(\)"):
        clv.LogNormalSpend().fit(there).expected_spend(there, as_table=True)


def test_segments_have_log_normal_spend_of_their_own(rfm: Histories) -> None:
    group = pd.DataFrame({"region": np.where(np.arange(len(rfm)) % 2, "north", "south")}, index=rfm.customer_id)
    fit = clv.LogNormalSpend().fit(rfm.with_attributes(group), by="region")
    pooled = clv.LogNormalSpend().fit(rfm)
    for name in ("north", "south"):  # drawn at random: next to the whole
        np.testing.assert_allclose(fit.segment(name).estimate, pooled.estimate, rtol=0.1)


def test_draws_are_worth_what_is_expected_with_the_spread_of_single_orders(rfm: Histories) -> None:
    transactions, assumptions = clv.BGNBD().fit(rfm), clv.Assumptions(discount_rate=0.1, margin=0.3)
    for estimator in (clv.GammaGamma(orders="all", first_order="use"), clv.LogNormalSpend(first_order="use")):
        book = clv.value(transactions, estimator.fit(rfm), rfm, assumptions)
        interval = book.interval(0.9)
        assert interval.low < book.equity < interval.high


def gini(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Area between the curve of actual revenue, by falling prediction, and the diagonal, over that of the best."""

    def area(by: np.ndarray) -> float:
        cumulated = np.cumsum(actual[np.argsort(-by, kind="stable")]) / actual.sum()
        return float(cumulated.mean() - (len(actual) + 1) / (2 * len(actual)))

    return area(predicted) / area(actual)


def test_first_orders_rank_the_holdout_revenue_of_the_whole_cohort() -> None:
    """23,570 customers, 39 weeks each way: .685 by means of repeat orders, which know nothing of who bought once."""
    whole = clv.datasets.load_cdnow()
    rfm, holdout = clv.rfm_train_test_split(whole, value="amount", resolution="day", train_end=TRAIN_END)
    purchases = clv.ParetoNBD().fit(rfm).expected_purchases(rfm, "39 weeks")["mean"].to_numpy()
    ranked = {
        name: gini(purchases * estimator.fit(rfm).expected_spend(rfm)["mean"].to_numpy(), holdout.revenue)
        for name, estimator in {
            "means": clv.GammaGamma(),
            "orders": clv.GammaGamma(orders="all", first_order="auto"),
            "auto": BestSpend(),
        }.items()
    }
    assert ranked == pytest.approx({"means": 0.6845, "orders": 0.7172, "auto": 0.7172}, abs=5e-4)
    assert ranked["auto"] >= 0.715
    assert BestSpend().fit(rfm).model.key == "gamma_gamma_first"  # log-normal spend is likelier, and predicts worse
    likelier = [clv.LogNormalSpend().fit(rfm), clv.GammaGamma(orders="all").fit(rfm)]
    assert likelier[0].log_likelihood > likelier[1].log_likelihood
