"""Static covariates: the likelihood of rows with parameters of their own, and the laws that it keeps."""

import mpmath
import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitError, ParameterError
from clvmodels.inference.covariate_fit import with_covariates
from clvmodels.inference.covariate_model import covaried
from clvmodels.inference.observations import observe
from clvmodels.inference.parameters import Parameters, Shifts
from clvmodels.models import MODELS
from tests.inference.covariate_worlds import COEFFICIENTS, MOVES, PROCESSES, TRUTH, parameters_of_rows, world

BUILT_IN = ("bg_nbd", "mbg_nbd", "pareto_nbd", "gamma_gamma")


def _covariates(key, formula="z"):
    return dict.fromkeys(PROCESSES[key], formula)


def _plain(key, p, x, t_x, T, mean):
    """Return the log-likelihood of one customer by the formula of the paper, in arbitrary precision."""
    gamma, mpf = mpmath.gamma, mpmath.mpf
    x, t_x, T = mpf(x), mpf(t_x), mpf(T)
    if key == "gamma_gamma":
        z, n = mpf(mean), mpf(p["p"]) * x
        value = gamma(n + p["q"]) / gamma(n) / gamma(p["q"]) * mpf(p["v"]) ** p["q"] * x**n * z ** (n - 1)
        return mpmath.log(value / (p["v"] + x * z) ** (n + p["q"]))
    r, alpha = mpf(p["r"]), mpf(p["alpha"])
    buying = gamma(r + x) / gamma(r) * alpha**r
    if key == "pareto_nbd":
        s, beta = mpf(p["s"]), mpf(p["beta"])
        left = mpmath.quad(lambda u: (alpha + u) ** -(r + x) * (beta + u) ** -(s + 1), [t_x, T])
        return mpmath.log(buying * beta**s * ((alpha + T) ** -(r + x) * (beta + T) ** -s + s * left))
    a, b, beta_function = mpf(p["a"]), mpf(p["b"]), mpmath.beta
    k = x + 1 if key == "mbg_nbd" else x
    stays = beta_function(a, b + k) / beta_function(a, b) * (alpha + T) ** -(r + x)
    leaves = beta_function(a + 1, b + k - 1) / beta_function(a, b) * (alpha + t_x) ** -(r + x) if k > 0 else 0
    return mpmath.log(buying * (stays + leaves))


@pytest.fixture(scope="module", params=BUILT_IN)
def task(request):
    """A model with covariates, 40 customers, and parameters of the derived model at which they are looked at."""
    key = request.param
    rfm = world(key, 40, 5)
    prepared = with_covariates(MODELS[key], _covariates(key), rfm)
    theta = np.array([*TRUTH[key].values(), *np.exp([COEFFICIENTS[process] for process in PROCESSES[key]])])
    return key, rfm, prepared, theta


def test_the_likelihood_is_that_of_a_loop_over_customers(task):
    key, rfm, prepared, theta = task
    rfm = rfm.select(rfm.frequency > 0) if key == "gamma_gamma" else rfm  # who has spent
    z = rfm.attributes["z"].to_numpy()
    rows = parameters_of_rows(key, z - z.mean())
    exact = sum(
        _plain(key, {name: values[i] for name, values in rows.items()}, *history)
        for i, history in enumerate(zip(rfm.frequency, rfm.recency, rfm.T, rfm.monetary_value, strict=True))
    )
    value, _ = observe(prepared.model, prepared.histories).log_likelihood(prepared.model, theta)
    assert value == pytest.approx(float(exact), rel=1e-12)


def test_gradient_and_second_derivatives_are_those_of_differences(task):
    _, _, prepared, theta = task
    observations = observe(prepared.model, prepared.histories)
    value, gradient, matrix = observations.expansion(prepared.model, theta)
    again = observations.log_likelihood(prepared.model, theta)
    assert value == pytest.approx(again[0], rel=1e-14)
    assert gradient == pytest.approx(again[1], rel=1e-12, abs=1e-12)
    step = 1e-5
    for k, axis in enumerate(np.diag(theta)):
        (low, below), (high, above) = (
            observations.log_likelihood(prepared.model, theta + sign * step * axis) for sign in (-1.0, 1.0)
        )
        assert gradient[k] * theta[k] == pytest.approx((high - low) / (2 * step), rel=1e-6, abs=1e-5)
        assert matrix[k] * theta[k] == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-5)


