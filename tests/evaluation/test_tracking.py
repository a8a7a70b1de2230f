"""Tracking: against other people's arithmetic, on data simulated from the model, and draw by draw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special

import clvmodels as clv
from clvmodels.data.reading import LogFormat, log_of
from clvmodels.data.series import Series, purchases_by_period
from clvmodels.errors import DataError, DataWarning, UnitError
from clvmodels.evaluation import tracking
from clvmodels.evaluation.tracking import expected_by_period, purchases_at, track
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import TRANSACTION_MODELS
from clvmodels.units import DAYS, Unit
from tests.evaluation.stories import CDNOW, purchases

WINDOWS: dict[str, Any] = {"resolution": "day", "train_end": "1997-09-30", "test_end": "1998-06-30"}
ESTIMATORS = {model.name: TransactionEstimator(model) for model in TRANSACTION_MODELS.values()}


@pytest.fixture(autouse=True)
def _few_simulated_customers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate as few customers as is allowed where variances are not looked at."""
    if "variance" not in request.node.name:
        monkeypatch.setattr(tracking, "SIMULATED_CUSTOMERS", tracking.FEWEST_CUSTOMERS)


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return clv.datasets.load_cdnow(sample=True)


@pytest.fixture(scope="module")
def cdnow(sample: pd.DataFrame) -> Series:
    reading = LogFormat(resolution="day")
    return purchases_by_period(reading, log_of(reading, sample), "1997-09-30", "1998-06-30", "week")[0]


def published(name: str) -> TransactionFit:
    return ESTIMATORS[name].from_params(CDNOW[name], unit="week")


def scattered(fit: TransactionFit, draws: int) -> TransactionFit:
    noise = 0.1 * np.random.default_rng(7).standard_normal((1, draws, 4))
    return replace(fit, theta=fit.estimate * np.exp(noise))


def made(T: np.ndarray, end: np.ndarray, period: float) -> Series:
    """A series of customers of some ages; the counts do not matter."""
    table = pd.DataFrame({"customer_id": np.arange(len(T)), "frequency": 0.0, "recency": 0.0, "T": T})
    histories = clv.Histories.from_frame(table, unit="week")
    number = np.ceil(end / period)
    cut = number[-1] * period - end[-1]
    dates = pd.DatetimeIndex(["2024-01-01"] * len(end))
    return Series(histories, period, number, cut, dates, np.zeros(len(end)), -T.max(), 0, 0)


def by_formula(name: str, t: np.ndarray) -> np.ndarray:
    """FHL 2005 (Marketing Science), equation 9, and FHL 2005 (JMR), equation 6, as printed."""
    r, alpha, a, b = CDNOW[name].values()
    if name == "Pareto/NBD":
        return r * b / (alpha * (a - 1.0)) * (1.0 - (b / (b + t)) ** (a - 1.0))
    power = (alpha / (alpha + t)) ** r * special.hyp2f1(r, b, a + b - 1.0, t / (alpha + t))
    return (a + b - 1.0) / (a - 1.0) * (1.0 - power)


@pytest.mark.parametrize("name", ["BG/NBD", "Pareto/NBD"])
def test_cdnow_against_the_printed_formulas(sample: pd.DataFrame, name: str) -> None:
    table = track(published(name), sample, **WINDOWS).table
    born = sample.groupby("customer_id")["date"].min()
    for row in (0, 20, 38, 39, 77):
        ages = ((table["date"][row] - born).dt.days / 7).clip(lower=0)
        expected = by_formula(name, ages.to_numpy()).sum()
        assert table["cumulative_expected"][row] == pytest.approx(expected, rel=1e-10)
    days = sample.drop_duplicates(["customer_id", "date"])
    repeats = days["date"][days["date"] > days["customer_id"].map(born)]
    np.testing.assert_array_equal(table["cumulative_actual"], [(repeats <= date).sum() for date in table["date"]])
    np.testing.assert_allclose(table["expected"].cumsum(), table["cumulative_expected"], rtol=1e-12)
    np.testing.assert_allclose(table["end"][[38, 77]], [272 / 7, 545 / 7])


