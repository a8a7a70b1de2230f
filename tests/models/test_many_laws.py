"""Where nearly each customer has a law of their own, futures are compiled: when, and to the same figures."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from clvmodels.models import MODELS, derived
from clvmodels.models.derived import _for_many_laws
from clvmodels.numerics.kernels import MANY_LAWS
from clvmodels.numerics.quadrature import Weighting

BG_NBD = MODELS["bg_nbd"]
WEIGHTINGS = [Weighting(lambda u: np.exp(-0.003 * u), end) for end in (52.0, 10_000.0)]


def draws_of(model, number, generator):
    return model.theta(model.example) * np.exp(0.3 * generator.standard_normal((number, len(model.parameters))))


@pytest.mark.parametrize("key", ["bg_nbd", "mbg_nbd"])
def test_a_compiled_future_is_the_future(key):
    generator, model = np.random.default_rng(1), MODELS[key]
    theta = draws_of(model, 2_000, generator)
    x, T = (
        generator.poisson(np.exp(generator.normal(0.5, 1.5, 2_000))).astype(float),
        generator.uniform(0.0, 300.0, 2_000),
    )
    for t in (np.zeros(1), np.geomspace(1e-6, 1e5, 7), np.geomspace(1e-3, 1e4, 96)):
        arguments = theta[:, None], x[:, None], T[:, None], t
        for ours, exact in zip(model.kernel.compiled_future(*arguments), model.future(*arguments), strict=True):
            assert ours.shape == (2_000, len(t))
            np.testing.assert_allclose(ours, exact, rtol=1e-10)


@pytest.mark.parametrize("key", ["bg_nbd", "mbg_nbd"])
def test_draws_have_the_same_residual_values_compiled(key, monkeypatch):
    generator, model = np.random.default_rng(2), MODELS[key]
    draws = draws_of(model, 40, generator)
    x = np.repeat(np.arange(12.0), 5)
    T = np.tile(np.linspace(20.0, 60.0, 5), 12)
    exact = derived.residuals(model, draws, x, T, WEIGHTINGS)(draws, x, T)
    monkeypatch.setattr(derived, "MANY_LAWS", 1)
    np.testing.assert_allclose(derived.residuals(model, draws, x, T, WEIGHTINGS)(draws, x, T), exact, rtol=1e-10)


def test_futures_are_compiled_for_many_laws():
    theta = np.ones((MANY_LAWS, 1, 4))
    group = np.arange(MANY_LAWS)
    x = np.zeros(MANY_LAWS)
    assert _for_many_laws(BG_NBD, theta, x, group).future is BG_NBD.kernel.compiled_future
    assert _for_many_laws(BG_NBD, theta[1:], x[1:], group[1:]) is BG_NBD
    few = group % 9  # whose customers share what they expect, however many they are
    assert _for_many_laws(BG_NBD, theta[:9], x, few) is BG_NBD
    assert _for_many_laws(BG_NBD, theta[0], x, None) is BG_NBD
    draws = np.ones((MANY_LAWS // 12, 4))
    assert _for_many_laws(BG_NBD, draws, x, None) is BG_NBD
    assert _for_many_laws(BG_NBD, draws, x + group % 2, None).future is BG_NBD.kernel.compiled_future


def test_a_compiled_future_belongs_to_the_function_of_its_model():
    theta, x, group = np.ones((MANY_LAWS, 1, 4)), np.zeros(MANY_LAWS), np.arange(MANY_LAWS)
    for model in (
        replace(BG_NBD, future=MODELS["mbg_nbd"].future),
        replace(BG_NBD, kernel=None),
        replace(BG_NBD, kernel=MODELS["mbg_nbd"].kernel),
        MODELS["pareto_nbd"],
    ):
        assert _for_many_laws(model, theta, x, group) is model


def test_residual_values_of_few_laws_do_without_the_compiler():
    code = (
        "import sys, numpy as np\n"
        "from clvmodels.models import MODELS, derived\n"
        "from clvmodels.numerics.quadrature import Weighting\n"
        "model = MODELS['bg_nbd']\n"
        "theta = np.tile(model.theta(model.example), (50, 1))\n"
        "x, group = np.arange(500.0) % 7, np.arange(500) % 50\n"
        "derived.residual(model, theta, x, 40.0 + x, [Weighting(np.ones_like, 52.0)], group)\n"
        "print('numba' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
