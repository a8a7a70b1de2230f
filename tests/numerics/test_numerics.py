from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.numerics.beta_mixture import mean_powers
from clvmodels.numerics.distinct import ROWS_PER_BLOCK, distinct_rows
from clvmodels.numerics.interpolate import by_age, spans
from clvmodels.numerics.power_integral import log_power_integral, power_integral
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
    for others in ([], [0.1234567, 1e-300, -5.0]):  # on a grid, and off any
        distinct = distinct_rows(np.array([0.0, -0.0, *others]))
        assert len(distinct.rows) == 1 + len(others)
        assert not np.signbit(distinct.rows[distinct.rows == 0.0]).any()


ANY = st.floats(allow_nan=False, width=64) | st.sampled_from([0.0, -0.0, 1.0, 1.0 + 2**-52, 5e-324, np.inf, -np.inf])


@given(st.lists(st.tuples(ANY, SMALL, ANY, ANY), min_size=1, max_size=40), st.integers(1, 3), st.data())
def test_distinct_rows_of_any_numbers_are_those_of_numpy(rows, times, data):
    # Several columns of 64 bits do not fit into a word, and are sorted in several passes; one is a word.
    columns = data.draw(st.sampled_from([1, 2, 4]))
    table = np.array(rows * times)[:, -columns:]
    distinct = distinct_rows(*table.T, with_order=data.draw(st.booleans()))
    expected, counts = np.unique(table + 0.0, axis=0, return_counts=True)
    np.testing.assert_array_equal(distinct.rows, expected)
    np.testing.assert_array_equal(distinct.weight, counts)
    np.testing.assert_array_equal(distinct.rows[distinct.index], table)
    np.testing.assert_array_equal(table[distinct.order], np.repeat(expected, counts, axis=0))
    some = [0, columns - 1]
    found = distinct.by(*some)
    np.testing.assert_array_equal(found.rows[found.index], expected[:, some])
    assert distinct.by(*some) is found


@pytest.mark.parametrize("hidden", [1.0 / 7.0, 0.1, -3.0, 1e300])
def test_a_value_that_lies_on_no_grid_is_found_among_many_that_do(hidden):
    column = np.arange(2.0 * ROWS_PER_BLOCK) % 900.0
    column[ROWS_PER_BLOCK + 50_002] = hidden
    for others in ([], [np.arange(2.0 * ROWS_PER_BLOCK) % 7.0]):
        distinct = distinct_rows(column, *others)
        expected, counts = np.unique(np.column_stack([column, *others]), axis=0, return_counts=True)
        np.testing.assert_array_equal(distinct.rows, expected)
        np.testing.assert_array_equal(distinct.weight, counts)


def histories(size, exact):
    generator = np.random.default_rng(8)
    x = generator.poisson(1.0, size).astype(float)
    T = generator.integers(300, 900, size) / 7.0 if not exact else generator.uniform(40.0, 130.0, size)
    t_x = np.where(x > 0, np.floor(7.0 * T * generator.random(size)) / 7.0, 0.0)
    return np.concatenate([x, x[:100]]), np.concatenate([t_x, t_x[:100]]), np.concatenate([T, T[:100]])


@pytest.mark.parametrize("with_order", [False, True])
@pytest.mark.parametrize("exact", [False, True])
def test_distinct_rows_of_many_blocks_are_those_of_numpy(exact, with_order):
    columns = histories(3 * ROWS_PER_BLOCK, exact)
    distinct = distinct_rows(*columns, with_order=with_order)
    order = np.lexsort(columns[::-1])
    np.testing.assert_array_equal(distinct.order, order)
    table = np.column_stack(columns)[order]
    first = np.flatnonzero(np.concatenate(([True], (table[1:] != table[:-1]).any(axis=1))))
    np.testing.assert_array_equal(distinct.rows, table[first])
    np.testing.assert_array_equal(distinct.weight, np.diff(first, append=len(table)))
    np.testing.assert_array_equal(distinct.rows[distinct.index], np.column_stack(columns))


