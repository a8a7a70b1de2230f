"""Laws of all pictures: each draws the table that it returns on the axes it is given, and touches nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

import clvmodels as clv
from clvmodels.errors import ClvError, DataError
from clvmodels.evaluation.backtest import Backtest
from clvmodels.pictures import PICTURES, picture
from clvmodels.style import ACTUAL, COLOURS, look, shades

mpl.use("Agg")

BG = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
HOW: dict[str, Any] = {"value": "amount", "unit": "week", "resolution": "day"}
DAYS: dict[str, Any] = {"train_end": "1997-09-30", "test_end": "1998-06-30"}


@cache
def log() -> pd.DataFrame:
    everybody = clv.datasets.load_cdnow(sample=True)
    some = everybody["customer_id"].unique()[::12]
    return everybody[everybody["customer_id"].isin(some)].reset_index(drop=True)


@cache
def split() -> tuple[Any, Any]:
    return clv.rfm_train_test_split(log(), **HOW, **DAYS)


@cache
def orders() -> dict[str, Any]:
    """Two models: a point estimate, and one of a few draws."""
    pareto = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
    drawn = BG | {"r": np.array([[0.2, 0.22, 0.24, 0.26]])}
    return {
        "Point": clv.ParetoNBD().from_params(pareto, unit="week"),
        "Draws": clv.BGNBD().from_params(drawn, unit="week"),  # type: ignore[arg-type]
    }


@cache
def arrivals() -> clv.AcquisitionForecast:
    days = pd.date_range("2021-01-01", "2023-12-31", freq="2D")
    new = pd.DataFrame({"customer_id": range(len(days)), "date": days})
    return clv.acquisition_forecast(clv.rfm_summary(new, unit="week", observation_end="2023-12-31"), 6)


@cache
def plan() -> clv.RevenueForecast:
    rfm = split()[0]
    pareto, coming = orders()["Point"], clv.acquisition_forecast(rfm, 6)
    values = clv.value(pareto, spend()["Point"], rfm, clv.Assumptions(discount_rate=0.15, margin=0.3, currency="USD"))
    return clv.revenue_forecast(values, coming, periods=2, draws=20)


@cache
def seasonal() -> dict[str, Any]:
    summer = clv.Calendar.seasons({"summer": ("06-01", "07-31")})
    return {"Seasonal": clv.BGNBD(calendar=summer).fit(split()[0])}


@cache
def spend() -> dict[str, Any]:
    point = {"p": 6.25, "q": 3.74, "v": 15.44}
    drawn = point | {"p": np.array([[6.0, 6.2, 6.4]])}
    return {
        "Point": clv.GammaGamma().from_params(point),
        "Draws": clv.GammaGamma().from_params(drawn),  # type: ignore[arg-type]
    }


@cache
def book() -> clv.Book:
    terms = clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.50, maintenance_cost=6.0, currency="USD")
    return clv.value(orders()["Draws"], spend()["Point"], split()[0], terms)


@cache
def later() -> clv.Book:
    rfm = clv.rfm_summary(log(), **HOW, observation_end="1998-06-30")
    return clv.value(orders()["Draws"], spend()["Point"], rfm, book().assumptions)


def tried() -> Backtest:
    """A backtest with one score, of two cut-offs."""
    days = pd.to_datetime(["1997-08-31", "1997-12-28"])
    index = pd.MultiIndex.from_product([["BG/NBD", "zero"], days], names=["model", "cutoff"])
    table = pd.DataFrame({"predicted_over_actual": [0.9, 1.1, 0.0, 0.0], "mae": [0.5, 0.6, 0.7, np.nan]}, index)
    return Backtest(table, table.iloc[:0], table.iloc[:0], {}, (), None)


def chances() -> dict[str, pd.Series[Any]]:
    train, holdout = split()
    return {name: 1.0 - fit.probability_of_purchases(train, holdout.duration)["mean"] for name, fit in orders().items()}


def outcome(name: str) -> pd.Series[Any]:
    column: pd.Series[Any] = split()[1].to_frame()[name]
    return column


EXAMPLES: dict[str, Callable[..., Any]] = {
    "acquisitions": lambda **on: clv.plots.acquisitions(arrivals(), **on),
    "alive_matrix": lambda **on: clv.plots.alive_matrix(orders()["Draws"], T="39 weeks", after="1 year", **on),
    "backtest_scores": lambda **on: clv.plots.backtest_scores(tried(), **on),
    "calendar_effect": lambda **on: clv.plots.calendar_effect(seasonal(), **on),
    "calibration": lambda **on: clv.plots.calibration(chances(), outcome("frequency") > 0, bins=4, **on),
    "cash_flow": lambda **on: clv.plots.cash_flow(book(), years=2, **on),
    "coefficients": lambda **on: clv.plots.coefficients(seasonal(), **on),
    "conditional_expectation": lambda **on: clv.plots.conditional_expectation(orders(), split()[1], by="recency", **on),
    "conditional_spend": lambda **on: clv.plots.conditional_spend(spend()["Draws"], split()[0], **on),
    "customer_history": lambda **on: clv.plots.customer_history(
        orders(), log(), log()["customer_id"][0], resolution="day", **on
    ),
    "equity_by_horizon": lambda **on: clv.plots.equity_by_horizon(book(), horizons=(1, 5), intervals=True, **on),
    "forecast_fan": lambda **on: clv.plots.forecast_fan(
        orders(), split()[0], "1 year", period="26 weeks", futures=20, **on
    ),
    "frequency_fit": lambda **on: clv.plots.frequency_fit(orders(), split()[0], **on),
    "heterogeneity": lambda **on: clv.plots.heterogeneity(orders(), **on),
    "lift": lambda **on: clv.plots.lift(chances(), outcome("revenue"), **on),
    "lorenz": lambda **on: clv.plots.lorenz(book(), past=True, **on),
    "posterior_predictive": lambda **on: clv.plots.posterior_predictive(orders(), split()[0], draws=5, **on),
    "prior_predictive": lambda **on: clv.plots.prior_predictive(clv.BGNBD(), split()[0], draws=2, **on),
    "purchases_matrix": lambda **on: clv.plots.purchases_matrix(orders()["Draws"], "1 year", T="39 weeks", **on),
    "revenue_plan": lambda **on: clv.plots.revenue_plan(plan(), **on),
    "spend_density": lambda **on: clv.plots.spend_density(spend(), split()[0], **on),
    "statement": lambda **on: clv.plots.statement(book(), **on),
    "timelines": lambda **on: clv.plots.timelines(log(), resolution="day", most=12, **on),
    "tornado": lambda **on: clv.plots.tornado(book(), **on),
    "tracking": lambda **on: clv.plots.tracking(orders(), log(), **HOW, **DAYS, period="13 weeks", **on),
    "waterfall": lambda **on: clv.plots.waterfall(clv.movement(book(), later()), **on),
    "whale": lambda **on: clv.plots.whale(book(), **on),
}
METHODS: dict[str, Callable[..., Any]] = {
    "TransactionFit.plot": lambda **on: orders()["Point"].plot(**on),  # noqa: PLW0108 - made when it is needed
    "TransactionFit.plot(histories)": lambda **on: orders()["Point"].plot(split()[0], **on),
    "SpendFit.plot": lambda **on: spend()["Point"].plot(split()[0], **on),
    "Book.plot": lambda **on: book().with_assumptions(book().assumptions).plot(**on),
    "Movement.plot": lambda **on: clv.movement(book(), later()).plot(**on),
    "Backtest.plot": lambda **on: tried().plot("mae", **on),
    "Tracking.plot": lambda **on: clv.track(orders()["Point"], log(), **HOW, **DAYS, period="26 weeks").plot(**on),
}


@dataclass(frozen=True)
class Seen:
    """One call of a picture, on the right of two axes, and what it touched besides."""

    ax: Axes
    left: Axes
    right: Axes
    table: pd.DataFrame
    new_figures: list[int]
    size_changed: bool
    settings_changed: bool


@cache
def seen(name: str) -> Seen:
    figure, (left, right) = plt.subplots(1, 2, figsize=(12.0, 4.4))
    size, settings, figures = tuple(figure.get_size_inches()), dict(mpl.rcParams), plt.get_fignums()
    ax, table = (EXAMPLES | METHODS)[name](ax=right, return_data=True)
    new = [number for number in plt.get_fignums() if number not in figures]
    resized = tuple(figure.get_size_inches()) != size
    return Seen(ax, left, right, table, new, resized, dict(mpl.rcParams) != settings)


SEVERAL = ("frequency_fit", "heterogeneity", "lift", "posterior_predictive", "spend_density", "tracking")
VOCABULARY = {"model", "actual", "expected", "lower", "upper", "value", "share", "frequency", "customers"}
FORMER = {"series", "name", "mean", "sd", "q05", "q50", "q95", "predicted", "outcome", "equity", "label", "purchases"}


def test_all_pictures_are_here() -> None:
    assert sorted(EXAMPLES) == clv.plots.__all__


def test_the_registry_knows_every_picture() -> None:
    assert sorted(PICTURES) == sorted([*clv.plots.__all__, "draw_tracking"])
    for name in clv.plots.__all__:
        assert picture(name) is getattr(clv.plots, name)
    assert picture("draw_tracking").__module__ == PICTURES["draw_tracking"]


@pytest.mark.parametrize("name", [*EXAMPLES, *METHODS])
def test_a_picture_is_drawn_on_the_axes_it_is_given_and_nowhere_else(name: str) -> None:
    found = seen(name)
    assert found.ax is found.right
    assert found.right.has_data()
    assert not found.left.has_data()
    assert not found.new_figures
    assert not found.size_changed
    assert not found.settings_changed
    assert isinstance(found.table, pd.DataFrame)
    assert len(found.table)


@pytest.mark.parametrize("name", ["heterogeneity", "statement", "timelines"])
def test_without_axes_there_is_one_new_figure(name: str) -> None:
    ax = EXAMPLES[name]()
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [ax.get_figure(root=True).number]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_picture_says_what_it_shows(name: str) -> None:
    ax = seen(name).ax
    title = ax.get_title(loc="left")
    assert title[0].isupper()
    assert not title.endswith(".")
    assert ax.get_xlabel()
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert ax.get_ylabel() or all(text[0].isalpha() for text in rows)  # rows that have names need no title
    legend = ax.get_legend()
    texts = [text.get_text() for text in legend.get_texts()] if legend else []
    assert len(texts) == len(set(texts))
    if "Actual" in texts:
        assert texts[0] == "Actual"


@pytest.mark.parametrize("name", EXAMPLES)
def test_tables_have_one_vocabulary(name: str) -> None:
    table = seen(name).table
    assert isinstance(table.index, pd.RangeIndex)
    assert not FORMER & set(table.columns)
    assert ("lower" in table) == ("upper" in table)
    if "lower" in table:
        known = table.dropna(subset=["lower", "upper"])
        assert (known["lower"] <= known["upper"]).all()
    if "model" in table:
        assert table.columns[0] == "model"
    for column in table.columns.intersection(sorted(VOCABULARY - {"model"})):
        assert pd.api.types.is_numeric_dtype(table[column])


@pytest.mark.parametrize("name", SEVERAL)
def test_models_have_their_colours_by_order(name: str) -> None:
    ax, table = seen(name).ax, seen(name).table
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    for number, model in enumerate(["Point", "Draws"]):
        assert _colour(handles[model]) == to_rgb(COLOURS[number])
        assert model in table["model"].to_numpy()
    if "Actual" in handles:
        assert _colour(handles["Actual"]) == to_rgb(ACTUAL)


def _colour(handle: Any) -> tuple[float, float, float]:
    some = handle[0] if isinstance(handle, tuple) else handle
    return to_rgb(some.get_facecolor() if hasattr(some, "get_facecolor") else some.get_color())


@pytest.mark.parametrize("name", ["heterogeneity", "statement", "whale", "alive_matrix"])
def test_axes_are_one_axes(name: str) -> None:
    with pytest.raises(DataError, match=r"ax is one axes, .*ax=axes\[0, 1\]; got ndarray"):
        EXAMPLES[name](ax=plt.subplots(2, 2)[1])


def test_texts_of_pictures_side_by_side_keep_to_their_own() -> None:
    """In a quarter of a figure no title, and no legend, reaches over that of a neighbour."""
    figure, axes = plt.subplots(2, 2, figsize=(10.0, 7.0), layout="constrained")
    names = ("alive_matrix", "customer_history", "lorenz", "whale")
    for name, ax in zip(names, axes.flat, strict=True):
        EXAMPLES[name](ax=ax)
    figure.draw_without_rendering()
    boxes = [part.get_window_extent() for ax in axes.flat for part in (ax.get_legend(), *_titles(ax)) if part]
    overlapping = [(a, b) for k, a in enumerate(boxes) for b in boxes[k + 1 :] if a.overlaps(b)]
    assert not overlapping
    assert all(box.x0 >= 0.0 and box.x1 <= figure.bbox.x1 for box in boxes)


def _titles(ax: Axes) -> list[Any]:
    text = ax.get_title(loc="left")
    return [part for part in ax.get_children() if getattr(part, "get_text", str)() == text]


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("whale", "fit", "a valuation is expected here, .*; got TransactionFit"),
        ("waterfall", "fit", "a movement is expected here, .*; got TransactionFit"),
        ("backtest_scores", "fit", "a backtest is expected here, .*; got TransactionFit"),
        ("calendar_effect", "fit", r"Pareto/NBD has no calendar; write clv.ParetoNBD\(calendar=\.\.\.\)"),
        ("coefficients", "spend", "this fit has no covariates"),
        ("heterogeneity", "spend", "a fit of transactions is expected here, .*; got SpendFit"),
        ("lorenz", "fit", r"a valuation is expected here, or values by name, .*; got TransactionFit"),
    ],
)
def test_what_is_no_such_thing_is_refused(name: str, wrong: str, message: str) -> None:
    with pytest.raises(ClvError, match=message):
        getattr(clv.plots, name)(orders()["Point"] if wrong == "fit" else spend()["Point"])


@pytest.mark.parametrize("name", ["frequency_fit", "posterior_predictive", "spend_density", "conditional_spend"])
def test_a_table_is_no_histories(name: str) -> None:
    fit = (spend() if "spend" in name else orders())["Point"]
    with pytest.raises(DataError, match=r"histories are expected here, .*; got DataFrame"):
        getattr(clv.plots, name)(fit, log())


def test_looks_of_six_models_differ_in_colour_and_marker() -> None:
    looks = [look(number) for number in range(8)]
    assert len({one.colour for one in looks[:6]}) == len({one.marker for one in looks[:6]}) == 6
    assert looks[6].colour == looks[0].colour
    assert looks[6].line != looks[0].line


def test_shades_grow_darker() -> None:
    light = [np.dot(to_rgb(shade), [0.299, 0.587, 0.114]) for shade in shades(5)]
    assert (np.diff(light) < 0.0).all()
