"""Customers who do not differ in some respect: the fit ends at a limit of the model, and says which."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import clvmodels as clv
from clvmodels.errors import DataError, FitError, FitWarning, ParameterError
from clvmodels.inference.maximum_likelihood import maximise, objective
from clvmodels.inference.observations import observe
from clvmodels.models import MODELS
from tests.accuracy import reference as truth

pytestmark = pytest.mark.filterwarnings("ignore::clvmodels.errors.DataWarning")
ESTIMATORS = {"bg_nbd": clv.BGNBD, "mbg_nbd": clv.MBGNBD, "pareto_nbd": clv.ParetoNBD}
EVERY = pytest.mark.parametrize("key", ESTIMATORS)


def as_histories(x, t_x, T):
    table = {"customer_id": np.arange(len(x)), "frequency": x, "recency": t_x, "T": T}
    return clv.Histories.from_frame(pd.DataFrame(table), unit="week")


def random_last(x, end, generator):
    return np.where(x > 0, end * generator.random(len(x)) ** (1.0 / np.maximum(x, 1.0)), 0.0)


def small_base(seed):
    """Two to sixty customers who buy at equal or regular rates."""
    generator = np.random.default_rng(seed)
    n = int(generator.integers(2, 61))
    T = generator.integers(20, 80, n).astype(float)
    if seed % 5 == 0:  # nobody leaves
        x = generator.poisson(0.2 * T).astype(float)
        t_x = random_last(x, T, generator)
    elif seed % 5 == 1:  # like clockwork
        gap = float(generator.integers(2, 9))
        x = np.floor(T / gap)
        t_x = x * gap
    elif seed % 5 == 2:  # all the same
        x, T, t_x = np.full(n, 3.0), np.full(n, 30.0), np.full(n, float(generator.integers(10, 31)))
    elif seed % 5 == 3:  # some leave at once
        x = generator.poisson(0.3 * T).astype(float) * (generator.random(n) > 0.3)
        t_x = random_last(x, T, generator)
    else:  # leaving rates do not differ either
        alive = np.minimum(generator.exponential(20.0, n), T)
        x = generator.poisson(0.3 * alive).astype(float)
        t_x = random_last(x, alive, generator)
    if not x.any():
        x[0] = t_x[0] = 1.0
    return x, np.round(t_x, 3), T


def check_reported_log_likelihood(key, seed):
    histories = small_base(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fit = ESTIMATORS[key]().fit(as_histories(*histories))
    theta = {name: float(value) for name, value in fit.params.items()}
    rows, weight = np.unique(np.array(histories), axis=1, return_counts=True)
    exact = sum(
        int(w) * truth.log_likelihood(key, theta, *map(float, row)) for row, w in zip(rows.T, weight, strict=True)
    )
    assert fit.log_likelihood == pytest.approx(float(exact), rel=0.0, abs=1e-9), (seed, theta)


@EVERY
@pytest.mark.parametrize("seed", range(10, 15))
def test_the_reported_log_likelihood_is_that_of_the_reported_parameters(key, seed):
    check_reported_log_likelihood(key, seed)


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize("seed", range(100))
def test_so_it_is_of_a_hundred_small_bases(key, seed):
    check_reported_log_likelihood(key, seed)


def buyers(generator, *, rate, shape, leave, n=80, T=52.0):
    """Frequent buyers, of whom a share leaves after the first repeat purchase, and the others never."""
    x, t_x = np.zeros(n), np.zeros(n)
    for i, own in enumerate(rate * generator.gamma(shape, size=n) / shape):
        times = np.cumsum(generator.exponential(1.0 / own, int(3.0 * own * T) + 50))
        times = times[times < T][: 1 if generator.random() < leave else None]
        x[i], t_x[i] = len(times), times[-1] if len(times) else 0.0
    return as_histories(x, t_x, np.full(n, T))


def best_of_many_climbs(model, histories, climbs=20):
    """Quasi-Newton steps from random starts, within the bounds of the fit."""
    observations = observe(model, histories)
    height, generator = objective(model, observations), np.random.default_rng(1)

    def function(psi):
        value, gradient = height(psi)
        return (value, gradient) if np.isfinite(value) and np.isfinite(gradient).all() else (1e10, np.zeros(len(psi)))

    starts = [np.append(generator.uniform(-2.0, 3.0, 2), generator.uniform(-16.0, 6.0, 2)) for _ in range(climbs)]
    ends = [minimize(function, s, jac=True, method="L-BFGS-B", bounds=[(-30.0, 30.0)] * 4, tol=1e-13) for s in starts]
    return max(-end.fun for end in ends) * observations.customers


@EVERY
@pytest.mark.parametrize(("rate", "shape", "leave"), [(2.0, 20.0, 0.05), (1.0, 3.0, 0.15)])
def test_some_leave_at_once_and_the_rest_never(key, rate, shape, leave):
    """Both a and b (s and beta) run to zero; where only one does, nobody leaves, and the likelihood is level too."""
    model, histories = MODELS[key], buyers(np.random.default_rng(2), rate=rate, shape=shape, leave=leave)
    optimum = maximise(model, observe(model, histories))
    assert optimum.value > best_of_many_climbs(model, histories) - 1e-4


def alike(generator):
    x = generator.binomial(16, 0.5, 200).astype(float)  # more regular than Poisson
    return x, random_last(x, 52.0, generator)


def faithful(generator):
    x = 1.0 + generator.poisson(52.0 * generator.gamma(1.0, 0.1, 400))
    return x, np.full(400, 52.0)


CASES = {"purchase rates do not differ": alike, "nobody is seen to leave": faithful}


@EVERY
@pytest.mark.parametrize("meaning", CASES)
def test_the_message_says_once_what_is_true_of_the_data(key, meaning):
    x, t_x = CASES[meaning](np.random.default_rng(0))
    with pytest.warns(FitWarning) as caught:
        fit = ESTIMATORS[key]().fit(as_histories(x, t_x, np.full(len(x), 52.0)))
    assert sum(issubclass(each.category, FitWarning) for each in caught) == 1
    message = fit.diagnostics.message
    assert message.startswith("boundary: ")
    assert message.count(meaning) == 1
    assert not ("nobody is seen to leave" in message and "to leave do not differ" in message)
    assert "fewer parameters" not in message
    assert 'method="posterior"' in message


def test_the_message_tells_who_leaves_at_once():
    with pytest.warns(FitWarning, match=r"some leave at once, the rest never \(a and b went to their lower bounds\)"):
        clv.BGNBD().fit(buyers(np.random.default_rng(2), rate=1.0, shape=3.0, leave=0.15))


@EVERY
def test_every_limit_is_stated_in_the_model_s_own_parameters(key):
    for limit in MODELS[key].limits:
        assert set(limit.start).union(*limit.beyond) <= set(MODELS[key].names)


def test_the_remedy_that_is_named_works():
    x, t_x = CASES["purchase rates do not differ"](np.random.default_rng(0))
    histories = as_histories(x[:30], t_x[:30], np.full(30, 52.0))
    with pytest.raises(FitError, match='use method="posterior"'):
        clv.BGNBD().fit(histories, method="laplace", draws=50, seed=1)
    fit = clv.BGNBD().fit(histories, method="posterior", seed=1, progress=False)
    assert fit.diagnostics.status == "converged"
    assert "purchase rates do not differ" in fit.diagnostics.message
    assert np.isfinite(fit.summary().to_numpy(dtype=float)).all()


# ------------------------------------------------------------------------------------------------ beyond all measure


def spenders(amounts, x=2.0):
    table = {
        "customer_id": np.arange(len(amounts)),
        "frequency": x,
        "recency": 9.0,
        "T": 39.0,
        "monetary_value": amounts,
    }
    return clv.Histories.from_frame(pd.DataFrame(table), unit="week")


@pytest.mark.parametrize(
    "amounts",
    [
        [1e-300, 1e300],
        10.0 ** np.linspace(-300, 300, 20),
        [1e-308, 2e-308],
        [1e308, 1.5e308],
        [5e-324, 1e-310],
        [1e95, 1e99],
    ],
)
def test_amounts_beyond_all_measure_are_refused_in_words(amounts):
    with pytest.raises(
        (DataError, FitError), match=r"mean spend must lie between 1e-90 and 1e\+90, got|is above 1e\+100"
    ):
        clv.GammaGamma().fit(spenders(np.asarray(amounts)))


@pytest.mark.parametrize("amounts", [[5.0, 5.0], [20.0, 21.0], [1e-60, 1e60], [1e-9, 1.0, 1e9]])
def test_spend_of_any_spread_is_fitted(amounts):
    histories = spenders(np.asarray(amounts))
    with pytest.warns(FitWarning, match="boundary"):
        fit = clv.GammaGamma().fit(histories)
    z = fit.expected_spend(histories)["mean"]
    assert np.isfinite(fit.log_likelihood)
    assert np.isfinite(z).all()
    assert (z > 0).all()


@pytest.mark.parametrize("T", [0.0, 1e-300, 1e300])
def test_ages_beyond_all_measure_are_refused_in_words(T):
    x = np.array([1.0, 0.0, 2.0])
    with pytest.raises((DataError, FitError), match=r"the mean age of the 3 customers must lie between|T is above"):
        clv.BGNBD().fit(as_histories(x, np.where(x > 0, T, 0.0), np.full(3, T)))


@EVERY
@pytest.mark.parametrize("value", [1e308, 1e-308, 1e26])
def test_parameters_beyond_all_measure_are_refused_in_words(key, value):
    names = MODELS[key].names
    for name in names:
        with pytest.raises(ParameterError, match="must lie between"):
            ESTIMATORS[key]().from_params({**dict.fromkeys(names, 1.0), name: value}, unit="week")


@EVERY
@pytest.mark.parametrize("seed", range(4))
def test_parameters_near_the_bounds_predict_numbers(key, seed):
    generator = np.random.default_rng(seed)
    histories = as_histories(np.array([0.0, 1, 3, 1]), np.array([0.0, 5, 20, 1]), np.array([30.0, 30, 30, 2]))
    for _ in range(3):
        values = 10.0 ** generator.choice([-25.0, -13.0, 0.0, 13.0, 25.0], 4)
        fit = ESTIMATORS[key]().from_params(dict(zip(MODELS[key].names, values, strict=True)), unit="week")
        for figures in (
            fit.probability_alive(histories),
            fit.expected_purchases(histories, "52 weeks"),
            fit.probability_of_purchases(histories, "52 weeks", n=2),
        ):
            assert np.isfinite(figures["mean"]).all(), values
