"""Parameters by row: one call for all segments says what each segment's own fit says, and costs little more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError
from clvmodels.evaluation.aggregate_fit import _class_sizes
from clvmodels.evaluation.tracking import purchases_at
from clvmodels.inference import predictive
from clvmodels.inference.observations import observe
from clvmodels.models import derived
from clvmodels.models.registry import TRANSACTION_MODELS
from clvmodels.numerics.kernels import MANY_LAWS
from clvmodels.numerics.quadrature import TimeGrid, Weighting
from tests.inference.example_fits import around, by_segment, gamma_gamma, pareto

SEGMENTS = ("web", "shop", "post")
SCALES = (1.0, 3.0, 0.5)


@pytest.fixture(params=[model.public_name for model in TRANSACTION_MODELS.values()])
def estimator(request):
    return getattr(clv, request.param)()


@pytest.fixture(scope="module")
def rfm():
    """300 customers in three segments, many of them alike, none of them like all others of a segment."""
    truth = clv.BGNBD().from_params({"r": 0.6, "alpha": 5.0, "a": 0.8, "b": 2.5}, unit="week")
    table = truth.simulate(300, "52 weeks", seed=3).to_frame().drop(columns=["purchase_rate", "alive"])
    generator = np.random.default_rng(1)
    table["T"] = np.maximum(np.ceil(table["recency"]), generator.integers(40, 60, 300))
    table["monetary_value"] = np.where(table["frequency"] > 0, generator.gamma(4.0, 9.0, 300).round(), np.nan)
    table["segment"] = generator.choice(SEGMENTS, 300)
    return clv.Histories.from_frame(table, unit="week")


def segmented(estimator, draws, **options):
    """A fit by segment with draws, or a point estimate if there is one; its segments live at different scales."""
    fits = {}
    for seed, (name, scale) in enumerate(zip(SEGMENTS, SCALES, strict=True)):
        params = around(estimator.model.example, draws, seed=seed) if draws > 1 else dict(estimator.model.example)
        factor = dict(zip(estimator.model.names, estimator.model.units(time=scale, money=scale), strict=True))
        params = {key: value * factor[key] for key, value in params.items()}
        if "q" in params:
            params["q"] = np.maximum(params["q"], 1.5)
        fits[name] = estimator.from_params(params, **options)
    return by_segment(fits)


def of_segment(rfm, name):
    return rfm.select(rfm.attributes["segment"].to_numpy() == name)


def rows_of(rfm, name):
    return np.flatnonzero(rfm.attributes["segment"].to_numpy() == name)


@pytest.mark.parametrize("draws", [1, 20])
def test_value_by_segment_is_that_of_each_by_itself(estimator, rfm, draws):
    fit, spend = segmented(estimator, draws, unit="week"), segmented(clv.GammaGamma(), draws)
    assumptions = clv.Assumptions(discount_rate=0.15, margin=0.3, order_cost=2.0, maintenance_cost=1.0, growth=0.02)
    book = clv.value(fit, spend, rfm, assumptions)
    totals = np.zeros(draws)
    for name in SEGMENTS:
        alone = clv.value(fit.segment(name), spend.segment(name), of_segment(rfm, name), assumptions)
        rows = rows_of(rfm, name)
        np.testing.assert_allclose(book.rlv[rows], alone.rlv, rtol=1e-10)
        np.testing.assert_allclose(book.alive[rows], alone.alive, rtol=1e-12)
        np.testing.assert_allclose(book.rlv_within(3)[rows], alone.rlv_within(3), rtol=1e-10)
        if draws > 1:
            totals += alone.draws(process=False)
            tables = (each.customer_intervals(process=False) for each in (book, alone))
            np.testing.assert_allclose(next(tables).iloc[rows], next(tables), rtol=1e-4, atol=1e-3)
    if draws > 1:
        np.testing.assert_allclose(book.draws(process=False), totals, rtol=1e-10)


@pytest.mark.parametrize("draws", [1, 20])
def test_predictions_by_segment_are_those_of_each_by_itself(estimator, rfm, draws):
    fit, spend = segmented(estimator, draws, unit="week"), segmented(clv.GammaGamma(), draws)
    for name in SEGMENTS:
        alone, there = fit.segment(name), of_segment(rfm, name)
        for predicted, own in (
            (fit.expected_purchases(rfm, 26), alone.expected_purchases(there, 26)),
            (fit.probability_alive(rfm), alone.probability_alive(there)),
            (fit.probability_alive(rfm, 26), alone.probability_alive(there, 26)),
            (fit.probability_of_purchases(rfm, 26, 2), alone.probability_of_purchases(there, 26, 2)),
            (spend.expected_spend(rfm), spend.segment(name).expected_spend(there)),
        ):
            np.testing.assert_allclose(predicted.iloc[rows_of(rfm, name)], own, rtol=1e-10, atol=1e-13)


def test_the_future_simulated_by_segment_is_the_one_expected(estimator, rfm):
    """All customers' orders under one draw of each segment, simulated 1,000 times, against their expectation."""
    fit, spend = segmented(estimator, 1, unit="week"), segmented(clv.GammaGamma(), 1)
    book = clv.value(fit, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.3, horizon="3 years"))
    simulated = book.draws(process=True, seed=1)
    assert abs(simulated.mean() - book.equity) < 4.0 * simulated.std() / np.sqrt(len(simulated))
    counts = fit.total_purchases(rfm, 26, process=True, seed=1)
    assert abs(counts[["q05", "q95"]].mean() - counts["mean"]) < counts["sd"]
    assert counts["sd"] > np.sqrt(counts["mean"])


