"""Kernels, history by history, where parameters and histories are extreme: as exact as the models' own terms."""

from __future__ import annotations

import numpy as np
import pytest

from clvmodels.models import MODELS
from clvmodels.models.registry import SPEND_VARIANTS, TRANSACTION_MODELS

KNOWN = MODELS | {"gamma_gamma_orders": SPEND_VARIANTS["gamma_gamma_orders"]}
POINTS, HISTORIES = 60, 30


def extreme(model, generator):
    """Parameters from 0.001 to 1,000, and histories of up to 100,000 purchases; recency zero, next to zero, and T."""
    theta = model.lower + 10.0 ** generator.uniform(-3.0, 3.0, len(model.names))
    x = np.sort(np.floor(10.0 ** generator.uniform(0.0, 5.0, HISTORIES)) * (generator.random(HISTORIES) < 0.8))
    if model.key not in TRANSACTION_MODELS:
        mean, squares = 10.0 ** generator.uniform(-2.0, 3.0, HISTORIES), 10.0 ** generator.uniform(-3.0, 2.0, HISTORIES)
        known = {"x": np.maximum(x, 1.0), "mean": mean, "log_mean": np.log(mean) - squares / 100.0, "log_ss": squares}
        known |= {"valued": known["x"], "valued_mean": mean}
        known |= {"known": known["x"], "known_mean": mean - 30.0, "known_ss": squares * mean**2}
        return theta, tuple(known[name] for name in model.statistics)
    T = 10.0 ** generator.uniform(-2.0, 4.0, HISTORIES)
    share = generator.choice([0.0, 1e-9, 0.3, 0.999, 1.0], HISTORIES)
    return theta, (x, np.where(x > 0, share * T, 0.0), T)


@pytest.mark.parametrize("key", KNOWN)
def test_each_history(key):
    model, generator = KNOWN[key], np.random.default_rng(7)
    for _ in range(POINTS):
        theta, columns = extreme(model, generator)
        values, gradients = model.history_terms(theta, *columns)
        for i in range(HISTORIES):
            history = [column[i : i + 1] for column in columns]
            value, gradient = model.kernel.compiled.history_sums(theta, np.ones(1), *history)
            assert value == pytest.approx(values[i], abs=1e-9, rel=1e-14)
            rounding = 1e-14 * (columns[0][i] + theta.sum()) / theta  # of the parts that a gradient is the sum of
            size = np.abs(gradients[i])
            assert (np.abs(gradient - gradients[i]) <= 1e-8 * (size + size.max()) + rounding).all()
