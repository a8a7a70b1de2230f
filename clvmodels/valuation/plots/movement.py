"""Why customer equity moved between two closings, as a waterfall."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clvmodels.style import Drawn, drawn, require
from clvmodels.valuation.movement import Movement
from clvmodels.valuation.plots.bars import bar_axes, cascade, draw_cascade, in_currency

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["waterfall"]


def waterfall(movement: Movement, *, grouped: bool = False, ax: Axes | None = None, return_data: bool = False) -> Drawn:
    """Draw why customer equity moved from one closing to the next: each line begins where the one before ended.

    Parameters
    ----------
    movement
        The movement.
    grouped
        Add up the lines of behaviour, of parameters and of assumptions.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table, without changes that are zero: ``line``, ``kind`` (``"balance"``, ``"subtotal"`` or ``"change"``),
        ``value``, and ``start`` and ``end`` of the bar.

    Raises
    ------
    DataError
        If `movement` is none.

    Examples
    --------
    >>> import clvmodels as clv
    >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> log, assumptions = clv.datasets.load_cdnow(sample=True), clv.Assumptions(discount_rate=0.15, margin=0.30)
    >>> how = {"value": "amount", "unit": "week", "resolution": "day"}
    >>> days = ("1997-09-30", "1998-06-30")
    >>> rfms = [clv.rfm_summary(log, **how, observation_end=day) for day in days]
    >>> books = [clv.value(transactions, spend, rfm, assumptions) for rfm in rfms]
    >>> ax, table = waterfall(clv.movement(*books), grouped=True, return_data=True)
    >>> table["line"].tolist()
    ['Opening', 'Unwind of the discount', 'Expected release', 'Expected closing', 'Behaviour', 'Closing']
    """
    require(movement, Movement, "a movement is expected here, as clv.movement(opening, closing) returns it")
    table = _bars(movement, grouped=grouped)
    assumptions = movement.closing.assumptions
    x = in_currency("Customer equity", assumptions.currency)
    ax = bar_axes(ax, table["line"].tolist(), title=f"Customer equity{_between(movement)}", x=x)
    draw_cascade(ax, table)
    return drawn(ax, table, return_data=return_data)


def _bars(movement: Movement, *, grouped: bool) -> pd.DataFrame:
    lines = movement.table
    if grouped:
        name = lines["line"].str.split(": ").str[0]
        lines = (
            lines.assign(line=name).groupby(name, sort=False).agg({"line": "first", "kind": "first", "value": "sum"})
        )
    scale = float(lines["value"].abs().max())
    # What is zero but for rounding would only make the picture longer.
    lines = lines[(lines["kind"] != "change") | (lines["value"].abs() > 1e-9 * scale)]
    return cascade(lines["line"].tolist(), lines["kind"].tolist(), lines["value"].to_numpy(dtype=np.float64))


def _between(movement: Movement) -> str:
    """Return from when to when, if both days are known, or else how long it lasted."""
    ends = [book.histories.observation_end for book in (movement.opening, movement.closing)]
    if all(end is not None for end in ends):
        return ", {} to {}".format(*(end.date() for end in ends if end is not None))
    return f" in {movement.time:.6g} {movement.opening.histories.unit}s"
