"""(M)BG/CNBD-k: against the Poisson models at k = 1, against mpmath, and against simulated customers."""

import mpmath as mp
import numpy as np
import pytest

from clvmodels.errors import ModelError
from clvmodels.models import beta_geometric_regular, regular_waits
from clvmodels.models.consistency import check_model
from clvmodels.models.derived import expected_purchases, pmf, residual
from clvmodels.models.registry import REGULAR_FAMILIES, known_model, register, regular_family_of
from clvmodels.models.simulation import future_counts
from clvmodels.models.stages import over_stages
from clvmodels.numerics.incomplete_beta import log_incomplete_beta, log_incomplete_beta_slopes
from clvmodels.numerics.quadrature import Weighting
from clvmodels.numerics.whole_sums import blocks_of_whole_numbers

FAMILIES = pytest.mark.parametrize("family", REGULAR_FAMILIES.values(), ids=list(REGULAR_FAMILIES))
AT_PURCHASES = pytest.mark.parametrize("family", [REGULAR_FAMILIES[name] for name in ("BGCNBDk", "MBGCNBDk")])
"""Those whose customers leave at purchases."""
THETA = np.array([1.5, 1.3, 0.6, 4.0])
"""r, alpha, a, b."""


def histories(number=300, seed=1):
    rng = np.random.default_rng(seed)
    T = rng.uniform(0.5, 60.0, number)
    x = rng.integers(0, 30, number).astype(float)
    return x, np.where(x > 0, T * rng.uniform(size=number), 0.0), T


@FAMILIES
@pytest.mark.parametrize("theta", [(0.243, 4.414, 0.793, 2.426), (3e3, 4e3, 0.1, 0.2), (1.5, 2.0, 0.5, 0.01)])
def test_one_stage_is_the_poisson_model(family, theta):
    theta, (x, t_x, T), t = np.array(theta), histories(), np.asarray(30.0)
    poisson, one = family.poisson, family.whole(1)
    error = 1e-10 if poisson.key == "pareto_nbd" else 1e-12
    expected = poisson.log_likelihood(theta, x, t_x, T)
    assert one.log_likelihood(theta, x, t_x, T) == pytest.approx(expected, rel=error, abs=error)
    real = family.real().log_likelihood(np.append(theta, 1.0), x, t_x, T)
    assert real == pytest.approx(expected, rel=error, abs=error)
    assert one.p_alive(theta, x, t_x, T) == pytest.approx(poisson.p_alive(theta, x, t_x, T), rel=error)
    expected = poisson.expected_purchases(theta, x, T, t)
    assert one.expected_purchases(theta, x, T, t) == pytest.approx(expected, rel=1e-10)
    for mine, theirs in zip(one.future(theta, x, T, t), poisson.future(theta, x, T, t), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-10, abs=1e-12)
    assert one.pmf(theta, x, T, t, np.asarray(3.0)) == pytest.approx(poisson.pmf(theta, x, T, t, np.asarray(3.0)))


def of_mpmath(theta, first, x, t_x, T):
    """Return the log-likelihood without log waits, and P(alive), from their definitions."""
    r, alpha, a, b, k = map(mp.mpf, theta)
    x, t_x, T = (mp.mpf(float(each)) for each in (x, t_x, T))
    n, K = r + k * x, x + first
    silent = mp.betainc(n, k, 0, (alpha + t_x) / (alpha + T), regularized=True) if t_x < T else mp.mpf(1)
    alive = mp.beta(a, b + K) / mp.beta(a, b) * silent
    left = mp.beta(a + 1, b + K - 1) / mp.beta(a, b) if K > 0 else mp.mpf(0)
    waits = mp.loggamma(n) - mp.loggamma(r) + r * mp.log(alpha) - n * mp.log(alpha + t_x) - x * mp.loggamma(k)
    return waits + mp.log(alive + left), alive / (alive + left)


