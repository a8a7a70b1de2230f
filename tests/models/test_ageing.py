"""Pareto/NBD on clocks of age: laws, arbitrary precision, limits without ageing, and what its class does."""

from __future__ import annotations

import pickle
from itertools import pairwise

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import clvmodels as clv
from clvmodels.errors import AssumptionError, FitError, ModelError
from clvmodels.models.consistency import LAWS
from clvmodels.models.derived import residual
from clvmodels.models.law import gradient_error
from clvmodels.models.pareto_nbd import PARETO_NBD
from clvmodels.models.registry import AGEING_MODELS, VARIANTS, call_of, register
from clvmodels.numerics.age_clocks import GOMPERTZ, WEIBULL, panels
from clvmodels.numerics.quadrature import Weighting

MODELS = AGEING_MODELS["pareto_nbd"]
both = pytest.mark.parametrize("ageing", MODELS)

HISTORIES = np.array([(0, 0, 39), (1, 5, 39), (26, 30.857, 31), (3, 0.5, 104), (300, 1, 39), (2, 1e-3, 500)], float).T
THETA = {
    "gompertz": (
        (0.58, 12.6, 0.17, 2.9, 0.045),
        (0.5, 10.0, 0.6, 1e-3, 0.01),
        (0.02, 1e-3, 0.02, 1e-3, 0.5),
        (0.5, 10.0, 0.5, 1e6, 0.5),
        (2.0, 1e4, 5.0, 1e4, 0.3),
        (0.5, 10.0, 200.0, 1e5, 0.1),
        (0.5, 10.0, 0.6, 13.0, 1e-12),
    ),
    "weibull": (
        (0.58, 12.6, 0.5, 10.0, 1.2),
        (0.5, 10.0, 0.6, 1e-3, 0.1),
        (0.02, 1e-3, 0.02, 1e-3, 2.0),
        (30.0, 300.0, 30.0, 300.0, 3.0),
        (0.5, 10.0, 2.0, 60.0, 8.0),
    ),
}
POINTS = pytest.mark.parametrize(("ageing", "theta"), [(key, theta) for key, rows in THETA.items() for theta in rows])


def growth(ageing: str, t: mpmath.mpf, beta: mpmath.mpf, c: mpmath.mpf) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return G(t) and G'(t) in the words of the papers."""
    if ageing == "gompertz":
        return mpmath.expm1(c * t) / (c * beta), mpmath.exp(c * t) / beta
    return (t / beta) ** c, c / beta * (t / beta) ** (c - 1) if t > 0 else mpmath.mpf(0)


def exact(ageing: str, theta: tuple[float, ...], x: float, t_x: float, T: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return the history's part of the log-likelihood and P(alive), in 30 digits."""
    r, alpha, s, beta, c = map(mpmath.mpf, theta)
    x, t_x, T = map(mpmath.mpf, (x, t_x, T))
    staying = (1 + T / alpha) ** -(r + x) * (1 + growth(ageing, T, beta, c)[0]) ** -s

    def leaves(y: mpmath.mpf) -> mpmath.mpf:
        """In y = log(t - t_x)."""
        t = t_x + mpmath.exp(y)
        clock, speed = growth(ageing, t, beta, c)
        return (1 + t / alpha) ** -(r + x) * s * (1 + clock) ** -(s + 1) * speed * mpmath.exp(y)

    last = mpmath.log(T - t_x)
    cuts = sorted({last - k / 2 for k in range(80)} | {last - 40 / min(c, 1) - 20, last - 60, last - 100})
    if ageing == "gompertz":  # where risks, as they grow, make nearly all customers leave
        peak = mpmath.log(c * beta) / c
        near = [peak + k / (2 * c) - t_x for k in range(-60, 61)]
        cuts = sorted({*cuts, *(mpmath.log(time) for time in near if 0 < time < T - t_x)})
    left = sum(mpmath.quad(leaves, panel, maxdegree=6, method="gauss-legendre") for panel in pairwise(cuts))
    return mpmath.log(staying + left), staying / (staying + left)


@both
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.description)
def test_models_on_clocks_of_age_keep_the_laws(ageing, law):
    model = MODELS[ageing]
    assert law.deviation(model, model.theta(model.example)) <= law.tolerance


@POINTS
def test_likelihood_and_p_alive_in_arbitrary_precision(ageing, theta):
    model, point = MODELS[ageing], np.array(theta)
    values, alive = model.history_terms(point, *HISTORIES)[0], model.p_alive(point, *HISTORIES)
    with mpmath.workdps(30):
        for k, history in enumerate(HISTORIES.T):
            value, p_alive = exact(ageing, theta, *history)
            assert values[k] == pytest.approx(float(value), rel=1e-9, abs=1e-9)
            assert alive[k] == pytest.approx(float(p_alive), rel=1e-8, abs=1e-300)


@POINTS
def test_gradient_is_that_of_differences(ageing, theta):
    assert gradient_error(MODELS[ageing].history_terms, np.array(theta), HISTORIES) < 1e-5