@pytest.mark.parametrize("name", CDNOW)
@pytest.mark.parametrize(("scale", "period"), [(1.0, 1.0), (0.01, 13.0), (100.0, 0.3)])
def test_sums_over_exact_ages(name: str, scale: float, period: float) -> None:
    # Rates a hundred times as high, and as low, as those of CDNOW; the last period is cut short.
    fit = ESTIMATORS[name].from_params(CDNOW[name], unit="week")
    fit = replace(fit, theta=fit.theta * fit.model.units(time=1.0 / scale), estimate=fit.estimate.copy())
    T = np.concatenate(([0.0, 3.0 * period], np.random.default_rng(1).uniform(0.0, 20.0 * period, 400)))
    end = np.append(np.arange(-19, 11) * period, 10.6 * period)
    found = expected_by_period(fit, made(T, end, period)).cumulative
    nothing = np.zeros(1)
    born = float(fit.model.p_alive(fit.draws[0], nothing, nothing, nothing)[0])
    for row in (0, 1, 19, 25, 30):
        ages = (T + end[row])[T + end[row] > 0.0]
        expected = born * fit.model.expected_purchases(fit.draws[0], nothing, nothing, ages).sum()
        assert found[row] == pytest.approx(expected, rel=1e-10)


def log_of_days(customers: int, last: int, seed: int) -> pd.DataFrame:
    """Return a log of customers who come within 60 days and buy some, by day."""
    rng = np.random.default_rng(seed)
    born = rng.integers(0, 60, customers)
    days = np.concatenate((born, (born + rng.exponential(80.0, customers)).astype(int)))
    table = pd.DataFrame({"customer_id": np.tile(np.arange(customers), 2), "day": days})
    table = table[table["day"] <= last]
    return table.assign(date=pd.Timestamp("2024-01-01") + pd.to_timedelta(table["day"], unit="D"))


@pytest.mark.parametrize("unit", DAYS)
@pytest.mark.parametrize("period", ["day", "3 days", "week", "10 days", "month", "50 days", "year"])
def test_sums_over_customers_in_any_unit_and_period(unit: Unit, period: str) -> None:
    # A holdout longer than training, whose last period is cut short unless it is of days.
    log = log_of_days(80, 230, seed=5)
    fit = ESTIMATORS["BG/NBD"].from_params(CDNOW["BG/NBD"] | {"alpha": 4.414 * 7 / DAYS[unit]}, unit=unit)
    windows: dict[str, Any] = {"resolution": "day", "train_end": "2024-03-20", "test_end": "2024-08-18"}
    table = track(fit, log, unit=unit, period=period, **windows).table
    in_days = track(ESTIMATORS["BG/NBD"].from_params(CDNOW["BG/NBD"] | {"alpha": 4.414 * 7}, unit="day"), log,
                    unit="day", period=period, **windows).table  # fmt: skip
    born = log.groupby("customer_id")["day"].min()
    born = born[born <= 79]  # 20 March
    ends = table["end"] * DAYS[unit]
    for end, expected in zip(ends, table["cumulative_expected"], strict=True):
        ages = (end + born.min() - born).clip(lower=0.0).to_numpy() / 7.0
        assert expected == pytest.approx(by_formula("BG/NBD", ages).sum(), rel=1e-8, abs=1e-8)
    assert ends.iloc[-1] == pytest.approx(230 - born.min())
    np.testing.assert_allclose(table["expected"].cumsum(), table["cumulative_expected"], rtol=1e-10)
    for name in ("lower", "upper", "cumulative_lower", "cumulative_upper"):
        np.testing.assert_allclose(table[name], in_days[name], atol=1.0)


def variance(params: dict[str, float], start: float, end: float) -> float:
    """Variance of the purchases of a new customer between two ages under Pareto/NBD, given by hand.

    Given lambda and lifetime L, they are Poisson with mean lambda D, D the part of (start, end] before L.
    """
    r, alpha, s, beta = (params[name] for name in ("r", "alpha", "s", "beta"))

    def alive(t: float) -> float:
        return float((beta / (beta + t)) ** s)

    mean = integrate.quad(alive, start, end, epsabs=1e-12)[0]
    square = integrate.quad(lambda t: 2.0 * (t - start) * alive(t), start, end, epsabs=1e-12)[0]
    rate, rate_square = r / alpha, r * (r + 1.0) / alpha**2
    return float(rate * mean + rate_square * square - (rate * mean) ** 2)


