"""Shrunk rates: the likelihood is scipy's, known truth is recovered, and shrinking beats raw rates."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from clvmodels.errors import DataError, FitError
from clvmodels.inference import shrinkage
from clvmodels.inference.shrinkage import Shrunk, beta_binomial, gamma_poisson
from clvmodels.numerics.maximisation import Objective, Optimum

N = 4_000


def poisson_data(
    shape: float, rate: float, customers: int = N, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return counts, exposures (some of them zero) and the true rates."""
    generator = np.random.default_rng(seed)
    true = generator.gamma(shape, 1.0 / rate, customers)
    exposure = np.where(generator.random(customers) < 0.05, 0.0, generator.uniform(0.1, 4.0, customers))
    return generator.poisson(true * exposure), exposure, true


def binomial_data(a: float, b: float, customers: int = N, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return successes, trials (some of them zero) and the true shares."""
    generator = np.random.default_rng(seed)
    true = generator.beta(a, b, customers)
    trials = generator.integers(0, 12, customers)
    return generator.binomial(trials, true), trials, true


def nbinom(fit: Shrunk, n: Any, e: Any) -> float:
    k, rate = fit.parameters["shape"], fit.parameters["rate"]
    return float(np.sum(stats.nbinom.logpmf(n, k, rate / (rate + np.asarray(e)))))


def betabinom(fit: Shrunk, s: Any, n: Any) -> float:
    return float(np.sum(stats.betabinom.logpmf(s, n, fit.parameters["a"], fit.parameters["b"])))


CASES: dict[str, tuple[Callable[..., Shrunk], Callable[..., Any], Callable[..., float], tuple[float, float]]] = {
    "gamma-Poisson": (gamma_poisson, poisson_data, nbinom, (0.8, 2.5)),
    "gamma-Poisson, alike": (gamma_poisson, poisson_data, nbinom, (15.0, 5.0)),
    "beta-binomial": (beta_binomial, binomial_data, betabinom, (1.2, 8.8)),
    "beta-binomial, extreme": (beta_binomial, binomial_data, betabinom, (0.15, 0.1)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_likelihood_is_that_of_scipy_and_at_its_maximum(case: str) -> None:
    fit, data, likelihood, truth = CASES[case]
    events, exposure, _ = data(*truth)
    found = fit(events, exposure)
    assert not found.pooled
    assert found.log_likelihood == pytest.approx(likelihood(found, events, exposure), rel=1e-10)
    for name, value in found.parameters.items():
        for factor in (0.99, 1.01):
            beside = Shrunk(**{**vars(found), "parameters": {**found.parameters, name: value * factor}})
            assert likelihood(beside, events, exposure) < found.log_likelihood


@pytest.mark.parametrize("case", CASES)
def test_known_truth_is_recovered(case: str) -> None:
    fit, data, _, truth = CASES[case]
    draws = np.array([list(fit(*data(*truth, seed=seed)[:2]).parameters.values()) for seed in range(10)])
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    np.testing.assert_array_less(np.abs(draws.mean(axis=0) - truth), 4.0 * error)
    np.testing.assert_allclose(draws.mean(axis=0), truth, rtol=0.15)


@pytest.mark.parametrize("case", CASES)
def test_shrinking_beats_raw_rates(case: str) -> None:
    fit, data, _, truth = CASES[case]
    events, exposure, true = data(*truth)
    seen = exposure > 0
    found = fit(events, exposure)
    raw, pooled = events[seen] / exposure[seen], events.sum() / exposure.sum()
    shrunk = np.mean((found.mean - true)[seen] ** 2)
    assert shrunk < 0.9 * np.mean((raw - true[seen]) ** 2)
    assert shrunk < 0.9 * np.mean((pooled - true[seen]) ** 2)
    assert np.mean(((found.mean - true) / found.sd) ** 2) == pytest.approx(
        1.0, abs=0.15
    )  # sd says how far off they are


def test_posterior_moments_are_those_of_bayes_rule() -> None:
    n, e = np.array([0, 1, 9, 0]), np.array([2.0, 1.0, 3.0, 0.0])
    fit = gamma_poisson(n, e)
    prior = stats.gamma(fit.parameters["shape"], scale=1.0 / fit.parameters["rate"])
    for i in range(len(n)):
        moments = [
            integrate.quad(lambda x, i=i, j=j: x**j * prior.pdf(x) * stats.poisson.pmf(n[i], x * e[i]), 0.0, 60.0)[0]
            for j in range(3)
        ]
        mean = moments[1] / moments[0]
        assert fit.mean[i] == pytest.approx(mean, rel=1e-6)
        assert fit.sd[i] == pytest.approx(np.sqrt(moments[2] / moments[0] - mean**2), rel=1e-6)
    s, t = np.array([0, 1, 5, 0]), np.array([6, 3, 7, 0])
    shares = beta_binomial(s, t)
    a, b = shares.parameters["a"], shares.parameters["b"]
    posterior = stats.beta(a + s, b + t - s)
    np.testing.assert_allclose(shares.mean, posterior.mean(), rtol=1e-12)
    np.testing.assert_allclose(shares.sd, posterior.std(), rtol=1e-12)


def test_who_was_not_observed_has_the_population_mean() -> None:
    events, exposure, _ = poisson_data(0.8, 2.5)
    fit = gamma_poisson(events, exposure)
    np.testing.assert_allclose(fit.mean[exposure == 0], fit.population_mean, rtol=1e-12)
    assert fit.population_mean == pytest.approx(fit.parameters["shape"] / fit.parameters["rate"])
    successes, trials, _ = binomial_data(1.2, 8.8)
    share = beta_binomial(successes, trials)
    np.testing.assert_allclose(share.mean[trials == 0], share.population_mean, rtol=1e-12)


def test_the_unit_of_exposure_changes_nothing_else() -> None:
    events, exposure, _ = poisson_data(0.8, 2.5)
    years, seconds = gamma_poisson(events, exposure), gamma_poisson(events, exposure * 31_557_600.0)
    np.testing.assert_allclose(seconds.mean * 31_557_600.0, years.mean, rtol=1e-6)
    assert seconds.parameters["shape"] == pytest.approx(years.parameters["shape"], rel=1e-6)


# --------------------------------------------------------------------------------------------------------- pooled


@pytest.mark.parametrize(
    ("fit", "likelihood"),
    [
        (gamma_poisson([1, 2, 1, 1], [2.0, 4.0, 2.0, 2.0]), np.sum(stats.poisson.logpmf([1, 2, 1, 1], [1, 2, 1, 1]))),
        (beta_binomial([1, 2, 1], [3, 6, 3]), np.sum(stats.binom.logpmf([1, 2, 1], [3, 6, 3], 1 / 3))),
        (beta_binomial([0, 1, 0, 1], [1, 1, 1, 1]), 4 * np.log(0.5)),  # single trials say nothing of differences
        (gamma_poisson([7], [2.0]), stats.poisson.logpmf(7, 7)),
    ],
    ids=["Poisson", "binomial", "single trials", "one customer"],
)
def test_customers_who_differ_by_chance_only_have_one_rate(fit: Shrunk, likelihood: float) -> None:
    assert fit.pooled
    assert fit.log_likelihood == pytest.approx(likelihood, rel=1e-12)
    assert np.ptp(fit.mean) == 0.0
    assert fit.mean[0] == fit.population_mean > 0.0
    assert set(fit.parameters.values()) == {np.inf}
    draws = fit.draw(np.random.default_rng(1), 20_000)
    assert np.ptp(draws, axis=1).max() == 0.0  # the one rate of all
    assert draws[:, 0].mean() == pytest.approx(fit.mean[0], rel=0.02)
    assert draws[:, 0].std() == pytest.approx(fit.common_sd[0], rel=0.03)
    np.testing.assert_array_equal(fit.sd, 0.0)


@pytest.mark.parametrize("fit", [gamma_poisson([0, 0], [1.0, 2.0]), beta_binomial([0, 0], [1, 2])])
def test_no_event_at_all_is_a_rate_of_zero(fit: Shrunk) -> None:
    assert fit.pooled
    assert fit.log_likelihood == 0.0
    np.testing.assert_array_equal([fit.mean, fit.sd, fit.common_sd], 0.0)
    np.testing.assert_array_equal(fit.draw(np.random.default_rng(1), 3), np.zeros((3, 2)))


def test_nothing_but_events_is_a_share_of_one() -> None:
    fit = beta_binomial([2, 3], [2, 3])
    np.testing.assert_array_equal(fit.draw(np.random.default_rng(1), 2), np.ones((2, 2)))


# ---------------------------------------------------------------------------------------------------------- draws


@pytest.mark.parametrize("case", CASES)
def test_draws_have_the_moments_of_the_posterior(case: str) -> None:
    fit, data, _, truth = CASES[case]
    found = fit(*data(*truth)[:2])
    draws = found.draw(np.random.default_rng(2), 600)
    error = found.sd / np.sqrt(600)
    score = (draws.mean(axis=0) - found.mean) / error
    assert np.mean(score**2) == pytest.approx(1.0, abs=0.35)
    assert np.mean(draws.std(axis=0)) == pytest.approx(np.mean(found.sd), rel=0.05)


def test_the_mean_over_customers_varies_with_the_population() -> None:
    # What is drawn of single customers averages out, what is drawn of the population does not: over data sets, the
    # mean of the true rates of unobserved customers lies as far from its estimate as the draws say.
    scores = []
    for seed in range(120):
        generator = np.random.default_rng(seed)
        true = generator.gamma(0.8, 1 / 2.5, 300)
        exposure = np.where(np.arange(300) < 40, 1.5, 0.0)
        fit = gamma_poisson(generator.poisson(true * exposure), exposure)
        draws = fit.draw(generator, 300).mean(axis=1)
        scores.append((true.mean() - draws.mean()) / draws.std())
    assert np.std(scores) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("spread", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("kind", ["events", "shares"])
def test_what_is_common_to_all_does_not_average_out(kind: str, spread: float) -> None:
    """Each customer's own deviations and the common one together are those of the draws, of one and of the sum."""
    generator = np.random.default_rng(3)
    trials = generator.integers(1, 6, 400)
    if kind == "events":
        true = 0.1 * generator.gamma(1 / spread, spread, 400) if spread else np.full(400, 0.1)
        fit = gamma_poisson(generator.poisson(true * trials), trials)
    else:
        true = generator.beta(0.2 / spread, 0.8 / spread, 400) if spread else np.full(400, 0.2)
        fit = beta_binomial(generator.binomial(trials, true), trials)
    draws = fit.draw(generator, 4_000)
    whole = np.sqrt((fit.sd**2).sum() + fit.common_sd.sum() ** 2)
    assert draws.sum(axis=1).std() == pytest.approx(whole, rel=0.15)
    each = np.sqrt(fit.sd**2 + fit.common_sd**2)
    assert np.mean(draws.std(axis=0)) == pytest.approx(each.mean(), rel=0.1)


# --------------------------------------------------------------------------------------------- robustness and speed


@settings(max_examples=150, deadline=None)
@given(
    size=st.integers(1, 30),
    spread=st.floats(-3.0, 4.0),
    level=st.floats(-6.0, 4.0),
    unit=st.floats(-3.0, 3.0),
    seed=st.integers(0, 2**32),
)
def test_any_counts_give_finite_rates(size: int, spread: float, level: float, unit: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    shape = 10.0**spread
    exposure = np.where(generator.random(size) < 0.2, 0.0, generator.uniform(0.1, 3.0, size)) * 10.0**unit
    exposure[0] = 10.0**unit
    count = generator.poisson(generator.gamma(shape, 10.0**level / shape, size) * exposure)
    trials = generator.integers(0, 10 ** generator.integers(1, 5), size)
    trials[0] = 3
    successes = generator.binomial(trials, generator.beta(shape, shape + 0.1, size))
    pooled = np.sum(stats.poisson.logpmf(count, count.sum() / exposure.sum() * exposure))
    alike = np.sum(stats.binom.logpmf(successes, trials, successes.sum() / trials.sum()))
    for fit, least in ((gamma_poisson(count, exposure), pooled), (beta_binomial(successes, trials), alike)):
        assert np.isfinite([fit.mean, fit.sd]).all()
        assert (fit.mean >= 0).all()
        assert fit.log_likelihood >= least - 1e-7 * abs(least) - 1e-9
        assert np.isfinite(fit.draw(generator, 2)).all()


def test_a_million_customers_take_a_few_seconds() -> None:
    count, exposure, _ = poisson_data(0.8, 2.5, customers=1_000_000)
    successes, trials, _ = binomial_data(1.2, 8.8, customers=1_000_000)
    start = time.perf_counter()
    rate, share = gamma_poisson(count, exposure), beta_binomial(successes, trials)
    assert time.perf_counter() - start < 10.0
    assert rate.parameters["shape"] == pytest.approx(0.8, rel=0.02)
    assert share.parameters["a"] == pytest.approx(1.2, rel=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gamma_poisson([1.5], [1.0]), "whole numbers, got 1.5"),
        (lambda: gamma_poisson([-1], [1.0]), "count is a row of numbers from zero up.*got -1 "),
        (lambda: gamma_poisson([1], [np.nan]), "exposure is a row .* got nan"),
        (lambda: gamma_poisson([[1]], [[1.0]]), r"got shape \(1, 1\)"),
        (lambda: gamma_poisson([1, 0], [0.0, 1.0]), "1 customers have events, but no exposure"),
        (lambda: gamma_poisson([0], [0.0]), "nobody was observed"),
        (lambda: gamma_poisson([], []), "nobody was observed"),
        (lambda: gamma_poisson([0, 1], [1.0]), "counts of 2 customers go with exposures of 1"),
        (lambda: beta_binomial([0], [0]), "nobody was observed"),
        (lambda: beta_binomial([3], [2]), "more successes than trials"),
        (lambda: beta_binomial([1], [2.5]), "trials are whole numbers, got 2.5"),
    ],
)
def test_what_cannot_be_counted_is_refused(call: Callable[[], Shrunk], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


def test_where_one_way_up_fails_another_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    events, exposure, _ = poisson_data(0.8, 2.5, customers=300)
    expected = gamma_poisson(events, exposure)

    def stays(objective: Objective, start: np.ndarray) -> Optimum:
        value, gradient = objective(start)
        return Optimum(start, np.eye(2), -gradient, -value, 1, left=np.inf)

    monkeypatch.setattr(shrinkage, "maximise_from", stays)
    found = gamma_poisson(events, exposure)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-5)
    monkeypatch.setattr(shrinkage, "simplex", lambda _, start: start + 3.0)
    monkeypatch.setattr(shrinkage, "newton_polish", stays)
    with pytest.raises(FitError, match="no maximum of the likelihood of 300 customers' counts was found"):
        gamma_poisson(events, exposure)
