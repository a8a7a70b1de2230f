"""Models on a clock against arbitrary precision, quadrature of the definition, simulation, and themselves."""

import pickle
from dataclasses import replace
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy import integrate

from clvmodels.errors import DataError
from clvmodels.models import leaving_clock
from clvmodels.models.clocked import ClockedModel, on_clock
from clvmodels.models.consistency import LAWS
from clvmodels.models.derived import residual
from clvmodels.models.differences import by_differences
from clvmodels.models.registry import MODELS, TRANSACTION_MODELS
from clvmodels.models.simulation import future_counts, new_customers
from clvmodels.numerics.clocks import Steps
from clvmodels.numerics.quadrature import Weighting

COLUMNS = ("high_season", "price")
GAMMA = np.array([0.8, -0.6])
HISTORIES = np.array(
    [(0, 0, 0), (0, 0, 39), (1, 5, 39), (2, 30.43, 38.86), (7, 39, 39), (10, 20, 39), (26, 30.857, 31), (3, 0.5, 104)]
).T
NOT_ON_A_CLOCK = (
    "survival and intensity never rise",  # a season makes the intensity rise
    "the likelihood, integrated over the times",  # these five compare customers who start now with others who started
    "P(alive), averaged over the histories",  # long ago: on a clock that is another season, see below
    "the mean purchase rate is the intensity",
    "the log-likelihood of simulated histories",
    "a change of the unit of time",  # changes the calendar as well
    "silence makes it no more likely",  # T is varied with t_x fixed, which moves the purchases to other seasons
)


def rough_steps(year=52.0):
    """Thirty periods of very different lengths, from 120 weeks ago until 60 weeks ahead, and no end with a year."""
    generator = np.random.default_rng(4)
    edges = np.concatenate([[-120.0], np.sort(generator.uniform(-118.0, 59.0, 29)), [60.0]])
    return Steps(edges, generator.normal(size=(30, 2)), year, (-52.0, 0.0))


def clocked(base, steps=None):
    return on_clock(base, rough_steps() if steps is None else steps, COLUMNS, np.array([0.3, -0.2]))


def theta_of(base, gamma=GAMMA):
    return np.append(base.theta(base.example), np.exp(gamma))


@pytest.fixture(params=list(TRANSACTION_MODELS.values()), ids=list(TRANSACTION_MODELS))
def base(request):
    return request.param


@pytest.mark.parametrize(
    "law", [law for law in LAWS if not law.description.startswith(NOT_ON_A_CLOCK)], ids=lambda law: law.description[:30]
)
def test_the_laws_of_all_models_hold_on_a_clock(base, law):
    generator = np.random.default_rng(1)
    edges = np.concatenate([[-4000.0], np.sort(generator.uniform(-60.0, 60.0, 24)), [60.0]])
    model = clocked(base, Steps(edges, generator.normal(size=(25, 2)), 52.0, (-52.0, 0.0)))
    assert law.deviation(model, model.theta(model.example)) <= law.tolerance


# ------------------------------------------------------------------------------------- against arbitrary precision


def mp_clock(steps, gamma):
    """The clock since -T, by the definition, in arbitrary precision."""
    speeds = [mpmath.exp(mpmath.fdot(gamma, row)) for row in steps.values]
    low, high = steps.reference
    inside = [max(min(b, high), low) - max(min(a, high), low) for a, b in pairwise(steps.edges)]
    mean = mpmath.fdot(speeds, inside) / mpmath.fsum(inside)

    def area(low, high):
        parts = [max(min(b, high) - max(a, low), 0) for a, b in pairwise(steps.edges)]
        return mpmath.fdot(speeds, parts) / mean

    return area, mean


def mp_log_likelihood(base, theta, steps, x, t_x, T, at_purchases):
    """A history's log-likelihood from the story of the model, integrated numerically."""
    params, gamma = theta[: len(base.parameters)], np.log(theta[len(base.parameters) :])
    area, mean = mp_clock(steps, gamma)
    r, alpha = mpmath.mpf(params[0]), mpmath.mpf(params[1])
    constant = mpmath.loggamma(r + x) - mpmath.loggamma(r) + r * mpmath.log(alpha)
    constant += x * (mpmath.fdot(gamma, at_purchases) - mpmath.log(mean))

    def silence(t):
        return (alpha + area(-T, t - T)) ** -(r + x)

    if base.key == "pareto_nbd":
        s, beta = mpmath.mpf(params[2]), mpmath.mpf(params[3])
        near = [t_x + scale * 2**k for scale in (float(alpha), float(beta)) for k in range(-3, 12)]
        cuts = sorted({t_x, *(cut for cut in (*(steps.edges + T), *near) if t_x < cut < T), T})
        left = mpmath.quad(lambda t: silence(t) * s * beta**s * (beta + t) ** -(s + 1), cuts) if t_x < T else 0
        return constant + mpmath.log(silence(T) * (beta / (beta + T)) ** s + left)
    a, b = mpmath.mpf(params[2]), mpmath.mpf(params[3])
    opportunities = x if base.key == "bg_nbd" else x + 1
    stays = mpmath.beta(a, b + opportunities) / mpmath.beta(a, b)
    leaves = mpmath.beta(a + 1, b + opportunities - 1) / mpmath.beta(a, b) if opportunities else 0
    return constant + mpmath.log(stays * silence(T) + leaves * silence(t_x))