@POINTS
@pytest.mark.parametrize("end", [5.0, 260.0, 12_000.0])
def test_expected_purchases_and_living_time_agree_with_adaptive_quadrature(ageing, theta, end):
    model, point, delta = MODELS[ageing], np.array(theta), 0.0027
    x, T = np.array([0.0, 2.0, 3.0]), np.array([0.0, 38.86, 104.0])
    weighting = Weighting(lambda u: np.exp(-delta * u), end, smooth_over=2 / delta)
    discounted = residual(model, point, x, T, [weighting])[1][:, 0]
    bought = model.expected_purchases(point, x, T, np.asarray(end))
    for k in range(len(x)):

        def discounted_stay(y, k=k):
            u = np.exp(y)
            return u * np.exp(-delta * u) * model.future(point, x[k], T[k], np.asarray(u))[0]

        def intensity(y, k=k):
            u = np.exp(y)
            return u * model.future(point, x[k], T[k], np.asarray(u))[1]

        cuts = np.linspace(-24.0, np.log(end), 41)
        for ours, integrand in ((discounted[k], discounted_stay), (bought[k], intensity)):
            truth = sum(quad(integrand, *panel, epsabs=0, epsrel=1e-11, limit=200)[0] for panel in pairwise(cuts))
            assert ours == pytest.approx(truth, rel=1e-8)


@both
def test_groups_with_parameters_of_their_own_are_integrated_like_each_alone(ageing):
    model = MODELS[ageing]
    theta = np.array([model.theta(model.example) * factor for factor in (1.0, [1.0, 0.3, 2.0, 30.0, 0.7])])
    group = np.repeat([0, 1], 200)
    x, T = np.tile([0.0, 2.0], 200), np.random.default_rng(4).uniform(1.0, 150.0, 400)
    weighting = Weighting(lambda u: np.exp(-0.0027 * u), 12_000.0, smooth_over=700.0)
    together = np.column_stack(residual(model, theta, x, T, [weighting], group))
    for k in (0, 1, 77, 201, 399):
        alone = np.column_stack(residual(model, theta[group[k]], x[[k]], T[[k]], [weighting]))
        np.testing.assert_allclose(together[k], alone[0], rtol=1e-9)


@pytest.mark.parametrize(("ageing", "c"), [("gompertz", 1e-12), ("weibull", 1.0)])
def test_without_ageing_it_is_pareto_nbd(ageing, c):
    model = MODELS[ageing]
    base = PARETO_NBD.theta(PARETO_NBD.example)
    theta, (x, t_x, T), t = np.append(base, c), HISTORIES, np.asarray(52.0)
    value, slopes = model.history_terms(theta, x, t_x, T)
    expected, expected_slopes = PARETO_NBD.history_terms(base, x, t_x, T)
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    np.testing.assert_allclose(slopes[:, :4], expected_slopes, rtol=1e-8)
    np.testing.assert_allclose(model.p_alive(theta, x, t_x, T), PARETO_NBD.p_alive(base, x, t_x, T), rtol=1e-9)
    for name in ("expected_purchases", "future"):
        ours, theirs = (getattr(each, name)(at, x, T, t) for each, at in ((model, theta), (PARETO_NBD, base)))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    n = np.arange(6.0)[:, None]
    np.testing.assert_allclose(model.pmf(theta, x, T, t, n), PARETO_NBD.pmf(base, x, T, t, n), rtol=1e-9)


@both
def test_a_simulated_lifetime_is_the_inverse_of_survival(ageing):
    model = MODELS[ageing]
    theta, generator = model.theta(model.example), np.random.default_rng(3)
    for T in (0.0, 50.0):
        age = np.full(20_000, T)
        lifetime = model.draw_traits(theta, np.zeros(20_000), age, generator).lifetime
        stays = np.sort(model.future(theta, np.zeros(20_000), age, lifetime)[0])
        assert np.abs(stays - (np.arange(20_000) + 0.5) / 20_000).max() < 1.95 / np.sqrt(20_000)  # Kolmogorov, .1 %


@both
def test_ages_at_which_the_clock_has_a_value(ageing):
    clock = GOMPERTZ if ageing == "gompertz" else WEIBULL
    t, c = np.array([1e-8, 0.3, 5.0, 400.0])[:, None], np.array([1e-14, 0.02, 1.0, 3.0])
    beta = np.array(7.0)
    if clock is WEIBULL:
        c = c[1:]
    np.testing.assert_allclose(clock.age(clock.log_growth(t, beta, c), beta, c) + 0.0 * c, t + 0.0 * c, rtol=1e-11)