@pytest.mark.filterwarnings("ignore:nobody bought")  # customers whose purchases do not matter have none
def test_variances_of_pareto_nbd() -> None:
    T, end = np.full(1_000, 5.5), np.array([-5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0])
    expected = expected_by_period(published("Pareto/NBD"), made(T, end, 1.0))
    for row, (start, stop) in enumerate([(0.0, 0.5), *((k + 0.5, k + 1.5) for k in range(7))]):
        by_hand = 1_000 * variance(CDNOW["Pareto/NBD"], start, stop)
        assert expected.variance[row] == pytest.approx(by_hand, rel=0.04)
        so_far = 1_000 * variance(CDNOW["Pareto/NBD"], 0.0, stop)
        assert expected.cumulative_variance[row] == pytest.approx(so_far, rel=0.04)


def test_variances_of_ages_that_differ() -> None:
    # 150 customers, simulated 400 times: neither too wide nor too narrow. The sd of a variance is some 8 % here.
    T = np.random.default_rng(3).uniform(0.0, 30.0, 150)
    end = np.arange(-29, 11, dtype=float)
    expected = expected_by_period(published("BG/NBD"), made(T, end, 1.0))
    seen = purchases("BG/NBD", CDNOW["BG/NBD"], np.tile(30.0 - T, 400), 40.0, seed=4)
    repeat = np.concatenate(([False], seen.customer[1:] == seen.customer[:-1]))
    cohort, week = seen.customer[repeat] // 150, np.ceil(seen.time[repeat]).astype(int) - 1
    counts = np.bincount(cohort * 40 + week, minlength=400 * 40).reshape(400, 40)
    ratio = counts.var(axis=0)[2:] / expected.variance[2:]
    assert ratio.mean() == pytest.approx(1.0, abs=0.03)
    assert counts.cumsum(axis=1).var(axis=0)[-1] / expected.cumulative_variance[-1] == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("name", CDNOW)
def test_simulated_data_agree_from_the_first_period(name: str) -> None:
    births = np.sort(np.random.default_rng(11).uniform(0.0, 26.0, 20_000))
    seen = purchases(name, CDNOW[name], births, 78.0, seed=12)
    times = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.round(seen.time * 7 * 86_400e6).astype(np.int64), unit="us")
    log = pd.DataFrame({"customer_id": seen.customer, "date": times})
    windows: dict[str, Any] = {"train_end": "2023-12-30", "test_end": "2024-06-29"}
    train, _ = clv.rfm_train_test_split(log, **windows)
    tracked = track(ESTIMATORS[name].fit(train), log, **windows)
    table = tracked.table
    assert len(table) == 78
    assert tracked.late_joiners == 0
    z = _z(table["actual"], table)
    assert np.mean(z[:5] ** 2) < 2.5
    assert np.mean(z**2) < 1.5  # 78 numbers of mean 1: their mean has an sd of 0.16
    inside = (table["actual"] >= table["lower"]) & (table["actual"] <= table["upper"])
    assert inside.mean() >= 0.8
    sd = np.maximum((table["cumulative_upper"] - table["cumulative_lower"]) / 3.29, 1.0)
    assert (np.abs(table["cumulative_actual"] - table["cumulative_expected"]) < 3.5 * sd).all()
    # Peers that plot one period ahead, or behind, would be found out.
    for shifted in (table["actual"].shift(1, fill_value=0.0), table["actual"].shift(-1).dropna()):
        assert np.mean(_z(shifted, table)[:5] ** 2) > 9.0


def _z(actual: pd.Series[float], table: pd.DataFrame) -> np.ndarray:
    """Standardised differences; the sd read off the band, which is some 3.29 sd wide."""
    rows = table.loc[actual.index]
    sd = np.maximum((rows["upper"] - rows["lower"]) / 3.29, 1.0)
    return ((actual - rows["expected"]) / sd).to_numpy()


def test_draws(cdnow: Series) -> None:
    fit = scattered(published("BG/NBD"), 40)
    expected = expected_by_period(fit, cdnow)
    T = cdnow.histories.T
    by_draw = [fit.model.expected_purchases(theta, np.zeros(1), np.zeros(1), T + 39.0).sum() for theta in fit.draws]
    assert expected.cumulative[-1] == pytest.approx(np.mean(by_draw), rel=1e-10)
    # Simulated E[X(X-1)] aside, what the draws leave open is added to what chance does.
    chance = expected_by_period(published("BG/NBD"), cdnow).cumulative_variance[-1]
    assert expected.cumulative_variance[-1] == pytest.approx(chance + np.var(by_draw), rel=0.05)
    assert np.var(by_draw) > chance


