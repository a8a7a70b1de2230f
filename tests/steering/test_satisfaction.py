"""Satisfaction is found as it acts, though scores have errors and the satisfied answer more often."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitError

ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
DELTA = np.log(1.15) / 52.0
RATE, STAY = 0.2, 0.5
"""By how much a point raises the log of the purchase rate, and lowers that of leaving."""


def world(n, seed, reliability=0.6):
    """Return histories, scores of two surveys, who answers, and what a point more is worth in truth."""
    g = np.random.default_rng(seed)
    s = g.normal(size=n)
    rate = g.gamma(0.553, 1.0 / 10.578, n) * np.exp(RATE * s)
    leave = g.gamma(0.606, 1.0 / 11.669, n) * np.exp(-STAY * s)
    lifetime, T = g.exponential(1.0, n) / leave, 104.0 - g.uniform(0.0, 26.0, n)
    span = np.minimum(lifetime, T)
    who = np.repeat(np.arange(n), g.poisson(rate * span))
    age, recency = g.random(len(who)) * span[who], np.zeros(n)
    np.maximum.at(recency, who, age)
    table = pd.DataFrame({"customer_id": np.arange(n), "frequency": np.bincount(who, minlength=n)})
    table = table.assign(recency=recency, T=T, monetary_value=np.where(table["frequency"] > 0, 35.0, np.nan))
    error = np.sqrt(1.0 / reliability - 1.0)
    scores = 7.0 + s + error * g.normal(size=(2, n))
    answers = g.random(n) < 1.0 / (1.0 + np.exp(-(0.4 + 0.6 * s)))
    worth = 0.3 * 35.0 * np.where(lifetime > T, rate / (leave + DELTA), 0.0)
    truth = float((worth * (RATE + STAY * leave / (leave + DELTA))).sum())
    return clv.Histories.from_frame(table, unit="week", observation_end="2024-12-31"), scores, answers, truth


def survey(scores, customers):
    return pd.DataFrame({"customer_id": customers, "time": "2024-06-01", "score": scores[customers]})


@pytest.fixture(scope="module")
def company():
    return world(8_000, seed=3)


def test_calibrated_scores_find_the_effect_and_raw_ones_two_thirds_of_it_at_most(company):
    rfm, scores, _, truth = company
    everyone = survey(scores[0], np.arange(len(rfm)))
    calibrated, raw = (clv.satisfaction(rfm, everyone, reliability=each) for each in (0.6, 1.0))
    table = calibrated.coefficients
    for process, true in (("purchase", RATE), ("dropout", -STAY)):
        estimate, sd = table.loc[(process, "satisfaction"), ["estimate", "sd"]]
        assert abs(estimate - true) < 2.0 * sd
        assert raw.coefficients.loc[(process, "satisfaction"), "estimate"] / true <= 0.7
    effect, too_small = (each.effect(35.0, ASSUMPTIONS) for each in (calibrated, raw))
    assert abs(effect.per_point - truth) < 2.0 * effect.sd
    assert too_small.per_point <= 0.7 * truth
    assert effect.low < truth < effect.high
    assert too_small.per_point == pytest.approx(0.6 * effect.per_point, rel=1e-3)
    assert "association" in str(effect)


def test_who_has_not_answered_is_a_level_of_their_own(company):
    rfm, scores, answers, _ = company
    result = clv.satisfaction(rfm, survey(scores[0], np.flatnonzero(answers)), reliability=0.6)
    assert result.response == pytest.approx(answers.mean())
    table = result.coefficients
    assert set(table.index.get_level_values("term")) == {"satisfaction", "answered"}
    assert table.loc[("dropout", "answered"), "estimate"] < 0.0  # those who answer are more satisfied
    for process, true in (("purchase", RATE), ("dropout", -STAY)):
        estimate, sd = table.loc[(process, "satisfaction"), ["estimate", "sd"]]
        assert abs(estimate - true) < 2.5 * sd
    silent = result.histories.attributes.loc[~answers]
    assert (silent[["satisfaction", "answered"]] == 0.0).all(axis=None)


def test_the_reliability_comes_of_repeated_answers(company):
    rfm, scores, answers, _ = company
    twice = np.flatnonzero(answers)[:3_000]
    both = pd.concat([survey(scores[0], np.flatnonzero(answers)), survey(scores[1], twice)])
    result = clv.satisfaction(rfm, both, model="bg_nbd")
    assert result.reliability == pytest.approx(0.6, abs=0.035)
    expected = result.histories.attributes["satisfaction"]
    customer = np.flatnonzero(answers)[3_500]
    rest = np.flatnonzero(answers)[3_000:]
    slope = np.diff(expected[rest[:2]])[0] / np.diff(scores[0][rest[:2]])[0]
    assert slope == pytest.approx(result.reliability)
    mean = scores[:, twice].mean(axis=0)
    of_two = np.diff(expected[twice[:2]])[0] / np.diff(mean[:2])[0]
    assert of_two == pytest.approx(2.0 * result.reliability / (1.0 + result.reliability))
    assert expected[customer] != 0.0


def test_surveys_that_say_too_little_are_refused(company):
    rfm, scores, _, _ = company
    hundred = survey(scores[0], np.arange(100))
    with pytest.raises(DataError, match="30 customers or more with two answers, got 0"):
        clv.satisfaction(rfm, hundred)
    with pytest.raises(DataError, match="different scores"):
        clv.satisfaction(rfm, hundred.assign(score=7.0), reliability=0.6)
    with pytest.raises(DataError, match="0 answers"):
        clv.satisfaction(rfm, hundred.assign(time="2025-06-01"), reliability=0.6)
    with pytest.raises(DataError, match="no column 'score'"):
        clv.satisfaction(rfm, hundred.drop(columns="score"), reliability=0.6)
    with pytest.raises(DataError, match="score is missing in 1 row"):
        clv.satisfaction(rfm, hundred.assign(score=[np.nan, *scores[0, :99]]), reliability=0.6)
    with pytest.raises(FitError, match="above 0 and up to 1"):
        clv.satisfaction(rfm, hundred, reliability=0.0)
    with pytest.raises(FitError, match="model"):
        clv.satisfaction(rfm, hundred, reliability=0.6, model="gamma_gamma")
    rng = np.random.default_rng(1)
    noise = pd.concat([hundred, hundred]).assign(score=rng.permutation(np.tile([1.0, 9.0], 100)))
    noise.loc[:, "score"] = np.concatenate([np.tile([1.0, 9.0], 50), np.tile([9.0, 1.0], 50)])
    with pytest.raises(DataError, match="the scores say nothing"):
        clv.satisfaction(rfm, noise)