def test_samplers_sum_the_same(task):
    _, _, prepared, theta = task
    observations = observe(prepared.model, prepared.histories)
    sums = prepared.model.kernel.sums_of(prepared.model.history_terms)
    value, gradient = sums(theta, observations.weight, *map(np.ascontiguousarray, observations.columns))
    exact = observations.log_likelihood(prepared.model, theta)
    assert value == pytest.approx(exact[0], rel=1e-12)
    assert gradient == pytest.approx(exact[1], rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("key", BUILT_IN)
def test_a_constant_covariate_is_a_rescaled_parameter(key):
    base, rfm = MODELS[key], world(key, 30, 6)
    columns = observe(base, rfm).columns
    for process, (name, sign) in MOVES[key].items():
        model = covaried(base, ((process, "one"),))
        theta, moved = base.theta(TRUTH[key]), base.theta(TRUTH[key])
        moved[base.names.index(name)] *= np.exp(sign * 0.7 * 2.0)
        terms, _ = model.history_terms(np.append(theta, np.exp(0.7)), *columns, np.full(len(columns[0]), 2.0))
        assert terms == pytest.approx(base.log_likelihood(moved, *columns), rel=1e-12)


@pytest.mark.parametrize("key", BUILT_IN)
def test_a_positive_coefficient_means_more_of_what_the_name_says(key):
    model = MODELS[key]
    zero, t = np.zeros(1), np.array(52.0)
    for process, moves in model.effects.items():
        more = {**TRUTH[key]}
        for name, sign in moves:
            more[name] = more[name] * np.exp(0.5 * sign)
        less, more = model.theta(TRUTH[key]), model.theta(more)
        if process == "spend":
            assert model.expected_spend(more, zero, zero) == pytest.approx(
                np.exp(0.5) * model.expected_spend(less, zero, zero)
            )
        elif process == "purchase":
            assert model.mean_purchase_rate(more) == pytest.approx(np.exp(0.5) * model.mean_purchase_rate(less))
        else:
            assert model.p_alive(more, zero + 1.0, zero + 9.0, zero + 9.0) * model.future(more, zero + 1.0, zero, t)[
                0
            ] < (model.p_alive(less, zero + 1.0, zero + 9.0, zero + 9.0) * model.future(less, zero + 1.0, zero, t)[0])


def test_units_of_time_and_of_a_column_move_what_they_must():
    rng = np.random.default_rng(1)
    rfm = world("bg_nbd", 800, 7, age=rng.uniform(20.0, 60.0, 800))
    fit = clv.BGNBD(covariates={"purchase": "channel + age", "dropout": "age"}).fit(rfm)
    in_days = clv.BGNBD(covariates={"purchase": "channel + age", "dropout": "age"}).fit(rfm.in_unit("day"))
    assert in_days.coefficients["estimate"].to_numpy() == pytest.approx(fit.coefficients["estimate"], rel=1e-5)
    assert in_days.params["alpha"] == pytest.approx(7.0 * fit.params["alpha"], rel=1e-5)
    in_months = clv.BGNBD(covariates={"purchase": "channel + I(12 * age)", "dropout": "I(12 * age)"}).fit(rfm)
    ratio = fit.coefficients["estimate"].to_numpy() / in_months.coefficients["estimate"].to_numpy()
    assert ratio == pytest.approx([1.0, 12.0, 12.0], rel=1e-5)
    assert in_months.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-6)
    assert in_months.params == pytest.approx(fit.params, rel=1e-5)