def test_a_value_off_the_grid_behind_the_first_thousand_is_not_lost():
    column = np.arange(5_000) % 900 / 7.0
    column[-1] += 1e-9
    distinct = distinct_rows(column)
    assert len(distinct.rows) == 901
    assert column[-1] in distinct.rows


@pytest.mark.parametrize("grid", [1.0, 7.0])
def test_the_largest_steps_of_a_grid_are_told_apart(grid):
    # Steps are kept in 31 bits, and what is larger must not begin again at zero.
    steps = 2.0**31 + np.array([-(2.0**31), 1.0 - 2.0**31, -2.0, -1.0, 0.0, 1.0, 2.0**31, 2.0**31 + 1.0])
    for column in (steps / grid, steps[:4] / grid, np.concatenate([np.zeros(2 * ROWS_PER_BLOCK), steps]) / grid):
        for others in ([], [np.arange(len(column)) % 2.0]):
            for with_order in (False, True):
                distinct = distinct_rows(column, *others, with_order=with_order)
                expected = np.unique(np.column_stack([column, *others]), axis=0)
                np.testing.assert_array_equal(distinct.rows, expected)


def test_fingerprints_of_data_stay_what_they_were():
    # Saved fits are compared with data by them; these are of the version before the sort by bits.
    columns = histories(1_000, exact=False)
    assert distinct_rows(*columns).fingerprint == "1100-d7165dc0078f2c31"
    assert distinct_rows(*histories(1_000, exact=True)).fingerprint == "1100-e1aeb845b8556517"


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


def test_the_integral_of_two_powers_is_the_same_with_and_without_its_derivatives():
    generator = np.random.default_rng(4)
    n, k, alpha, beta = np.exp(generator.normal(size=(4, 5)))
    start, length = generator.uniform(0.0, 50.0, (2, 400, 1))
    length[::9] = 0.0
    length[1::9] = 1e4
    with_means = power_integral(40.0 * n, k, alpha, beta, start, length)
    np.testing.assert_array_equal(with_means.log, log_power_integral(40.0 * n, k, alpha, beta, start, length))
    there = length[:, 0] > 0.0
    points = [np.broadcast_to(p, (400, 5))[there] for p in (40.0 * n, k, alpha, beta, start, length)]
    for i, name in enumerate(("by_n", "by_k", "by_alpha", "by_beta")):
        below, above = ([p * (1.0 + (j == i) * step) for j, p in enumerate(points)] for step in (-1e-6, 1e-6))
        slope = (log_power_integral(*above) - log_power_integral(*below)) / (2e-6 * points[i])
        np.testing.assert_allclose(slope, getattr(with_means, name)[there], rtol=1e-5, atol=1e-6)


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


def sorted_pairs(x, T):
    return distinct_rows(x, T).rows.T.copy()


def test_few_evaluations_serve_many_customers():
    generator = np.random.default_rng(0)
    x, T = sorted_pairs(generator.integers(0, 3, 5000).astype(float), generator.uniform(0, 150, 5000))
    calls = []

    def smooth(draws, x, T):
        calls.append((len(x), len(draws)))
        place = draws + 5.0 + T[:, None]
        return np.stack([(x[:, None] + 1) / place, np.exp(-x[:, None]) / place**0.3], axis=-1)

    values = by_age(smooth, x, T, 5.0, 4).at(slice(0, len(x)))
    assert sum(points for points, _ in calls) == 3 * 24
    np.testing.assert_allclose(values, smooth(np.arange(4), x, T), rtol=1e-10)


def test_what_is_not_smooth_is_evaluated_everywhere():
    T = np.linspace(0, 100, 400)
    values = by_age(lambda _, __, T: np.abs(T - 50.0)[:, None, None], 0.0 * T, T, 5.0, 1).at(slice(100, 300))
    np.testing.assert_array_equal(values[:, 0, 0], np.abs(T - 50.0)[100:300])


