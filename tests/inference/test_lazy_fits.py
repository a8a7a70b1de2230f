"""Fits and predictions of histories in an engine are those of the same histories in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data import Histories, grid
from clvmodels.errors import FitError
from clvmodels.inference.binning import _effect_of_times, binning_error, refine
from clvmodels.inference.model_average import ModelAverage, average
from clvmodels.inference.observations import Observations
from clvmodels.models.registry import TRANSACTION_MODELS
from tests.engines import KINDS, in_engine, noted, table_of, troubled_log

PARAMS: dict[str, Any] = {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 2.4}


@pytest.fixture(scope="module")
def lazy() -> Histories:
    rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", unit="week", resolution="day")
    assert not rfm.in_memory
    return rfm


@pytest.fixture(scope="module")
def memory(lazy: Histories) -> clv.Histories:
    return lazy.collect()


@pytest.mark.parametrize("model", [model.public_name for model in TRANSACTION_MODELS.values()] + ["GammaGamma"])
def test_fits_are_the_same_to_the_last_bit(model: str, lazy: Histories, memory: clv.Histories) -> None:
    there, here = (getattr(clv, model)().fit(rfm) for rfm in (lazy, memory))
    np.testing.assert_array_equal(there.theta, here.theta)
    assert there.log_likelihood == here.log_likelihood
    assert there.fingerprint == here.fingerprint
    assert there.customers == here.customers


def test_a_posterior(lazy: Histories, memory: clv.Histories) -> None:
    there, here = (clv.BGNBD().fit(rfm, method="laplace", draws=50, seed=1) for rfm in (lazy, memory))
    np.testing.assert_array_equal(there.theta, here.theta)


@pytest.mark.parametrize("draws", [None, 20])
def test_predictions_are_those_in_memory(draws: int | None, lazy: Histories, memory: clv.Histories) -> None:
    noise = 1.0 if draws is None else np.exp(0.05 * np.random.default_rng(1).standard_normal((1, draws)))
    fit = clv.BGNBD().from_params({name: value * noise for name, value in PARAMS.items()}, unit="week")
    asked: dict[str, Any] = {
        "expected_purchases": ("52 weeks",),
        "probability_alive": ("26 weeks",),
        "probability_of_purchases": ("52 weeks", 2),
    }
    for name, arguments in asked.items():
        expected = getattr(fit, name)(memory, *arguments)
        pd.testing.assert_frame_equal(getattr(fit, name)(lazy, *arguments), expected, rtol=1e-12)
        for rfm in (lazy, memory):
            table = table_of(getattr(fit, name)(rfm, *arguments, as_table=True))
            pd.testing.assert_frame_equal(table.loc[expected.index], expected, rtol=1e-12)
    pd.testing.assert_series_equal(fit.total_purchases(lazy, 52), fit.total_purchases(memory, 52), rtol=1e-12)


def test_spend_is_that_in_memory(lazy: Histories, memory: clv.Histories) -> None:
    draws: dict[str, Any] = {"p": np.array([[6.0, 6.5]]), "q": 3.74, "v": 15.44}
    fit = clv.GammaGamma().from_params(draws)
    expected = fit.expected_spend(memory)["mean"]
    pd.testing.assert_frame_equal(fit.expected_spend(lazy), fit.expected_spend(memory), rtol=1e-12)
    for rfm in (lazy, memory):
        table = table_of(fit.expected_spend(rfm, as_table=True))["mean"]
        pd.testing.assert_series_equal(table.loc[expected.index], expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")  # of so few customers
@pytest.mark.parametrize("kind", KINDS)
def test_a_log_with_all_kinds_of_trouble(kind: str, tmp_path: Path) -> None:
    log = troubled_log()
    options: dict[str, Any] = {"value": "amount", "resolution": "week", "time_zone": "Europe/Berlin"}
    with noted():
        there, here = clv.rfm_summary(in_engine(log, kind, tmp_path), **options), clv.rfm_summary(log, **options)
    assert not there.in_memory
    orders, spend = (getattr(clv, name)().fit(there) for name in ("ParetoNBD", "GammaGamma"))
    for fit in (orders, spend):
        again = getattr(clv, fit.model.public_name)().fit(here)
        np.testing.assert_array_equal(fit.theta, again.theta)
        assert (fit.log_likelihood, fit.fingerprint) == (again.log_likelihood, again.fingerprint)
    asked: list[tuple[Any, tuple[Any, ...]]] = [
        (orders.expected_purchases, ("52 weeks",)),
        (orders.probability_alive, ()),
        (orders.probability_of_purchases, ("10 weeks", 1)),
        (spend.expected_spend, ()),
    ]
    for ask, given in asked:
        pd.testing.assert_frame_equal(ask(there, *given), ask(here, *given), rtol=1e-12, check_index_type=False)


def test_what_is_about_each_customer_is_that_in_memory(lazy: Histories, memory: clv.Histories) -> None:
    fit: Any = clv.BGNBD().from_params(PARAMS, unit="week")
    params: dict[str, Any] = {"p": np.array([[6.0, 6.1]]), "q": 3.74, "v": 15.44}
    spend: Any = clv.GammaGamma().from_params(params)
    ours, theirs = (fit.expected_purchases(rfm, 52, process=True, seed=1) for rfm in (lazy, memory))
    pd.testing.assert_frame_equal(ours, theirs)
    ours, theirs = (spend.expected_spend(rfm, return_draws=True) for rfm in (lazy, memory))
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(FitError, match=r"as_table=True returns a table of summaries, and return_draws=True draws"):
        spend.expected_spend(lazy, return_draws=True, as_table=True)
    with pytest.raises(FitError, match=r"goes neither with process=True"):
        fit.expected_purchases(lazy, 52, process=True, as_table=True)


def test_segments_of_customers_in_an_engine(tmp_path: Path) -> None:
    log = clv.datasets.load_cdnow(sample=True)
    log["segment"] = np.where(log["customer_id"].astype(int) % 2, "shop", "web")
    options: dict[str, Any] = {"value": "amount", "resolution": "day", "attributes": ["segment"]}
    there, here = (clv.rfm_summary(source, **options) for source in (in_engine(log, "parquet", tmp_path), log))
    ours, theirs = (clv.BGNBD().fit(rfm, method="map", by="segment") for rfm in (there, here))
    np.testing.assert_array_equal(ours.segment_theta, theirs.segment_theta)
    spend = clv.GammaGamma().from_params({"p": 6.0, "q": 3.74, "v": 15.44})
    terms = clv.Assumptions(discount_rate=0.15, margin=0.30)
    books = [clv.value(ours, spend, rfm, terms) for rfm in (there, here)]
    assert books[0].equity == pytest.approx(books[1].equity, rel=1e-12)
    expected = ours.expected_purchases(here, 52)
    pd.testing.assert_frame_equal(ours.expected_purchases(there, 52), expected, rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------- grids


def exact_times(folder: Path, customers: int) -> Path:
    """Write a log of exact times of BG/NBD customers seen for one to two years."""
    rng = np.random.default_rng(1)
    rate, dropout = rng.gamma(PARAMS["r"], 1 / PARAMS["alpha"], customers), rng.beta(0.8, 2.4, customers)
    begin, rows = rng.uniform(0, 52, customers), []
    who, now = np.arange(customers), begin
    while len(who):
        rows.append(pd.DataFrame({"customer_id": who, "weeks": now, "amount": rng.gamma(6, 6, len(who))}))
        stays = np.ones(len(who), bool) if len(rows) == 1 else rng.random(len(who)) >= dropout[who]
        now = now + rng.exponential(size=len(who)) / np.maximum(rate[who], 1e-9)
        stays &= now < 104
        who, now = who[stays], now[stays]
    log = pd.concat(rows)
    log["date"] = np.datetime64("2023-01-01", "us") + (log.pop("weeks") * 7 * 86_400e6).astype("timedelta64[us]")
    log.to_parquet(folder / "log.parquet")
    return folder / "log.parquet"


@pytest.fixture(scope="module")
def gridded(tmp_path_factory: pytest.TempPathFactory) -> dict[float | None, Histories]:
    """The same log exactly, and on grids of two bounds."""
    file = exact_times(tmp_path_factory.mktemp("exact"), 4_000)
    found = {}
    for bound, steps in ((None, 0), (1e-6, 100), (1e-2, 40)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("clvmodels.data.engine_table.EXACT_HISTORIES", 1_000)
            patch.setattr("clvmodels.data.engine_table.STEPS", steps)
            found[bound] = clv.rfm_summary(file, value="amount", observation_end="2024-12-28", grid=bound)
    return found


@pytest.mark.parametrize("model", [model.public_name for model in TRANSACTION_MODELS.values()])
def test_the_effect_of_a_grid_is_what_it_says(model: str, gridded: dict[float | None, Histories]) -> None:
    exact = getattr(clv, model)().fit(gridded[None])
    assert exact.diagnostics.grid is None
    effect = binning_error(exact.model, gridded[1e-2], exact.estimate)
    there = getattr(clv, model)().from_params(dict(exact.params), unit="week")
    moved = exact.log_likelihood - _log_likelihood(there, gridded[1e-2])
    assert effect == pytest.approx(moved, rel=0.05)
    assert abs(effect) > 1e-3  # so that there is something to see


@pytest.mark.parametrize("scale", [1e-3, 0.02, 1.0, 50.0])
@pytest.mark.parametrize("model", list(TRANSACTION_MODELS))
def test_the_effect_of_cells_is_right_whatever_the_scale_of_time(model: str, scale: float) -> None:
    """Two customers a cell, on both sides of its mean; most bends just after a first purchase."""
    known, rng = TRANSACTION_MODELS[model], np.random.default_rng(1)
    time_like = {one.name for one in known.parameters if one.dimension == "time"}
    theta = known.theta({name: scale if name in time_like else value for name, value in known.example.items()})
    x, t_x = rng.integers(1, 30, 5_000).astype(float), scale * rng.lognormal(0.0, 2.0, 5_000)
    T = t_x + rng.uniform(0.1, 78.0, x.size)
    apart = 0.003 * (scale + t_x) / np.sqrt(x)

    def value(side: float) -> Any:
        return known.history_terms(theta, x, t_x + side * apart, T + side * apart)[0]

    seen = Observations((x, t_x, T), np.full(x.size, 2.0), "", time=float(T.mean()))
    effect = _effect_of_times(known, seen, np.tile(apart**2, (3, 1)).T, theta)
    assert effect == pytest.approx(float(np.sum(value(1.0) + value(-1.0) - 2.0 * value(0.0))), rel=1e-3)


@pytest.mark.parametrize("model", list(TRANSACTION_MODELS))
def test_purchases_just_before_the_end_have_an_effect(model: str) -> None:
    """Differences must not move the last purchase beyond the age, not even by rounding."""
    rng = np.random.default_rng(0)
    T = rng.uniform(1.0, 78.0, 20_000)
    x, t_x = rng.integers(0, 30, T.size).astype(float), T * (1.0 - 10.0 ** rng.uniform(-18.0, -1.0, T.size))
    t_x[x == 0] = 0.0
    known = TRANSACTION_MODELS[model]
    seen = Observations((x, t_x, T), np.ones(T.size), "", time=float(T.mean()))
    spread = np.tile([1e-6, 0.0, 1e-6], (T.size, 1))
    assert np.isfinite(_effect_of_times(known, seen, spread, known.theta(known.example)))


def test_an_effect_that_is_no_number_is_refused(gridded: dict[float | None, Histories]) -> None:
    coarse = gridded[None].with_grid(grid.Grid(step=5.0, bound=1e-6))
    with pytest.raises(FitError, match="grid=None"):
        refine(coarse, np.nan)


def _log_likelihood(fit: Any, histories: Histories) -> float:
    x, t_x, T = histories.distinct().rows.T
    theta = fit.estimate
    by_count, by_history = fit.model.count_terms(theta, x)[0], fit.model.history_terms(theta, x, t_x, T)[0]
    return float(histories.distinct().weight @ (by_count + by_history))


def test_a_grid_keeps_its_bound(gridded: dict[float | None, Histories]) -> None:
    exact, fine = (clv.BGNBD().fit(gridded[bound]) for bound in (None, 1e-6))
    customers = len(gridded[None])
    assert fine.diagnostics.grid is not None
    assert abs(fine.diagnostics.grid) <= 1e-6 * customers
    assert abs(fine.log_likelihood - exact.log_likelihood) <= 1.1e-6 * customers
    sd = exact.summary()["sd"].to_numpy()
    assert np.abs(fine.estimate - exact.estimate).max() < 1e-3 * sd.min()
    assert "exact ones would change" in fine.diagnostics.message


@pytest.mark.parametrize("model", ["BGNBD", "ParetoNBD"])
def test_a_coarse_grid_is_made_finer(model: str, gridded: dict[float | None, Histories]) -> None:
    exact = getattr(clv, model)().fit(gridded[None])
    coarse = gridded[None].with_grid(grid.Grid(step=5.0, bound=1e-6))
    bound = 1e-6 * len(coarse)
    assert abs(binning_error(exact.model, coarse, exact.estimate)) > 10 * bound
    fit = getattr(clv, model)().fit(coarse)
    assert 0 < abs(fit.diagnostics.grid) <= bound
    assert fit.log_likelihood + fit.diagnostics.grid == pytest.approx(exact.log_likelihood, abs=0.02 * bound)
    np.testing.assert_allclose(fit.estimate, exact.estimate, atol=1e-3 * exact.summary()["sd"].min())
    refine = clv.BGNBD().fit(coarse.with_grid(grid.Grid(step=5.0, bound=1e-9)))
    assert refine.diagnostics.grid is None or abs(refine.diagnostics.grid) <= 1e-9 * len(coarse)


def test_models_are_averaged_however_fine_their_grids(gridded: dict[float | None, Histories]) -> None:
    """Each model makes a coarse grid finer by as much as it needs: the customers are the same."""
    coarse = gridded[None].with_grid(grid.Grid(step=5.0, bound=1e-6))
    fits = [model().fit(coarse) for model in (clv.BGNBD, clv.MBGNBD)]
    likelihoods = [fit.log_likelihood for fit in fits]
    grids = [fit.diagnostics.grid for fit in fits]
    assert None not in grids
    assert grids[0] != grids[1]
    assert {fit.fingerprint for fit in fits} == {coarse.distinct().fingerprint}
    exact = [model().fit(gridded[None]).log_likelihood for model in (clv.BGNBD, clv.MBGNBD)]
    assert np.subtract(*likelihoods) == pytest.approx(np.subtract(*exact), abs=2e-6 * len(coarse))
    assert average(fits, coarse).best is fits[int(np.argmax(exact))]
    spend = clv.GammaGamma().from_params({"p": 6.0, "q": 3.74, "v": 15.44})
    terms = clv.Assumptions(discount_rate=0.15, margin=0.30)
    halves = ModelAverage(tuple(fits), (0.5, 0.5), "AIC")
    alone = [clv.value(fit, spend, coarse, terms).equity for fit in fits]
    assert clv.value(halves, spend, coarse, terms).equity == pytest.approx(np.mean(alone), rel=1e-12)


def test_a_grid_keeps_the_number_of_purchases(gridded: dict[float | None, Histories]) -> None:
    exact, coarse = (gridded[bound].distinct() for bound in (None, 1e-2))
    assert len(coarse.rows) < 0.9 * len(exact.rows)
    for k in range(3):  # and the sums of recency and T
        assert coarse.weight @ coarse.rows[:, k] == pytest.approx(exact.weight @ exact.rows[:, k], rel=1e-10)
    np.testing.assert_array_equal(np.unique(coarse.rows[:, 0]), np.unique(exact.rows[:, 0]))


def test_equity_on_a_grid(gridded: dict[float | None, Histories]) -> None:
    orders = clv.BGNBD().from_params(PARAMS, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.0, "q": 3.74, "v": 15.44})
    terms = clv.Assumptions(discount_rate=0.15, margin=0.30)
    usual = gridded[None].with_grid(grid.Grid(gridded[None].summary.oldest / grid.STEPS, 1e-6))
    exact, fine, coarse = (clv.value(orders, spend, rfm, terms) for rfm in (gridded[None], usual, gridded[1e-6]))
    assert fine.equity == pytest.approx(exact.equity, rel=1e-6)
    assert coarse.equity == pytest.approx(exact.equity, rel=1e-5)
    assert coarse.customers_table.rlv.sum().to_pyarrow().as_py() == pytest.approx(coarse.equity, rel=1e-12)
    assert coarse.customers["rlv"].sum() == pytest.approx(coarse.equity, rel=1e-12)


def test_the_grid_of_spend(lazy: Histories, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = clv.GammaGamma().fit(lazy)
    monkeypatch.setattr(grid, "EXACT_SPEND", 100)
    monkeypatch.setattr(grid, "SPEND_STEP", 0.2)
    coarse = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", unit="week", resolution="day")
    assert not coarse.in_memory
    assert len(coarse.distinct(("x", "mean")).rows) < 0.3 * len(lazy.distinct(("x", "mean")).rows)
    fit = clv.GammaGamma().fit(coarse)
    assert fit.diagnostics.grid is not None
    assert fit.log_likelihood + fit.diagnostics.grid == pytest.approx(
        exact.log_likelihood, abs=0.2 * abs(fit.diagnostics.grid)
    )
    assert abs(fit.diagnostics.grid) > 1.0


def test_a_fit_on_a_grid_is_saved(gridded: dict[float | None, Histories], tmp_path: Path) -> None:
    fit = clv.BGNBD().fit(gridded[1e-6])
    fit.save(tmp_path / "transactions.json")
    assert clv.Fit.load(tmp_path / "transactions.json").diagnostics == fit.diagnostics