@AT_PURCHASES
@pytest.mark.parametrize("k", [0.3, 0.9, 2.0, 2.5, 20.0, 33.3])
def test_likelihood_on_an_extreme_grid(family, k):
    first = 0 if family.poisson.key == "bg_nbd" else 1
    models = [(family.real(), k)] + ([(family.whole(int(k)), None)] if k.is_integer() else [])
    for r, alpha, a, b in ((0.2, 10.0, 0.5, 2.0), (5.0, 1e-3, 1e-3, 0.2), (40.0, 300.0, 3.0, 1e3)):
        for x, t_x, T in ((0, 0, 0), (0, 0, 900), (1, 1e-4, 5e4), (7, 30, 31), (60, 20, 20), (200, 50, 5e3)):
            with mp.workdps(60):
                log_likelihood, alive = of_mpmath((r, alpha, a, b, k), first, x, t_x, T)
            point, history = [r, alpha, a, b], tuple(np.asarray(float(each)) for each in (x, t_x, T))
            for model, of_k in models:
                theta = np.array(point if of_k is None else [*point, of_k])
                assert float(model.log_likelihood(theta, *history)) == pytest.approx(float(log_likelihood), rel=1e-8)
                if of_k is None:
                    assert float(model.p_alive(theta, *history)) == pytest.approx(float(alive), rel=1e-8, abs=1e-300)


@FAMILIES
@pytest.mark.parametrize("k", [1.0, 2.3, 3.0])
def test_slopes_by_a_k_that_need_not_be_whole(family, k):
    model, (x, t_x, T) = family.real(), histories()
    theta = np.array([*THETA, k])
    gradient = model.count_terms(theta, x)[1] + model.history_terms(theta, x, t_x, T)[1]
    for p, step in enumerate(1e-5 * theta):
        shift = step * np.eye(5)[p]
        above, below = (model.log_likelihood(theta + sign * shift, x, t_x, T) for sign in (1.0, -1.0))
        assert gradient[:, p] == pytest.approx((above - below) / (2.0 * step), rel=1e-5, abs=1e-6)


@FAMILIES
@pytest.mark.parametrize("k", [2, 3])
def test_laws(family, k):
    laws = check_model(family.whole(k))
    assert laws["kept"].all(), laws[~laws["kept"]].to_string()


@pytest.mark.parametrize("k", [2, 4])
def test_expectations_are_those_of_simulated_waits(k):
    """A customer's waits are drawn as they are, not as stages: given the silence, by rejection."""
    model, rng = REGULAR_FAMILIES["MBGCNBDk"].whole(k), np.random.default_rng(3)
    (r, alpha, a, b), x, t_x, T, t, number = THETA, 3.0, 5.0, 7.0, 12.0, 400_000
    rate, p = rng.gamma(r + k * x, 1.0 / (alpha + t_x), number), rng.beta(a, b + x + 1.0, number)
    wait = rng.gamma(k, 1.0, number) / rate
    silent = wait > T - t_x
    rate, p, at = rate[silent], p[silent], t_x + wait[silent]
    counts, alive = np.zeros(len(rate)), np.ones(len(rate), bool)
    while (bought := alive & (at <= T + t)).any():
        counts += bought
        alive &= ~(bought & (rng.uniform(size=len(rate)) < p))
        at = np.where(bought, at + rng.gamma(k, 1.0, len(rate)) / rate, at)
    history = tuple(np.array([each]) for each in (x, t_x, T))
    mean = expected_purchases(model, THETA, history[0], history[2], t, t_x=history[1])[0]
    assert abs(counts.mean() - mean) < 3.0 * counts.std() / np.sqrt(len(counts))
    for n in (0.0, 1.0, 4.0):
        by_stage = pmf(model, t, n)(THETA[None], history[0], history[2])
        share = float(over_stages(model, THETA[None], *(each[:, None] for each in history), by_stage)[0, 0, 0])
        assert abs((counts == n).mean() - share) < 3.0 * np.sqrt(share / len(counts))


def test_simulated_futures_start_in_the_stage_that_a_silence_leaves():
    model, rng = REGULAR_FAMILIES["BGCNBDk"].whole(3), np.random.default_rng(5)
    number, (x, t_x, T, t) = 100_000, (4.0, 6.0, 9.0, 5.0)
    drawn = future_counts(model, THETA, *(np.full(number, each) for each in (x, t_x, T)), np.asarray(t), rng)
    history = tuple(np.array([each]) for each in (x, t_x, T))
    mean = model.p_alive(THETA, *history) * expected_purchases(model, THETA, history[0], history[2], t, t_x=history[1])
    assert abs(drawn.mean() - mean[0]) < 3.0 * drawn.std() / np.sqrt(number)
    overlooked = model.p_alive(THETA, *history) * expected_purchases(model, THETA, history[0], history[2], t)
    assert abs(drawn.mean() - overlooked[0]) > 10.0 * drawn.std() / np.sqrt(number)


