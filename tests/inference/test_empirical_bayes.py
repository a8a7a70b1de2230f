"""Segments from a common population: against integrals, optimisers and simulated truth."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, stats

import clvmodels as clv
from clvmodels.errors import DataError, FitError
from clvmodels.inference import empirical_bayes as eb
from clvmodels.inference.observations import observe
from clvmodels.inference.priors import POOLING
from clvmodels.inference.segment_draws import draw_segments
from clvmodels.inference.segment_likelihood import SegmentLikelihood, SegmentTerms, segment_likelihood
from clvmodels.inference.segment_nodes import Nodes, log_value_over_nodes, nodes_around, over_nodes
from clvmodels.inference.segment_population import Population, best_population, given_population, penalised
from tests.inference.segment_bases import CENTRE, SPEND_CENTRE, pareto_of, simulated

pytestmark = [
    pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning"),  # small bases have boundaries
    pytest.mark.filterwarnings("ignore::clvmodels.errors.DataWarning"),  # times are whole days, rounded up
]
ESTIMATORS = [clv.BGNBD(), clv.MBGNBD(), clv.ParetoNBD(), clv.GammaGamma()]


@pytest.fixture(scope="module")
def base():
    return simulated([1, 3, 25, 80, 400], 0.3, seed=3)


def likelihood_of(model, histories) -> SegmentLikelihood:
    return segment_likelihood(model, histories, "segment")[0]


def log_quantities(estimator, fit_theta, *, year=365.25 / 7.0):
    """Return logs (log odds) of the quantities of parameters of shape (..., parameters)."""
    model = estimator.model
    named = model.to_quantities(dict(zip(model.names, np.moveaxis(fit_theta, -1, 0), strict=True)), year)
    return np.stack(
        [
            np.log(named[quantity.name] / (1.0 - named[quantity.name] if quantity.share else 1.0))
            for quantity in model.quantities
        ],
        axis=-1,
    )


# -------------------------------------------------------------------------------------------------- the likelihood


@pytest.mark.parametrize("own_quantities", [True, False])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: each.model.key)
def test_the_likelihood_of_each_segment_is_that_of_its_customers(base, estimator, own_quantities):
    model = estimator.model if own_quantities else replace(estimator.model, quantities=())
    likelihood = likelihood_of(model, base.histories)
    start = likelihood.psi(model.theta(model.example))
    psi = start + 0.2 * np.random.default_rng(1).standard_normal((likelihood.segments, len(start)))
    value, gradient = likelihood.gradient(psi)
    for number in (2, 3, 4):
        customers = base.histories.select((base.histories.attributes["segment"] == f"{number:04d}").to_numpy())
        alone, _ = observe(model, customers).log_likelihood(model, likelihood.theta(psi)[number])
        assert value[number] == pytest.approx(alone, rel=1e-10)
    for k in range(len(start)):
        step = 1e-4 * np.eye(len(start))[k]
        differences = (likelihood.gradient(psi + step)[0] - likelihood.gradient(psi - step)[0]) / 2e-4
        np.testing.assert_allclose(gradient[:, k], differences, rtol=1e-5, atol=1e-4)


def test_coordinates_and_parameters_are_each_others_inverse(base):
    for estimator in ESTIMATORS:
        likelihood = likelihood_of(estimator.model, base.histories)
        theta = estimator.model.theta(estimator.model.example)
        np.testing.assert_allclose(likelihood.theta(likelihood.psi(theta)), theta, rtol=1e-9)
    likelihood = likelihood_of(clv.ParetoNBD().model, base.histories)
    np.testing.assert_allclose(likelihood.theta(CENTRE), pareto_of(CENTRE), rtol=1e-9)


@pytest.mark.parametrize("psi", [-1e6, -12.0, 12.0, 1e6])
def test_extreme_coordinates_give_finite_likelihoods(base, psi):
    for estimator in ESTIMATORS:
        likelihood = likelihood_of(estimator.model, base.histories)
        size = len(likelihood.names)
        value, gradient = likelihood.gradient(np.full((likelihood.segments, size), psi))
        assert np.isfinite(value).all()
        assert np.isfinite(gradient).all()


# ------------------------------------------------------------------------------------------------------ the evidence


def settled(likelihood, population, rounds=60):
    """Return the modes of the segments given a population, and the likelihoods there."""
    psi = np.repeat(population.centre[None], likelihood.segments, axis=0)
    terms = SegmentTerms(*likelihood.gradient(psi), likelihood.curvature(psi))
    for _ in range(rounds):
        psi, terms, _ = eb._climb(likelihood, population, psi, terms)
        terms = replace(terms, curvature=likelihood.curvature(psi))
    return psi, terms


@pytest.mark.parametrize("which", range(4))
def test_the_evidence_is_an_integral_over_the_segments(base, which):
    """One quantity varies over segments, the others do not: numerical integration of the likelihood over it."""
    likelihood = likelihood_of(clv.ParetoNBD().model, base.histories)
    log_spread = np.full(4, -7.0)
    log_spread[which] = np.log(0.4)
    population = Population(CENTRE, log_spread)

    grid = np.linspace(-4.8, 4.8, 481)
    psi = np.repeat(CENTRE[None], likelihood.segments, axis=0)
    shift = np.eye(4)[which]
    values = np.array([likelihood.gradient(psi + u * shift)[0] for u in grid])
    peaks = values.max(axis=0)

    def integral(spread):
        density = np.exp(values - peaks) * stats.norm.pdf(grid, 0.0, spread)[:, None]
        return float((peaks + np.log(integrate.simpson(density, x=grid, axis=0))).sum())

    psi, terms = settled(likelihood, population)
    nodes = nodes_around(likelihood, population, psi, terms)
    laplace = given_population(population, psi, terms).value
    assert laplace == pytest.approx(integral(0.4), abs=0.5)  # segments with few customers are skewed
    assert over_nodes(population, nodes).value == pytest.approx(integral(0.4), abs=0.05)
    for spread in (0.2, 0.6):  # the same nodes serve other populations
        log_spread[which] = np.log(spread)
        other = Population(CENTRE, log_spread)
        assert over_nodes(other, nodes).value == pytest.approx(integral(spread), abs=0.15)
        assert log_value_over_nodes(other, nodes) == pytest.approx(over_nodes(other, nodes).value, rel=1e-9)


def test_gradients_by_the_population_are_differences(base):
    likelihood = likelihood_of(clv.ParetoNBD().model, base.histories)
    population = Population(CENTRE, np.log([0.3, 0.2, 0.4, 0.5]))
    psi, terms = settled(likelihood, population, rounds=5)
    nodes = nodes_around(likelihood, population, psi, terms)
    vector = population.vector + 0.1
    closed = partial(penalised, partial(given_population, psi=psi, terms=terms))
    differences = optimize.approx_fprime(vector, lambda at: closed(at)[0], 1e-6)
    np.testing.assert_allclose(closed(vector)[1], differences, rtol=1e-3, atol=1e-3)
    by_nodes = partial(penalised, partial(over_nodes, nodes=nodes))
    differences = optimize.approx_fprime(vector, lambda at: by_nodes(at)[0], 1e-6)
    moments = by_nodes(vector)[1]
    np.testing.assert_allclose(moments, differences, rtol=0.05, atol=0.1)  # the mean of sums, not the sum of means


@pytest.mark.parametrize("estimator", [clv.BGNBD(), clv.GammaGamma()], ids=["orders", "spend"])
def test_modes_are_those_of_an_optimiser(base, estimator):
    model = estimator.model
    likelihood = likelihood_of(model, base.histories)
    centre = likelihood.psi(model.theta(model.example))
    population = Population(centre, np.full(len(centre), np.log(0.5)))
    psi, _ = settled(likelihood, population, rounds=20)
    for number in (2, 4):
        customers = base.histories.select((base.histories.attributes["segment"] == f"{number:04d}").to_numpy())
        observations = observe(model, customers)

        def cost(at, observations=observations):
            away = (at - centre) / 0.5
            return 0.5 * away @ away - observations.log_likelihood(model, likelihood.theta(at))[0]

        found = optimize.minimize(cost, centre, method="Nelder-Mead", options={"xatol": 1e-6, "maxiter": 5_000})
        np.testing.assert_allclose(psi[number], found.x, atol=2e-4)


def test_a_mean_of_normals_is_shrunk_by_the_formula_of_efron_and_morris():
    """Likelihoods that are normal: the maximum of the population and the means of the segments are known."""
    generator = np.random.default_rng(5)
    truth = 1.0 + 0.5 * generator.standard_normal((4_000, 1))
    observed = truth + 0.3 * generator.standard_normal((4_000, 1))
    curvature = np.full((4_000, 1, 1), 0.3**-2.0)
    at = np.zeros((4_000, 1))
    value = -0.5 * (observed[:, 0] / 0.3) ** 2 - np.log(0.3 * np.sqrt(2.0 * np.pi))
    terms = SegmentTerms(value, observed / 0.3**2, curvature)
    start = Population(np.zeros(1), np.array([-1.2]))
    population = start
    for _ in range(12):
        population = best_population(population, partial(given_population, psi=at, terms=terms))
    spread = np.sqrt(observed.var() - 0.3**2)
    assert population.centre[0] == pytest.approx(observed.mean(), abs=1e-4)
    assert np.exp(population.log_spread[0]) == pytest.approx(spread, rel=2e-3)
    given = given_population(population, at, terms)
    shrunk = observed.mean() + (observed - observed.mean()) * spread**2 / (spread**2 + 0.3**2)
    np.testing.assert_allclose(given.step, shrunk, atol=2e-3)
    marginal = stats.norm.logpdf(observed, observed.mean(), np.hypot(np.exp(population.log_spread[0]), 0.3)).sum()
    assert given.value == pytest.approx(marginal, abs=1e-3)


# ----------------------------------------------------------------------------------------------------------- fits


def test_draws_of_three_normal_segments_follow_the_exact_posterior():
    """Of y_g ~ N(psi_g, v_g), given the spread, y_g ~ N(mu, spread^2 + v_g); the posterior is summed on a grid."""
    y, v = np.array([-0.4, 0.1, 0.9]), np.array([0.01, 0.02, 0.05])
    terms = SegmentTerms(np.zeros(3), (y[:, None] - 0.0) / v[:, None], 1.0 / v[:, None, None])
    terms = replace(terms, value=stats.norm.logpdf(y, 0.0, np.sqrt(v)))
    mu, tau = np.meshgrid(np.linspace(-6.0, 6.0, 1_201), np.linspace(-5.0, 3.0, 801), indexing="ij")
    density = stats.norm.logpdf(tau, *POOLING)
    for each, variance in zip(y, v, strict=True):
        density = density + stats.norm.logpdf(each, mu, np.sqrt(np.exp(2.0 * tau) + variance))
    share = np.exp(density - density.max())
    share /= share.sum()
    pull = v / (np.exp(2.0 * tau)[..., None] + v)  # of each segment towards the centre

    start = Population(np.array([0.2]), np.array([-0.8]))
    best = best_population(start, partial(given_population, psi=np.zeros((3, 1)), terms=terms))
    hessian = eb._hessian(partial(penalised, partial(given_population, psi=np.zeros((3, 1)), terms=terms)), best.vector)
    nodes = Nodes(np.zeros((3, 1)), terms, np.zeros((3, 1, 1)), np.zeros((3, 1)), np.zeros((3, 1)))  # nothing to add
    hierarchy = eb.Hierarchy(best, eb._inverse(hessian), np.zeros((3, 1)), terms, 0.0, True, 1, nodes)
    centre, psi, pareto_k = draw_segments(hierarchy, 5_000, 1)
    assert pareto_k < 0.5
    mean = float(np.sum(share * mu))
    assert centre.mean() == pytest.approx(mean, abs=0.03)
    assert centre.std() == pytest.approx(np.sqrt(np.sum(share * mu**2) - mean**2), rel=0.05)
    for q in (0.05, 0.5, 0.95):
        exact = np.interp(q, np.cumsum(share.sum(axis=1)), mu[:, 0])
        assert np.mean(centre[:, 0] <= exact) == pytest.approx(q, abs=0.02)
    for segment in range(3):
        expected = np.sum(share * ((1.0 - pull[..., segment]) * y[segment] + pull[..., segment] * mu))
        assert psi[segment].mean() == pytest.approx(expected, abs=0.02)


def test_a_small_base_of_segments_is_recovered():
    """Forty segments: no bias in their mean beyond four standard errors, and 90 % intervals that cover."""
    base = simulated(np.full(40, 100), 0.3, seed=11)
    fit = clv.ParetoNBD().fit(base.histories, by="segment", method="laplace", draws=400, seed=1)
    assert fit.segment_theta.shape == (40, 1, 400, 4)
    drawn = log_quantities(clv.ParetoNBD(), fit.segment_theta[:, 0])
    error = drawn.mean(axis=1) - base.psi
    deviation = drawn.mean(axis=0).std(axis=0)  # of the mean of all segments
    assert (np.abs(error.mean(axis=0)) < 4.0 * deviation).all()
    low, high = np.quantile(drawn, [0.05, 0.95], axis=1)
    covered = ((low <= base.psi) & (base.psi <= high)).mean()
    assert covered > 0.9 - 3.0 * np.sqrt(0.9 * 0.1 / 40.0)  # the four quantities of a segment depend on each other
    prior_only = np.abs(CENTRE - base.psi)
    assert (np.abs(error) ** 2).mean() < 0.7 * (prior_only**2).mean()
    test = fit.segment_test
    assert np.isnan([fit.aic, fit.bic]).all()  # an evidence is no likelihood to count parameters against
    assert test is not None
    assert test.differ
    assert test.evidence == fit.log_likelihood
    assert test.pooled == pytest.approx(clv.ParetoNBD().fit(base.histories).log_likelihood)
    assert test.spread["purchase_rate"] == pytest.approx(base.psi[:, 0].std(), abs=0.1)


def test_the_spread_of_spend_is_recovered():
    base = simulated(np.full(60, 60), 0.3, seed=12)
    fit = clv.GammaGamma().fit(base.histories, by="segment")
    psi = log_quantities(clv.GammaGamma(), fit.segment_theta[:, 0, 0])
    assert np.corrcoef(psi[:, 0], base.spend_psi[:, 0])[0, 1] > 0.9
    assert fit.segment_test is not None
    assert fit.segment_test.spread["mean_spend"] == pytest.approx(base.spend_psi[:, 0].std(), abs=0.06)
    assert "By segment: segments differ (evidence" in fit.describe()
    centre = log_quantities(clv.GammaGamma(), fit.estimate)
    np.testing.assert_allclose(centre, base.spend_psi.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(centre[0], SPEND_CENTRE[0], atol=4.0 * 0.3 / np.sqrt(60.0))


def test_segments_that_are_alike_shrink_to_one_population():
    base = simulated(np.full(30, 60), 0.0, seed=13)
    pooled, fit = clv.ParetoNBD().fit(base.histories), clv.ParetoNBD().fit(base.histories, by="segment")
    rate = log_quantities(clv.ParetoNBD(), fit.segment_theta[:, 0, 0])[:, 0]
    alone = [
        np.log(group["frequency"].sum() / group["T"].sum()) for _, group in base.histories.to_frame().groupby("segment")
    ]
    assert rate.std() < 0.35 * np.std(alone)
    np.testing.assert_allclose(
        log_quantities(clv.ParetoNBD(), fit.estimate), log_quantities(clv.ParetoNBD(), pooled.estimate), atol=0.1
    )
    assert fit.segment_test is not None
    assert not fit.segment_test.differ
    assert "nothing says that segments differ" in fit.describe()


@pytest.mark.parametrize("estimator", [clv.BGNBD(), clv.GammaGamma()], ids=["orders", "spend"])
def test_tiny_segments_take_what_they_lack_from_the_others(estimator):
    """Two segments, one of a single customer; then one more without a repeat purchase."""
    base = simulated([500, 1], 0.2, seed=14)
    table = base.histories.to_frame().reset_index().astype({"customer_id": str})
    once = table.head(3).assign(
        customer_id=["a", "b", "c"], frequency=0.0, recency=0.0, monetary_value=np.nan, segment="once"
    )
    pooled = log_quantities(estimator, estimator.fit(base.histories).estimate)
    for rows in (table, pd.concat([table, once])):
        rfm = clv.Histories.from_frame(rows, unit="week")
        fit = estimator.fit(rfm, by="segment", method="laplace", draws=50, seed=1)
        assert np.isfinite(fit.segment_theta).all()
        fit = estimator.fit(rfm, by="segment")
        assert fit.segments == tuple(sorted(rows["segment"].unique()))
        assert not fit.segment_test.differ
        psi, spread = log_quantities(estimator, fit.segment_theta[:, 0, 0]), list(fit.segment_test.spread.values())
        centre = log_quantities(estimator, fit.estimate)
        assert (np.abs(psi - centre) < 2.5 * np.array(spread)).all()
        assert psi[0, 0] == pytest.approx(pooled[0], abs=0.1)  # of 500 customers
    if estimator.model.key == "gamma_gamma":
        np.testing.assert_allclose(psi[2], centre, atol=1e-6)  # nothing is known of their spend
    else:
        assert psi[2, 0] < centre[0]  # none of three has bought again


def test_large_segments_keep_to_their_own_likelihood():
    base = simulated([3_000, 3_000, 40], 0.4, seed=15)
    estimator = clv.ParetoNBD()
    fit = estimator.fit(base.histories, by="segment", method="laplace", draws=1_000, seed=2)
    for name in fit.segments[:2]:
        members = base.histories.select((base.histories.attributes["segment"] == name).to_numpy())
        own = estimator.fit(members, method="laplace", draws=1_000, seed=2)
        ours, theirs = (log_quantities(estimator, each.draws) for each in (fit.segment(name), own))
        moved = np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) / theirs.std(axis=0)
        assert (moved < [0.3, 0.3, 0.7, 1.0]).all()  # the data say least about how rates of leaving vary
        np.testing.assert_allclose(ours.std(axis=0)[:3], theirs.std(axis=0)[:3], rtol=0.2)
        assert ours.std(axis=0)[3] < 2.0 * theirs.std(axis=0)[3]


def test_a_fit_by_segment_is_the_same_every_time_and_kept_in_a_file(tmp_path, base):
    fit = clv.BGNBD().fit(base.histories, by="segment")
    np.testing.assert_array_equal(fit.segment_theta, clv.BGNBD().fit(base.histories, by="segment").segment_theta)
    fit.save(tmp_path / "fit.json")
    again = clv.Fit.load(tmp_path / "fit.json")
    assert again.segment_test == fit.segment_test
    assert again.describe() == fit.describe()
    assert fit.segment("0004").segment_test is None
    content = json.loads((tmp_path / "fit.json").read_text())
    del content["segment_test"]
    (tmp_path / "before.json").write_text(json.dumps(content))
    assert clv.Fit.load(tmp_path / "before.json").segment_test is None
    content["segment_test"] = {"evidence": "much"}
    (tmp_path / "damaged.json").write_text(json.dumps(content))
    with pytest.raises(FitError, match="is damaged"):
        clv.Fit.load(tmp_path / "damaged.json")


def test_an_attribute_that_is_none_or_missing_is_refused(base):
    with pytest.raises(DataError, match="attribute of the histories 'channel'"):
        clv.BGNBD().fit(base.histories, by="channel")
    holes = base.histories.to_frame().reset_index()
    holes.loc[3, "segment"] = None
    with pytest.raises(DataError, match="segment is missing for 1 customers"):
        clv.BGNBD().fit(clv.Histories.from_frame(holes, unit="week"), by="segment")


def test_units_of_time_and_money_do_not_matter(base):
    table = base.histories.to_frame().reset_index()
    scaled = table.assign(
        recency=table["recency"] * 7.0, T=table["T"] * 7.0, monetary_value=table["monetary_value"] * 1e6
    )
    there = clv.Histories.from_frame(scaled, unit="day")
    for estimator in (clv.ParetoNBD(), clv.GammaGamma()):
        units = estimator.model.units(time=7.0, money=1e6)
        ours, theirs = (estimator.fit(rfm, by="segment").segment_theta for rfm in (base.histories, there))
        np.testing.assert_allclose(ours * units, theirs, rtol=2e-3)


def test_values_by_segment_are_those_of_each_segment(base):
    transactions, spend = (each.fit(base.histories, by="segment") for each in (clv.ParetoNBD(), clv.GammaGamma()))
    assumptions = clv.Assumptions(discount_rate=0.12, margin=0.3)
    book = clv.value(transactions, spend, base.histories, assumptions)
    alone = 0.0
    for name in transactions.segments:
        members = base.histories.select((base.histories.attributes["segment"] == name).to_numpy())
        alone += clv.value(transactions.segment(name), spend.segment(name), members, assumptions).equity
    assert book.equity == pytest.approx(alone, rel=1e-7)


# ----------------------------------------------------------------------------------------------- two hundred segments


def log_orders(theta, base, names, horizon):
    """Return the log of each segment's discounted expected orders at 12 % a year."""
    fit = clv.ParetoNBD().from_params(dict(zip(clv.ParetoNBD().model.names, theta[0], strict=True)), unit="week")
    fit = replace(fit, by="segment", segments=names, segment_theta=theta[:, None, None, :])
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    book = clv.value(fit, spend, base.histories, clv.Assumptions(discount_rate=0.12, margin=1.0, horizon=horizon))
    code = base.histories.attributes["segment"].astype(int).to_numpy()
    return np.log(np.bincount(code, book.customers["discounted_orders"].to_numpy()))


