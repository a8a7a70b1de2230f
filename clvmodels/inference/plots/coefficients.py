"""The coefficients of covariates and calendars, with what each of them multiplies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.inference.fit import Fit
from clvmodels.inference.one_or_many import OneOrMany, named_fits
from clvmodels.inference.processes import single_processes
from clvmodels.style import QUIET, Drawn, drawn, look, on_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["coefficients"]

INTERVAL: Final = "95 % interval"
SPREAD: Final = 0.6
"""The part of a row over which several fits lie one below the other."""
RATE_OF_LEAVING: Final = "beta"
"""The parameter that covariates of leaving move where leaving has a rate; elsewhere they move odds."""


def coefficients(fits: OneOrMany[Fit], *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
    """Draw the coefficients of a fit's covariates and calendar, with their 95 % intervals, beside zero: no effect.

    Beside each stands what it multiplies, and by how much: exp(coefficient), per unit of the column.

    Parameters
    ----------
    fits
        A fit, or several by the names they have in the picture; of transactions or of spend.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model``, ``process``, ``term``, the coefficient ``value`` with its interval from ``lower`` to
        ``upper`` as of ``fit.coefficients`` (missing where the data do not bound it), and ``factor``, the exp of the
        coefficient, of what ``multiplies`` names.

    Raises
    ------
    FitError
        If something is no fit, or has neither covariates nor a calendar.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, resolution="day", observation_end="1998-06-30")
    >>> fit = clv.BGNBD(calendar=clv.Calendar.seasons({"winter": ("11-15", "12-31")})).fit(rfm)
    >>> ax, table = coefficients(fit, return_data=True)
    >>> table[["process", "term", "multiplies"]].iloc[0].to_list()
    ['purchase', 'winter', 'purchase rate']
    """
    import pandas as pd

    by_name = named_fits(fits)
    table = pd.concat([_table(name, fit) for name, fit in by_name.items()], ignore_index=True)
    rows = list(dict.fromkeys(zip(table["process"], table["term"], table["multiplies"], strict=True)))
    place = {row: number for number, row in enumerate(rows)}
    ax = on_axes(ax, title="What moves customers", x="Coefficient (zero: no effect)", y="", grid="x")
    ax.axvline(0.0, color=QUIET, linestyle="--", linewidth=1.0)
    offsets = SPREAD * (np.arange(len(by_name)) - (len(by_name) - 1) / 2.0) / len(by_name)
    for number, (name, offset) in enumerate(zip(by_name, offsets, strict=True)):
        of_fit = table[table["model"] == name]
        at = [place[row] for row in zip(of_fit["process"], of_fit["term"], of_fit["multiplies"], strict=True)]
        colour, marker, _ = look(number)
        label = name if len(by_name) > 1 else "Estimate"
        ax.hlines(np.array(at) + offset, of_fit["lower"], of_fit["upper"], color=colour, linewidth=1.6)
        ax.plot(of_fit["value"], np.array(at) + offset, marker, color=colour, markersize=6, label=label)
    ax.plot([], [], color=QUIET, linewidth=1.6, label=INTERVAL)
    ax.set_yticks(range(len(rows)), [_in_words(table, row) for row in rows])
    ax.tick_params(axis="y", length=0.0)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    return drawn(ax, table, return_data=return_data, above=True)


def _table(name: str, fit: Fit) -> pd.DataFrame:
    """Return the rows of a fit."""
    columns = {"estimate": "value", "low": "lower", "high": "upper"}
    table = fit.coefficients.reset_index().rename(columns=columns)[["process", "term", *columns.values()]]
    table.insert(0, "model", name)
    effects = fit.model.effects
    multiplied = {process: _multiplied(process, effects) for process in table["process"].unique()}
    return table.assign(factor=np.exp(table["value"]), multiplies=table["process"].map(multiplied))


def _multiplied(process: str, effects: Mapping[str, Sequence[tuple[str, int]]]) -> str:
    """Return in words what covariates of a process multiply.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> [_multiplied("dropout", MODELS[key].effects) for key in ("bg_nbd", "pareto_nbd")]
    ['odds of leaving', 'rate of leaving']
    >>> _multiplied("purchase + dropout", MODELS["bg_nbd"].effects)
    'purchase rate and odds of leaving'
    """
    several = single_processes(process)
    if len(several) > 1:
        return " and ".join(_multiplied(each, effects) for each in several)
    if process == "dropout":
        moved = {parameter for parameter, _ in effects[process]}
        return "rate of leaving" if RATE_OF_LEAVING in moved else "odds of leaving"
    return {"purchase": "purchase rate", "spend": "value of an order"}[process]


def _in_words(table: pd.DataFrame, row: tuple[str, str, str]) -> str:
    """Return the term of a row and, below it, what it multiplies and by how much in each fit."""
    process, term, multiplies = row
    same = (table["process"] == process) & (table["term"] == term) & (table["multiplies"] == multiplies)
    factors = ", ".join(f"{factor:.3g}" for factor in table.loc[same, "factor"])
    return f"{term}\n{multiplies} × {factors}"
