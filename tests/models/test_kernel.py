"""Kernels: what belongs to which function, when they are loaded, and a kernel of a user's own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numba import njit

import clvmodels as clv
from clvmodels.inference import observations
from clvmodels.inference.likelihood import LogLikelihood, _compiled_sums, _numba, summed, tabulate
from clvmodels.inference.observations import observe
from clvmodels.inference.sums import history_expansion, history_sums
from clvmodels.models import MODELS, CompiledSums, Kernel
from clvmodels.models.bg_nbd import BG_NBD
from clvmodels.models.consistency import LAWS, SPEND_LAWS
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.mbg_nbd import MBG_NBD
from clvmodels.models.registry import PERIOD_MODELS
from clvmodels.models.specification import Parameter
from clvmodels.numerics.compiled_special import digamma_difference, log_gamma_ratio

ALL = MODELS | PERIOD_MODELS
P = 2.0
"""The shape of orders under the model of this file, Gamma-Gamma with known p."""


def with_p(theta):
    return np.insert(theta, 0, P, axis=-1)


def count_terms(theta, x):
    value, gradient = GAMMA_GAMMA.count_terms(with_p(theta), x)
    return value, gradient[..., 1:]


def history_terms(theta, x, mean):
    value, gradient = GAMMA_GAMMA.history_terms(with_p(theta), x, mean)
    return value, gradient[..., 1:]


@njit
def count_sums(theta, weight, x):
    q = theta[0]
    value, gradient = 0.0, np.zeros(2)
    for i in range(len(x)):
        n = P * x[i]
        value += weight[i] * (log_gamma_ratio(n, q) - log_gamma_ratio(1.0, q - 1.0))
        gradient[0] += weight[i] * digamma_difference(q, n)
    return value, gradient


@njit
def spend_sums(theta, weight, x, mean):
    q, v = theta
    value, gradient = 0.0, np.zeros(2)
    for i in range(len(x)):
        n, total = P * x[i], v + x[i] * mean[i]
        value += weight[i] * (n * np.log(total - v) + q * np.log(v) - (n + q) * np.log(total) - np.log(mean[i]))
        gradient[0] += weight[i] * np.log(v / total)
        gradient[1] += weight[i] * (q / v - (n + q) / total)
    return value, gradient


def own_model(load):
    return replace(
        GAMMA_GAMMA,
        key="spend_of_known_shape",
        public_name="SpendOfKnownShape",
        parameters=(Parameter("q", lower=1.0), Parameter("v", "money")),
        example={"q": 3.74, "v": 15.44},
        starts=((3.5, 1.25), (2.0, 0.5), (10.0, 4.5)),
        count_terms=count_terms,
        history_terms=history_terms,
        expected_spend=lambda theta, x, mean: GAMMA_GAMMA.expected_spend(with_p(theta), x, mean),
        draw_orders=lambda theta, *columns: GAMMA_GAMMA.draw_orders(with_p(theta), *columns),
        quantities=(),
        in_words=None,
        limits=(),
        kernel=Kernel(count_terms, history_terms, load),
    )


COMPILED = own_model(lambda: CompiledSums(count_sums, spend_sums))
IN_PYTHON = own_model(lambda: CompiledSums(count_sums.py_func, spend_sums.py_func))


@pytest.fixture(scope="module")
def customers():
    generator = np.random.default_rng(1)
    x = generator.poisson(1.5, 4_000).astype(float)
    nu = generator.gamma(3.74, size=4_000) / 15.44
    table = pd.DataFrame(
        {"customer_id": range(4_000), "frequency": x, "recency": np.where(x > 0, 19.0, 0.0), "T": 20.0}
    )
    table["monetary_value"] = generator.gamma(P * x) / nu / np.maximum(x, 1.0)
    return clv.Histories.from_frame(table, unit="week")


@pytest.mark.parametrize("key", ALL)
def test_each_model_has_a_kernel_of_its_own_functions(key):
    model = ALL[key]
    assert history_sums(model, many=True) is model.kernel.compiled.history_sums
    assert history_sums(model, many=False) is not model.kernel.compiled.history_sums
    assert model.kernel.sums_of(model.count_terms) is model.kernel.compiled.count_sums
    assert history_expansion(model, many=True) is model.kernel.compiled.history_expansion
    assert history_expansion(model, many=False) is model.history_expansion


def test_a_kernel_belongs_to_the_functions_that_it_sums():
    other = replace(BG_NBD, history_terms=MBG_NBD.history_terms, history_sums=None, history_expansion=None)
    theta, columns = BG_NBD.theta(BG_NBD.example), np.array([[2.0, 1.0], [0.0, 1.0], [0.0, 9.0], [20.0, 30.0]])
    value = history_sums(other, many=True)(theta, *columns)[0]
    assert value == pytest.approx(columns[0] @ MBG_NBD.history_terms(theta, *columns[1:])[0], rel=1e-14)
    assert history_expansion(other, many=True) is None
    assert other.kernel.sums_of(other.count_terms) is BG_NBD.kernel.compiled.count_sums


def test_a_small_fit_does_without_the_compiler():
    code = (
        "import sys, clvmodels as clv\n"
        "params = {'r': 0.3, 'alpha': 4.0, 'a': 0.8, 'b': 2.5}\n"
        "rfm = clv.BGNBD().from_params(params, unit='week').simulate(300, '78 weeks', seed=1)\n"
        "fits = [getattr(clv, name)().fit(rfm) for name in ('BGNBD', 'MBGNBD')]\n"
        "print('numba' in sys.modules, [name for name in sys.modules if '.kernels.' in name])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False []"


@pytest.mark.parametrize("model", [COMPILED, IN_PYTHON], ids=["compiled", "in Python"])
def test_a_kernel_of_ones_own_keeps_the_law(model):
    (law,) = [law for law in SPEND_LAWS if "the kernel" in law.description]
    assert law.deviation(model, model.theta(model.example)) < 1e-12


def test_a_wrong_kernel_of_ones_own_is_found():
    def wrong(theta, weight, x, mean):
        value, gradient = spend_sums(theta, weight, x, mean)
        return value, -gradient

    (law,) = [law for law in SPEND_LAWS if "the kernel" in law.description]
    model = own_model(lambda: CompiledSums(count_sums, wrong))
    assert law.deviation(model, model.theta(model.example)) > 1.0
    assert all("the kernel" not in law.description or law.tolerance == 1e-9 for law in (*LAWS, *SPEND_LAWS))


def test_a_kernel_of_ones_own_is_asked_for_many_customers(customers, monkeypatch):
    calls = []

    def counted(*arguments):
        calls.append(len(arguments[1]))
        return spend_sums(*arguments)

    model = own_model(lambda: CompiledSums(count_sums, counted))
    rows = observe(model, customers)
    plain = rows.log_likelihood(model, np.array([3.0, 20.0]))
    assert not calls
    monkeypatch.setattr(observations, "MANY", 1)
    by_kernel = rows.log_likelihood(model, np.array([3.0, 20.0]))
    assert sum(calls) == len(rows.weight)
    assert by_kernel[0] == pytest.approx(plain[0], rel=1e-13)
    np.testing.assert_allclose(by_kernel[1], plain[1], rtol=1e-10)


def test_samplers_take_a_compiled_kernel_and_ask_in_python_otherwise(customers):
    half = [observe(COMPILED, customers.select(customers.customer_id[rows])) for rows in (slice(900), slice(900, None))]
    theta, table = np.array([[3.0, 20.0], [5.0, 40.0]]), tabulate(half).named.values()
    expected = sum(rows.log_likelihood(COMPILED, point)[0] for rows, point in zip(half, theta, strict=True))
    slopes = [rows.log_likelihood(COMPILED, point)[1] for rows, point in zip(half, theta, strict=True)]
    for model in (COMPILED, IN_PYTHON, replace(COMPILED, kernel=None)):
        value, gradient = summed(model)(theta, *table)
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-9)
    assert _compiled_sums(COMPILED) == (count_sums, spend_sums)
    assert _compiled_sums(IN_PYTHON) is None


def test_names_on_disk_are_those_of_the_functions_and_a_users_are_not_kept():
    name = {key: _numba(LogLikelihood(model))[1] for key, model in ALL.items()}
    assert len(set(name.values())) == len(ALL)
    assert _numba(LogLikelihood(replace(BG_NBD, key="copy")))[1] == name["bg_nbd"]
    assert _numba(LogLikelihood(replace(BG_NBD, kernel=MBG_NBD.kernel)))[1] is None
    for model in (COMPILED, IN_PYTHON, replace(BG_NBD, kernel=None)):
        assert _numba(LogLikelihood(model))[1] is None