def test_the_likelihood_is_that_of_arbitrary_precision(base):
    steps, theta = rough_steps(), theta_of(base)
    model = clocked(base)
    with mpmath.workdps(30):
        exact = [
            float(mp_log_likelihood(base, theta, steps, *history, model.at_purchases))
            for history in HISTORIES.T.tolist()
        ]
    np.testing.assert_allclose(model.log_likelihood(theta, *HISTORIES), exact, rtol=1e-8, atol=1e-10)


def test_the_gradient_is_that_of_differences(base):
    model, theta = clocked(base), theta_of(base)
    x, t_x, T = HISTORIES
    for terms, columns in ((model.count_terms, (x,)), (model.history_terms, (x, t_x, T))):
        expected = by_differences(lambda theta, *columns: terms(theta, *columns)[0])(theta, *columns)[1]  # noqa: B023
        np.testing.assert_allclose(terms(theta, *columns)[1], expected, rtol=1e-7, atol=1e-8)


# ------------------------------------------------------------------------------------------- what changes nothing


def same(first, second, theta, other=None, tolerance=1e-11):
    x, t_x, T = HISTORIES
    other = theta if other is None else other
    for name, arguments in {
        "log_likelihood": (x, t_x, T),
        "p_alive": (x, t_x, T),
        "expected_purchases": (x, T, np.asarray(70.0)),
        "pmf": (x, T, np.asarray(70.0), np.asarray(3.0)),
    }.items():
        np.testing.assert_allclose(
            getattr(first, name)(theta, *arguments), getattr(second, name)(other, *arguments), rtol=tolerance
        )
    weightings = [Weighting(lambda t: np.exp(-0.003 * t), 3000.0)]
    for one, two in zip(
        residual(first, theta, x, T, weightings), residual(second, other, x, T, weightings), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-8)


def test_a_clock_that_runs_evenly_is_no_clock(base):
    same(clocked(base), base, theta_of(base, np.zeros(2)), base.theta(base.example), tolerance=1e-9)


def test_cutting_a_period_in_two_changes_nothing(base):
    steps = rough_steps()
    cut = Steps(
        np.insert(steps.edges, 9, 0.5 * (steps.edges[8] + steps.edges[9])),
        np.insert(steps.values, 8, steps.values[8], axis=0),
        52.0,
        steps.reference,
    )
    same(clocked(base, steps), clocked(base, cut), theta_of(base))


def test_a_constant_added_to_a_column_changes_nothing_but_its_own_meaning(base):
    steps = rough_steps()
    raised = Steps(steps.edges, steps.values + np.array([1.0, 0.0]), 52.0, steps.reference)
    model = on_clock(base, steps, COLUMNS, np.array([0.3, -0.2]))
    other = on_clock(base, raised, COLUMNS, np.array([1.3, -0.2]))
    same(model, other, theta_of(base))


def test_another_unit_of_time_changes_the_likelihood_by_the_purchases_alone(base):
    steps, theta = rough_steps(), theta_of(base)
    in_days = Steps(7.0 * steps.edges, steps.values, 364.0, (-364.0, 0.0))
    model, other = clocked(base), clocked(base, in_days)
    x, t_x, T = HISTORIES
    scaled = theta * model.units(time=7.0)
    np.testing.assert_allclose(
        other.log_likelihood(scaled, x, 7.0 * t_x, 7.0 * T) + x * np.log(7.0),
        model.log_likelihood(theta, x, t_x, T),
        rtol=1e-11,
    )
    np.testing.assert_allclose(
        other.p_alive(scaled, x, 7.0 * t_x, 7.0 * T), model.p_alive(theta, x, t_x, T), rtol=1e-10
    )


# ----------------------------------------------------------------------------------------------- what lies ahead