def test_the_order_of_columns_and_of_customers_does_not_matter():
    rng = np.random.default_rng(2)
    rfm = world("pareto_nbd", 500, 8, age=rng.uniform(20.0, 60.0, 500))
    fit = clv.ParetoNBD(covariates={"purchase": ["channel", "age"]}).fit(rfm)
    other = clv.ParetoNBD(covariates={"purchase": ["age", "channel"]}).fit(rfm.select(rng.permutation(500)))
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-7)
    assert other.coefficients["estimate"].sort_index().to_numpy() == pytest.approx(
        fit.coefficients["estimate"].sort_index().to_numpy(), rel=1e-5
    )
    assert other.fingerprint == fit.fingerprint == clv.ParetoNBD().fit(rfm).fingerprint


def test_the_test_of_a_coefficient_is_a_fit_without_it():
    rng = np.random.default_rng(3)
    rfm = world("bg_nbd", 700, 9, age=rng.uniform(20.0, 60.0, 700))
    whole = clv.BGNBD(covariates={"purchase": "channel + age", "dropout": "channel"}).fit(rfm)
    without = {
        0: {"purchase": "age", "dropout": "channel"},
        1: {"purchase": "channel", "dropout": "channel"},
        2: {"purchase": "channel + age"},
    }
    for k, covariates in without.items():
        less = clv.BGNBD(covariates=covariates).fit(rfm)
        expected = 2.0 * (whole.log_likelihood - less.log_likelihood)
        assert whole.covariates.likelihood_ratio[k] == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert whole.coefficients["p_value"].iloc[0] < 1e-6 < whole.coefficients["p_value"].iloc[1]
    plain = clv.BGNBD().fit(rfm)
    assert whole.aic - plain.aic == pytest.approx(2 * 3 - 2 * (whole.log_likelihood - plain.log_likelihood))