@pytest.mark.slow  # 150 s for both on two busy cores
@pytest.mark.parametrize("seed", [1, 2])
def test_two_hundred_segments_of_20_to_200_customers(seed):
    """Root mean squared error of the log of what segments are worth, and coverage of their 90 % intervals."""
    base = simulated(np.random.default_rng(seed).integers(20, 201, 200), 0.3, seed=seed)
    estimator = clv.ParetoNBD()
    modes = estimator.fit(base.histories, by="segment")
    drawn = estimator.fit(base.histories, by="segment", method="laplace", draws=100, seed=1)
    pooled = np.repeat(estimator.fit(base.histories).estimate[None], 200, axis=0)
    names, span = modes.segments, f"{base.histories.T.max():.4f} weeks"
    for horizon, largest in ((span, 0.12), (None, 0.30)):
        truth = log_orders(base.theta, base, names, horizon)
        rmse = np.sqrt(np.mean((log_orders(modes.segment_theta[:, 0, 0], base, names, horizon) - truth) ** 2))
        without = np.sqrt(np.mean((log_orders(pooled, base, names, horizon) - truth) ** 2))
        assert rmse <= largest
        values = [log_orders(drawn.segment_theta[:, 0, k], base, names, horizon) for k in range(100)]
        means = np.log(np.mean(np.exp(values), axis=0))  # what a book says
        assert np.sqrt(np.mean((means - truth) ** 2)) < without
        low, high = np.quantile(values, [0.05, 0.95], axis=0)
        covered = np.mean((low <= truth) & (truth <= high))
        assert covered >= 0.86 - 2.0 * np.sqrt(0.86 * 0.14 / 200.0)  # errors of the centre are common to all segments


@pytest.mark.slow  # 4 minutes on two busy cores
def test_the_rule_finds_segments_that_differ_and_no_others():
    """Sixty bases each: false positives at most 5 %, power at least 75 % at a spread of .3."""
    differ = {0.0: [], 0.3: []}
    for spread, results in differ.items():
        for seed in range(60):
            generator = np.random.default_rng(1_000 + seed)
            number, customers = int(generator.choice([2, 3, 4, 6, 10, 20])), int(generator.choice([600, 1_000, 2_000]))
            base = simulated(
                np.full(number, customers // number), spread, seed=2_000 + seed, years=generator.choice([1.0, 2.0, 3.0])
            )
            results.append(clv.ParetoNBD().fit(base.histories, by="segment").segment_test.differ)
    assert np.mean(differ[0.0]) <= 0.05
    assert np.mean(differ[0.3]) >= 0.75