def test_the_likelihood_by_segment_is_that_of_each(estimator, rfm):
    fit = segmented(estimator, 40, unit="week")
    loo = fit.loo(rfm)
    pointwise = fit.to_datatree(rfm)["log_likelihood"]["history"].to_numpy()
    for name in SEGMENTS:
        alone, there = fit.segment(name), of_segment(rfm, name)
        own = alone.model.log_likelihood(alone.theta[:, :, None], there.frequency, there.recency, there.T)
        np.testing.assert_allclose(pointwise[..., rows_of(rfm, name)], own, rtol=1e-12)
        np.testing.assert_allclose(loo.elpd_i.to_numpy()[rows_of(rfm, name)], alone.loo(there).elpd_i, rtol=0.05)


def test_sums_by_segment_are_those_of_each(estimator, rfm):
    fit = segmented(estimator, 20, unit="week")
    mean, _ = _class_sizes(fit, rfm, 3)
    own = [_class_sizes(fit.segment(name), of_segment(rfm, name), 3)[0] for name in SEGMENTS]
    np.testing.assert_allclose(mean, np.sum(own, axis=0), rtol=1e-9)
    ages = np.array([0.5, 30.0, 1.0])
    together = purchases_at(fit.model, fit.parameters(rfm).draws, ages)
    for number, name in enumerate(fit.segments):
        np.testing.assert_allclose(
            together[number], purchases_at(fit.model, fit.segment(name).draws[None], ages)[0], rtol=1e-10
        )
    replicated = predictive.replicated_by_fit(fit, rfm, most=3, draws=200, seed=1).shares.mean(axis=0)
    assert np.abs(replicated - mean / len(rfm)).max() < 0.02


def test_many_ages_of_few_groups_are_condensed(estimator):
    """Of 4,000 customers of different ages in two segments, sums over nodes are the sums over customers."""
    T = np.random.default_rng(5).uniform(20.0, 70.0, 4_000)
    table = pd.DataFrame({"customer_id": np.arange(4_000), "frequency": np.arange(4_000) % 2, "T": T})
    table["recency"] = (T - 1.0) * table["frequency"]
    rfm = clv.Histories.from_frame(table.assign(segment=np.where(T > 40.0, "web", "shop")), unit="week")
    fit = segmented(estimator, 1, unit="week")
    mean, variance = _class_sizes(fit, rfm, 1)
    expected = np.zeros(2)
    for name in ("web", "shop"):
        theta, ages = fit.segment(name).estimate, of_segment(rfm, name).T
        zeros = np.zeros(len(ages))
        alive = fit.model.p_alive(theta, zeros, zeros, zeros)
        silent = alive * fit.model.pmf(theta, zeros, zeros, ages, np.asarray(0.0)) + 1.0 - alive
        expected += silent.sum(), (silent * (1.0 - silent)).sum()
    assert mean[0] == pytest.approx(expected[0], rel=1e-10)
    assert variance[0] == pytest.approx(expected[1], rel=1e-9)


