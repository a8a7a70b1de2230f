"""A polynomial in place of a costly log density: as the density itself where it is smooth, refused where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import clvmodels as clv
from clvmodels.inference import surrogate
from clvmodels.inference.surrogate import LARGEST_ERROR, log_densities

SIZE, DRAWS = 3, 400
CUSTOMERS = 20_000
TRUTHS = {
    "BGNBD": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "ParetoNBD": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
}


@pytest.fixture(scope="module")
def points():
    """Proposals: draws from Student's t."""
    generator = np.random.default_rng(1)
    return generator.standard_normal((DRAWS, SIZE)) / np.sqrt(generator.chisquare(7, (DRAWS, 1)) / 7)


@pytest.fixture(scope="module", params=TRUTHS)
def estimator_and_histories(request):
    estimator, truth = getattr(clv, request.param)(), TRUTHS[request.param]
    return estimator, estimator.from_params(truth, unit="week").simulate(CUSTOMERS, "78 weeks", seed=1)


class Counted:
    """A density that counts how often it is computed."""

    def __init__(self, density):
        self.density, self.calls = density, 0

    def __call__(self, u):
        self.calls += 1
        return self.density(u)


def log_proposal(z):
    """Return the log density of Student's t with seven degrees of freedom."""
    return -0.5 * (7.0 + z.shape[1]) * np.log1p((z**2).sum(axis=1) / 7.0)


def skewer(u):
    """Return the same of gamma variables with a mean of 16: too skew for degree 4."""
    return float((16.0 * u - 16.0 * np.exp(u)).sum()), 16.0 - 16.0 * np.exp(u)


def light(u):
    """Return a log density lower than that of the proposals, with a kink where nobody looks."""
    size = np.sqrt(u @ u)
    beyond = max(size - 3.5, 0.0)
    return -2.0 * u @ u - 0.3 * beyond, -4.0 * u - 0.3 * (beyond > 0.0) * u / size


def skew(u):
    """Return the log density of logs of gamma variables, each with a mean of 50, less a million; and its gradient."""
    return float((50.0 * u - 50.0 * np.exp(u)).sum()) - 1e6, 50.0 - 50.0 * np.exp(u)


def kinked(u):
    """Return a log density that falls more steeply on one side of an edge off its mode."""
    beyond = np.maximum(u[0] - 0.5, 0.0)
    return -0.5 * u @ u - 2.0 * beyond, -u - 2.0 * (u[0] > 0.5) * np.eye(SIZE)[0]


def heavy(u):
    """Return the log density of independent variables of Student's t with one degree of freedom."""
    return -np.log1p(u**2).sum(), -2.0 * u / (1.0 + u**2)


def far_tail(u):
    """Return the parabola of a normal distribution that ends in a flat tail from three standard deviations on."""
    size = u @ u
    return (-0.5 * size, -u) if size < 9.0 else (-4.5, np.zeros(SIZE))


def bounded(u):
    """Return a normal log density that ends at an edge."""
    return (-0.5 * u @ u, -u) if u[0] < 1.0 else (-np.inf, np.zeros(SIZE))


@pytest.mark.parametrize("size", [1, 3, 4, 6])
def test_a_quartic_is_found(size):
    """In slanted coordinates; of six variables, the points suffice for a cubic."""
    generator = np.random.default_rng(size)
    factor, directions = generator.standard_normal((size, size)), generator.standard_normal((4, size))
    degree = 3 if size == 6 else 4

    def density(u):
        along = directions @ u
        slope = (degree * 0.1 * along ** (degree - 1)) @ directions - u
        return 0.1 * (along**degree).sum() - 0.5 * u @ u, slope

    z = generator.standard_normal((DRAWS, size))
    u, counted = z @ factor.T, Counted(density)
    values, error = log_densities(counted, u, z, factor, log_proposal(z))
    exact = np.array([density(point)[0] for point in u])
    assert surrogate.ATTEMPTS[0][0] < counted.calls < surrogate.ATTEMPTS[0][0] + surrogate.FARTHEST
    assert error < 1e-9 * np.abs(exact).max()
    np.testing.assert_allclose(values, exact, rtol=1e-9, atol=1e-9 * np.abs(exact).max())


def test_a_smooth_density_is_computed_of_few_points(points):
    counted, factor = Counted(skew), np.eye(SIZE) / np.sqrt(50.0)
    u = points @ factor.T
    values, error = log_densities(counted, u, points, factor, log_proposal(points))
    exact = np.array([skew(point)[0] for point in u])
    assert surrogate.ATTEMPTS[0][0] < counted.calls < surrogate.ATTEMPTS[0][0] + surrogate.FARTHEST
    assert 0.0 < error <= LARGEST_ERROR
    assert np.sqrt(np.mean((values - exact) ** 2)) < 2.0 * LARGEST_ERROR
    assert np.abs(special.softmax(values - exact + np.zeros(DRAWS)) * DRAWS - 1.0).max() < 0.2


def test_a_polynomial_of_degree_five_is_tried_before_it_is_given_up(points):
    counted, factor = Counted(skewer), np.eye(SIZE) / np.sqrt(16.0)
    u = points @ factor.T
    values, error = log_densities(counted, u, points, factor, log_proposal(points))
    exact = np.array([skewer(point)[0] for point in u])
    assert surrogate.ATTEMPTS[1][0] < counted.calls < surrogate.ATTEMPTS[1][0] + surrogate.FARTHEST
    assert 0.0 < error <= LARGEST_ERROR
    weights, true = (special.softmax(each - log_proposal(points)) * DRAWS for each in (values, exact))
    np.testing.assert_allclose(weights, true, atol=0.03)


