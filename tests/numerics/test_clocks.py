"""Clocks against quadrature of the speed, differences, and each other."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate

from clvmodels.errors import DataError
from clvmodels.numerics.clocks import Steps

EDGES = np.array([-5.0, -3.5, -2.0, -1.2, -0.7, -0.1, 0.4, 1.1, 2.0])
VALUES = np.random.default_rng(1).normal(size=(8, 2))
GAMMA = np.array([0.8, -0.5])


def rough(year=0.0):
    return Steps(EDGES, VALUES, year, (-2.5, 0.25))


def speed_by_hand(t, year=0.0):
    """Speed at one time, from the definition."""
    while year and t >= EDGES[-1]:
        t -= year
    piece = max(np.searchsorted(EDGES, t, side="right") - 1, 0)
    fine = np.linspace(-2.5, 0.25, 275_001)
    middle = 0.5 * (fine[1:] + fine[:-1])
    mean = np.exp(VALUES[np.searchsorted(EDGES, middle, side="right") - 1] @ GAMMA).mean()
    return np.exp(VALUES[piece] @ GAMMA) / mean


@pytest.mark.parametrize(("year", "times"), [(0.0, [-4.9, -2.0, 0.0, 0.7, 2.0]), (1.5, [-4.9, 0.3, 2.0, 3.7, 9.2])])
def test_a_clock_is_the_integral_of_its_speed(year, times):
    clock = rough(year).clock(GAMMA)
    for t in times:
        low, high = min(t, 0.0), max(t, 0.0)
        points = np.sort(np.concatenate([EDGES, *([EDGES + k * year for k in range(1, 6)] if year else [])]))
        cuts = np.concatenate([[low], points[(points > low) & (points < high)], [high]])
        cuts = np.unique(
            np.concatenate([cuts, [2.0 - year + k * year for k in range(7) if low < 2.0 + k * year - year < high]])
        )
        area = sum(speed_by_hand(0.5 * (a + b), year) * (b - a) for a, b in pairwise(cuts))
        assert clock.at(np.array(t)) == pytest.approx(np.sign(t) * area, rel=1e-4, abs=1e-12)


def test_the_mean_speed_over_the_reference_is_one():
    clock = rough().clock(GAMMA)
    readings = clock.at(np.array([-2.5, 0.25]))
    assert np.diff(readings)[0] == pytest.approx(2.75, rel=1e-14)


def test_the_integral_by_scipy_agrees():
    clock = rough().clock(GAMMA)
    area = integrate.quad(lambda t: float(clock.speed_at(np.array(t))), -4.0, 1.7, points=EDGES[1:-1], limit=200)[0]
    assert np.diff(clock.at(np.array([-4.0, 1.7])))[0] == pytest.approx(area, rel=1e-10)


@pytest.mark.parametrize("year", [0.0, 1.5])
def test_the_inverse_undoes_the_clock(year):
    clock = rough(year).clock(GAMMA)
    times = np.linspace(-5.0, 11.0 if year else 1.99, 333)
    np.testing.assert_allclose(clock.inverse(clock.at(times)), times, atol=1e-12)


@pytest.mark.parametrize("year", [0.0, 1.5])
def test_slopes_are_differences(year):
    steps, times, h = rough(year), np.array([-4.9, -0.7, 0.0, 1.3, 9.7 if year else 1.9]), 1e-6
    slopes = steps.clock(GAMMA).slopes(times)
    for k, shift in enumerate(h * np.eye(2)):
        differences = (steps.clock(GAMMA + shift).at(times) - steps.clock(GAMMA - shift).at(times)) / (2 * h)
        np.testing.assert_allclose(slopes[:, k], differences, atol=1e-8)
        log_mean = (steps.clock(GAMMA + shift).log_mean - steps.clock(GAMMA - shift).log_mean) / (2 * h)
        assert steps.clock(GAMMA).mean_columns[k] == pytest.approx(log_mean, abs=1e-8)


def test_without_effect_a_clock_is_time_itself():
    times = np.linspace(-5.0, 20.0, 50)
    np.testing.assert_allclose(rough(1.5).clock(np.zeros(2)).at(times), times, atol=1e-13)


def test_cutting_a_period_in_two_changes_nothing_and_merging_undoes_it():
    whole = rough()
    cut = Steps(np.insert(EDGES, 3, -1.7), np.insert(VALUES, 2, VALUES[2], axis=0), 0.0, whole.reference)
    times = np.linspace(-5.0, 2.0, 77)
    np.testing.assert_allclose(cut.clock(GAMMA).at(times), whole.clock(GAMMA).at(times), atol=1e-14)
    np.testing.assert_array_equal(cut.merged().edges, whole.edges)
    assert len(cut.edges) == len(whole.edges) + 1


def test_counting_from_another_time_shifts_the_readings():
    steps, times = rough(1.5), np.array([-4.0, 0.6, 8.0])
    moved = steps.since(0.6).clock(GAMMA)
    clock = steps.clock(GAMMA)
    np.testing.assert_allclose(moved.at(times - 0.6), clock.at(times) - clock.at(np.array(0.6)), atol=1e-12)


def test_coefficients_broadcast_against_times():
    steps, gammas = rough(1.5), np.array([GAMMA, -GAMMA, 0 * GAMMA])
    times = np.linspace(-3.0, 6.0, 10)
    together = steps.clock(gammas).at(times[:, None])
    for k, gamma in enumerate(gammas):
        np.testing.assert_allclose(together[:, k], steps.clock(gamma).at(times), atol=1e-14)
        np.testing.assert_allclose(
            steps.clock(gammas).slopes(times[:, None])[:, k], steps.clock(gamma).slopes(times), atol=1e-13
        )


def test_repeated_years_end_their_periods_where_the_last_year_does():
    steps = rough(1.5)
    clock, ends = steps.clock(GAMMA), steps.changes(8.0)
    assert np.all(np.diff(ends) > 0)
    speeds = clock.speed_at(np.linspace(0.0, 8.0, 80_001)[:-1])
    jumps = np.linspace(0.0, 8.0, 80_001)[1:-1][speeds[1:] != speeds[:-1]]
    for jump in jumps:
        assert np.abs(ends - jump).min() < 2e-4


def test_a_clock_reads_exactly_zero_now():
    assert rough(1.5).clock(GAMMA).at(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_times_beyond_what_is_known_are_refused():
    with pytest.raises(DataError, match=r"known from -5 to 2, .* needed at 2\.5; give it more rows"):
        rough().clock(GAMMA).at(np.array([0.0, 2.5]))
    with pytest.raises(DataError, match="needed at -6"):
        rough(1.5).place(np.array([-6.0, 12.5]))


def test_what_is_not_covered():
    assert not rough().covers(-6.0, 1.0)
    assert not rough().covers(-1.0, 2.5)
    assert rough(1.5).covers(-5.0, 1e6)
