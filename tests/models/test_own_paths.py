"""Models on customers' own clocks: the likelihood against integrals of arbitrary precision, its laws and its slopes."""

import itertools

import mpmath
import numpy as np
import pytest
from scipy import integrate

from clvmodels.errors import ModelError
from clvmodels.models import MODELS
from clvmodels.models.kernels.own_paths import path_likelihoods
from clvmodels.models.own_paths import OwnPaths, require_paths_of
from clvmodels.models.registry import AGEING_MODELS
from clvmodels.models.silence import silence
from clvmodels.numerics.pieces import Pieces, flattened, running_sums
from clvmodels.numerics.quadrature import Weighting

THREE = ("bg_nbd", "mbg_nbd", "pareto_nbd")
LOGS = np.array([0.7, -0.5, 0.4])
"""Coefficients of two columns of purchases and one of leaving."""


def rough_pieces(rng, customers=40, *, merged=True, cut=0):
    """Spells of one to nine levels each, and purchases in them; `cut`: how often each is cut in two."""
    first, begin, end, columns, events, last, T, x = [0], [], [], [], [], [], [], []
    for _ in range(customers):
        number = rng.integers(1, 9)
        age = rng.uniform(5.0, 60.0)
        edges = np.concatenate([[0.0], np.sort(rng.uniform(0.0, age, number - 1)), [age]])
        values = rng.normal(size=(number, 3)).round(1)
        bought = np.sort(rng.uniform(0.0, age, rng.poisson(3.0) * rng.integers(0, 2)))
        for _ in range(cut):
            middle = 0.5 * (edges[1:] + edges[:-1])
            edges, values = np.sort(np.concatenate([edges, middle])), np.repeat(values, 2, axis=0)
        begin.append(edges[:-1])
        end.append(edges[1:])
        columns.append(values)
        events.append(np.histogram(bought, edges)[0].astype(float))
        first.append(first[-1] + len(values))
        last.append(bought[-1] if len(bought) else 0.0)
        T.append(age)
        x.append(float(len(bought)))
    spells = (np.array(first), *(np.concatenate(each) for each in (begin, end, columns, events)), np.array(last))
    return Pieces.of(*spells, merged=merged), np.array(x), np.array(last), np.array(T), spells


def on(key, pieces, processes=None):
    model = MODELS[key]
    second = "dropout" if "dropout" in model.clocks else "purchase"
    return OwnPaths(model, processes or ("purchase", "purchase", second), pieces)


def theta_of(paths, logs=LOGS):
    return np.concatenate([paths.base.theta(paths.base.example), np.exp(logs[: len(paths.processes)])])


def clock(spells, row, logs, at):
    """A clock, piece by piece."""
    first, begin, end, columns = spells[:4]
    rows = slice(first[row], first[row + 1])
    speed = np.exp(columns[rows] @ logs)
    inside = np.clip(at, begin[rows], end[rows]) - begin[rows]
    return speed @ inside


def test_spells_are_cut_at_the_last_event_and_merged_where_they_are_equal():
    begin, end = np.array([0.0, 2.0, 5.0, 0.0]), np.array([2.0, 5.0, 9.0, 3.0])
    columns, events = np.array([[1.0], [1.0], [0.0], [2.0]]), np.array([0.0, 1.0, 1.0, 0.0])
    pieces = Pieces.of(np.array([0, 3, 4]), begin, end, columns, events, np.array([6.0, 0.0]))
    assert pieces.first.tolist() == [0, 0, 3, 4]
    assert pieces.silence.tolist() == [0, 2, 3]
    assert pieces.length.tolist() == [5.0, 1.0, 3.0, 3.0]
    assert pieces.at_events.ravel().tolist() == [0.0, 1.0, 0.0]
    assert pieces.now.ravel().tolist() == [0.0, 0.0, 2.0]
    whole = Pieces.of(np.array([0, 3, 4]), begin, end, columns, events, np.array([6.0, 0.0]), merged=False)
    assert whole.length.tolist() == [2.0, 3.0, 1.0, 3.0, 3.0]


def test_running_sums_are_those_of_each_row():
    rng = np.random.default_rng(1)
    number = rng.integers(0, 5, 50)
    values = rng.normal(size=(number.sum(), 2))
    before, totals = running_sums(values, number)
    rows = np.split(values, np.cumsum(number)[:-1])
    np.testing.assert_allclose(totals, [row.sum(axis=0) for row in rows], atol=1e-13)
    wanted = np.concatenate([np.cumsum(row, axis=0) - row for row in rows])
    np.testing.assert_allclose(before, wanted, atol=1e-13)
    which, each = flattened(np.concatenate([[0], np.cumsum(number)]), np.array([7, 3]))
    assert each.tolist() == [number[7], number[3]]
    np.testing.assert_array_equal(values[which], np.concatenate([rows[7], rows[3]]))