def test_a_draw_that_is_not_smooth_is_evaluated_everywhere_and_one_that_is_less_so_at_more_points():
    x, T = np.repeat([0.0, 1.0, 2.0], [200, 5, 195]), np.concatenate([np.linspace(40.0, 80.0, 200)] * 2)
    T[200:] = np.concatenate([T[:5], T[:195]])

    def some_smooth(draws, _, T):
        each = [1.0 / (20.0 + T), np.abs(T - 50.0), 1.0 / (1.0 + (T - 60.0) ** 2 / 400.0)]
        return np.stack([each[draw] for draw in draws], axis=1)[..., None]

    prepared = by_age(some_smooth, x, T, 5.0, 3)
    assert [None if c is None else len(c) for c in prepared.coefficients] == [32, None, 32]
    values = np.concatenate([prepared.at(slice(start, start + 37)) for start in range(0, 370, 37)])
    truth = some_smooth([0, 1, 2], x, T)[:370]
    np.testing.assert_allclose(values, truth, rtol=1e-8)
    np.testing.assert_array_equal(values[:, 1], truth[:, 1])


def test_spans_hold_few_points_and_whole_counts():
    x = np.repeat(np.arange(5.0), [100, 3, 100, 40, 1])
    assert [(span.start, span.stop) for span in spans(x, 64)] == [(0, 103), (103, 243), (243, 244)]
    assert [(span.start, span.stop) for span in spans(x, 1)] == [
        (0, 100),
        (100, 103),
        (103, 203),
        (203, 243),
        (243, 244),
    ]
    assert spans(np.zeros(0), 10) == []


@pytest.mark.parametrize("n", [1e-3, 0.3, 40.0, 1e5])
@pytest.mark.parametrize("a", [1e-3, 0.8, 300.0])
@pytest.mark.parametrize("size", [50, 300])
def test_many_z_of_one_law_agree_with_each_by_itself(n, a, size):
    z = np.geomspace(1e-5, 1e3, size)[:, None] * np.array([1.0, 1.3])
    laws = np.array([a, 1.1 * a])
    together = mean_powers(np.asarray(n), z, laws, laws + n)
    for k in range(2):
        alone = mean_powers(np.full(size, n), z[:, k], np.full(size, laws[k]), np.full(size, laws[k] + n))
        for ours, theirs in zip(together, alone, strict=True):
            np.testing.assert_allclose(ours[:, k], theirs, rtol=2e-9, atol=1e-300)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 7, 10, 1_000])
@pytest.mark.parametrize("most", [1, 2, 3, 4, 999, 1_000])
def test_blocks_come_back_in_order(size, most):
    found = map_blocks(lambda rows: np.arange(size)[rows], size, most)
    np.testing.assert_array_equal(np.concatenate([[], *found]), np.arange(size))
    lengths = [len(block) for block in found]
    assert len(found) < 2 or len(found) % 2 == 0 or most == 1
    assert not found or 1 <= min(lengths) <= max(lengths) <= min(most, min(lengths) + 1)


def test_powers_that_underflow_are_zero_without_a_warning():
    # At the far end powers underflow at some nodes of the interpolant, whose logs are then infinite.
    n, a, b = (np.array([[number]]) for number in (1002.0, 1000.0, 3.001))
    z = np.geomspace(0.0235, 1.123, 59)[None, :]
    many, _ = mean_powers(n, z, a, b)
    one = [mean_powers(n[0], z[0, k : k + 1], a[0], b[0])[0][0] for k in range(59)]
    np.testing.assert_allclose(many[0], one, rtol=1e-9)
    assert 0.0 <= many[0, -1] < 1e-300


@pytest.mark.parametrize("a", [1e-9, 3e-12, 9.357622968840175e-14, 1e-15])
@pytest.mark.parametrize("z", [1e-7, 0.1, 50.0])
def test_powers_of_customers_of_whom_hardly_one_leaves(a, z):
    n, b = 407.1687965643272, 255.2029535
    with mpmath.workdps(40):
        truth = [float(mpmath.hyp2f1(m, a, mpmath.mpf(a) + b, -mpmath.mpf(z))) for m in (n, n + 1)]
    np.testing.assert_allclose(np.ravel(mean_powers(n, z, a, b)), truth, rtol=1e-11)
