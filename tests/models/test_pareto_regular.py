"""Pareto/CNBD-k: against mpmath, and against simulated waits; what it shares with the others is in `test_regular`."""

import mpmath as mp
import numpy as np
import pytest

from clvmodels.models import pareto_regular
from clvmodels.models.derived import expected_purchases, pmf
from clvmodels.models.registry import REGULAR_FAMILIES
from clvmodels.models.regular_waits import renewal_intensity
from clvmodels.models.stages import over_stages

FAMILY = REGULAR_FAMILIES["ParetoCNBDk"]
THETA = np.array([1.5, 1.3, 0.8, 9.0])
"""r, alpha, s, beta."""
POINTS = ((0.2, 10.0, 0.5, 2.0), (5.0, 1e-3, 1e-3, 0.2), (40.0, 300.0, 3.0, 1e3))
HISTORIES = ((0, 0, 900), (1, 1e-4, 5e4), (7, 30, 31), (200, 50, 5e3))


def silence(n, k, z):
    """Return I_z(n, k); of a whole k, by its sum."""
    if k == int(k):
        return z**n * mp.fsum(mp.rf(n, j) / mp.factorial(j) * (1 - z) ** j for j in range(int(k)))
    return mp.betainc(n, k, 0, z, regularized=True)


def of_mpmath(theta, x, t_x, T):
    """Return the log-likelihood without log waits, and P(alive), from their definitions."""
    r, alpha, s, beta, k = map(mp.mpf, theta)
    x, t_x, T = (mp.mpf(float(each)) for each in (x, t_x, T))
    n = r + k * x
    width = min((alpha + t_x) / n, beta + t_x)

    def leaving(y):
        v = y**4  # smooth where k is small
        t = t_x + width * mp.expm1(v)
        if t == t_x:
            return mp.mpf(0)
        density = s * beta**s * (beta + t) ** (-s - 1) * width * mp.exp(v) * 4 * y**3
        return silence(n, k, (alpha + t_x) / (alpha + t)) * density

    end = mp.log(1 + (T - t_x) / width)
    left = mp.quad(leaving, [(end * i / 8) ** mp.mpf("0.25") for i in range(9)])
    alive = silence(n, k, (alpha + t_x) / (alpha + T)) * (beta / (beta + T)) ** s
    waits = mp.loggamma(n) - mp.loggamma(r) + r * mp.log(alpha) - n * mp.log(alpha + t_x) - x * mp.loggamma(k)
    return float(waits + mp.log(alive + left)), float(alive / (alive + left))


def assert_right(k, points, histories):
    for point in points:
        for x, t_x, T in histories:
            with mp.workdps(18):
                log_likelihood, alive = of_mpmath((*point, k), x, t_x, T)
            history = tuple(np.asarray(float(each)) for each in (x, t_x, T))
            theta = np.array([*point, k])
            assert float(FAMILY.real().log_likelihood(theta, *history)) == pytest.approx(log_likelihood, rel=1e-8)
            if k == int(k):
                whole = FAMILY.whole(int(k))
                assert float(whole.log_likelihood(theta[:4], *history)) == pytest.approx(log_likelihood, rel=1e-8)
                assert float(whole.p_alive(theta[:4], *history)) == pytest.approx(alive, rel=1e-8, abs=1e-300)


def test_likelihood_of_a_whole_k_on_an_extreme_grid():
    assert_right(2.0, POINTS, HISTORIES)
    assert_right(20.0, POINTS[1:2], HISTORIES[::2])


@pytest.mark.parametrize("k", [0.3, 2.5])
def test_likelihood_of_a_real_k_at_extremes(k):
    assert_right(k, POINTS[:2], HISTORIES[:2])


@pytest.mark.slow  # 60 seconds, nearly all of mpmath
@pytest.mark.parametrize("k", [0.3, 0.9, 2.5, 20.0, 33.3])
def test_likelihood_of_a_real_k_on_an_extreme_grid(k):
    assert_right(k, POINTS, HISTORIES)


@pytest.mark.parametrize("k", [0.3, 2.5, 3.0, 25.0])
def test_compiled_silences_are_those_of_the_arrays(k, monkeypatch):
    rng, number = np.random.default_rng(1), 200
    T = rng.uniform(0.5, 900.0, number)
    x = np.floor(rng.exponential(20.0, number)) * (rng.uniform(size=number) < 0.8)
    t_x = np.where(x > 0, T * rng.uniform(size=number), 0.0)
    t_x[:5] = T[:5]
    models = [FAMILY.real()] + ([FAMILY.whole(int(k))] if k == int(k) else [])
    for model in models:
        theta = THETA if model is not FAMILY.real() else np.append(THETA, k)
        compiled = model.history_terms(theta, x, t_x, T)
        with monkeypatch.context() as patch:
            patch.setattr(pareto_regular, "COMPILED_FROM", number + 1)
            arrays = model.history_terms(theta, x, t_x, T)
        assert compiled[0] == pytest.approx(arrays[0], rel=1e-11)
        assert compiled[1] == pytest.approx(arrays[1], rel=1e-8, abs=1e-10)


@pytest.mark.parametrize(("k", "stage"), [(1, 0.0), (2, 1.0), (3, 0.0), (5, 2.0)])
def test_the_rate_of_purchases_is_the_sum_over_stages_passed(k, stage):
    n, age, t = 3.7, 11.0, 8.0
    with mp.workdps(40):
        share, total = mp.mpf(t) / (age + t), mp.mpf(0)
        for e in range(int(k - 1 - stage), 400, k):
            nbd = mp.rf(n, e) / mp.factorial(e) * share**e * (1 - share) ** n
            total += nbd * (n + e) / (age + t)
    mine = renewal_intensity(k, np.asarray(n), np.asarray(age), np.asarray(stage), np.asarray(t))
    assert float(mine) == pytest.approx(float(total), rel=1e-12)


@pytest.mark.parametrize("k", [2, 4])
def test_expectations_are_those_of_simulated_waits(k):
    """A customer's waits are drawn as they are, not as stages: given the silence, by rejection."""
    model, rng = FAMILY.whole(k), np.random.default_rng(3)
    (r, alpha, s, beta), x, t_x, T, t, number = THETA, 3.0, 5.0, 7.0, 12.0, 400_000
    rate = rng.gamma(r + k * x, 1.0 / (alpha + t_x), number)
    wait = rng.gamma(k, 1.0, number) / rate
    silent = wait > T - t_x
    rate, at = rate[silent], t_x + wait[silent]
    left = T + rng.exponential(size=len(rate)) / rng.gamma(s, 1.0 / (beta + T), len(rate))
    counts = np.zeros(len(rate))
    while (bought := at <= np.minimum(T + t, left)).any():
        counts += bought
        at = np.where(bought, at + rng.gamma(k, 1.0, len(rate)) / rate, at)
    history = tuple(np.array([each]) for each in (x, t_x, T))
    mean = expected_purchases(model, THETA, history[0], history[2], t, t_x=history[1])[0]
    assert abs(counts.mean() - mean) < 3.0 * counts.std() / np.sqrt(len(counts))
    for n in (0.0, 1.0, 4.0):
        given = pmf(model, t, n)(THETA[None], history[0], history[2])
        share = float(over_stages(model, THETA[None], *(each[:, None] for each in history), given)[0, 0, 0])
        assert abs((counts == n).mean() - share) < 3.0 * np.sqrt(share / len(counts))