@pytest.mark.parametrize("many", [1, MANY_LAWS], ids=["compiled", "arrays"])
@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0])
def test_groups_that_differ_by_orders_of_magnitude_are_integrated_as_each_by_itself(
    estimator, spread, many, monkeypatch
):
    monkeypatch.setattr(derived, "MANY_LAWS", many)
    generator, model = np.random.default_rng(2), estimator.model
    scale = 10.0 ** (spread * generator.uniform(-1.0, 1.0, (25, 1)))
    theta = model.theta(model.example) * model.units(time=2.0) ** np.log2(scale)
    theta *= np.exp(0.3 * generator.standard_normal(theta.shape))
    group = generator.integers(0, 25, 400)
    x, T = generator.integers(0, 9, 400).astype(float), generator.integers(20, 60, 400).astype(float)
    delta = np.log(1.15) / 52.0
    weightings = [Weighting(lambda u: np.exp(-delta * u), end) for end in (52.0, 34.0 / delta)]
    together = np.column_stack(derived.residual(model, theta, x, T, weightings, group))
    bought = derived.expected_purchases(model, theta, x, T, 26.0, group)
    for number in range(25):
        rows = group == number
        alone = np.column_stack(derived.residual(model, theta[number], x[rows], T[rows], weightings))
        np.testing.assert_allclose(together[rows], alone, rtol=2e-10)
        direct = model.expected_purchases(theta[number], x[rows], T[rows], np.asarray(26.0))
        np.testing.assert_allclose(bought[rows], direct, rtol=1e-10)


def test_a_curve_with_many_ages_is_interpolated_in_each_group():
    model = clv.ParetoNBD().model
    T = np.tile(np.linspace(20.0, 60.0, 500), 2)
    group = np.repeat([0, 1], 500)
    theta = model.theta(model.example) * np.array([[1.0], [1.3]])
    points = []

    def watched(theta, x, T):
        points.append(len(x))
        return derived.purchases(model, 26.0)(theta, x, T)

    prepared = derived.interpolate_over_age(watched, model, theta[:, None], 0.0 * T, T, group)
    values = prepared.at(slice(0, 1_000))[:, 0, 0]
    assert sum(points) < 100
    np.testing.assert_allclose(values, model.expected_purchases(theta[group], 0.0 * T, T, np.asarray(26.0)), rtol=1e-10)


def many_groups(groups):
    """20,000 customers, in some number of segments whose parameters differ, and their fits."""
    generator = np.random.default_rng(groups)
    table = pd.DataFrame({"customer_id": np.arange(20_000), "frequency": generator.poisson(1.5, 20_000).clip(0, 8)})
    table["T"] = generator.integers(30, 78, 20_000).astype(float)
    table["recency"] = np.where(table["frequency"] > 0, np.ceil(table["T"] * generator.uniform(0.2, 1.0, 20_000)), 0.0)
    table["monetary_value"] = np.where(table["frequency"] > 0, generator.gamma(4.0, 9.0, 20_000), np.nan)
    names = tuple(f"{k:04d}" for k in range(groups))
    table["segment"] = np.array(names)[generator.integers(0, groups, 20_000)]
    fits = []
    for fit in (pareto, gamma_gamma):
        theta = fit.theta * np.exp(0.1 * generator.standard_normal((groups, 1, 1, fit.theta.shape[-1])))
        fits.append(replace(fit, by="segment", segments=names, segment_theta=theta))
    return *fits, clv.Histories.from_frame(table, unit="week")


