"""Scores find the model that the data came from, among all that we have.

Data are simulated by the stories in `stories.py`, with parameters under which the stories differ: customers who buy
often enough to show when they leave. Under the parameters of CDNOW, Pareto/NBD and MBG/NBD can hardly be told apart by
what customers do, whatever the score: their log scores differ by 1e-4 of themselves, either way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.evaluation.distributions import distributions
from tests.evaluation.stories import purchases

PARAMETERS = {
    "BG/NBD": {"r": 1.2, "alpha": 2.0, "a": 1.0, "b": 4.0},
    "MBG/NBD": {"r": 1.2, "alpha": 2.0, "a": 1.0, "b": 4.0},
    "Pareto/NBD": {"r": 1.2, "alpha": 2.0, "s": 1.5, "beta": 30.0},
}
WEEKS = 39.0


def simulated(model: str, customers: int, seed: int) -> tuple[clv.Histories, np.ndarray]:
    """Return histories of 39 weeks, and purchases in the 39 weeks after."""
    births = np.random.default_rng(seed).uniform(0.0, 12.0, customers)
    made = purchases(model, PARAMETERS[model], births, 2.0 * WEEKS, seed + 100)
    table = pd.DataFrame({"customer_id": made.customer, "time": made.time, "age": made.time - births[made.customer]})
    before = table[table["time"] <= WEEKS].groupby("customer_id")["age"].agg(["size", "max"])
    rfm = pd.DataFrame({"frequency": before["size"] - 1, "recency": before["max"], "T": WEEKS - births})
    after = table[table["time"] > WEEKS].groupby("customer_id").size().reindex(rfm.index, fill_value=0)
    return clv.Histories.from_frame(rfm.reset_index(), unit="week"), after.to_numpy(dtype=float)


def ranked(model: str, customers: int, seed: int) -> tuple[str, str]:
    """Return the models that the log score, and coverage as stated, put first."""
    rfm, after = simulated(model, customers, seed)
    log_score, miss = {}, {}
    for name, fit in fits(rfm):
        said = distributions(fit, rfm, WEEKS, after)
        log_score[name] = said.log_score.mean()
        miss[name] = abs(((said.low <= after) & (after <= said.high)).mean() - said.within.mean())
    return max(log_score, key=log_score.__getitem__), min(miss, key=miss.__getitem__)


@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")  # a wrong model may end at a boundary
def fits(rfm: clv.Histories) -> Iterator[tuple[str, clv.Fit]]:
    """Yield the fit of each model."""
    for estimator in (clv.BGNBD(), clv.MBGNBD(), clv.ParetoNBD()):
        yield estimator.model.name, estimator.fit(rfm)


@pytest.mark.parametrize("model", PARAMETERS)
def test_the_log_score_finds_the_model(model):
    assert ranked(model, 300, seed=1)[0] == model


@pytest.mark.slow
@pytest.mark.parametrize("model", PARAMETERS)
def test_the_true_model_is_ranked_first(model):
    firsts = np.array([[first == model for first in ranked(model, 10_000, seed)] for seed in range(10)])
    assert (firsts.sum(axis=0) >= 9).all(), f"log score and coverage put {model} first {firsts.sum(axis=0)} times of 10"
