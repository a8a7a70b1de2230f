"""Pictures of the evaluation: what is drawn is the table, labels say what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.container import BarContainer

import clvmodels as clv
from clvmodels.errors import DataError
from clvmodels.evaluation.aggregate_fit import conditional_expectation as conditional_table
from clvmodels.evaluation.aggregate_fit import frequency_fit as frequency_table
from clvmodels.evaluation.gains import gains
from clvmodels.evaluation.plots.aggregate_fit import conditional_expectation, frequency_fit
from clvmodels.evaluation.plots.customers import calibration, lift
from clvmodels.evaluation.plots.tracking import tracking
from clvmodels.evaluation.reliability import reliability
from clvmodels.evaluation.tracking import track
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.style import Drawn

WINDOWS: dict[str, Any] = {"resolution": "day", "train_end": "1997-09-30", "test_end": "1998-06-20"}


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return clv.datasets.load_cdnow(sample=True)


@pytest.fixture(scope="module")
def split(log: pd.DataFrame) -> Any:
    return clv.rfm_train_test_split(log, value="amount", **WINDOWS)


@pytest.fixture(scope="module")
def fits() -> dict[str, TransactionFit]:
    return {
        "First": clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week"),
        "Second": clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, unit="week"),
    }


@pytest.fixture(scope="module")
def tracked(log: pd.DataFrame, fits: dict[str, TransactionFit]) -> pd.DataFrame:
    return track(fits, log, **WINDOWS).table


def both(picture: Drawn) -> tuple[Any, pd.DataFrame]:
    assert isinstance(picture, tuple)
    return picture


def lines(ax: Axes) -> dict[str, Any]:
    return {str(line.get_label()): line for line in ax.get_lines()}


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def test_cumulative_tracking(log: pd.DataFrame, fits: dict[str, TransactionFit], tracked: pd.DataFrame) -> None:
    ax, table = both(tracking(fits, log, **WINDOWS, return_data=True))
    np.testing.assert_array_equal(table["actual"], tracked["cumulative_actual"])
    np.testing.assert_array_equal(table["upper"], tracked["cumulative_upper"])
    second = table[table["model"] == "Second"]
    np.testing.assert_array_equal(lines(ax)["Second"].get_ydata(), second["expected"])
    np.testing.assert_array_equal(lines(ax)["Second"].get_xdata(), second["end"])
    np.testing.assert_array_equal(lines(ax)["Actual"].get_ydata(), second["actual"])
    band = ax.collections[-1].get_paths()[0].vertices
    assert band[:, 1].max() == second["upper"].max()
    assert legend(ax) == ["Actual", "First", "Second", "End of training", "90 % band"]
    assert ax.get_title(loc="left") == "Cumulative repeat purchases"
    assert ax.get_xlabel() == "Weeks since the first purchase of all"
    # The line stands where the actual series has the purchases of training.
    assert set(lines(ax)["End of training"].get_xdata()) == {272 / 7}
    assert second.loc[np.isclose(second["end"], 272 / 7), "actual"].tolist() == [2_457.0]


def test_incremental_tracking(log: pd.DataFrame, fits: dict[str, TransactionFit], tracked: pd.DataFrame) -> None:
    given = Axes(*_place())
    ax, table = both(tracking(fits["First"], log, **WINDOWS, kind="incremental", ax=given, return_data=True))
    assert ax is given
    whole = tracked[tracked["model"] == "First"]
    assert whole["length"].iloc[-1] == pytest.approx(4 / 7)
    assert len(table) == len(whole) - 1  # the last week has three days less
    np.testing.assert_array_equal(lines(ax)["BG/NBD"].get_ydata(), whole["expected"][:-1])
    assert ax.get_title(loc="left") == "Repeat purchases per week"
    with pytest.raises(DataError, match=r"unknown kind 'total'; use one of 'cumulative', 'incremental'"):
        tracking(fits["First"], log, **WINDOWS, kind="total")  # type: ignore[arg-type]


def _place() -> tuple[Any, tuple[float, float, float, float]]:
    import matplotlib.pyplot as plt

    return plt.figure(), (0.1, 0.1, 0.8, 0.8)


def test_frequency_fit(split: Any, fits: dict[str, TransactionFit]) -> None:
    train, _ = split
    ax, table = both(frequency_fit(fits, train, most=4, return_data=True))
    pd.testing.assert_frame_equal(table, frequency_table(fits, train, most=4))
    bars = [container for container in ax.containers if isinstance(container, BarContainer)]
    heights = [[bar.get_height() for bar in some] for some in bars]
    np.testing.assert_allclose(heights, [table["actual"][:5], table["expected"][:5], table["expected"][5:]])
    middles = [[bar.get_x() + bar.get_width() / 2 for bar in some] for some in bars]
    np.testing.assert_allclose(np.mean(middles, axis=0), range(5), atol=1e-12)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2", "3", "4+"]
    assert legend(ax) == ["Actual", "First", "Second", "90 % interval"]


@pytest.mark.parametrize(
    ("by", "label"),
    [
        ("frequency", "Repeat purchases in training"),
        ("recency", "Age at the last purchase, weeks"),
        ("time_since_last", "Weeks since the last purchase"),
    ],
)
def test_conditional_expectation(split: Any, fits: dict[str, TransactionFit], by: Any, label: str) -> None:
    _, holdout = split
    ax, table = both(conditional_expectation(fits, holdout, by=by, return_data=True))
    pd.testing.assert_frame_equal(table, conditional_table(fits, holdout, by=by))
    for name, rows in table.groupby("model"):
        np.testing.assert_array_equal(lines(ax)[str(name)].get_ydata(), rows["expected"])
        np.testing.assert_array_equal(lines(ax)["Actual"].get_ydata(), rows["actual"])
    first = table.iloc[0]
    assert ax.get_xticklabels()[0].get_text() == f"{first['bin']}\n({first['customers']:,})".replace(" ", "\n")
    assert ax.get_xlabel() == f"{label} (number of customers)"
    assert ax.get_title(loc="left") == "Purchases in the 37.57 weeks after training"


def test_calibration(split: Any, fits: dict[str, TransactionFit]) -> None:
    train, holdout = split
    bought = holdout.to_frame()["frequency"] > 0
    predicted = {name: 1 - fit.probability_of_purchases(train, holdout.duration)["mean"] for name, fit in fits.items()}
    ax, table = both(calibration(predicted, bought.sample(frac=1.0, random_state=1), bins=6, return_data=True))
    second = table[table["model"] == "Second"].reset_index(drop=True)
    pd.testing.assert_frame_equal(second.drop(columns="model"), reliability(predicted["Second"], bought, 6))
    line = lines(ax)["Second"]
    np.testing.assert_array_equal(line.get_xdata(), second["expected"])
    np.testing.assert_array_equal(line.get_ydata(), second["actual"])
    assert legend(ax) == ["First", "Second", "Predicted = actual", "90 % interval"]
    assert ax.get_xlabel() == "Predicted probability (bins of about 393 customers)"
    one = calibration(predicted["First"], bought)
    assert isinstance(one, Axes)
    assert legend(one) == ["Predictions", "Predicted = actual", "90 % interval"]


def test_lift(split: Any, fits: dict[str, TransactionFit]) -> None:
    train, holdout = split
    revenue = holdout.to_frame()["revenue"]
    score = {name: fit.expected_purchases(train, "39 weeks")["mean"] for name, fit in fits.items()}
    ax, table = both(lift(score, revenue.sample(frac=1.0, random_state=1), return_data=True))
    assert table["model"].unique().tolist() == ["First", "Second", "Perfect foresight"]
    for name, rows in table.groupby("model"):
        np.testing.assert_array_equal(lines(ax)[str(name)].get_ydata(), rows["share"])
        ranked = revenue if name == "Perfect foresight" else score[str(name)]
        np.testing.assert_allclose(rows["share"], gains(ranked, revenue)["share"], rtol=1e-12)
    assert legend(ax) == ["First", "Second", "Perfect foresight", "At random"]
    assert ax.get_ylabel() == "Share of revenue"
    alone = lift(score["First"], revenue.rename(None))
    assert isinstance(alone, Axes)
    assert legend(alone) == ["Predictions", "Perfect foresight", "At random"]
    assert alone.get_ylabel() == "Share of outcome"


def test_customers_must_be_the_same() -> None:
    score, outcome = pd.Series([0.5, 0.2], ["a", "b"]), pd.Series([1.0, 2.0], ["a", "c"])
    with pytest.raises(DataError, match="the same customers; 2 customers in only one of them: 'b', 'c'"):
        lift(score, outcome)
    with pytest.raises(DataError, match="Mine and the outcomes"):
        calibration({"Mine": score}, outcome > 1.0)
    with pytest.raises(DataError, match="more than once: 'a'"):
        calibration(score, pd.Series([True, True], ["a", "a"]))
