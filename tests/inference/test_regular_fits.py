"""Regular buyers, simulated wait by wait: k is recovered, predictions and books agree with what came."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.evaluation.regularity_check import regularity_of_purchases

NOW, LAST = 52.0, 78.0
SIZE = 4_000


def bought(k, size, until, seed):
    """Return times of repeat purchases by customer, and when customers left: gamma waits and a coin after each."""
    generator = np.random.default_rng(seed)
    rates, leaves = generator.gamma(3.0, 0.225, size), generator.beta(0.8, 6.0, size)
    times, left = [], np.full(size, np.inf)
    for i in range(size):
        own, time = [], 0.0
        while time <= until:
            if generator.random() < leaves[i]:
                left[i] = time
                break
            time += generator.gamma(k, 1.0 / rates[i])
            own.append(time)
        times.append(np.array(own))
    return times, left


def histories_of(times) -> Histories:
    past = [own[own <= NOW] for own in times]
    return Histories.from_frame(
        pd.DataFrame(
            {
                "customer_id": np.arange(len(past)),
                "frequency": [float(len(own)) for own in past],
                "recency": [own.max(initial=0.0) for own in past],
                "T": NOW,
                "sum_of_log_waits": [np.log(np.diff(own, prepend=0.0)).sum() for own in past],
            }
        ),
        unit="week",
        statistics={"sum_of_log_waits": "log_waits"},
    )


@pytest.fixture(scope="module")
def world():
    times, left = bought(2.5, SIZE, LAST, seed=11)
    came = np.array([((own > NOW) & (own <= LAST)).sum() for own in times])
    return histories_of(times), came, left > NOW


@pytest.fixture(scope="module")
def fits(world):
    return clv.MBGNBD().fit(world[0]), clv.MBGCNBDk().fit(world[0])


def test_k_is_recovered(fits):
    poisson, regular = fits
    assert abs(regular.regularity.k - 2.5) < 3.0 * regular.regularity.sd
    assert regular.regularity.sd < 0.1
    assert regular.log_likelihood > poisson.log_likelihood + 1_000.0


def test_the_holdout_is_predicted_better(fits, world):
    histories, came, _ = world
    errors = [np.abs(fit.expected_purchases(histories, "26 weeks")["mean"] - came).mean() for fit in fits]
    assert errors[1] < 0.96 * errors[0]


def test_the_silent_are_alive_as_often_as_predicted(fits, world):
    histories, _, alive = world
    silent = NOW - histories.statistic("t_x") > 8.0
    worst = []
    for fit in fits:
        p = fit.probability_alive(histories)["mean"].to_numpy()[silent]
        deciles = np.array_split(np.argsort(p, kind="stable"), 10)
        worst.append(max(abs(p[rows].mean() - alive[silent][rows].mean()) for rows in deciles))
    assert worst[1] < 0.08
    assert worst[0] > 0.15


def test_a_file_keeps_how_regular_purchases_are(fits, world, tmp_path):
    fits[1].save(tmp_path / "fit.json")
    again = type(fits[1]).load(tmp_path / "fit.json")
    assert again.regularity == fits[1].regularity
    assert again.model is fits[1].model
    np.testing.assert_array_equal(
        again.probability_alive(world[0])["mean"], fits[1].probability_alive(world[0])["mean"]
    )


def test_the_check_names_those_who_are_overdue(fits, world):
    histories, _, alive = world
    spend = clv.GammaGamma().from_params({"p": 6.0, "q": 4.0, "v": 15.0})
    finding = regularity_of_purchases(*fits, spend, histories)
    overdue = [fit.probability_alive(histories)["mean"].to_numpy() >= 0.5 for fit in fits]
    named = overdue[0] & ~overdue[1]
    assert finding.figures["overdue"] == named.sum() > 20
    assert alive[named].mean() < 0.5


def test_a_book_is_what_comes():
    """Discounted purchases of ten years, of customers whose parameters are known, k = 3."""
    times, _ = bought(3.0, 5_000, NOW + 520.0, seed=5)
    fit = clv.MBGCNBDk(k=3).from_params({"r": 3.0, "alpha": 1.0 / 0.225, "a": 0.8, "b": 6.0}, unit="week")
    assumptions = clv.Assumptions(discount_rate=0.1, margin=1.0, year="364 days", horizon="10 years")
    book = clv.value(fit, 1.0, histories_of(times), assumptions)
    came = np.array([(1.1 ** (-(own[(own > NOW) & (own <= NOW + 520.0)] - NOW) / 52.0)).sum() for own in times])
    difference = came - book.customers["rlv"].to_numpy()
    se = difference.std() / np.sqrt(len(difference))
    assert se < 0.03 * came.mean()
    assert abs(difference.mean()) < 3.0 * se


def test_a_posterior_of_parameters_covers_the_truth():
    truth = {"r": 3.0, "alpha": 4.44, "a": 0.8, "b": 6.0}
    histories = clv.MBGCNBDk(k=3).from_params(truth, unit="week").simulate(1_500, "52 weeks", seed=2)
    fit = clv.MBGCNBDk().fit(histories, method="posterior", draws=250, seed=1)
    assert fit.regularity is not None
    assert fit.model.key == clv.MBGCNBDk(k=3).model.key
    mean, sd = fit.theta.mean((0, 1)), fit.theta.std((0, 1))
    assert (np.abs(mean - list(truth.values())) < 3.0 * sd).all()
    assert (sd < 0.25 * mean).all()


def test_customers_who_leave_at_any_time():
    truth = {"r": 3.0, "alpha": 4.44, "s": 0.8, "beta": 30.0}
    histories = clv.ParetoCNBDk(k=3).from_params(truth, unit="week").simulate(500, "52 weeks", seed=2)
    fit = clv.ParetoCNBDk().fit(histories)
    assert abs(fit.regularity.k - 3.0) < 3.0 * fit.regularity.sd < 0.5
    assert fit.model.name == "Pareto/CNBD-3"
    assert fit.log_likelihood > clv.ParetoCNBDk(k=1).fit(histories).log_likelihood + 300.0
    book = clv.value(fit, 1.0, histories, clv.Assumptions(discount_rate=0.1, margin=1.0, horizon="1 year"))
    came = fit.expected_purchases(histories, "1 year")["mean"].sum()
    assert 0.9 < book.customers["rlv"].sum() / came < 1.0
