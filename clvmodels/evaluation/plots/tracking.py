"""Repeat purchases over time, actual and expected, on one clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, get_args

from clvmodels.arguments import require_choice
from clvmodels.data.reading import Day, LogFormat
from clvmodels.errors import DataError
from clvmodels.evaluation.tracking import Kind, Tracking, tracking_of
from clvmodels.inference.one_or_many import OneOrMany
from clvmodels.inference.plots.inputs import transaction_fits
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.style import ACTUAL, QUIET, Drawn, band, drawn, in_counts, look, on_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from clvmodels.data.build import Returns
    from clvmodels.units import Duration

__all__ = ["draw_tracking", "tracking"]

COMPLETE: Final = 0.99
"""A last period shorter than this share of a period is not drawn among the others."""


def tracking(
    fits: OneOrMany[TransactionFit],
    log: object,
    *,
    kind: Kind = "cumulative",
    period: Duration = "week",
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    unit: str = "week",
    resolution: str | None = None,
    train_end: Day,
    test_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    attributes: Sequence[str] = (),
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw actual and expected repeat purchases of the customers of a training window, in it and after it.

    Parameters
    ----------
    fits, log, period, train_end, test_end
        As of `track`.
    kind
        ``"cumulative"``: until the end of each period. ``"incremental"``: in each period; a last one that is cut short
        is left out.
    customer_id, time, value, unit, resolution, returns, time_zone, time_format, attributes, order_id, quantity,
    exclude_ids, clean_ids
        The format of the log, as in `LogFormat`; `unit` is that of the fits.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model``, ``end`` and ``date`` of the period, ``actual``, ``expected``, and the 90 % band from
        ``lower`` to ``upper``, as of `track`.

    Raises
    ------
    DataError
        If `kind` is unknown, or as `track` does.
    FitError
        If something is no fit of transactions.
    UnitError
        If `unit` is not that of the fits.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> ax, table = tracking(fit, log, resolution="day", train_end="1997-09-30", test_end="1998-06-30",
    ...                      period="13 weeks", return_data=True)
    >>> table[["actual", "expected"]].iloc[-1].round(0).to_dict()
    {'actual': 4339.0, 'expected': 4166.0}
    """
    require_choice("kind", kind, get_args(Kind.__value__), DataError)
    reading = LogFormat(
        customer_id, time, value, unit, resolution, returns, time_zone, time_format,
        attributes, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    tracked = tracking_of(transaction_fits(fits), log, reading, train_end, test_end, period)
    return draw_tracking(tracked, kind, ax=ax, return_data=return_data)


def draw_tracking(tracked: Tracking, kind: Kind, *, ax: Axes | None, return_data: bool) -> Drawn:
    """Draw what `track` found."""
    require_choice("kind", kind, get_args(Kind.__value__), DataError)
    table = _drawn_table(tracked, kind)
    what = "Cumulative repeat purchases" if kind == "cumulative" else f"Repeat purchases per {_named(tracked)}"
    x = f"{tracked.unit.capitalize()}s since the first purchase of all"
    ax = on_axes(ax, title=what, x=x, y="Repeat purchases")
    for number, (name, rows) in enumerate(table.groupby("model", sort=False)):
        colour, _, line = look(number)
        if number == 0:
            ax.plot(rows["end"], rows["actual"], color=ACTUAL, linewidth=1.8, label="Actual", zorder=3)
        ax.plot(rows["end"], rows["expected"], line, color=colour, linewidth=1.8, label=str(name))
        band(ax, rows["end"], rows, colour)
    ax.axvline(tracked.train_end, color=QUIET, linestyle=":", label="End of training")
    in_counts(ax.yaxis)
    ax.set_ylim(bottom=0.0)
    ax.set_xlim(left=0.0)
    return drawn(ax, table, return_data=return_data)


def _drawn_table(tracked: Tracking, kind: Kind) -> pd.DataFrame:
    table = tracked.table
    numbers = ["actual", "expected", "lower", "upper"]
    if kind == "incremental":
        return table.loc[table["length"] >= COMPLETE * tracked.period, ["model", "end", "date", *numbers]]
    cumulative = [f"cumulative_{name}" for name in numbers]
    return table[["model", "end", "date", *cumulative]].rename(columns=dict(zip(cumulative, numbers, strict=True)))


def _named(tracked: Tracking) -> str:
    """Return the name of a period."""
    number = f"{tracked.period:.4g}"
    return tracked.unit if number == "1" else f"{number} {tracked.unit}s"