def test_two_thousand_groups_take_few_calls_of_the_model():
    """Counted, not timed: calls of functions of the model, and the values they are asked for."""
    calls, values = {}, {}
    for groups in (1, 2_000):
        transactions, spend, rfm = many_groups(groups)
        calls[groups], values[groups] = 0, 0
        model, assumptions = transactions.model, clv.Assumptions(discount_rate=0.15, margin=0.3)

        def counted(name, groups=groups, model=model):
            def function(theta, *columns):
                calls[groups] += 1
                values[groups] += np.prod(np.broadcast_shapes(theta.shape[:-1], *map(np.shape, columns)))
                return getattr(model, name)(theta, *columns)

            return function

        names = ("p_alive", "future", "expected_purchases")
        watched = replace(transactions, model=replace(model, **{name: counted(name) for name in names}))
        assert np.isfinite(clv.value(watched, spend, rfm, assumptions).equity)
    assert calls[2_000] < 1_000
    assert values[2_000] < 20_000 * 16 * 9  # each customer has a grid of at most nine panels


def test_a_grid_of_each_level_has_the_weights_of_a_grid_of_its_own():
    weightings = (Weighting(lambda u: np.exp(-0.01 * u), 2_000.0, jumps=[7.0]), Weighting(np.ones_like, 52.0))
    grids = derived.NestedGrids(weightings)
    for first in (2_000.0, 100.0, 0.7):
        level = int(grids.level(np.array(first)))
        nodes, weights = grids.at(level)
        own = TimeGrid(2_000.0 / 3.0**level, 2_000.0)
        assert own.first <= first * (1.0 + 1e-12)
        np.testing.assert_allclose(nodes, own.nodes, rtol=1e-12)
        np.testing.assert_allclose(weights, np.column_stack([own.weights(one) for one in weightings]), atol=1e-9)


def test_the_log_likelihood_takes_parameters_by_row(estimator, rfm):
    observations = observe(estimator.model, rfm)
    theta = estimator.model.theta(estimator.model.example)
    value, gradient = observations.log_likelihood(estimator.model, theta)
    rows = np.broadcast_to(theta, (len(observations.weight), len(theta)))
    by_row, slopes = observations.log_likelihood(estimator.model, rows)
    assert by_row == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(slopes.sum(axis=0), gradient, rtol=1e-9)
    step = 1e-5 * rows[0, 1]
    shifted = rows.copy()
    shifted[7, 1] += step
    below = rows.copy()
    below[7, 1] -= step
    difference = [observations.log_likelihood(estimator.model, each)[0] for each in (shifted, below)]
    assert (difference[0] - difference[1]) / (2.0 * step) == pytest.approx(slopes[7, 1], abs=1e-5)


@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")  # two segments hardly tell how far they differ
def test_large_segments_are_fitted_by_their_own_likelihood():
    """Segments come from a common population: of 3,000 customers each, they hardly move towards it."""
    fits, tables = {}, []
    for k, (name, r) in enumerate({"web": 0.8, "shop": 0.3}.items()):
        truth = clv.BGNBD().from_params({"r": r, "alpha": 4.4, "a": 0.8, "b": 2.4}, unit="week")
        rfm = truth.simulate(3_000, "52 weeks", seed=k)
        fits[name] = clv.BGNBD().fit(rfm)
        table = rfm.to_frame().reset_index().drop(columns=["purchase_rate", "alive"])
        tables.append(table.assign(customer_id=name + table["customer_id"].astype(str), segment=name))
    together = clv.Histories.from_frame(pd.concat(tables, ignore_index=True), unit="week")
    fit = clv.BGNBD().fit(together, by="segment")
    assert fit.segments == ("shop", "web")
    for name, own in fits.items():
        moved = np.log(fit.segment(name).estimate / own.estimate) / np.sqrt(np.diag(own.covariance))
        assert np.abs(moved).max() < 0.5
    drawn = clv.BGNBD().fit(together, by="segment", method="laplace", draws=50, seed=1)
    assert drawn.segment_theta.shape == (2, 1, 50, 4)
    np.testing.assert_allclose(drawn.segment("web").estimate, fits["web"].estimate, rtol=0.2)


def test_segments_that_a_fit_does_not_know_are_refused(rfm):
    fit = segmented(clv.BGNBD(), 1, unit="week")
    with pytest.raises(DataError, match="value of segment 'post'"):
        replace(fit, segments=("web", "shop", "mail")).parameters(rfm)
