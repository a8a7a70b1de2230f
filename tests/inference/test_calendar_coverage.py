"""Season and trend are recovered where customers start at all times, and intervals hold the truth as often as they say.

Each purchase is a draw of a Poisson process whose speed is written down by day, by hand; customers leave at purchases
(BG/NBD) or in time (Pareto/NBD).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv

FIRST, DAYS = pd.Timestamp("2021-01-01"), 3 * 365
END = FIRST + pd.Timedelta(days=DAYS - 1)
GAMMA = {"high_season": 0.7, "trend": -0.3}
SHAPE, SCALE = 0.9, 6.0
"""Of the gamma distribution of purchase rates: the scale in weeks of the last year's mean speed."""
LEAVES_AT_PURCHASES, LEAVES_IN_TIME = (0.8, 3.0), (1.2, 60.0)
NORMAL_90 = 1.6448536269514722
MODELS = {"bg_nbd": clv.BGNBD, "pareto_nbd": clv.ParetoNBD}


def log_speed_by_day():
    """The high season lasts from 15 November to 31 December; the trend changes where quarters begin."""
    day = pd.date_range(FIRST, periods=DAYS)
    high = ((day.month == 12) | ((day.month == 11) & (day.day >= 15))).astype(float)
    quarters = (day.year - FIRST.year) + (day.quarter - 1) / 4.0
    log_speed = np.asarray(GAMMA["high_season"] * high + GAMMA["trend"] * quarters)
    return log_speed - np.log(np.exp(log_speed[-365:]).mean())


def log_of(key, customers, seed):
    """Return a log; customers start at all times but the last month."""
    generator = np.random.default_rng(seed)
    clock, day = np.append(0.0, np.cumsum(np.exp(log_speed_by_day()))), np.arange(DAYS + 1.0)
    start = generator.uniform(0.0, DAYS - 30.0, customers)
    rate = generator.gamma(SHAPE, 1.0 / (7.0 * SCALE), customers)
    leaves, until = generator.beta(*LEAVES_AT_PURCHASES, customers), np.full(customers, float(DAYS))
    if key == "pareto_nbd":
        shape, scale = LEAVES_IN_TIME
        leaves = np.zeros(customers)
        until = np.minimum(start + generator.exponential(7.0 / generator.gamma(shape, 1.0 / scale, customers)), until)
    who, shown, stop = np.arange(customers), np.interp(start, day, clock), np.interp(until, day, clock)
    owners, times = [who], [start]
    while len(who):
        shown = shown + generator.exponential(1.0 / rate[who])
        who, shown = who[shown < stop[who]], shown[shown < stop[who]]
        owners.append(who)
        times.append(np.interp(shown, clock, day))
        stays = generator.random(len(who)) >= leaves[who]
        who, shown = who[stays], shown[stays]
    date = FIRST + pd.to_timedelta(np.concatenate(times), unit="D")
    return pd.DataFrame({"customer_id": np.concatenate(owners), "date": date})


def scores(key, repetitions, customers):
    """Return by how many standard errors the effects are missed, shape (repetitions, effects), and these errors."""
    calendar = clv.Calendar.seasons({"high_season": ("11-15", "12-31")}) + clv.Calendar.trend("quarter")
    missed, errors = [], []
    for seed in range(repetitions):
        histories = clv.rfm_summary(log_of(key, customers, seed), unit="week", observation_end=END)
        table = MODELS[key](calendar=calendar).fit(histories).coefficients.loc["purchase"].loc[list(GAMMA)]
        missed.append((table["estimate"] - list(GAMMA.values())) / table["sd"])
        errors.append(table["sd"])
    return np.array(missed), np.array(errors)


def bias_in_errors(missed):
    """Return the mean of what was missed, in its own standard errors."""
    return missed.mean(axis=0) * np.sqrt(len(missed))


@pytest.mark.parametrize("key", MODELS)
def test_season_and_trend_are_recovered_in_ten_logs(key):
    """90 % of ten, less three binomial standard errors, is six."""
    missed, errors = scores(key, 10, 1_200)
    assert (np.abs(bias_in_errors(missed)) < 4.0).all(), missed
    assert ((np.abs(missed) < NORMAL_90).sum(axis=0) > 6).all(), missed
    assert (errors.mean(axis=0) < [0.04, 0.03]).all(), errors


@pytest.mark.slow  # 350 s for both on two busy cores
@pytest.mark.parametrize("key", MODELS)
def test_intervals_of_90_percent_hold_season_and_trend_in_90_percent_of_200_logs(key):
    missed, _ = scores(key, 200, 2_000)
    covered = (np.abs(missed) < NORMAL_90).mean(axis=0)
    assert (np.abs(bias_in_errors(missed)) < 4.0).all(), missed.mean(axis=0)
    assert ((covered >= 0.85) & (covered <= 0.95)).all(), covered