def test_the_probabilities_of_counts_sum_to_one(base):
    model, theta, n = clocked(base), theta_of(base), np.arange(800.0)
    for x, T, t in ((0.0, 0.0, 30.0), (3.0, 39.0, 100.0), (26.0, 31.0, 5.0)):
        probabilities = model.pmf(theta, np.array(x), np.array(T), np.array(t), n)
        assert probabilities.sum() == pytest.approx(1.0, abs=1e-9)
        mean = model.expected_purchases(theta, np.array(x), np.array(T), np.array(t))
        assert probabilities @ n == pytest.approx(float(mean), rel=1e-8)


def test_the_likelihood_of_one_purchase_is_its_probability(base):
    """Customers who started T ago, against those who start now in the calendar of T ago."""
    T, theta, steps = 40.0, theta_of(base), rough_steps()
    params, gamma = theta[: len(base.parameters)], GAMMA
    clock = steps.clock(gamma)

    def density(t):
        """The likelihood of one purchase at its own time: with the columns of that time."""
        at = steps.values[steps.place(np.array(t - T)).piece]
        model = on_clock(base, steps, COLUMNS, at)
        return float(np.exp(model.log_likelihood(theta, np.array([1.0]), np.array([t]), np.array([T])))[0])

    cuts = [0.0, *(steps.edges + T)[(steps.edges > -T) & (steps.edges < 0.0)], T]
    total = sum(integrate.quad(density, low, high, epsrel=1e-10)[0] for low, high in pairwise(cuts))
    then = on_clock(base, steps.since(-T), COLUMNS)
    alive = base.p_alive(params, np.zeros(1), np.zeros(1), np.zeros(1))
    assert clock.at(np.array(-T)) < 0.0
    probability = alive * then.pmf(theta, np.zeros(1), np.zeros(1), np.array(T), np.array(1.0))
    assert total == pytest.approx(float(probability[0]), rel=1e-8)


def test_alive_later_is_alive_now_times_survival_on_average(base):
    """P(alive) is a martingale: over what may be bought until t, its mean is P(alive now) times the survival."""
    steps, theta, x, t_x, T, t = rough_steps(), theta_of(base), 2.0, 30.0, 38.0, 6.0
    model, later = clocked(base), on_clock(base, steps.since(t), COLUMNS, np.array([0.3, -0.2]))
    one = [np.array([value]) for value in (x, t_x, T)]
    now = model.p_alive(theta, *one)
    nobody = now * model.pmf(theta, one[0], one[2], np.array(t), np.zeros(1)) + (1.0 - now)
    silent = later.p_alive(theta, one[0], one[1], one[2] + t)
    generator = np.random.default_rng(8)
    many = 200_000
    counts = model.simulate(np.tile(theta, (many, 1)), np.full(many, x), np.full(many, T), np.full(many, t), generator)
    bought = np.bincount(counts.customer, minlength=many)
    last = np.zeros(many)
    np.maximum.at(last, counts.customer, counts.time)
    buyers = bought > 0
    share = later.p_alive(theta, x + bought[buyers], T + last[buyers], np.full(buyers.sum(), T + t)).sum() / many
    mean = nobody * silent + now * share
    expected = now * model.future(theta, one[0], one[2], np.array(t))[0]
    assert mean == pytest.approx(expected, abs=4.0 * float(now[0]) / np.sqrt(many))


def test_simulated_futures_have_the_probabilities_and_the_seasons_of_the_model(base):
    model, theta, many = clocked(base), theta_of(base), 60_000
    columns = [np.full(many, value) for value in (3.0, 35.0, 39.0)]
    counts = future_counts(model, np.tile(theta, (many, 1)), *columns, np.asarray(26.0), np.random.default_rng(2))
    alive = model.p_alive(theta, *(column[:1] for column in columns))
    for n in range(4):
        probability = alive * model.pmf(theta, np.array([3.0]), np.array([39.0]), np.array(26.0), np.array(float(n)))
        probability = float((probability + (1.0 - alive) * (n == 0))[0])
        error = np.sqrt(probability * (1.0 - probability) / many)
        assert np.mean(counts == n) == pytest.approx(probability, abs=4.0 * error)
    bought, _ = new_customers(model, theta, np.full(many, 26.0), np.random.default_rng(3))
    new = base.p_alive(theta[: len(base.parameters)], np.zeros(1), np.zeros(1), np.zeros(1))
    for t in (4.0, 13.0, 26.0):
        number = np.sum(bought.time <= t)
        expected = many * float((new * model.expected_purchases(theta, np.zeros(1), np.zeros(1), np.array(t)))[0])
        assert number == pytest.approx(expected, abs=6.0 * np.sqrt(expected) + 0.02 * expected)