def likelihood_by_mpmath(theta, x, last, T, spells, row):
    """Return the likelihood of staying through T or leaving before, from densities given rates and lifetimes."""
    r, alpha, s, beta = (mpmath.mpf(float(value)) for value in theta[:4])
    rows = slice(spells[0][row], spells[0][row + 1])
    begin, columns = spells[1][rows], spells[3][rows]
    purchases, leaving = LOGS * [1.0, 1.0, 0.0], LOGS * [0.0, 0.0, 1.0]

    def stays(A, D):
        n = r + x
        return mpmath.gamma(n) / mpmath.gamma(r) * alpha**r * (alpha + A) ** -n * (beta / (beta + D)) ** s

    def leaves(u):
        k = int(np.searchsorted(begin, float(u), side="right")) - 1  # nodes of the quadrature are no ends of pieces
        speeds = np.exp(columns[k] @ purchases), np.exp(columns[k] @ leaving)
        A, D = (
            clock(spells, row, logs, begin[k]) + speed * (u - begin[k])
            for logs, speed in zip((purchases, leaving), speeds, strict=True)
        )
        return stays(A, D) * s / (beta + D) * speeds[1]

    edges = np.unique(np.concatenate([[last], begin[begin > last], [T]]))
    left = sum(mpmath.quad(leaves, [float(a), float(b)]) for a, b in itertools.pairwise(edges))
    return stays(clock(spells, row, purchases, T), clock(spells, row, leaving, T)) + left