@pytest.mark.parametrize("start", [0.0, 1e-3, 40.0])
@pytest.mark.parametrize("clock", [GOMPERTZ, WEIBULL], ids=["gompertz", "weibull"])
def test_panels_integrate_the_density_of_leaving(clock, start):
    """The integral of G' / (1+G)^2 is that of 1 / (1+G)."""
    beta, c, start, span = (np.array([value]) for value in (9.0, 0.7, start, 60.0))
    at = panels(clock, start, span, clock.near(start, np.array([2.0])), c)
    t = start + at.time
    density = np.exp(clock.log_speed(t, beta, c) - 2.0 * clock.log_stay(t, beta, c) + at.log_weight)
    truth = np.exp(-clock.log_stay(start, beta, c)) - np.exp(-clock.log_stay(start + span, beta, c))
    assert density.sum() == pytest.approx(truth[0], rel=1e-10)


TRUTH = {"r": 0.8, "alpha": 6.0, "s": 0.8, "beta": 60.0, "c": 0.04}


@pytest.fixture(scope="module")
def rfm() -> clv.Histories:
    return clv.ParetoNBD(ageing="gompertz").from_params(TRUTH, unit="week").simulate(3_000, "104 weeks", seed=6)


@pytest.fixture(scope="module")
def fit(rfm) -> clv.Fit:
    return clv.ParetoNBD(ageing="gompertz").fit(rfm)


def test_the_truth_of_simulated_customers_is_within_what_they_tell(rfm, fit):
    """Twice the log-likelihood ratio is chi-squared of five degrees: above 20.5 in one of a thousand."""
    model = fit.model
    theta = model.theta(TRUTH)
    true = model.log_likelihood(theta, rfm.frequency, rfm.recency, rfm.T).sum()
    assert 0.0 < 2.0 * (fit.log_likelihood - true) < 20.5


def test_a_fit_does_not_depend_on_the_unit_of_time(rfm, fit):
    table = pd.DataFrame({"frequency": rfm.frequency, "recency": 7.0 * rfm.recency, "T": 7.0 * rfm.T})
    table["customer_id"] = np.arange(len(table))
    days = clv.ParetoNBD(ageing="gompertz").fit(clv.Histories.from_frame(table, unit="day"))
    np.testing.assert_allclose(days.estimate, fit.estimate * [1.0, 7.0, 1.0, 7.0, 1.0 / 7.0], rtol=1e-4)


def test_a_fit_on_a_clock_of_age_is_stored_and_pickled(fit, tmp_path):
    fit.save(tmp_path / "fit.json")
    for again in (clv.Fit.load(tmp_path / "fit.json"), pickle.loads(pickle.dumps(fit))):
        assert again.model is MODELS["gompertz"]
        np.testing.assert_array_equal(again.estimate, fit.estimate)
    words = fit.describe()
    assert "Pareto/NBD (Gompertz ageing)" in words
    assert f"doubles with every {np.log(2.0) / fit.params['c']:,.3g} units of time" in words
    assert "model risk" in words


def test_expected_purchases_of_a_fit_are_those_of_simulated_futures():
    fit = clv.ParetoNBD(ageing="gompertz").from_params(TRUTH, unit="week")
    bought = fit.simulate(40_000, "60 weeks", seed=2).frequency
    zero = np.zeros(1)
    expected = fit.model.expected_purchases(fit.estimate, zero, zero, np.asarray(60.0))[0]
    assert bought.mean() == pytest.approx(expected, abs=4.0 * bought.std() / 200.0)


@both
def test_the_class_knows_its_clock(ageing):
    estimator = clv.ParetoNBD(ageing=ageing)
    assert repr(estimator) == f"ParetoNBD(ageing={ageing!r})"
    assert estimator.model is MODELS[ageing]
    assert estimator.set_params(ageing=None).model is PARETO_NBD
    assert pickle.loads(pickle.dumps(estimator)) == estimator
    assert type(estimator)(**estimator.get_params()) == estimator
    assert call_of(estimator.model) == f'clv.ParetoNBD(ageing="{ageing}")'
    assert estimator.default_priors["ageing"]["dist"] == "LogNormal"


def test_what_does_not_go_with_ageing_is_refused():
    with pytest.raises(FitError, match="gompertz"):
        clv.ParetoNBD(ageing="gompetz")
    frame = pd.DataFrame({"date": pd.to_datetime(["2020-01-01", "2020-07-01"]), "season": [0.0, 1.0]})
    calendar = clv.Calendar.from_frame(frame, date="date", columns=["season"])
    with pytest.raises(FitError, match="does not go with a calendar"):
        clv.ParetoNBD(ageing="weibull", calendar=calendar)
    with pytest.raises(ModelError, match="of the package"):
        register(VARIANTS["pareto_nbd_weibull"])


def test_weibull_needs_both_parameters_for_a_finite_undiscounted_future(rfm):
    params = {"r": 0.5, "alpha": 10.0, "s": 0.5, "beta": 10.0, "c": 1.2}
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    undiscounted = clv.Assumptions(discount_rate=0.0, margin=0.3, currency="USD")
    with pytest.raises(AssumptionError, match=r"s c = 0\.6, and from 1 down the undiscounted future is infinite"):
        clv.value(clv.ParetoNBD(ageing="weibull").from_params(params, unit="week"), spend, rfm, undiscounted)
