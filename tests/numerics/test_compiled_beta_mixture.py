"""Expectations over beta laws by compiled series: against arbitrary precision, and against the sums they stand for."""

import warnings

import mpmath
import numpy as np
import pytest

from clvmodels.numerics.beta_mixture import mean_powers
from clvmodels.numerics.compiled_beta_mixture import write_powers


def powers(n, z, a, b):
    """Return both expectations for single numbers and an array of z, and whether the series are good."""
    out = np.empty((2, 1, len(z)))
    good = write_powers(np.array([n]), z[None], np.array([a]), np.array([b]), out)
    return out[:, 0], bool(good[0])


def truth(n, z, a, b):
    with mpmath.workdps(60):
        n, a, b = map(mpmath.mpf, (n, a, b))
        rows = [[float(mpmath.hyp2f1(m, a, a + b, -mpmath.mpf(each))) for each in z] for m in (n, n + 1)]
    return np.array(rows)


def checked(laws):
    """Compare the laws whose series are good with the truth, and return their share."""
    good = 0
    for n, z, a, b in laws:
        values, is_good = powers(n, z, a, b)
        good += is_good
        if is_good:
            np.testing.assert_allclose(values, truth(n, z, a, b), rtol=1e-11, atol=1e-300, err_msg=f"{n=} {a=} {b=}")
    return good / len(laws)


def test_laws_of_customers():
    generator = np.random.default_rng(1)
    laws = []
    for x in [*range(13), 15, 20, 30, 100, 300] * 8:
        r, a, b = np.exp(generator.normal([-1.0, -0.3, 1.0], 0.5))
        laws.append((r + x, 10.0 ** generator.uniform(-8, 4, 3), a, b + x + generator.integers(2)))
    assert checked(laws) > 0.97


def test_laws_of_any_kind():
    generator = np.random.default_rng(2)
    laws = [(n, 10.0 ** generator.uniform(-8, 6, 3), a, b) for n, a, b in 10.0 ** generator.uniform(-6, 4, (200, 3))]
    laws += [(n, 10.0 ** generator.uniform(-3, 3, 3), a, b) for n, a, b in 10.0 ** generator.uniform(-2, 2, (200, 3))]
    assert 0.2 < checked(laws) < 0.6


@pytest.mark.parametrize("e", [-3.0, -1.0, -0.5, -1e-10, 0.0, 0.5, 1.0, 5.5])
@pytest.mark.parametrize("a", [1e-15, 0.5, 1.0, 2.0])
def test_differences_that_are_whole_numbers_or_next_to_one(a, e):
    z = np.array([0.0, 1e-8, 0.5, 7.0, 1e4])
    differences = [k + shift for k in (-1, 0, 1, 4, 9) for shift in (0.0, 1e-12, -1e-6)]
    laws = [(a + d, z, a, e + d) for d in differences if a + d > 0.0 and e + d > 0.0]
    assert checked(laws) > 0.4


def test_one_exact_law():
    # E[1 / (1 + p z)] and E[1 / (1 + p z)^2] of a uniform p.
    z = np.array([1e-3, 0.5, 1.0, 2.0, 100.0, 1e8])
    values, good = powers(1.0, z, 1.0, 1.0)
    assert good
    np.testing.assert_allclose(values, [np.log1p(z) / z, 1.0 / (1.0 + z)], rtol=1e-13)


def test_the_order_of_z_does_not_matter():
    generator = np.random.default_rng(3)
    z = np.append(np.geomspace(1e-4, 1e3, 200), 0.0)
    order = generator.permutation(len(z))
    for n, a, b in ((0.24, 0.8, 2.4), (3.24, 0.8, 5.4), (40.24, 0.8, 42.4)):
        values, good = powers(n, z, a, b)
        shuffled, _ = powers(n, z[order], a, b)
        assert good
        np.testing.assert_allclose(shuffled, values[:, order], rtol=1e-14)
        np.testing.assert_array_equal(values[:, -1], 1.0)


@pytest.mark.parametrize(
    ("n", "a", "b", "z"),
    [
        (1e8, 1.0, 1e8, 1.0),  # many purchases
        (1.0, 1e3, 1.0, 1e4),  # powers that underflow
        (1000.0, 0.5, 1e-9, 1.0),  # terms that grow first
        (1e-9, 1.0, 1.0, 10.0),  # a slope that cancels
        (2.0, 1.0, 2.0, 1e16),  # a long way
        (60.0, 50.0, 13.0, 10.0),  # a recurrence that loses digits
        (6.3, 3.3, 1e-6, 400.0),  # a sum that falls by many small steps, and rounding that does not
    ],
)
def test_what_the_series_are_not_good_for_is_left_to_the_sums(n, a, b, z):
    _, good = powers(n, np.array([z]), a, b)
    assert not good
    arguments = np.array([n, 0.3]), np.array([z, 1.0]), np.array([a, 0.8]), np.array([b, 2.0])
    ours, sums = (np.array(mean_powers(*arguments, compiled=compiled)) for compiled in (True, False))
    np.testing.assert_allclose(ours[:, 0], sums[:, 0], rtol=1e-14)
    np.testing.assert_allclose(ours[:, 1], sums[:, 1], rtol=1e-12)


@pytest.mark.parametrize("n", [1e-3, 0.3, 40.0, 1e5])
@pytest.mark.parametrize("a", [1e-15, 1e-3, 0.8, 300.0])
@pytest.mark.parametrize("b", [1e-9, 0.1, 1.0, 1.1])
@pytest.mark.parametrize("shape", [(), (3,), (50,), (4, 20)])
def test_both_forms_agree_whatever_the_shape(n, a, b, shape):
    z = np.geomspace(1e-5, 1e3, int(np.prod(shape, dtype=int)))[::-1].reshape(shape)[..., None] * np.array([1.0, 1.3])
    laws = np.array([a, 1.1 * a])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours, sums = (mean_powers(np.asarray(n), z, laws, laws + b + n * (b > 0.5), compiled=c) for c in (True, False))
    for k in range(2):
        assert ours[k].shape == z.shape
        np.testing.assert_allclose(ours[k], sums[k], rtol=2e-9, atol=1e-300)