def test_discounted_purchases_and_living_time_are_the_integrals_of_the_definition(base):
    model, theta = clocked(base), theta_of(base)
    x, T, end, rate = np.array([0.0, 3.0]), np.array([10.0, 39.0]), 150.0, 0.004
    buys, lives = residual(model, theta, x, T, [Weighting(lambda t: np.exp(-rate * t), end)])
    cuts = np.concatenate([[0.0], model.steps.changes(end), [end]])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half, middle = 0.5 * np.diff(cuts), 0.5 * (cuts[1:] + cuts[:-1])
    times, mass = (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()
    survival, intensity = model.future(theta, x[:, None], T[:, None], times)
    np.testing.assert_allclose(buys[:, 0], (intensity * np.exp(-rate * times)) @ mass, rtol=1e-8)
    np.testing.assert_allclose(lives[:, 0], (survival * np.exp(-rate * times)) @ mass, rtol=1e-8)


def test_a_repeated_year_is_as_good_as_150_years_of_calendar(base):
    """Discounted without end, against a calendar that is written out."""
    values = np.tile(np.array([[0.0, 0.0], [1.0, 0.3], [0.2, -0.5], [1.5, 0.0]]), (153, 1))
    edges = np.concatenate([[-156.0], -156.0 + 13.0 * np.arange(1.0, 613.0)])
    exact = Steps(edges, values, 0.0, (-52.0, 0.0))
    short = Steps(edges[:25], values[:24], 52.0, (-52.0, 0.0))
    theta, x, T = theta_of(base), np.array([0.0, 2.0, 9.0]), np.array([30.0, 38.86, 120.0])
    weighting = Weighting(lambda t: np.exp(-0.15 / 52.0 * t), 7800.0)
    for once, again in zip(
        residual(clocked(base, exact), theta, x, T, [weighting]),
        residual(clocked(base, short), theta, x, T, [weighting]),
        strict=True,
    ):
        np.testing.assert_allclose(once, again, rtol=1e-9)


def test_draws_are_computed_as_each_alone(base):
    model, theta = clocked(base), theta_of(base)
    draws = theta * np.linspace(0.9, 1.1, 3)[:, None]
    x, _, T = HISTORIES[:, 2:5]
    weightings = [Weighting(lambda t: np.exp(-0.01 * t), 500.0)]
    together = model.residuals(draws, x, T, weightings)(draws, x, T)
    for k, draw in enumerate(draws):
        np.testing.assert_allclose(together[:, k], np.hstack(residual(model, draw, x, T, weightings)), rtol=1e-9)


def test_a_column_named_as_a_parameter_is_refused():
    with pytest.raises(DataError, match="a column 'alpha', as BG/NBD has a parameter; rename"):
        on_clock(MODELS["bg_nbd"], rough_steps(), ("alpha", "price"))
    assert isinstance(clocked(MODELS["bg_nbd"]), ClockedModel)


def test_a_model_on_a_clock_pickles(base):
    model, theta = clocked(base), theta_of(base)
    again = pickle.loads(pickle.dumps(model))
    assert again.log_likelihood(theta, *HISTORIES).tolist() == model.log_likelihood(theta, *HISTORIES).tolist()


def steps_until_now():
    """Those of `rough_steps` up to now, as of a calendar that ends with the observation."""
    steps = rough_steps()
    edges = np.append(steps.edges[steps.edges < 0.0], 0.0)
    return Steps(edges, steps.values[: len(edges) - 1], steps.year, steps.reference)


def test_a_calendar_that_ends_now_gives_the_same_likelihoods(base):
    theta, until_now = theta_of(base), clocked(base, steps_until_now())
    np.testing.assert_allclose(
        until_now.log_likelihood(theta, *HISTORIES), clocked(base).log_likelihood(theta, *HISTORIES), rtol=1e-12
    )
    np.testing.assert_allclose(
        until_now.p_alive(theta, *HISTORIES), clocked(base).p_alive(theta, *HISTORIES), rtol=1e-12
    )


# ------------------------------------------------------------------------------------------------- the compiled terms


@pytest.fixture
def compiled(monkeypatch):
    """Pareto/NBD on a clock, by its kernel however few histories there are; counts how often that is asked."""
    base, calls = MODELS["pareto_nbd"], []

    def load():
        calls.append(1)
        return base.spells.compiled()

    monkeypatch.setattr(leaving_clock, "COMPILED_FROM", 1)
    model = clocked(replace(base, spells=replace(base.spells, compiled=load)))
    yield model
    assert calls


def test_compiled_the_likelihood_is_that_of_arbitrary_precision(compiled):
    steps, theta = rough_steps(), theta_of(compiled.base)
    with mpmath.workdps(30):
        exact = [
            float(mp_log_likelihood(compiled.base, theta, steps, *history, compiled.at_purchases))
            for history in HISTORIES.T.tolist()
        ]
    np.testing.assert_allclose(compiled.log_likelihood(theta, *HISTORIES), exact, rtol=1e-12, atol=1e-12)


def test_compiled_a_calendar_that_ends_now_gives_the_same_likelihoods(compiled):
    theta, until_now = theta_of(compiled.base), clocked(compiled.base, steps_until_now())
    expected = compiled.log_likelihood(theta, *HISTORIES)
    np.testing.assert_allclose(until_now.log_likelihood(theta, *HISTORIES), expected, rtol=1e-12)


def _many_histories(generator):
    """Histories of many T, x and t_x, several of which share the first two; recency zero, next to T, and T.

    A recency next to zero is left out: counted from now, it has lost its digits, in either form of the terms.
    """
    x = generator.choice([0.0, 1.0, 2.0, 5.0, 40.0, 3_000.0], 400)
    T = generator.choice([0.0, 1e-6, 0.5, 20.0, 39.0, 104.0, 118.0], 400)
    share = generator.choice([0.0, 0.01, 0.3, 0.7, 0.999, 1.0], 400)
    return x, np.where(x > 0.0, share * T, 0.0), T


@pytest.mark.parametrize("seed", range(12))
def test_compiled_terms_are_those_of_spells(compiled, monkeypatch, seed):
    generator = np.random.default_rng(seed)
    theta = 10.0 ** np.append(generator.uniform(-3.0, 3.0, 4), generator.uniform(-0.5, 0.5, 2))
    histories = _many_histories(generator)
    value, gradient = compiled.history_terms(theta, *histories)
    alive = compiled.p_alive(theta, *histories)
    monkeypatch.setattr(leaving_clock, "COMPILED_FROM", 10_000)
    expected, slopes = compiled.history_terms(theta, *histories)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-11)  # counts of 3,000 round so far
    rounding = 1e-13 * (histories[0][:, None] + 1.0) / theta  # of the parts that a slope is the sum of
    assert (np.abs(gradient - slopes) <= 1e-4 * np.abs(slopes) + rounding).all()  # slopes that cancel lose digits
    np.testing.assert_allclose(alive, compiled.p_alive(theta, *histories), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize(
    ("theta", "history"),
    [
        ((0.553, 10.578, 0.606, 11.669), (2.0, 30.43, 38.86)),
        ((0.553, 10.578, 0.606, 11.669), (7.0, 3.0, 104.0)),
        ((0.0371, 0.0618, 76.7988, 0.0036), (0.0, 0.0, 104.0)),
        ((5.6308, 241.7034, 45.0931, 0.0225), (0.0, 0.0, 0.5)),
    ],
)
def test_compiled_slopes_are_those_of_arbitrary_precision(compiled, theta, history):
    """In the last two, slopes of staying and leaving nearly cancel, and half of their digits are lost."""
    steps, means = rough_steps(), compiled.at_purchases
    _, gradient = compiled.history_terms(np.append(theta, np.exp(GAMMA)), *np.array(history)[:, None])
    _, of_counts = compiled.count_terms(np.append(theta, np.exp(GAMMA)), np.array(history[:1]))

    def log_likelihood(*params):
        return mp_log_likelihood(compiled.base, (*params, *np.exp(GAMMA)), steps, *history, means)

    with mpmath.workdps(30):
        orders = np.eye(4, dtype=int).tolist()
        exact = [float(mpmath.diff(log_likelihood, tuple(map(mpmath.mpf, theta)), tuple(order))) for order in orders]
    np.testing.assert_allclose((gradient + of_counts)[0, :4], exact, rtol=1e-7)


def test_compiled_terms_of_rows_with_parameters_of_their_own(compiled, monkeypatch):
    generator = np.random.default_rng(3)
    histories = _many_histories(generator)
    rows = np.tile(theta_of(compiled.base), (400, 1))
    rows[:, :4] *= generator.choice([0.5, 1.0, 2.0], (400, 4))
    terms = compiled.history_terms(rows, *histories)
    monkeypatch.setattr(leaving_clock, "COMPILED_FROM", 10_000)
    for part, expected in zip(terms, compiled.history_terms(rows, *histories), strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-9, atol=1e-11)
