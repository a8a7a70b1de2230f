"""Predictions for customers by how often they bought, and how long ago they last did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.errors import DataError
from clvmodels.inference.hypothetical import alive_by_history, purchases_by_history
from clvmodels.inference.one_or_many import thinned
from clvmodels.inference.plots.inputs import is_transaction_fit
from clvmodels.style import MATRIX, TOTAL, Drawn, drawn, in_percent, letters, on_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.units import Duration

__all__ = ["alive_matrix", "purchases_matrix"]

DRAWS: Final = 400
"""Draws that a mean is taken over: enough for the eye."""
MOST_EXPLAINED: Final = 25
"""Up to this many rows, one is high enough for a line of text."""
ONCE: Final = "who bought once did so when acquired →"


def alive_matrix(
    fit: TransactionFit,
    *,
    T: Duration,
    most: int = 20,
    after: Duration = 0,
    steps: int = 52,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw P(alive) of customers of one age, by repeat purchases and time since the last purchase.

    Along the side stands the time *since* the last purchase: recency, as the models count it, is the age at the last
    purchase, T less that time. Customers without a repeat purchase bought last when they were acquired, so that their
    row has one cell: time T.

    Parameters
    ----------
    fit
        The fit; one of its segments, if it has any. Where it has draws, the mean over at most 400 of them is shown,
        evenly taken.
    T
        Age of the customers, such as ``"39 weeks"``: time since their first purchase.
    most
        The largest number of repeat purchases.
    after
        How much later they are to be alive.
    steps
        Number of columns.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``frequency``, ``time_since_last``, ``recency``, ``T``, ``probability_alive``.

    Raises
    ------
    DataError
        If T is zero, or `most` or `steps` is below one.
    FitError
        If the fit is one by segment, or no fit of transactions.

    Examples
    --------
    >>> import clvmodels as clv
    >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> ax, table = alive_matrix(fit, T="39 weeks", most=3, steps=39, return_data=True)
    >>> table.query("frequency == 2")["probability_alive"].iloc[[0, 8, 38]].round(3).tolist()
    [0.808, 0.726, 0.032]
    """
    age = _checked(fit, T, most, steps)
    later = fit.time(after)
    table = alive_by_history(thinned(fit, DRAWS), T=age, most=most, steps=steps, after=later)
    when = f" in {_duration_text(fit, later)}" if later else ""
    ax, bar = _matrix(ax, fit, table, "probability_alive", title=f"P(alive){when}", label="P(alive)")
    ax.collections[0].set_clim(0.0, 1.0)
    in_percent(bar.yaxis)
    return drawn(ax, table, return_data=return_data)


def purchases_matrix(
    fit: TransactionFit,
    t: Duration,
    *,
    T: Duration,
    most: int = 20,
    steps: int = 52,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw the expected purchases in the next `t`, by repeat purchases and time since the last purchase.

    Parameters
    ----------
    t
        The time ahead, such as ``"52 weeks"``.
    fit, T, most, steps, ax, return_data
        As of `alive_matrix`.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``frequency``, ``time_since_last``, ``recency``, ``T``, ``expected_purchases``.

    Raises
    ------
    DataError, FitError
        As `alive_matrix` does.

    Examples
    --------
    >>> import clvmodels as clv
    >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> purchases_matrix(fit, "52 weeks", T="39 weeks").get_xlabel()
    'Weeks since the last purchase'
    """
    age = _checked(fit, T, most, steps)
    ahead = fit.time(t)
    table = purchases_by_history(thinned(fit, DRAWS), ahead, T=age, most=most, steps=steps)
    title = f"purchases in the next {_duration_text(fit, ahead)}"
    ax, _ = _matrix(ax, fit, table, "expected_purchases", title=title, label="Expected purchases")
    return drawn(ax, table, return_data=return_data)


def _checked(fit: TransactionFit, T: Duration, most: int, steps: int) -> float:
    is_transaction_fit(fit)
    age = fit.time(T)
    if age <= 0.0 or most < 1 or steps < 1:
        raise DataError(f"T, most and steps must be positive, got T {age:g}, most {most}, steps {steps}")
    return age


def _duration_text(fit: TransactionFit, time: float) -> str:
    number = f"{time:.4g}"
    return f"{number} {fit.unit}{'s' * (number != '1')}"


def _matrix(
    ax: Axes | None, fit: TransactionFit, table: pd.DataFrame, what: str, *, title: str, label: str
) -> tuple[Axes, Axes]:
    """Draw a table of `history_grid` as coloured cells, blank where nobody can be; return those of the scale, too."""
    T, most = float(table["T"].iloc[0]), int(table["frequency"].max())
    steps = int((table["frequency"] == most).sum())
    cells = np.full((most + 1, steps), np.nan)
    cells[0, -1] = table[what].iloc[0]
    cells[1:] = table[what].iloc[1:].to_numpy().reshape(most, steps)
    title = f"{fit.model.name}: {title} of customers acquired {_duration_text(fit, T)} ago"
    ax = on_axes(ax, title=title, x=f"{fit.unit.capitalize()}s since the last purchase", y="Repeat purchases", grid="")
    mesh = ax.pcolormesh(np.linspace(0.0, T, steps + 1), np.arange(most + 2) - 0.5, cells, cmap=MATRIX)
    scale = ax.figure.colorbar(mesh, ax=ax, label=label)
    if most <= MOST_EXPLAINED and steps > 1 and letters(ax, 8.0) * (1.0 - 1.0 / steps) > len(ONCE):
        ax.text(0.99 * (T - T / steps), 0.0, ONCE, ha="right", va="center", fontsize=8, color=TOTAL)
    ax.locator_params(axis="y", integer=True)
    return ax, scale.ax
