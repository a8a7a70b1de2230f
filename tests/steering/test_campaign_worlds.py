"""Campaigns with known effects: what is reported is right on average, and its intervals cover."""

from __future__ import annotations

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.steering.campaigns.adjusted_effect import adjusted_effects
from tests.steering.worlds import ASSUMPTIONS, PARETO, SPEND, UNTIL, WORLDS, World, evaluated, simulate


def errors(world: str, simulations: int, customers: int, *, fit: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the error of the effect on equity in each simulation, and whether the interval covers the mean truth."""
    effects, truths = [], []
    for seed in range(simulations):
        company = simulate(world, 5_000 + seed, customers)
        row = evaluated(company, WORLDS[world], fit=fit).table.loc["mail"]
        effects.append([row["equity_effect"], row["equity_low"], row["equity_high"]])
        truths.append(sum(company.truth))
    effect, low, high = np.array(effects).T
    truth = np.mean(truths)
    return effect - np.array(truths), (low <= truth) & (truth <= high)


@pytest.mark.parametrize("world", WORLDS)
def test_small_worlds(world: str) -> None:
    error, covered = errors(world, 10, 3_000, fit=False)
    assert abs(error.mean()) < 3.0 * error.std(ddof=1) / np.sqrt(10)
    assert covered.sum() >= 7


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_worlds(world: str) -> None:
    error, covered = errors(world, 200, 5_000, fit=True)
    print(world, error.mean(), error.std() / 200**0.5, covered.mean())  # noqa: T201
    assert abs(error.mean()) < 3.0 * error.std(ddof=1) / np.sqrt(200)
    assert 0.90 <= covered.mean() <= 0.985


def test_a_jump_of_responders_is_no_effect() -> None:
    """Without any effect, the rise in value of those who bought in the window books a gain; the design does not."""
    booked, ours = [], []
    fit, spend = clv.ParetoNBD().from_params(PARETO, unit="week"), clv.GammaGamma().from_params(SPEND)
    for seed in range(5):
        company = simulate("none", seed, 3_000)
        opening, during, closing = company.closings
        before, after = (clv.value(fit, spend, each, ASSUMPTIONS).rlv for each in (opening, closing))
        responders = (company.arm == 1) & (during.frequency > opening.frequency)
        booked.append((after - before)[responders].sum() / (company.arm == 1).sum())
        ours.append(evaluated(company, "one-off").table.loc["mail", "effect"])
    assert np.mean(booked) > 1.5
    assert abs(np.mean(ours)) < 3.0 * np.std(ours, ddof=1) / np.sqrt(5)


def test_a_wrong_mechanism_ruins_the_figure() -> None:
    """Orders pulled forward, called lasting, lose money that was never lost: the realised effect does not."""
    effects = np.array(
        [
            evaluated(simulate("pulled forward", seed, 3_000), "lasting").table.loc["mail", ["effect", "equity_effect"]]
            for seed in range(8)
        ],
        float,
    )
    assert effects[:, 1].mean() < -1.0
    assert abs(effects[:, 0].mean()) < 3.0 * effects[:, 0].std(ddof=1) / np.sqrt(8)


def randomised_again(company: World, times: int, seed: int) -> float:
    """Return how often an interval excludes zero, if arms are drawn anew and nothing happens."""
    outcomes = evaluated(company, "one-off").outcomes
    rng, alarms = np.random.default_rng(seed), 0
    for _ in range(times):
        arm = rng.permutation(outcomes.arm)
        result = adjusted_effects(outcomes.net, arm, 1, outcomes.covariates)
        alarms += int(abs(result.effect[0] / result.se[0]) > 1.959964)
    return alarms / times


def test_false_alarms() -> None:
    share = randomised_again(simulate("none", 1, 3_000), 1_500, seed=2)
    assert share == pytest.approx(0.05, abs=3.0 * np.sqrt(0.05 * 0.95 / 1_500))


def test_weekly_peeks_and_planned_looks() -> None:
    """Arms of the same customers drawn anew: peeking every week cries wolf, looks that were planned do not."""
    company = simulate("none", 3, 2_000)
    opening = company.histories(0.0)
    fit, spend = clv.ParetoNBD().from_params(PARETO, unit="week"), clv.GammaGamma().from_params(SPEND)
    book = clv.value(fit, spend, opening, ASSUMPTIONS)
    plan = clv.plan_campaign(
        book,
        "spring",
        arms={"holdout": 0.5, "mail": 0.5},
        window="4 weeks",
        until="26 weeks",
        looks=["6 weeks", "13 weeks", "20 weeks"],
    )
    orders = np.column_stack([company.histories(float(week)).frequency for week in range(1, int(UNTIL) + 1)])
    y = orders - opening.frequency[:, None]
    rng, peeks, looks, times = np.random.default_rng(6), 0, 0, 600
    planned = np.array(plan.looks, int) - 1
    for _ in range(times):
        z = np.abs(plain_z(y, rng.permutation(company.arm)))
        peeks += int((z > 1.96).any())
        looks += int((z[planned] > plan.critical_value).any())
    assert peeks / times > 0.15
    assert looks / times <= 0.065
    check = adjusted_effects(y[:, 25], company.arm, 1)
    assert plain_z(y, company.arm)[25] == pytest.approx(float(check.effect[0] / check.se[0]), rel=1e-9)


def plain_z(y: np.ndarray, arm: np.ndarray) -> np.ndarray:
    treated, held_out = y[arm == 1], y[arm == 0]
    se = np.sqrt(treated.var(axis=0, ddof=1) / len(treated) + held_out.var(axis=0, ddof=1) / len(held_out))
    return (treated.mean(axis=0) - held_out.mean(axis=0)) / se
