"""Few draws that stand for all: exact where the rank is low, all draws where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from clvmodels.models import MODELS
from clvmodels.numerics.skeleton import Skeleton, skeleton


def test_a_matrix_of_low_rank_needs_as_many_draws():
    generator = np.random.default_rng(0)
    left, right = generator.random((300, 7)), generator.random((7, 400))
    few = skeleton(lambda rows: (left[rows] @ right)[..., None], 300, 400)
    assert len(few.chosen) == 7
    np.testing.assert_allclose(few.all_of((left @ right)[:, few.chosen]), left @ right, rtol=1e-9)
    np.testing.assert_allclose((left @ right)[:, few.chosen] @ few.mean, (left @ right).mean(axis=1), rtol=1e-9)


def test_noise_has_no_skeleton():
    values = np.random.default_rng(0).random((300, 400))
    few = skeleton(lambda rows: values[rows][..., None], 300, 400)
    assert few.complete
    np.testing.assert_array_equal(few.all_of(values), values)


def test_few_draws_are_taken_as_they_are():
    assert skeleton(lambda rows: np.ones((len(rows), 20, 1)), 100, 20).complete
    assert Skeleton.whole(3).mean.tolist() == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("key", ["bg_nbd", "pareto_nbd"])
def test_expected_purchases_under_all_draws_follow_from_few(key):
    """Parameters that scatter by 10 %: the chance to be alive and purchases of two years, of histories not sampled."""
    model, generator = MODELS[key], np.random.default_rng(1)
    theta = model.theta(model.example) * np.exp(0.1 * generator.standard_normal((500, 4)))
    x, T = generator.poisson(3.0, 200).astype(float), generator.uniform(20.0, 100.0, 200)
    t_x = np.where(x > 0.0, T * generator.uniform(0.7, 1.0, 200), 0.0)

    def values(rows):
        columns = (column[rows, None] for column in (x, t_x, T))
        x_, t_x_, T_ = columns
        alive = model.p_alive(theta, x_, t_x_, T_)
        return np.stack([alive, alive * model.expected_purchases(theta, x_, T_, np.array(104.0))], axis=-1)

    few = skeleton(values, 200, 500)
    assert len(few.chosen) <= 100
    every = values(np.arange(200))
    for kind in range(2):
        np.testing.assert_allclose(few.all_of(every[:, few.chosen, kind]), every[..., kind], rtol=1e-3)
        np.testing.assert_allclose(every[:, few.chosen, kind] @ few.mean, every[..., kind].mean(axis=1), rtol=1e-5)
