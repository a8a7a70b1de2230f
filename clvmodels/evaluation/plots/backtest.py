"""The scores of a backtest, cut-off by cut-off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clvmodels.errors import DataError, one_of
from clvmodels.style import COLOURS, QUIET, Drawn, drawn, on_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clvmodels.evaluation.backtest import Backtest

__all__ = ["backtest_scores"]

WORDS: Final = {
    "predicted_over_actual": "Purchases predicted over actual",
    "revenue_over_actual": "Revenue predicted over actual",
    "top_20_revenue": "Share of revenue of the top 20 % of customers",
    "log_score": "Mean log score (greater is better)",
    "crps": "Mean CRPS (smaller is better)",
    "mae": "Mean absolute error (purchases)",
    "rmse": "Root mean square error (purchases)",
}
IDEAL: Final = {"predicted_over_actual": 1.0, "revenue_over_actual": 1.0}


def backtest_scores(
    tried: Backtest, score: str = "predicted_over_actual", *, ax: Axes | None = None, return_data: bool = False
) -> Drawn:
    """Draw one score of all models and rules of thumb, a mark a cut-off.

    Parameters
    ----------
    tried
        What `backtest` returned.
    score
        A column of its table.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too: by model, a column a cut-off.

    Raises
    ------
    DataError
        If the table has no such column, or nothing in it.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> tried = clv.backtest(log, clv.BGNBD(), cutoffs="1997-09-30", horizon="39 weeks", resolution="day",
    ...                      progress=False)
    >>> ax, table = backtest_scores(tried, "mae", return_data=True)
    >>> table.round(2).iloc[:, 0].to_dict()
    {'BG/NBD': 0.79, 'history rate': 1.02, 'last period': 0.9, 'zero': 0.8}
    """
    if score not in tried.table:
        raise DataError(one_of("score", score, tried.table.columns))
    table = tried.table[score].unstack("cutoff", sort=False).dropna(how="all")
    if table.empty:
        raise DataError(f"no model has a {score!r} in this backtest; without value=... there are no scores in money")
    ax = on_axes(
        ax, title="Tried on the past", x=WORDS.get(score, score.replace("_", " ").capitalize()), y="", grid="x"
    )
    places = range(len(table))
    for number, cutoff in enumerate(table.columns):
        colour = COLOURS[number % len(COLOURS)]
        ax.plot(table[cutoff], places, "o", color=colour, markersize=8, label=f"Until {cutoff:%Y-%m-%d}")
    if score in IDEAL:
        ax.axvline(IDEAL[score], color=QUIET, linestyle="--", linewidth=1.0)
    ax.set_yticks(list(places), table.index)
    ax.invert_yaxis()
    return drawn(ax, table, return_data=return_data)