@pytest.mark.parametrize(
    ("covariates", "error", "message"),
    [
        ({"purchase": "chanel"}, DataError, r"unknown attribute .*'chanel'.*'channel'.*did you mean 'channel'"),
        ({"purchase": "same"}, DataError, "same is the same for all customers"),
        ({"purchase": "z + channel"}, DataError, r"channel\[T.web\] follows from z"),
        ({"purchase": "0 + channel"}, DataError, r"channel\[web\] follows from"),
        ({"dropout": "holes"}, DataError, "holes is missing for 3 of 60 customers; a missing value is not zero"),
        ({"purchase": "log(z)"}, DataError, r"log\(z\) is no finite number"),
        ({"purchase": "only"}, DataError, "only has one value only"),
        ({"buying": "z"}, FitError, "unknown process for covariates 'buying'; use one of 'purchase', 'dropout'"),
        ({"purchase": "z ~ channel"}, FitError, "two sides"),
        ({"purchase": "z +"}, FitError, "cannot be read"),
        ({"purchase": "1"}, FitError, "names no attribute"),
        ({"purchase": "np.log(z)"}, FitError, "unknown function 'np.log'"),
        ({"purchase": "log(z.real)"}, FitError, "may call"),
        ({"purchase": 3}, FitError, "a formula or a list of attributes"),
        ({}, FitError, "formulas by process"),
        ("z", FitError, "formulas by process"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(covariates, error, message):
    holes = np.where(np.arange(60) < 3, np.nan, 1.0 + np.arange(60))
    rfm = world("bg_nbd", 60, 10, same=2.0, holes=holes, only="web")
    with pytest.raises(error, match=message):
        clv.BGNBD(covariates=covariates).fit(rfm)


def test_segments_and_covariates_are_not_mixed():
    rfm = world("bg_nbd", 60, 10)
    with pytest.raises(FitError, match=r'name the attribute in a formula, covariates=\{"purchase": "channel'):
        clv.BGNBD(covariates={"purchase": "z"}).fit(rfm, by="channel")
    with pytest.raises(FitError, match="name the attribute in a formula"):
        clv.BGNBD(covariates={"purchase": "z"}).to_pymc(rfm, by="channel")


def test_priors_of_coefficients_are_checked_by_name():
    rfm, tight = world("bg_nbd", 60, 10), {"dist": "Normal", "mu": 0.0, "sigma": 0.1}
    estimator = clv.BGNBD(covariates={"purchase": "z"}, priors={"purchase: zed": tight})
    with pytest.raises(ParameterError, match=r"'purchase: zed'.*did you mean 'purchase: z'"):
        estimator.fit(rfm, method="map")
    with pytest.raises(ParameterError, match="unknown quantity for a prior 'purchase: z'"):
        clv.BGNBD(priors={"purchase: z": tight})


def test_levels_and_attributes_of_predictions_must_be_known():
    rfm = world("bg_nbd", 300, 11)
    fit = clv.BGNBD(covariates={"purchase": "channel"}).fit(rfm)
    table = rfm.to_frame()
    other = clv.Histories.from_frame(table.assign(channel="app"), unit="week")
    with pytest.raises(DataError, match="unknown value of channel 'app'; use one of 'shop', 'web'"):
        fit.expected_purchases(other, "4 weeks")
    without = clv.Histories.from_frame(table.drop(columns="channel"), unit="week")
    with pytest.raises(DataError, match="unknown attribute of the histories 'channel'"):
        fit.probability_alive(without)
    with pytest.raises(DataError, match="channel is missing for 300 of 300 customers"):
        fit.probability_alive(clv.Histories.from_frame(table.assign(channel=None), unit="week"))


def test_a_formula_makes_the_same_columns_of_any_customers():
    rng = np.random.default_rng(4)
    rfm = world("pareto_nbd", 400, 12, age=rng.uniform(20.0, 60.0, 400), tier=rng.choice(["a", "b", "c"], 400))
    fit = clv.ParetoNBD(covariates={"purchase": "bs(age, df=4) + C(tier) + z:scale(age)"}).fit(rfm)
    everybody = fit.expected_purchases(rfm, "26 weeks")["mean"]
    for few in ([3], [7, 1, 300]):
        assert fit.expected_purchases(rfm.select(few), "26 weeks")["mean"].to_numpy() == pytest.approx(
            everybody[few].to_numpy(), rel=1e-12
        )


def test_parameters_of_many_groups_are_made_as_they_are_asked_for():
    rng = np.random.default_rng(5)
    draws, coefficients, rows = rng.gamma(2.0, 1.0, (50, 2)), rng.normal(0, 0.3, (50, 1)), rng.normal(0, 1, (6, 1))
    shifts = Shifts(rows, coefficients, np.array([[0.0, -1.0]]))
    group = np.array([5, 0, 3, 3])
    parameters = Parameters(draws, np.ones((6, 2)), group, shifts)
    expected = np.stack([draws * np.column_stack([np.ones(50), np.exp(-coefficients @ rows[g])]) for g in group])
    assert parameters.theta(slice(None)) == pytest.approx(expected, rel=1e-12)
    assert parameters.draw(7, slice(1, 3)) == pytest.approx(expected[1:3, 7])
    assert parameters.draw(np.array([60, 3, 1, 0]), slice(None)) == pytest.approx(expected[range(4), [10, 3, 1, 0]])
    assert parameters.of_draws(np.array([4, 2])).theta(np.array([2])) == pytest.approx(expected[[2]][:, [4, 2]])
    assert parameters.by_group().theta(slice(None)) == pytest.approx(expected)
    assert parameters.of_one(3).draws == pytest.approx(expected[2])
    seen = np.zeros(4, int)
    for which, part in parameters.parts(8.0 * 50 * 2 * 2):  # two groups at a time
        assert part.groups <= 2
        assert part.theta(slice(None)) == pytest.approx(expected[which])
        seen[which] += 1
    assert seen.tolist() == [1, 1, 1, 1]
    many = Parameters(np.ones((1_000, 4)), np.ones((10**6, 4)), np.zeros(1, np.int64), shifts)
    with pytest.raises(FitError, match=r"32 GB; thin them: fit.thinned\(32\)"):
        many.by_group()
