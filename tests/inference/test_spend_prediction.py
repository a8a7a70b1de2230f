"""Which model of spend predicts better: deviances computed customer by customer, and how often chance decides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.inference import spend_choice
from clvmodels.inference.spend_choice import best_spend_model
from clvmodels.inference.spend_prediction import predictive_gain
from clvmodels.models.registry import SPEND_FAMILIES

GAMMA_GAMMA, LOG_NORMAL = SPEND_FAMILIES
START = pd.Timestamp("2024-01-01")


def histories_of(amounts: list[np.ndarray]) -> Histories:
    """Customers with these orders, a week apart."""
    rows = [
        {"customer_id": customer, "date": START + pd.Timedelta(weeks=week), "amount": amount}
        for customer, orders in enumerate(amounts)
        for week, amount in enumerate(orders)
    ]
    return clv.rfm_summary(pd.DataFrame(rows), value="amount", unit="week", resolution="day")


def drawn(seed: int, customers: int, *, gamma: bool) -> list[np.ndarray]:
    """Orders of customers around their own log-normal or inverse-gamma means."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 6, customers)
    if gamma:
        rates = generator.gamma(3.0, 1.0 / 60.0, customers)
        return [generator.gamma(2.0, 1.0 / rate, count) for rate, count in zip(rates, counts, strict=True)]
    centres = generator.normal(3.0, 0.6, customers)
    return [np.exp(generator.normal(mu, 0.7, count)) for mu, count in zip(centres, counts, strict=True)]


def test_the_gain_is_that_of_deviances_computed_customer_by_customer() -> None:
    amounts = drawn(1, 200, gamma=False)
    histories = histories_of(amounts)
    p, q, v = clv.GammaGamma(orders="all", first_order="use").fit(histories).estimate
    median, s, t = clv.LogNormalSpend(first_order="use").fit(histories).estimate

    def gamma_gamma(orders: np.ndarray) -> float:
        return float(p * (v + orders.sum()) / (p * len(orders) + q - 1.0))

    def log_normal(orders: np.ndarray) -> float:
        variance = 1.0 / (1.0 / t**2 + len(orders) / s**2)
        centre = variance * (np.log(median) / t**2 + np.log(orders).sum() / s**2)
        return float(np.exp(centre + variance / 2.0 + s**2 / 2.0))

    gains = []
    for orders in amounts:
        if len(orders) < 2:
            continue
        first, repeats = orders[:1], orders[1:]
        score = {}
        for expectation in (gamma_gamma, log_normal):
            ratios = np.array([repeats.mean() / expectation(first), first[0] / expectation(repeats)])
            score[expectation] = float(-2.0 * (stats.gamma.logpdf(ratios, 1.0) + np.log(ratios) + 1.0).sum())
        gains.append(score[gamma_gamma] - score[log_normal])
    answer = predictive_gain(LOG_NORMAL, GAMMA_GAMMA, histories)
    assert answer.customers == len(gains)
    assert answer.mean == pytest.approx(np.mean(gains), rel=1e-4)
    assert answer.se == pytest.approx(stats.sem(gains), rel=1e-4)
    assert answer.p_value == pytest.approx(stats.ttest_1samp(gains, 0.0, alternative="greater").pvalue, abs=5e-3)
    assert predictive_gain(GAMMA_GAMMA, LOG_NORMAL, histories).mean == pytest.approx(-answer.mean, rel=1e-9)


def test_the_true_model_predicts_better() -> None:
    gain = predictive_gain(LOG_NORMAL, GAMMA_GAMMA, histories_of(drawn(2, 3_000, gamma=False)))
    assert gain.better
    gain = predictive_gain(GAMMA_GAMMA, LOG_NORMAL, histories_of(drawn(2, 3_000, gamma=True)))
    assert gain.better


@pytest.mark.parametrize("gamma", [False, True])
def test_the_true_model_is_chosen_and_seldom_given_up_for_its_predictions(*, gamma: bool) -> None:
    true = GAMMA_GAMMA if gamma else LOG_NORMAL
    chosen = [best_spend_model(histories_of(drawn(seed, 300, gamma=gamma))) for seed in range(8)]
    assert sum(model in true.members for model in chosen) >= 7


def test_of_many_customers_evenly_spaced_ones_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third customer's orders come from one model, all others' from the other: the third decide."""
    of_third, others = (iter(drawn(5, 900, gamma=gamma)) for gamma in (True, False))
    histories = histories_of([next(of_third if customer % 3 == 0 else others) for customer in range(901)])
    assert best_spend_model(histories) in LOG_NORMAL.members
    monkeypatch.setattr(spend_choice, "MOST", 301)
    assert best_spend_model(histories) in GAMMA_GAMMA.members


def test_without_repeat_orders_no_model_predicts_better() -> None:
    histories = histories_of(drawn(1, 50, gamma=False))
    gain = predictive_gain(GAMMA_GAMMA, LOG_NORMAL, histories.select(histories.frequency == 0))
    assert gain.customers == 0
    assert not gain.better
