"""Predictions under draws: the same as draw by draw, in blocks; draws on request; what customers will really do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import FitError, UnitError
from clvmodels.inference import block_draws, estimands, predictions
from clvmodels.inference.block_draws import over_blocks
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.inference.parameters import Parameters
from clvmodels.inference.predictions import summarise, summary
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.derived import purchases
from clvmodels.models.registry import TRANSACTION_MODELS
from clvmodels.models.simulation import future_counts

COLUMNS = ["mean", "sd", "q05", "q50", "q95"]


@pytest.fixture(params=TRANSACTION_MODELS.values(), ids=list(TRANSACTION_MODELS))
def model(request):
    return request.param


def scattered(estimator, *, chains=2, draws=15, sd=0.1, seed=0, **options):
    """A fit with draws around the example."""
    model = estimator.model
    noise = sd * np.random.default_rng(seed).standard_normal((chains, draws, len(model.names)))
    theta = model.lower + (model.theta(model.example) - model.lower) * np.exp(noise)
    return estimator.from_params(dict(zip(model.names, np.moveaxis(theta, -1, 0), strict=True)), **options)


def one(estimator, theta, **options):
    return estimator.from_params(dict(zip(estimator.model.names, theta, strict=True)), **options)


@pytest.fixture
def fit(model):
    return scattered(TransactionEstimator(model), unit="week")


@pytest.fixture(scope="module")
def rfm():
    """300 customers of many ages, with ties."""
    truth = clv.BGNBD().from_params({"r": 0.5, "alpha": 3.0, "a": 0.8, "b": 2.5}, unit="week")
    table = truth.simulate(300, 40, seed=4).to_frame().drop(columns=["purchase_rate", "alive"])
    table["T"] = 40.0 + np.round(np.random.default_rng(1).uniform(0, 30, 300) * 7) / 7
    table.loc[table.index[:20], "T"] = 50.0
    return clv.Histories.from_frame(table.sample(frac=1.0, random_state=3), unit="week")


SPEND = {"customer_id": list("abc"), "frequency": [2, 0, 7], "recency": [3.0, 0.0, 8.0], "T": [9.0, 9.0, 9.0]}


@pytest.fixture
def spenders():
    return clv.Histories.from_frame(pd.DataFrame({**SPEND, "monetary_value": [20.0, np.nan, 60.0]}), unit="week")


QUESTIONS = {
    "expected purchases": lambda fit, rfm, **options: fit.expected_purchases(rfm, "26 weeks", **options),
    "alive now": lambda fit, rfm, **options: fit.probability_alive(rfm, **options),
    "alive later": lambda fit, rfm, **options: fit.probability_alive(rfm, "26 weeks", **options),
    "silent": lambda fit, rfm, **options: fit.probability_of_purchases(rfm, "26 weeks", **options),
    "two purchases": lambda fit, rfm, **options: fit.probability_of_purchases(rfm, "26 weeks", 2, **options),
    "at once": lambda fit, rfm, **options: fit.probability_of_purchases(rfm, 0, 0, **options),
}


def by_hand(question, model, theta, rfm):
    """The answer under one theta, customer by customer, without interpolation."""
    x, t_x, T = rfm.frequency, rfm.recency, rfm.T
    alive, t = model.p_alive(theta, x, t_x, T), np.asarray(26.0)
    if question == "alive now":
        return alive
    if question == "alive later":
        return alive * model.future(theta, x, T, t)[0]
    if question == "expected purchases":
        return alive * model.expected_purchases(theta, x, T, t)
    if question == "at once":
        return np.ones(len(x))
    n = 0 if question == "silent" else 2
    return alive * model.pmf(theta, x, T, t, np.asarray(n)) + (1 - alive) * (n == 0)


@pytest.mark.parametrize("question", QUESTIONS)
def test_summaries_are_those_of_each_draw_by_itself(question, model, fit, rfm):
    table = QUESTIONS[question](fit, rfm)
    each = np.array([by_hand(question, model, theta, rfm) for theta in fit.draws])
    expected = [each.mean(axis=0), each.std(axis=0, ddof=1), *np.quantile(each, [0.05, 0.5, 0.95], axis=0)]
    assert list(table.columns) == COLUMNS
    assert table.index.equals(rfm.customer_id)
    np.testing.assert_allclose(table.to_numpy().T, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_point_estimate_is_one_draw(question, model, fit, rfm):
    point = one(TransactionEstimator(model), fit.draws[3], unit="week")
    table = QUESTIONS[question](point, rfm)
    assert list(table.columns) == ["mean"]
    np.testing.assert_allclose(table["mean"], by_hand(question, model, fit.draws[3], rfm), rtol=1e-9)
    draws = QUESTIONS[question](fit, rfm, return_draws=True)
    np.testing.assert_allclose(draws[0, 3], table["mean"], rtol=1e-8)


@pytest.mark.parametrize("question", QUESTIONS)
def test_draws_come_with_their_labels(question, fit, rfm):
    some = rfm.select(rfm.customer_id[[7, 3, 200]])
    draws = QUESTIONS[question](fit, some, return_draws=True)
    assert draws.dims == ("chain", "draw", "customer_id")
    assert draws.shape == (2, 15, 3)
    assert list(draws["customer_id"].values) == list(some.customer_id)
    assert list(draws["chain"].values) == [0, 1]
    table = QUESTIONS[question](fit, some)
    np.testing.assert_allclose(draws.mean(("chain", "draw")), table["mean"])
    np.testing.assert_allclose(draws.quantile(0.95, ("chain", "draw")), table["q95"])
    whole = QUESTIONS[question](fit, rfm, return_draws=True).sel(customer_id=some.customer_id)
    np.testing.assert_allclose(draws, whole, rtol=1e-8, atol=1e-12)


def test_little_memory_gives_the_same_answers(fit, rfm, monkeypatch):
    table = fit.expected_purchases(rfm, 26)
    prepared = []

    def watched(*arguments):
        prepared.append(arguments)
        return prepare(*arguments)

    prepare = block_draws.interpolate_over_age
    monkeypatch.setattr(block_draws, "interpolate_over_age", watched)
    monkeypatch.setattr(block_draws, "NUMBERS_PER_BLOCK", 64)
    pd.testing.assert_frame_equal(fit.expected_purchases(rfm, 26, memory_gb=1e-6), table, rtol=1e-9)
    assert len(prepared) == len(np.unique(rfm.frequency))


def test_blocks_are_small(fit, rfm, model, monkeypatch):
    monkeypatch.setattr(block_draws, "NUMBERS_PER_BLOCK", 100)
    distinct = rfm.distinct()
    seen = over_blocks(
        model,
        fit.parameters(rfm),
        distinct,
        purchases(model, 26.0),
        lambda rows, alive, future: (rows, alive.shape, future.shape),
        memory=1e9,
    )
    assert sorted(np.concatenate([rows for rows, _, _ in seen])) == list(range(len(distinct.rows)))
    assert max(len(rows) for rows, _, _ in seen) == 3
    assert {alive for rows, alive, _ in seen} == {(len(rows), 30) for rows, _, _ in seen}
    assert {future for _, _, future in seen} == {(len(rows), 30, 1) for rows, _, _ in seen}


def test_draws_that_take_too_much_memory_are_refused_with_the_way_out(fit, rfm):
    with pytest.raises(FitError, match=r"30 draws of 300 customers take .* GB.*rfm\.select.*fit\.thinned\(10\)"):
        fit.expected_purchases(rfm, 26, return_draws=True, memory_gb=1e-5)
    thinned = fit.thinned(10)
    assert thinned.expected_purchases(rfm, 26, return_draws=True).shape == (2, 2, 300)


def test_no_customers_have_empty_tables(fit, rfm):
    none = rfm.select(np.zeros(len(rfm), bool))
    for process in (False, True):
        assert fit.expected_purchases(none, 26, process=process).shape == (0, 5)
        assert fit.total_purchases(none, 26, process=process, seed=1)["mean"] == 0.0
    assert fit.probability_alive(none).shape == (0, 5)


def test_the_unit_of_histories_is_checked(fit, rfm):
    with pytest.raises(UnitError, match=r'write rfm.in_unit\("week"\)'):
        fit.total_purchases(rfm.in_unit("day"), 26)


def test_a_number_of_purchases_is_a_whole_number(fit, rfm):
    for n in (1.5, -1, np.nan, np.inf):
        with pytest.raises(FitError, match="n is a number of purchases"):
            fit.probability_of_purchases(rfm, 26, n)
        with pytest.raises(FitError, match="n is a number of purchases"):
            fit.probability_of_purchases_new(26, n)


# ------------------------------------------------------------------------------------------------- new customers


def test_a_new_customer_is_one_without_history(fit, model):
    table = pd.DataFrame({"customer_id": ["n"], "frequency": [0], "recency": [0.0], "T": [0.0]})
    rfm = clv.Histories.from_frame(table, unit="week")
    pd.testing.assert_series_equal(
        fit.expected_purchases_new(26), fit.expected_purchases(rfm, 26).loc["n"], check_names=False
    )
    for t in (0, 26):
        assert fit.probability_of_purchases_new(t, 1) == pytest.approx(
            fit.probability_of_purchases(rfm, t, 1).loc["n", "mean"], rel=1e-9
        )
    assert list(one(TransactionEstimator(model), fit.estimate, unit="week").expected_purchases_new(26).index) == [
        "mean"
    ]


# ---------------------------------------------------------------------------------- what customers will really do


def test_simulated_purchases_are_those_expected(model, rfm):
    theta = model.theta(model.example)
    columns = [np.repeat(column, 400) for column in (rfm.frequency, rfm.recency, rfm.T)]
    counts = future_counts(model, theta, *columns, np.asarray(26.0), np.random.default_rng(2))
    expected = by_hand("expected purchases", model, theta, rfm)
    counts = counts.reshape(300, 400)
    z = (counts.mean() - expected.mean()) / np.sqrt(counts.var(axis=1).mean() / counts.size)
    assert abs(z) < 4
    silent = by_hand("silent", model, theta, rfm)
    assert (counts == 0).mean() == pytest.approx(silent.mean(), abs=4 * 0.5 / np.sqrt(counts.size))
    two = by_hand("two purchases", model, theta, rfm)
    assert (counts == 2).mean() == pytest.approx(two.mean(), abs=4 * 0.5 / np.sqrt(counts.size))


def test_the_process_widens_and_keeps_the_mean(fit, rfm):
    parameters = fit.expected_purchases(rfm, 26)
    both = fit.expected_purchases(rfm, 26, process=True, seed=1)
    pd.testing.assert_series_equal(both["mean"], parameters["mean"])
    assert (both["sd"].mean() > parameters["sd"].mean()) & (both["sd"].median() >= parameters["sd"].median())
    drawn = fit.expected_purchases(rfm, 26, process=True, seed=1, return_draws=True)
    assert drawn.name == "purchases"
    assert np.array_equal(drawn, np.rint(drawn))
    np.testing.assert_allclose(drawn.std(("chain", "draw"), ddof=1), both["sd"])
    total, mean = drawn.sum("customer_id"), fit.total_purchases(rfm, 26)["mean"]
    assert abs(float(total.mean()) - mean) < 4 * float(total.std()) / np.sqrt(total.size)


def test_a_seed_reproduces_and_no_seed_does_not(fit, rfm):
    once, again, other = (fit.total_purchases(rfm, 26, process=True, seed=seed)["sd"] for seed in (1, 1, None))
    assert once == again
    assert once != other


def test_a_point_estimate_has_a_thousand_futures(model, rfm):
    point = one(TransactionEstimator(model), model.theta(model.example), unit="week")
    few = rfm.select(rfm.customer_id[:5])
    table = point.expected_purchases(few, 26, process=True, seed=1)
    assert list(table.columns) == COLUMNS
    pd.testing.assert_series_equal(table["mean"], point.expected_purchases(few, 26)["mean"])
    draws = point.expected_purchases(few, 26, process=True, seed=1, return_draws=True)
    assert draws.shape == (1, 1000, 5)
    z = (draws.mean(("chain", "draw")) - table["mean"]) / (table["sd"] / np.sqrt(1000))
    assert np.abs(z).max() < 4


def test_customers_are_summed_within_draws(model, fit, rfm):
    each = np.array([by_hand("expected purchases", model, theta, rfm).sum() for theta in fit.draws])
    total = fit.total_purchases(rfm, 26)
    pd.testing.assert_series_equal(total, summary(each), rtol=1e-8)
    table = fit.expected_purchases(rfm, 26)
    assert total["mean"] == pytest.approx(table["mean"].sum())
    simulated = fit.expected_purchases(rfm, 26, process=True, seed=1)
    width = fit.total_purchases(rfm, 26, process=True, seed=1)[["q05", "q95"]].diff().iloc[1]
    assert width < 0.5 * (simulated["q95"] - simulated["q05"]).sum()
    assert fit.total_purchases(rfm, 26, process=True, seed=1)["mean"] == pytest.approx(total["mean"])


# ------------------------------------------------------------------------------------------------------- of spend


def test_spend_is_summarised_over_draws(spenders):
    fit = scattered(clv.GammaGamma())
    each = np.array(
        [fit.model.expected_spend(theta, spenders.frequency, spenders.monetary_value) for theta in fit.draws]
    )
    np.testing.assert_allclose(fit.expected_spend(spenders)["q05"], np.quantile(each, 0.05, axis=0))
    draws = fit.expected_spend(spenders, return_draws=True)
    np.testing.assert_allclose(draws.to_numpy().reshape(30, 3), each)
    with pytest.raises(FitError, match="memory_gb is 1e-07"):
        fit.expected_spend(spenders, return_draws=True, memory_gb=1e-7)


# ----------------------------------------------------------------------------------------- parameters by segment


@dataclass(frozen=True, eq=False, repr=False)
class TwoHalves(TransactionFit):
    """Customers at odd positions have the second half of the draws."""

    def parameters(self, histories):
        draws = self.draws.reshape(2, -1, self.draws.shape[1])
        return Parameters(draws, draws[:, 0], np.arange(len(histories)) % 2)


def two_halves(fit):
    return TwoHalves(**{name: getattr(fit, name) for name in fit.__dataclass_fields__} | {"theta": fit.theta})


@pytest.mark.parametrize("question", QUESTIONS)
def test_parameters_by_row_are_those_of_each_customer(question, fit, rfm):
    halves = two_halves(fit)
    table = QUESTIONS[question](halves, rfm)
    for chain in range(2):
        alone = QUESTIONS[question](replace(fit, theta=fit.theta[chain : chain + 1]), rfm)
        pd.testing.assert_frame_equal(table.iloc[chain::2], alone.iloc[chain::2], rtol=1e-8)
    sums = [replace(fit, theta=fit.theta[k : k + 1]).expected_purchases(rfm, 26)["mean"][k::2].sum() for k in range(2)]
    assert halves.total_purchases(rfm, 26)["mean"] == pytest.approx(sum(sums))


def test_parameters_by_row_have_draws_and_futures_too(fit, rfm):
    halves = replace(two_halves(fit), theta=fit.theta)
    prediction = predictions.predict(halves, rfm, estimands.expected_purchases(fit.model, 26.0))
    prediction = replace(prediction, chains=1)
    assert prediction.to_draws("x").shape == (1, 15, 300)
    simulated = prediction.simulated(26.0, seed=2)
    assert simulated.table().shape == (300, 5)
    assert simulated.to_draws("x").shape == (1, 15, 300)


# ------------------------------------------------------------------------------------------------------ summaries


@pytest.mark.parametrize("draws", [2, 3, 20, 101, 1000])
def test_quantiles_are_those_of_numpy(draws):
    values = np.random.default_rng(draws).standard_normal((4, draws))
    expected = [values.mean(1), values.std(1, ddof=1), *np.quantile(values, [0.05, 0.5, 0.95], axis=1)]
    np.testing.assert_allclose(summarise(values.copy()).T, expected, rtol=1e-12)


def test_all_customers_share_the_parameters_of_a_pooled_fit(spenders):
    fit = scattered(clv.GammaGamma())
    assert isinstance(fit, SpendFit)
    parameters = fit.parameters(spenders)
    assert parameters.group is None
    np.testing.assert_array_equal(parameters.draws, fit.draws)
    np.testing.assert_array_equal(parameters.theta(slice(0, 2)), fit.draws)


class TestArgumentsOfAWrongKind:
    FIT = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")

    @pytest.mark.parametrize("given", ["x", [[1]], None, True, np.nan, np.inf, -1, 10**400, pd.Series([1])])
    def test_of_predictions(self, given: object) -> None:
        rfm = self.FIT.simulate(5, "39 weeks", seed=1)
        with pytest.raises(UnitError):
            self.FIT.expected_purchases(rfm, given)  # type: ignore[call-overload]
        with pytest.raises(FitError, match="n is a number of purchases"):
            self.FIT.probability_of_purchases(rfm, "4 weeks", given)  # type: ignore[call-overload]
        with pytest.raises(FitError, match="memory_gb is a number of GB"):
            self.FIT.expected_purchases(rfm, "4 weeks", memory_gb=given)  # type: ignore[call-overload]
        with pytest.raises(FitError, match="customers is a whole number"):
            self.FIT.simulate(given, "4 weeks", seed=1)  # type: ignore[arg-type]

    def test_of_flags_and_seeds(self) -> None:
        rfm = self.FIT.simulate(5, "39 weeks", seed=1)
        with pytest.raises(FitError, match="process is True or False"):
            self.FIT.total_purchases(rfm, "4 weeks", process=pd.Series([1]))  # type: ignore[arg-type]
        with pytest.raises(FitError, match="seed is a whole number"):
            self.FIT.simulate(5, "39 weeks", seed=1.5)  # type: ignore[arg-type]

    def test_of_simulations_that_fill_the_memory(self) -> None:
        with pytest.raises(FitError, match="more than 1e"):
            self.FIT.simulate(1_000, "1e11 weeks", seed=1)

    @pytest.mark.parametrize("value", [1e308, 10**400, "2", True, None, [[1.0, "a"]], 1j])
    def test_of_parameters(self, value: object) -> None:
        with pytest.raises(clv.errors.ParameterError, match=r"r must (be a finite number above 0|lie between)"):
            clv.BGNBD().from_params({**self.FIT.params, "r": value}, unit="week")  # type: ignore[dict-item]


# ---------------------------------------------------------------------------------------------------- several horizons


@pytest.mark.parametrize("process", [False, True])
def test_several_times_are_answered_in_one_call(rfm, process):
    fit = scattered(clv.BGNBD(), unit="week")
    options = {"process": process, "seed": 1 if process else None}
    table = fit.expected_purchases(rfm, ["12 weeks", 52, "2 years"], **options)
    assert table.columns.names == ["horizon", "statistic"]
    assert list(table.columns.levels[0][np.unique(table.columns.codes[0])]) == ["12 weeks", "52", "2 years"]
    draws = fit.expected_purchases(rfm, ("12 weeks", 52), return_draws=True, **options)
    assert draws.dims == ("horizon", "chain", "draw", "customer_id")
    for name, t in (("12 weeks", "12 weeks"), ("52", 52)):
        pd.testing.assert_frame_equal(table[name], fit.expected_purchases(rfm, t, **options), check_names=False)
        alone = fit.expected_purchases(rfm, t, return_draws=True, **options)
        np.testing.assert_array_equal(draws.sel(horizon=name).to_numpy(), alone.to_numpy())


@pytest.mark.parametrize("times", [[], ["12 weeks", "12 weeks"]])
def test_several_times_are_different_ones(rfm, times):
    with pytest.raises(FitError, match="different"):
        scattered(clv.BGNBD(), unit="week").expected_purchases(rfm, times)


def test_several_times_are_no_table_of_an_engine(rfm):
    with pytest.raises(FitError, match="one time"):
        scattered(clv.BGNBD(), unit="week").expected_purchases(rfm, ["1 week", "2 weeks"], as_table=True)