def test_many_draws_are_taken_in_blocks(cdnow: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = scattered(published("Pareto/NBD"), 7)
    expected = expected_by_period(fit, cdnow)
    monkeypatch.setattr(tracking, "NUMBERS_AT_A_TIME", 1_800)
    again = expected_by_period(fit, cdnow)
    np.testing.assert_allclose(again.cumulative, expected.cumulative, rtol=1e-12)
    np.testing.assert_allclose(again.variance, expected.variance, rtol=1e-9)


def test_segments_are_summed(cdnow: Series) -> None:
    whole = scattered(published("BG/NBD"), 2)
    theta = np.stack([whole.theta, whole.theta * [2.0, 1.5, 1.0, 1.0]])
    fit = replace(whole, by="kind", segments=("few", "many"), segment_theta=theta)
    # A segment of late customers only: it has no customers in the first periods.
    kind = np.where(cdnow.histories.T < 30.0, "few", "many")
    attributes = cdnow.histories.attributes.assign(kind=kind)
    backend = replace(cdnow.histories.backend, attributes=attributes)
    series = replace(cdnow, histories=replace(cdnow.histories, backend=backend))
    found = expected_by_period(fit, series)
    parts = []
    for name in fit.segments:
        some = replace(series, histories=series.histories.select(kind == name))
        parts.append(expected_by_period(fit.segment(name), some))
    np.testing.assert_allclose(found.cumulative, sum(part.cumulative for part in parts), rtol=1e-12)
    means = np.sum([np.diff(part.cumulative, prepend=0.0) for part in parts], axis=0)
    np.testing.assert_allclose(found.mean, means, rtol=1e-12, atol=1e-9)
    assert (found.variance[-39:] > means[-39:]).all()
    with pytest.raises(DataError, match="kind"):
        expected_by_period(fit, cdnow)


def test_a_segment_read_from_the_log() -> None:
    whole = published("BG/NBD")
    fit = replace(whole, by="kind", segments=("a", "b"), segment_theta=np.stack([whole.theta] * 2))
    days = pd.to_datetime(["2024-01-01", "2024-01-20", "2024-01-10", "2024-02-02"])
    log = pd.DataFrame({"customer_id": [1, 1, 2, 3], "date": days, "kind": ["a", "a", "b", "b"]})
    windows: dict[str, Any] = {"train_end": "2024-01-31", "test_end": "2024-02-07"}
    tracked = track({"by kind": fit, "alike": whole}, log, attributes="kind", **windows)
    table = tracked.table.pivot_table(index="end", columns="model", values="expected")
    np.testing.assert_allclose(table["by kind"], table["alike"], rtol=1e-10)
    assert str(tracked).splitlines()[0] == "2 customers, repeat purchases until 2024-02-08 00:00:00"
    assert "alike: 0 expected (0 to 2), 1 actual" in str(tracked)
    assert str(tracked).endswith("first bought after the training window: 1 customer")


def test_the_unit_of_the_fit() -> None:
    dates = pd.to_datetime(["2024-01-01", "2024-01-20", "2024-01-10", "2024-02-02"])
    log = pd.DataFrame({"customer_id": [1, 1, 2, 3], "date": dates})
    windows: dict[str, Any] = {"train_end": "2024-02-04", "resolution": "day"}
    days = ESTIMATORS["BG/NBD"].from_params(CDNOW["BG/NBD"] | {"alpha": 7 * 4.414}, unit="day")
    weeks = track(published("BG/NBD"), log, **windows)
    in_days = track(days, log, unit="day", **windows)
    np.testing.assert_allclose(in_days.table["expected"], weeks.table["expected"], rtol=1e-10)
    assert in_days.train_end == 34.0
    with pytest.raises(UnitError, match="this fit counts time in days"):
        track(days, log, **windows)


def test_notes_of_the_log_are_told() -> None:
    log = pd.DataFrame(
        {"customer_id": [1, 1, None], "date": pd.to_datetime(["2024-01-01", "2024-01-20", "2024-01-02"])}
    )
    for function in (track, clv.plots.tracking):
        with pytest.warns(DataWarning, match="1 row dropped") as notes:
            function(published("BG/NBD"), log, train_end="2024-01-31")
        assert notes[0].filename == __file__


def test_expected_purchases_by_age() -> None:
    fit = published("MBG/NBD")
    ages = np.array([0.5, 30.0, 1.0])
    expected = [fit.expected_purchases_new(age)["mean"] for age in ages]
    np.testing.assert_allclose(purchases_at(fit.model, fit.draws[None], ages)[0, :, 0], expected, rtol=1e-12)
