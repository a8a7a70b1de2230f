"""The scores of a backtest, cut-off by cut-off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.errors import DataError, one_of
from clvmodels.evaluation.backtest import Backtest
from clvmodels.style import QUIET, Drawn, drawn, in_percent, on_axes, require, shades

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["backtest_scores"]

WORDS: Final = {
    "predicted_over_actual": "Purchases predicted over actual",
    "revenue_over_actual": "Revenue predicted over actual",
    "top_20_revenue": "Share of revenue of the top 20 % of customers",
    "log_score": "Mean log score (greater is better)",
    "crps": "Mean CRPS (smaller is better)",
    "brier": "Brier score of any purchase (smaller is better)",
    "calibration_error": "Calibration error of any purchase (smaller is better)",
    "coverage": "Share of customers within their 90 % interval",
    "top_decile_lift": "Purchases of the top 10 % of customers over the mean",
    "gini": "Gini of the ranking over that of perfect foresight",
    "mae": "Mean absolute error, purchases",
    "rmse": "Root mean square error, purchases",
}
IDEAL: Final = ("predicted_over_actual", "revenue_over_actual")
"""Scores that are one if the total was predicted exactly."""
SHARES: Final = ("top_20_revenue", "coverage", "coverage_stated", "calibration_error")
SPREAD: Final = 0.4
"""Of the marks of one model, upwards, as a share of the distance of two models."""


def backtest_scores(
    tried: Backtest, score: str = "predicted_over_actual", *, ax: Axes | None = None, return_data: bool = False
) -> Drawn:
    """Draw one score of all models and rules of thumb, one mark per cut-off: the later, the darker and the lower.

    Parameters
    ----------
    tried
        What `backtest` returned.
    score
        A column of its table.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model`` (or rule of thumb), ``cutoff`` and ``value`` of the score.

    Raises
    ------
    DataError
        If the table has no such column, or nothing in it, or `tried` is no backtest.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> tried = clv.backtest(log, clv.BGNBD(), cutoffs="1997-09-30", horizon="39 weeks", resolution="day",
    ...                      progress=False)
    >>> ax, table = backtest_scores(tried, "mae", return_data=True)
    >>> table.set_index("model")["value"].round(2).to_dict()
    {'BG/NBD': 0.79, 'history rate': 1.02, 'last period': 0.9, 'zero': 0.8}
    """
    table = _scores(tried, score)
    models, cutoffs = table["model"].unique(), sorted(table["cutoff"].unique())
    x = WORDS.get(score, score.replace("_", " ").capitalize())
    ax = on_axes(ax, title="Models and rules of thumb, tried on the past", x=x, y="", grid="x")
    rows = dict(zip(models, range(len(models)), strict=True))
    places = SPREAD * (np.arange(len(cutoffs)) - (len(cutoffs) - 1) / 2.0) / len(cutoffs)
    for cutoff, colour, place in zip(cutoffs, shades(len(cutoffs)), places, strict=True):
        at_cutoff = table[table["cutoff"] == cutoff]
        label = f"Until {cutoff:%Y-%m-%d}"
        ax.plot(at_cutoff["value"], at_cutoff["model"].map(rows) + place, "o", color=colour, markersize=7, label=label)
    if score in IDEAL:
        ax.axvline(1.0, color=QUIET, linestyle="--", linewidth=1.0, label="Predicted = actual")
    if score in SHARES:
        in_percent(ax.xaxis)
    ax.set_yticks(range(len(models)), models)
    ax.set_ylim(len(models) - 0.5, -0.5)
    return drawn(ax, table, return_data=return_data, above=True)


def _scores(tried: Backtest, score: str) -> pd.DataFrame:
    """Return the table of the picture."""
    require(tried, Backtest, "a backtest is expected here, as clv.backtest(log, models, ...) returns it")
    if score not in tried.table:
        raise DataError(one_of("score", score, tried.table.columns))
    table = tried.table[score].rename("value").dropna().reset_index()
    if table.empty:
        raise DataError(f"no model has a {score!r} in this backtest; without value=... there are no scores in money")
    return table
