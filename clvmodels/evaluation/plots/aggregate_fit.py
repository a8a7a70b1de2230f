"""Many customers at once: how many bought how often, and what groups of them did in the holdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.data.holdout import Holdout
from clvmodels.evaluation import aggregate_fit
from clvmodels.evaluation.aggregate_fit import By
from clvmodels.inference.one_or_many import OneOrMany
from clvmodels.inference.plots.inputs import is_histories, transaction_fits
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.style import ACTUAL, Drawn, drawn, in_counts, look, on_axes, require, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["conditional_expectation", "frequency_fit"]

WIDTH: Final = 0.8
"""Of a group of bars."""


def frequency_fit(
    fits: OneOrMany[TransactionFit],
    histories: Histories,
    *,
    most: int = 7,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw how many customers have 0, 1, 2, ... repeat purchases, and how many each model expects.

    Parameters
    ----------
    fits
        A fit, or several by the names they have in the picture.
    histories
        The customers, in the unit of the fits.
    most
        The last class is of customers with so many repeat purchases or more.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: by ``model`` and ``frequency`` (as ``bin``, the last one as ``7+``), ``actual`` and ``expected``
        customers, and the 90 % interval from ``lower`` to ``upper``.

    Raises
    ------
    DataError
        If `most` is below one, there are no customers, or `histories` are none.
    FitError
        If something is no fit of transactions.
    UnitError
        If the histories are not in the unit of the fits.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
    >>> ax, table = frequency_fit(clv.BGNBD().fit(rfm), rfm, return_data=True)
    >>> round(float(((table["actual"] - table["expected"]) ** 2 / table["expected"]).sum()), 2)
    4.82
    """
    is_histories(histories)
    table = aggregate_fit.frequency_fit(transaction_fits(fits), histories, most=most)
    ax = on_axes(ax, title="Customers by number of repeat purchases", x="Repeat purchases", y="Customers")
    models = list(table.groupby("model", sort=False))
    width = WIDTH / (len(models) + 1)
    place = np.arange(most + 1) - 0.5 * (WIDTH - width)
    ax.bar(place, models[0][1]["actual"], width, color=ACTUAL, label="Actual")
    for number, (name, rows) in enumerate(models):
        place = place + width
        ax.bar(place, rows["expected"], width, color=look(number).colour, label=str(name))
        whiskers(ax, place, rows, "expected", ACTUAL)
    ax.set_xticks(range(most + 1), table["bin"].iloc[: most + 1].tolist())
    in_counts(ax.yaxis)
    return drawn(ax, table, return_data=return_data)


def conditional_expectation(
    fits: OneOrMany[TransactionFit],
    holdout: Holdout,
    *,
    by: By = "frequency",
    most: int = 7,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw mean purchases in a holdout by what the customers did before it, actual and expected.

    Parameters
    ----------
    fits
        Fits to the training histories: one, or several by the names they have in the picture.
    holdout
        From `rfm_train_test_split`.
    by
        ``"frequency"``, ``"recency"`` (age at the last purchase) or ``"time_since_last"`` (from the last purchase to
        the end of training).
    most
        The last class of frequency is of customers with so many repeat purchases or more.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: by ``model`` and ``bin`` the number of ``customers``; mean purchases, ``actual`` with a 90 % interval
        from ``lower`` to ``upper``, and ``expected``.

    Raises
    ------
    DataError
        If `by` is unknown, `most` below one, or `holdout` is none.
    FitError
        If something is no fit of transactions.
    UnitError
        If the holdout is not in the unit of the fits.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> train, holdout = clv.rfm_train_test_split(log, resolution="day", train_end="1997-09-30", test_end="1998-06-30")
    >>> ax = conditional_expectation(clv.BGNBD().fit(train), holdout, by="time_since_last")
    >>> ax.get_xlabel()
    'Weeks since the last purchase (number of customers)'
    """
    require(holdout, Holdout, "a holdout is expected here, the second value of clv.rfm_train_test_split(log, ...)")
    table = aggregate_fit.conditional_expectation(transaction_fits(fits), holdout, by=by, most=most)
    units = f"{holdout.unit}s"
    x = {
        "frequency": "Repeat purchases in training",
        "recency": f"Age at the last purchase, {units}",
        "time_since_last": f"{units.capitalize()} since the last purchase",
    }[by]
    title = f"Purchases in the {holdout.duration:.4g} {units} after training"
    ax = on_axes(ax, title=title, x=f"{x} (number of customers)", y="Mean purchases of a customer")
    for number, (name, rows) in enumerate(table.groupby("model", sort=False)):
        place = np.arange(len(rows))
        if number == 0:
            ax.plot(place, rows["actual"], "o-", color=ACTUAL, linewidth=1.8, markersize=5, label="Actual", zorder=3)
            whiskers(ax, place, rows, "actual", ACTUAL)
            words = rows["bin"].str.replace(" ", "\n")
            ax.set_xticks(place, [f"{bin_}\n({n:,})" for bin_, n in zip(words, rows["customers"], strict=True)])
        colour, marker, _ = look(number)
        ax.plot(place, rows["expected"], f"{marker}--", color=colour, linewidth=1.8, markersize=5, label=str(name))
    ax.set_ylim(bottom=0.0)
    return drawn(ax, table, return_data=return_data)
