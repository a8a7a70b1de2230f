"""Single customers: intervals of what each will do hold as often as they state, by decile of what is expected of them.

Counts are discrete: where a customer buys nothing with a probability of .9, an exact 90 % interval covers more. So the
share covered is compared with what the predictive distribution states of the same intervals; and, randomised between
neighbouring counts, nine tenths must lie in the middle.
"""

from __future__ import annotations

import numpy as np
import pytest

import clvmodels as clv
from tests.valuation.stories import Story, after_purchases, at_random, simulated

DECILES = 10


def of_each(fit, training, weeks, most):
    """Return the cumulative predictive probabilities of up to `most` purchases, shape (customers, most + 1)."""
    pmf = [fit.probability_of_purchases(training, weeks, n)["mean"].to_numpy() for n in range(most + 1)]
    return np.cumsum(np.column_stack(pmf), axis=1)


def require_coverage(cumulative, expected, came):
    """Hold intervals to what they state, decile by decile."""
    generator, rows = np.random.default_rng(1), np.arange(len(came))
    low, high = ((cumulative < tail).sum(axis=1) for tail in (0.05, 0.95))
    below = np.where(low > 0, cumulative[rows, low - 1], 0.0)
    stated = cumulative[rows, np.minimum(high, cumulative.shape[1] - 1)] - below
    covered = (low <= came) & (came <= high)
    before = np.where(came > 0, cumulative[rows, came - 1], 0.0)
    place = before + generator.random(len(came)) * (cumulative[rows, came] - before)
    for decile in np.array_split(np.argsort(expected, kind="stable"), DECILES):
        share = stated[decile].mean()
        error = np.sqrt(share * (1.0 - share) / len(decile))
        assert abs(covered[decile].mean() - share) <= 3.0 * error + 0.02
        middle = (place[decile] > 0.05) & (place[decile] < 0.95)
        slack = 3.0 * np.sqrt(0.09 / len(decile))
        assert 0.86 - max(slack - 0.04, 0.0) <= middle.mean() <= 0.94 + max(slack - 0.04, 0.0)


def require_individuals(log, model, train_end, test_end=None):
    """Fit the model to the log up to a day, and hold its predictions of each customer to what came."""
    training, holdout = clv.rfm_train_test_split(
        log, unit="week", resolution="day", train_end=train_end, test_end=test_end
    )
    fit = model().fit(training)
    expected = fit.expected_purchases(training, holdout.duration)["mean"].to_numpy()
    came = holdout.frequency.astype(int)
    cumulative = of_each(fit, training, holdout.duration, int(1.5 * came.max()) + 10)
    assert (cumulative[:, -1] > 0.95).all()
    require_coverage(cumulative, expected, came)


def test_cdnow_in_all_deciles():
    require_individuals(clv.datasets.load_cdnow(sample=True), clv.ParetoNBD, "1997-09-30")


@pytest.mark.parametrize(
    ("model", "leaves"),
    [
        (clv.ParetoNBD, at_random(2.0, 1.0)),
        (clv.BGNBD, after_purchases(0.1, 3.0, first=False)),
        (clv.MBGNBD, after_purchases(0.1, 3.0, first=True)),
    ],
)
def test_simulated_customers_in_all_deciles(model, leaves):
    """Stories of the models, two years, the last half year held back."""
    base = simulated(Story(4000, 2.0, 5.0, 1.0, leaves), 1)
    require_individuals(base.log, model, "2021-06-30", "2021-12-30")
