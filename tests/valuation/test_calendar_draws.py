"""Draws of a valuation on a calendar: made of a few of them, and with futures simulated in the clock's time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.inference.calendars import FittedCalendar
from clvmodels.inference.estimation import given
from clvmodels.inference.parameters import distinct_histories
from clvmodels.models.clocked import on_clock
from clvmodels.models.registry import MODELS
from clvmodels.valuation.discounting import discounting
from clvmodels.valuation.residual_expectations import few_draws

pytestmark = pytest.mark.filterwarnings("ignore:the spend of:clvmodels.errors.DataWarning")

BASES = {
    "bg_nbd": {"r": 0.6, "alpha": 8.0, "a": 0.8, "b": 3.0},
    "pareto_nbd": {"r": 0.55, "alpha": 8.0, "s": 0.9, "beta": 30.0},
}
CALENDAR = clv.Calendar.seasons({"high": ("10-15", "12-20"), "summer": ("07-01", "08-31")})
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
TERMS = clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.0, maintenance_cost=2.0, horizon="8 years")
DRAWS = 210


@pytest.fixture(scope="module", params=BASES)
def case(request):
    """Return a fit whose draws differ by a tenth in each parameter, and customers."""
    start = pd.Timestamp("2022-05-02")
    end = np.datetime64(start + pd.Timedelta(weeks=90), "us")
    calendar = FittedCalendar(CALENDAR, end)
    model = on_clock(MODELS[request.param], calendar.steps(end, 90.0, "week"), CALENDAR.columns)
    fit = replace(given(model, {**BASES[request.param], "high": 2.5, "summer": 0.6}, "week"), calendar=calendar)
    noise = np.random.default_rng(3).normal(size=(1, DRAWS, len(model.parameters)))
    drawn = replace(fit, theta=fit.estimate * np.exp(0.1 * noise))
    return drawn, fit.simulate(100, "90 weeks", seed=2, start=start)


def at(fit, draw):
    """Return the fit of one draw alone."""
    return replace(fit, theta=fit.theta[:, [draw]], estimate=fit.theta[0, draw])


def test_draws_made_of_a_few_are_those_of_each_alone(case):
    fit, histories = case
    here = fit.of_customers(histories)
    distinct, parameters = distinct_histories(here.model, here.parameters(histories), histories)
    few = few_draws(here.model, parameters, distinct, [discounting(TERMS, "week")])
    assert len(few.chosen) <= 100
    book = clv.value(fit, SPEND, histories, TERMS)
    draws = book.draws(process=False)
    others = np.setdiff1d(np.arange(DRAWS), few.chosen)[::50]
    alone = [clv.value(at(fit, draw), SPEND, histories, TERMS).equity for draw in others.tolist()]
    np.testing.assert_allclose(draws[others], alone, rtol=1e-4)
    assert book.equity == pytest.approx(draws.mean(), rel=1e-6)


def test_simulated_futures_have_the_expected_mean(case):
    fit, histories = case
    book = clv.value(fit, SPEND, histories, TERMS)
    by_chance = book.draws(process=True, seed=4) - book.draws(process=False)
    assert abs(by_chance.mean()) < 4.0 * by_chance.std() / np.sqrt(DRAWS)