def test_the_likelihood_of_pareto_nbd_is_an_integral_over_rates_and_lifetimes():
    pieces, x, last, T, spells = rough_pieces(np.random.default_rng(5), 12)
    paths = on("pareto_nbd", pieces)
    theta = theta_of(paths)
    ours = paths.history_terms(theta, x, np.arange(1.0, len(x) + 1.0))[0]
    first, columns, events = spells[0], spells[3], spells[4]
    jumps = np.add.reduceat(events * (columns @ (LOGS * [1.0, 1.0, 0.0])), first[:-1])
    for row in range(len(x)):
        wanted = mpmath.log(likelihood_by_mpmath(theta, x[row], last[row], T[row], spells, row))
        assert float(wanted) + jumps[row] == pytest.approx(ours[row], rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("key", ["bg_nbd", "mbg_nbd"])
def test_models_that_leave_at_purchases_see_the_readings(key):
    pieces, x, last, T, spells = rough_pieces(np.random.default_rng(6))
    paths = on(key, pieces)
    theta, path = theta_of(paths), np.arange(1.0, len(x) + 1.0)
    A_x, A_T = (np.array([clock(spells, row, LOGS, at[row]) for row in range(len(x))]) for at in (last, T))
    first, columns, events = spells[0], spells[3], spells[4]
    jumps = np.add.reduceat(events * (columns @ LOGS), first[:-1])
    wanted = paths.base.log_likelihood(theta[:4], x, A_x, A_T) + jumps
    ours = paths.history_terms(theta, x, path)[0]
    np.testing.assert_allclose(ours, wanted, rtol=1e-12)
    np.testing.assert_allclose(paths.p_alive(theta, x, path, path), paths.base.p_alive(theta[:4], x, A_x, A_T))


@pytest.mark.parametrize("key", THREE)
def test_slopes_are_differences(key):
    pieces, x, *_ = rough_pieces(np.random.default_rng(7))
    processes = ("purchase", "purchase", "dropout")
    if key != "pareto_nbd":  # the odds of leaving may differ between customers, and not change
        pieces.columns[:, 2] = np.repeat(pieces.now[:, 2], np.diff(pieces.first))
    paths = on(key, pieces, processes)
    theta, path = theta_of(paths), np.arange(1.0, len(x) + 1.0)
    value, gradient = paths.history_terms(theta, x, path)
    for k, step in enumerate(1e-5 * theta):
        moved = np.eye(len(theta))[k] * step
        ends = [paths.history_terms(theta + sign * moved, x, path)[0] for sign in (1.0, -1.0)]
        np.testing.assert_allclose(gradient[:, k], (ends[0] - ends[1]) / (2.0 * step), rtol=2e-6, atol=2e-8)
    by_row = paths.history_terms(np.tile(theta, (len(x), 1)), x, path)
    np.testing.assert_allclose(by_row[0], value, rtol=1e-13)
    np.testing.assert_allclose(by_row[1], gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("logs", "cut"), [(LOGS, 0), (LOGS, 2), (LOGS, 5), (4.0 * LOGS, 1), (np.zeros(3), 3)])
def test_the_kernel_is_the_twin_of_the_functions_of_arrays(logs, cut):
    """Pieces are long and short, so that few and many nodes of the quadrature are asked for."""
    pieces, x, *_ = rough_pieces(np.random.default_rng(8), 60, cut=cut, merged=False)
    paths = on("pareto_nbd", pieces)
    path = np.arange(len(x)) + 1
    thetas = theta_of(paths, logs) * np.exp(np.random.default_rng(9).normal(size=(len(x), 7)) * [*[0.5] * 4, 0, 0, 0])
    wanted = paths.likelihoods(thetas, x, path)
    params, of_columns = (np.ascontiguousarray(each) for each in paths.split(thetas))
    arrays = (pieces.first, pieces.silence, pieces.length, pieces.columns, paths.on_purchases, paths.on_leaving)
    staying, leaving, by_staying, by_leaving = path_likelihoods(
        params, of_columns, np.arange(len(x)), x, path, *arrays, True
    )
    np.testing.assert_allclose(staying, wanted.staying, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(leaving, wanted.leaving, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(by_staying, wanted.by_staying, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(by_leaving, wanted.by_leaving, rtol=1e-9, atol=1e-10)
    bare = path_likelihoods(params, of_columns, np.arange(len(x)), x, path, *arrays, False)
    np.testing.assert_allclose(bare[1], leaving, rtol=1e-14)


@pytest.mark.parametrize("key", THREE)
def test_cutting_a_spell_changes_nothing(key):
    whole, x, *_ = rough_pieces(np.random.default_rng(10))
    cut = rough_pieces(np.random.default_rng(10), merged=False, cut=2)[0]
    assert len(cut.length) > 3 * len(whole.length)
    path = np.arange(1.0, len(x) + 1.0)
    for theta in (theta_of(on(key, whole)), theta_of(on(key, whole), 0.1 * LOGS)):
        first, second = (on(key, pieces).history_terms(theta, x, path) for pieces in (whole, cut))
        np.testing.assert_allclose(first[0], second[0], rtol=1e-11)
        np.testing.assert_allclose(first[1], second[1], rtol=1e-8, atol=1e-10)
    again = rough_pieces(np.random.default_rng(10), cut=2)[0]
    assert again.first.tolist() == whole.first.tolist()


@pytest.mark.parametrize("key", THREE)
def test_a_path_that_does_not_change_moves_parameters(key):
    rng = np.random.default_rng(11)
    pieces, x, last, T, _ = rough_pieces(rng)
    level = rng.normal(size=(len(x) + 1, 3)).round(1)
    level[0] = 0.0
    pieces.columns[:] = np.repeat(level, np.diff(pieces.first), axis=0)
    pieces.now[:] = level
    pieces.at_events[1:] = x[:, None] * level[1:]
    paths = on(key, pieces, ("purchase", "purchase", "dropout"))
    theta, path = theta_of(paths), np.arange(1.0, len(x) + 1.0)
    rows = np.tile(theta[:4], (len(x), 1))
    for process, moved in (("purchase", level[1:, :2] @ LOGS[:2]), ("dropout", level[1:, 2] * LOGS[2])):
        for name, sign in paths.base.effects[process]:
            rows[:, paths.base.names.index(name)] *= np.exp(sign * moved)
    ours = paths.history_terms(theta, x, path)[0]
    np.testing.assert_allclose(ours, paths.base.log_likelihood(rows, x, last, T), rtol=1e-11)
    np.testing.assert_allclose(paths.p_alive(theta, x, path, path), paths.base.p_alive(rows, x, last, T), rtol=1e-10)
    t = np.array(9.0)
    for name in ("expected_purchases", "future"):
        ours, wanted = (
            np.asarray(getattr(paths, name)(theta, x, path, t)),
            np.asarray(getattr(paths.base, name)(rows, x, T, t)),
        )
        np.testing.assert_allclose(ours, wanted, rtol=1e-10)
    np.testing.assert_allclose(
        paths.pmf(theta, x, path, t, np.array(2.0)), paths.base.pmf(rows, x, T, t, np.array(2.0)), rtol=1e-8
    )
    np.testing.assert_allclose(paths.silence(theta, x, path, path), silence(paths.base, rows, x, last, T), rtol=1e-7)


@pytest.mark.parametrize("key", THREE)
def test_what_lies_ahead_goes_on_at_the_last_level(key):
    """The same customers, observed longer without a purchase: survival and intensity follow from likelihoods."""
    rng = np.random.default_rng(12)
    pieces, x, last, _, spells = rough_pieces(rng, 12)
    ahead = 13.0
    first, begin, end, columns, events, _ = spells
    later = end.copy()
    later[first[1:] - 1] += ahead
    longer = Pieces.of(first, begin, later, columns, events, last)
    theta, path = theta_of(on(key, pieces)), np.arange(1.0, len(x) + 1.0)
    now, then = on(key, pieces), on(key, longer)
    value = [each.history_terms(theta, x, path)[0] for each in (now, then)]
    alive = [each.p_alive(theta, x, path, path) for each in (now, then)]
    none = now.pmf(theta, x, path, np.array(ahead), np.zeros(()))
    np.testing.assert_allclose(np.exp(value[1] - value[0]), 1.0 - alive[0] + alive[0] * none, rtol=1e-7)
    survival, intensity = now.future(theta, x, path, np.array(ahead))
    nodes = np.linspace(0.0, ahead, 2_001)
    rates = now.future(theta, x[:, None], path[:, None], nodes)[1]
    expected = now.expected_purchases(theta, x, path, np.array(ahead))
    np.testing.assert_allclose(integrate.simpson(rates, x=nodes, axis=1), expected, rtol=1e-6)
    assert (survival <= 1.0).all()
    assert (intensity > 0.0).all()
    flat = Weighting(lambda t: np.exp(-0.01 * t), end=ahead)
    both = now.residuals(theta[None], x, path, [flat])(theta[None], x, path)[:, 0]
    stays = now.future(theta, x[:, None], path[:, None], nodes)[0]
    for column, values in enumerate((rates, stays)):
        wanted = integrate.simpson(values * np.exp(-0.01 * nodes), x=nodes, axis=1)
        np.testing.assert_allclose(both[:, column], wanted, rtol=1e-6)


def test_customers_to_come_are_those_of_the_model_itself():
    paths = on("pareto_nbd", rough_pieces(np.random.default_rng(13))[0])
    theta, zero = theta_of(paths), np.zeros(1)
    base = paths.base.expected_purchases(theta[:4], zero, zero, np.array(52.0))
    np.testing.assert_allclose(paths.expected_purchases(theta, zero, zero, np.array(52.0)), base, rtol=1e-13)
    assert paths.p_alive(theta, zero, zero, zero) == 1.0
    assert paths.mean_purchase_rate(theta) == paths.base.mean_purchase_rate(theta[:4])


def test_draws_are_those_of_single_points():
    """Theta with an axis of draws, as predictions have it."""
    for key in THREE:
        pieces, x, *_ = rough_pieces(np.random.default_rng(14), 9)
        paths, path = on(key, pieces), np.arange(1.0, 10.0)
        theta = theta_of(paths) * np.exp(np.random.default_rng(15).normal(size=(5, 7)) * 0.2)
        alive = paths.p_alive(theta, x[:, None], path[:, None], path[:, None])
        ahead = paths.expected_purchases(theta, x[:, None], path[:, None], np.array(8.0))
        for draw, point in enumerate(theta):
            np.testing.assert_allclose(alive[:, draw], paths.p_alive(point, x, path, path), rtol=1e-12)
            wanted = paths.expected_purchases(point, x, path, np.array(8.0))
            np.testing.assert_allclose(ahead[:, draw], wanted, rtol=1e-12)


def test_many_pieces_come_in_parts_of_the_same_values(monkeypatch):
    pieces, x, *_ = rough_pieces(np.random.default_rng(16))
    path = np.arange(1.0, len(x) + 1.0)
    for key in THREE:
        whole = on(key, pieces).history_terms(theta_of(on(key, pieces)), x, path)
        monkeypatch.setattr("clvmodels.models.own_paths.AT_A_TIME", 20)
        parts = on(key, pieces).history_terms(theta_of(on(key, pieces)), x, path)
        monkeypatch.undo()
        for first, second in zip(whole, parts, strict=True):
            np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-13)


def test_models_without_a_clock_have_no_paths():
    with pytest.raises(ModelError, match="runs on no clock"):
        require_paths_of(AGEING_MODELS["pareto_nbd"]["gompertz"])


@pytest.mark.parametrize("key", THREE)
@pytest.mark.parametrize("cut", [0, 6])
def test_where_samplers_stray_numbers_stay_numbers(key, cut):
    """In functions of arrays, and in the kernel where there are many pieces; they never raise."""
    pieces, x, *_ = rough_pieces(np.random.default_rng(17), cut=cut, merged=False)
    paths, path = on(key, pieces), np.arange(1.0, len(x) + 1.0)
    for far in (1e-150, 1e-10, 1e10, 1e150):
        for which in range(7):
            theta = theta_of(paths)
            theta[which] = far
            with np.errstate(all="ignore"):  # as samplers do
                value, gradient = paths.history_terms(theta, x, path)
            assert value.shape == x.shape
            if 1e-20 < far < 1e20:
                assert np.isfinite(value).all()
                assert np.isfinite(gradient).all()
    for impossible in (0.0, np.inf, np.nan, 1e250):
        theta[-1] = impossible
        assert (paths.history_terms(theta, x, path)[0] == -np.inf).all()
