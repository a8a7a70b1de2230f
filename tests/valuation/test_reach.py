"""How far figures can be trusted: reports of logs made up from stories, against what their customers brought later.

Right stories are those of the three models, with logs of half a year to three years and dropout from none to strong.
Wrong stories are such as no model knows. All reports take the default path: three models averaged, their posteriors.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.valuation.uncertainty import Interval
from tests.valuation.stories import DISCOUNT, Base, Leaves, Story, after_purchases, at_random, simulated

ASSUMPTIONS = clv.Assumptions(discount_rate=DISCOUNT, margin=1.0)
FORMAT = clv.LogFormat(value="amount", unit="week", resolution="day")
YEARS = (0.5, 1.0, 2.0, 3.0)
CHANCES = (0.0, 0.02, 0.06, 0.2)
MODELS = ("Pareto/NBD", "BG/NBD", "MBG/NBD")
LEAVES: tuple[tuple[Leaves, ...], ...] = (
    tuple(at_random(life, 1.0) for life in (np.inf, 8.0, 3.0, 1.0)),
    tuple(after_purchases(chance, 3.0, first=False) for chance in CHANCES),
    tuple(after_purchases(chance, 3.0, first=True) for chance in CHANCES),
)
"""Of each model: from none to strong."""


@dataclass(frozen=True)
class Reported:
    """What a report says of a base, and what came."""

    years: float
    support: clv.valuation.Support
    within: float
    brought: float
    true_model: Interval | None = None

    @property
    def widened(self) -> float:
        """By how much the averaged interval of the value within the span is wider than the true model's."""
        averaged, alone = self.support.interval_within, self.true_model
        assert alone is not None
        return (averaged.high - averaged.low) / (alone.high - alone.low) - 1.0

    @property
    def covered(self) -> tuple[bool, bool]:
        """Whether the intervals of the value within the span, and of all of it, hold what came."""
        within, whole = self.support.interval_within, self.support.interval
        return within.low <= self.within <= within.high, whole.low <= self.brought <= whole.high

    @property
    def far_off(self) -> bool:
        """Whether the figure is off by more than a factor of two."""
        return abs(np.log(self.support.equity / self.brought)) > np.log(2.0)


def right_stories(number: int, customers: tuple[int, int]) -> Iterator[tuple[float, str, Base]]:
    """Yield the years of each log, the name of the model whose story it is, and the base."""
    for k in range(number):
        generator = np.random.default_rng([7, k])
        years, leaves = YEARS[k % 4], LEAVES[(k // 4) % 3][(k // 12 + k) % 4]
        rate, cv = generator.uniform(4.0, 15.0), generator.uniform(0.7, 1.3)
        yield (
            years,
            MODELS[(k // 4) % 3],
            simulated(Story(int(generator.integers(*customers)), years, rate, cv, leaves), k),
        )


def reported(base: Base, years: float, true_model: str | None = None) -> Reported:
    """Return the report of a base at the end of its log; with the name of the true model, also what that one says."""
    closing = (base.end - pd.Timedelta(days=1)).date().isoformat()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = clv.report(
            base.log, log_format=FORMAT, assumptions=ASSUMPTIONS, closings=closing, draws=200, progress=False
        )
        support = report.support
        assert support is not None
        alone = [each for each in report.book.by_model if each.transactions.model.name == true_model]
        interval = alone[0].support.interval_within if alone else None
    return Reported(years, support, base.brought(support.span), base.brought(), interval)


def band(share: float, number: int) -> float:
    """Three standard errors of a share of so many."""
    return 3.0 * float(np.sqrt(share * (1.0 - share) / number))


def judged(reports: list[Reported]) -> tuple[float, float, int, float]:
    """Return both coverages, how many far off are called supported, and the share wrongly not supported."""
    within, whole = np.mean([each.covered for each in reports], axis=0)
    wrong = sum(each.support.verdict == "supported" and each.far_off for each in reports)
    long = [each for each in reports if each.years >= 2.0 and not each.far_off]
    refused = np.mean([each.support.verdict == "not supported" for each in long])
    return float(within), float(whole), wrong, float(refused)


def test_intervals_hold_what_came_and_verdicts_do_not_mislead():
    """Twelve bases: coverage within three binomial standard errors."""
    reports = [reported(base, years) for years, _, base in right_stories(12, (150, 350))]
    within, whole, wrong, refused = judged(reports)
    assert within >= 0.9 - band(0.9, 12)
    assert whole >= 0.85 - band(0.85, 12)
    assert wrong <= 1
    assert refused <= 0.25 + band(0.25, 6)


@pytest.mark.slow  # some 1,800 s
def test_two_hundred_bases():
    reports = [
        reported(base, years, model if k % 4 == k // 4 % 4 else None)
        for k, (years, model, base) in enumerate(right_stories(200, (300, 700)))
    ]
    within, whole, wrong, refused = judged(reports)
    figures = f"within {within:.3f}, whole {whole:.3f}, far off yet supported {wrong}, refused {refused:.3f}"
    assert 0.85 <= within <= 0.95, figures
    assert whole >= 0.85, figures
    assert wrong <= 1, figures
    assert refused <= 0.25, figures
    assert np.mean([each.widened for each in reports if each.true_model is not None]) <= 0.1


def gone_after(years: float) -> Leaves:
    """All leave at the same age."""
    return lambda _, rate: (np.full(len(rate), years), np.full(len(rate), np.inf))


def wearing_out(shape: float, mean: float) -> Leaves:
    """Lives are Weibull: the older, the more leave."""

    def leaves(generator: np.random.Generator, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return mean * generator.weibull(shape, len(rate)), np.full(len(rate), np.inf)

    return leaves


def half_never(life: float) -> Leaves:
    """Half never leave, the others at an exponential moment."""

    def leaves(generator: np.random.Generator, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        stays = generator.random(len(rate)) < 0.5
        return np.where(stays, np.inf, generator.exponential(life, len(rate))), np.full(len(rate), np.inf)

    return leaves


WRONG = {
    "all leave after 78 weeks": (gone_after(1.5), 1.0),
    "Weibull lives": (wearing_out(3.0, 1.5), 1.0),
    "the rate falls by 40 % a year": (at_random(np.inf, 1.0), 0.6),
    "half never leave": (half_never(0.7), 1.0),
}


@pytest.mark.slow  # some 500 s
def test_wrong_stories_are_seldom_supported():
    """Two years, twelve bases of each story, pooled."""
    below = {}
    for name, (leaves, fades) in WRONG.items():
        verdicts = []
        for seed in range(12):
            generator = np.random.default_rng([11, seed])
            story = Story(int(generator.integers(300, 700)), 2.0, generator.uniform(6.0, 15.0), 1.0, leaves, fades)
            verdicts.append(reported(simulated(story, 1000 + seed), 2.0).support.verdict)
        below[name] = float(np.mean([verdict != "supported" for verdict in verdicts]))
    assert np.mean(list(below.values())) >= 0.65, below
