from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.numerics.distinct import distinct_rows
from clvmodels.numerics.interpolate import evaluate_by_age
from clvmodels.numerics.quadrature import TimeGrid, Weighting, log_integral_of_peak
from clvmodels.numerics.special import log_beta, log_gamma_ratio
from clvmodels.numerics.threads import map_blocks

SMALL = st.integers(0, 4).map(float)


@given(st.lists(st.tuples(SMALL, SMALL, SMALL), min_size=1, max_size=60))
def test_distinct_rows_are_those_of_numpy(rows):
    table = np.array(rows)
    distinct = distinct_rows(*table.T)
    np.testing.assert_array_equal(distinct.rows[distinct.index], table)
    expected, counts = np.unique(table, axis=0, return_counts=True)
    order = np.lexsort(distinct.rows.T[::-1])
    np.testing.assert_array_equal(distinct.rows[order], expected)
    np.testing.assert_array_equal(distinct.weight[order], counts)


@given(st.lists(st.tuples(SMALL, SMALL), min_size=2, max_size=40), st.randoms())
def test_the_fingerprint_depends_on_the_rows_and_not_on_their_order(rows, random):
    shuffled = random.sample(rows, len(rows))
    changed = [(rows[0][0] + 7.0, rows[0][1]), *rows[1:]]
    one, two, three = (distinct_rows(*np.array(r).T).fingerprint for r in (rows, shuffled, changed))
    assert one == two
    assert one != three


def test_minus_zero_is_zero():
    assert len(distinct_rows(np.array([0.0, -0.0])).rows) == 1


@pytest.mark.parametrize("z", [1e-3, 0.243, 1.0, 11.9, 12.1, 1e3, 1e5])
@pytest.mark.parametrize("d", [0.0, 1e-3, 0.5, 7.0, 1e3, 1e5])
def test_ratios_of_gamma_functions(z, d):
    with mpmath.workdps(40):
        truth = float(mpmath.loggamma(mpmath.mpf(z) + d) - mpmath.loggamma(z))
        beta = float(mpmath.log(mpmath.beta(z, d))) if d else 0.0
    assert float(log_gamma_ratio(z, d)) == pytest.approx(truth, rel=2e-14, abs=1e-14)
    if d:
        assert float(log_beta(z, d)) == pytest.approx(beta, rel=1e-13, abs=1e-12)


@pytest.mark.parametrize("end", [0.5, 3.0, 1000.0])
def test_a_time_grid_integrates_a_power_law_with_a_factor_that_jumps(end):
    grid = TimeGrid(2.0, end)
    weights = grid.weights(Weighting(lambda u: np.where(u < end / 3, 1.0, 0.5), end, jumps=[end / 3]))

    def antiderivative(u):
        return -1 / (3 + u)

    third = antiderivative(end / 3) - antiderivative(0)
    truth = third + 0.5 * (antiderivative(end) - antiderivative(end / 3))
    assert weights @ (1 / (3 + grid.nodes) ** 2) == pytest.approx(truth, rel=1e-9)


def test_many_jumps_are_integrated_in_parts():
    jumps = np.arange(0.01, 100.0, 0.01)
    grid = TimeGrid(10.0, 100.0)
    weights = grid.weights(Weighting(lambda u: np.exp(-np.floor(u * 100) / 100), 100.0, jumps=jumps))
    truth = (1 - np.exp(-100)) / (1 - np.exp(-0.01)) * 0.01
    assert weights.sum() == pytest.approx(truth, rel=1e-9)


def test_the_integral_of_a_sharp_peak():
    def log_normal(y):
        return -0.5 * ((y - 0.3) / 1e-4) ** 2

    value = log_integral_of_peak(log_normal, np.array([-50.0]), np.array([1.0]))
    assert value[0] == pytest.approx(np.log(1e-4 * np.sqrt(2 * np.pi)), abs=1e-10)


def test_few_evaluations_serve_many_customers():
    generator = np.random.default_rng(0)
    x, T = generator.integers(0, 3, 5000).astype(float), generator.uniform(0, 150, 5000)
    calls = []

    def smooth(x, T):
        calls.append(len(x))
        return np.column_stack([(x + 1) / (5 + T), np.exp(-x) / (5 + T) ** 0.3])

    values = evaluate_by_age(smooth, x, T, 5.0)
    np.testing.assert_allclose(values, np.column_stack([(x + 1) / (5 + T), np.exp(-x) / (5 + T) ** 0.3]), rtol=1e-10)
    assert calls == [96]


def test_what_is_not_smooth_is_evaluated_everywhere():
    T = np.linspace(0, 100, 400)
    values = evaluate_by_age(lambda _, T: np.abs(T - 50.0)[:, None], np.zeros(400), T, 5.0)
    np.testing.assert_array_equal(values[:, 0], np.abs(T - 50.0))


def test_blocks_come_back_in_order():
    assert map_blocks(lambda rows: (rows.start, rows.stop), 10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert map_blocks(lambda rows: rows, 0, 4) == []