def test_far_out_the_density_itself_is_computed(points):
    """Where a polynomial of odd degree may rise without end."""
    factor = np.eye(SIZE) / np.sqrt(16.0)
    values, _ = log_densities(skewer, points @ factor.T, points, factor, log_proposal(points))
    farthest = np.argsort((points**2).sum(axis=1))[-surrogate.FARTHEST :]
    np.testing.assert_array_equal(values[farthest], [skewer(point)[0] for point in points[farthest] @ factor.T])
    assert any(values[k] != skewer(points[k] @ factor.T)[0] for k in range(DRAWS))


@pytest.mark.parametrize("least", [surrogate.LEAST_LOG_WEIGHT, -np.inf])
def test_what_a_polynomial_misses_of_points_without_weight_does_not_count(points, least, monkeypatch):
    monkeypatch.setattr(surrogate, "LEAST_LOG_WEIGHT", least)
    values, error = log_densities(light, points, points, np.eye(SIZE), log_proposal(points))
    assert (error > 5.0 * LARGEST_ERROR) if least == -np.inf else (0.0 < error <= LARGEST_ERROR)
    exact = np.array([light(point)[0] for point in points])
    weights, true = (special.softmax(each - log_proposal(points)) * DRAWS for each in (values, exact))
    np.testing.assert_allclose(weights, true, atol=0.1)


@pytest.mark.parametrize("density", [kinked, heavy, far_tail])
def test_a_density_that_is_no_polynomial_is_computed_of_every_point(points, density):
    counted = Counted(density)
    values, error = log_densities(counted, points, points, np.eye(SIZE), log_proposal(points))
    assert error > LARGEST_ERROR
    assert counted.calls == DRAWS
    np.testing.assert_array_equal(values, [density(point)[0] for point in points])


def test_a_density_with_an_edge_is_computed_of_every_point(points):
    values, error = log_densities(bounded, points, points, np.eye(SIZE), log_proposal(points))
    assert error == np.inf
    np.testing.assert_array_equal(values, [bounded(point)[0] for point in points])
    assert (values == -np.inf).sum() > 10


def test_more_points_are_taken_before_it_is_given_up(points):
    """Four variables need more equations for degree 4 than a few points give."""
    counted = Counted(skew)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surrogate, "ATTEMPTS", ((8, 4), (127, 5)))
        factor = np.eye(SIZE) / np.sqrt(50.0)
        _, error = log_densities(counted, points @ factor.T, points, factor, log_proposal(points))
    assert error <= LARGEST_ERROR
    assert 127 <= counted.calls < DRAWS


@pytest.mark.parametrize("method", ["posterior", "laplace"])
def test_draws_are_those_of_the_density_itself(estimator_and_histories, method, monkeypatch):
    """The same proposals, whose weights are nearly equal."""
    estimator, histories = estimator_and_histories
    exact = estimator.fit(histories, method=method, draws=DRAWS, seed=1, progress=False)
    monkeypatch.setattr(surrogate, "MANY_HISTORIES", 1)
    fit = estimator.fit(histories, method=method, draws=DRAWS, seed=1, progress=False)
    assert exact.diagnostics.surrogate_error is None
    assert 0.0 < fit.diagnostics.surrogate_error < LARGEST_ERROR
    assert "is that of a polynomial, which misses it by" in fit.diagnostics.message
    sd = exact.draws.std(axis=0)
    assert (np.abs(fit.draws.mean(axis=0) - exact.draws.mean(axis=0)) < 0.01 * sd).all()
    np.testing.assert_allclose(fit.draws.std(axis=0), sd, rtol=0.01)
    assert fit.diagnostics.pareto_k == pytest.approx(exact.diagnostics.pareto_k, abs=0.01)
    assert (fit.draws != exact.draws).any(axis=1).mean() < 0.02
    again = estimator.fit(histories, method=method, draws=DRAWS, seed=1, progress=False)
    np.testing.assert_array_equal(again.theta, fit.theta)


def test_what_a_polynomial_misses_is_reported_and_changes_nothing(tmp_path, monkeypatch):
    """Of 236 customers, Pareto/NBD learns little: their posterior is no polynomial."""
    histories = clv.ParetoNBD().from_params(TRUTHS["ParetoNBD"], unit="week").simulate(236, "39 weeks", seed=3)
    exact = clv.ParetoNBD(priors={}).fit(histories, method="laplace", draws=DRAWS, seed=1, progress=False)
    monkeypatch.setattr(surrogate, "MANY_HISTORIES", 1)
    fit = clv.ParetoNBD(priors={}).fit(histories, method="laplace", draws=DRAWS, seed=1, progress=False)
    assert fit.diagnostics.surrogate_error > LARGEST_ERROR
    assert "The log density of each was computed" in fit.diagnostics.message
    np.testing.assert_array_equal(fit.theta, exact.theta)
    fit.save(tmp_path / "fit.json")
    assert clv.Fit.load(tmp_path / "fit.json").diagnostics == fit.diagnostics