@FAMILIES
@pytest.mark.parametrize("k", [1, 3])
def test_discounted_purchases_are_a_martingale(family, k):
    """D now is what comes in a short time, and the D of those who bought then or did not, discounted."""
    model, delta, h = family.whole(k), 0.01, 1e-4
    factor = [Weighting(lambda u: np.exp(-delta * u), 4_000.0, smooth_over=1.0 / delta)]

    def value(x, t_x, T):
        x, t_x, T = (np.array([each]) for each in (x, t_x, T))
        return float((model.p_alive(THETA, x, t_x, T) * residual(model, THETA, x, T, factor, t_x=t_x)[0][:, 0])[0])

    x, t_x, T = 4.0, 6.0, 9.0
    history = tuple(np.array([each]) for each in (x, t_x, T))
    soon = float((model.p_alive(THETA, *history) * expected_purchases(model, THETA, *history[::2], h, t_x=t_x))[0])
    later = (1.0 - soon) * value(x, t_x, T + h) + soon * (1.0 + value(x + 1.0, T + h, T + h))
    now = value(x, t_x, T)
    assert np.exp(-delta * h) * later == pytest.approx(now, rel=1e-8)
    assert abs(value(x, t_x, T + h) / now - 1.0) > 1e-6  # what stays away moves it by more


@pytest.mark.parametrize("k", [1, 2, 7])
def test_compiled_future_is_that_of_the_sums(k, monkeypatch):
    model, rng, number = REGULAR_FAMILIES["MBGCNBDk"].whole(k), np.random.default_rng(0), 300
    y, T = np.floor(rng.exponential(40.0 * k, number)), rng.uniform(1.0, 100.0, number)
    t = 10.0 ** rng.uniform(-3.0, 2.5, number)
    compiled = model.future(THETA, y, T, t)
    monkeypatch.setattr(beta_geometric_regular, "COMPILED_FROM", number + 1)
    for fast, slow in zip(compiled, model.future(THETA, y, T, t), strict=True):
        assert fast == pytest.approx(slow, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("k", [3, 0.4, 2.0, 2.6])
def test_compiled_silences_are_those_of_the_arrays(k, monkeypatch):
    x, t_x, T = histories()
    of_k = k if isinstance(k, int) else np.full(len(x), k)
    compiled = regular_waits.silence(1.5, 1.3, of_k, x, t_x, T)
    monkeypatch.setattr(regular_waits, "COMPILED_FROM", len(x) + 1)
    for fast, slow in zip(compiled, regular_waits.silence(1.5, 1.3, of_k, x, t_x, T), strict=True):
        assert fast == pytest.approx(slow, rel=1e-10, abs=1e-12)


def test_log_of_the_incomplete_beta_function():
    rng = np.random.default_rng(2)
    with mp.workdps(50):
        for _ in range(60):
            a, b, rest = (
                10.0 ** rng.uniform(-1.5, 2.5),
                10.0 ** rng.uniform(-1.5, 1.7),
                1.0 / (1.0 + 10.0 ** rng.uniform(-4, 4)),
            )
            z, h = 1 - mp.mpf(rest), mp.mpf(10) ** -20

            def log(a, b, z=z):
                return mp.log(mp.betainc(a, b, 0, z, regularized=True))

            slopes = (log(a + h, b) - log(a - h, b)) / (2 * h), (log(a, b + h) - log(a, b - h)) / (2 * h)
            mine = log_incomplete_beta_slopes(np.array(a), np.array(b), np.array(float(z)), np.array(rest))
            for value, expected in zip(mine, (log(a, b), *slopes), strict=True):
                assert float(value) == pytest.approx(float(expected), rel=1e-11, abs=1e-14)
            alone = log_incomplete_beta(np.array(a), np.array(b), np.array(float(z)), np.array(rest))
            assert float(alone) == pytest.approx(float(mine[0]), rel=1e-14)


def test_sums_over_whole_numbers():
    total = 0.0
    for nodes, weights in blocks_of_whole_numbers(10.0):
        total += float(weights @ np.exp(-((nodes - 500.0) ** 2) / 5e3))
        if nodes[0] > 2_000.0:
            break
    assert total == pytest.approx(np.exp(-((np.arange(3_000.0) - 500.0) ** 2) / 5e3).sum(), rel=1e-12)


def test_keys_and_names_belong_to_the_package():
    family = REGULAR_FAMILIES["MBGCNBDk"]
    assert known_model("mbg_cnbd_3") is family.whole(3)
    assert regular_family_of(family.whole(3)) is family
    assert known_model("mbg_cnbd_0") is None
    assert known_model("mbg_cnbd_51") is None
    with pytest.raises(ModelError, match="of the package"):
        register(family.whole(4))
