"""What customers spend on an order: how it varies over customers, and how far what was seen of one counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import DataError
from clvmodels.inference.hypothetical import require_one_population
from clvmodels.inference.one_or_many import OneOrMany, thinned
from clvmodels.inference.plots.inputs import is_histories, is_spend_fit, spend_fits
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.spend_shape import (
    density_of_mean_spend,
    expected_by_observed,
    observed_density,
    repeat_buyers,
    usual_frequencies,
)
from clvmodels.style import ACTUAL, QUIET, Drawn, band, drawn, look, on_axes, shades

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["conditional_spend", "spend_density"]

DRAWS: Final = 100
"""Draws that a band is taken from."""
POINTS: Final = 50
SHOWN: Final = 0.99
"""Share of the customers whose mean spend lies within the picture."""


def spend_density(
    fits: OneOrMany[SpendFit],
    histories: Histories,
    *,
    bins: int = 60,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw how mean spend is distributed over customers with a repeat purchase: observed, and under a model.

    A model's density is that of the mean of x orders, averaged over the customers' x: what the histogram would become
    with very many customers, if the model were true. The picture ends at the 99 % quantile of what was observed.

    Parameters
    ----------
    fits
        A fit, or several by the names they have in the picture.
    histories
        The customers; those without a repeat purchase of positive value are left out.
    bins
        Number of bins.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model``, ``left`` and ``right`` (edges of the bin), and mean densities in it: ``actual``, and
        ``expected`` with its 90 % band from ``lower`` to ``upper`` over (at most 100) draws; missing where the fit has
        no draws.

    Raises
    ------
    DataError
        If no customer has a repeat purchase of positive value, or `bins` is below one.
    FitError
        If a fit is one by segment, or no fit of spend.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", resolution="day", observation_end="1997-09-30")
    >>> fit = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> ax, table = spend_density(fit, rfm, bins=4, return_data=True)
    >>> table[["actual", "expected"]].round(4).iloc[0].to_dict()
    {'actual': 0.0177, 'expected': 0.0175}
    """
    import pandas as pd

    if bins < 1:
        raise DataError(f"bins is a number from one up, got {bins}")
    is_histories(histories)
    x, spend = repeat_buyers(histories)
    edges = np.linspace(0.0, float(np.quantile(spend, SHOWN)), bins + 1)
    actual = observed_density(spend, edges)
    tables = [_densities(name, fit, x, edges, actual) for name, fit in spend_fits(fits).items()]
    table = pd.concat(tables, ignore_index=True)
    ax = on_axes(ax, title="Mean spend of repeat buyers", x="Mean value of a repeat order", y="Density of customers")
    ax.bar(edges[:-1], actual, np.diff(edges), align="edge", color=ACTUAL, alpha=0.3, label="Actual")
    for number, (name, rows) in enumerate(table.groupby("model", sort=False)):
        middle, (colour, _, line) = (rows["left"] + rows["right"]) / 2.0, look(number)
        ax.plot(middle, rows["expected"], line, color=colour, linewidth=1.8, label=str(name))
        band(ax, middle, rows, colour)
    ax.set_xlim(0.0, edges[-1])
    return drawn(ax, table, return_data=return_data)


def _densities(name: str, fit: SpendFit, x: np.ndarray, edges: np.ndarray, actual: np.ndarray) -> pd.DataFrame:
    """Return densities by bin as rows of the picture's table."""
    import pandas as pd

    require_one_population(fit, what="densities of spend")
    values = density_of_mean_spend(fit.model, thinned(fit, DRAWS).draws, x, edges)
    lower, upper = np.quantile(values, [0.05, 0.95], axis=0) if len(values) > 1 else (np.nan, np.nan)
    columns = {"left": edges[:-1], "right": edges[1:], "actual": actual, "expected": values.mean(axis=0)}
    table = pd.DataFrame(columns | {"lower": lower, "upper": upper})
    table.insert(0, "model", name)
    return table


def conditional_spend(
    fit: SpendFit,
    histories: Histories,
    *,
    frequencies: Sequence[int] | None = None,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw the expected value of a customer's next order against the mean of those they made.

    The fewer orders were seen, the flatter the line: their mean counts less, and that of the population more.

    Parameters
    ----------
    fit
        The fit; one of its segments, if it has any.
    histories
        The customers: they give the range of mean spend, and of the number of repeat purchases.
    frequencies
        Numbers of repeat purchases, a line each; None: a few round numbers.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``frequency`` (0: the population), ``monetary_value`` observed, and ``expected_spend`` with its 90 %
        band from ``lower`` to ``upper`` over draws; missing where the fit has no draws.

    Raises
    ------
    DataError
        If no customer has a repeat purchase of positive value, or a frequency is below one.
    FitError
        If the fit is one by segment, or no fit of spend.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", resolution="day", observation_end="1997-09-30")
    >>> fit = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> ax, table = conditional_spend(fit, rfm, frequencies=[1, 10], return_data=True)
    >>> table.groupby("frequency")["expected_spend"].max().round(2).to_dict()
    {0.0: 35.22, 1.0: 132.34, 10.0: 169.05}
    """
    is_spend_fit(fit)
    is_histories(histories)
    x, spend = repeat_buyers(histories)
    wanted = usual_frequencies(x) if frequencies is None else tuple(frequencies)
    if not wanted or min(wanted) < 1:
        raise DataError(f"frequencies are numbers of repeat purchases from one up, got {wanted}")
    observed = np.linspace(0.0, float(np.quantile(spend, SHOWN)), POINTS)
    names = {"mean": "expected_spend", "q05": "lower", "q95": "upper"}
    table = expected_by_observed(fit, wanted, observed).rename(columns=names)
    if len(fit.draws) == 1:
        table[["lower", "upper"]] = np.nan
    ax = on_axes(
        ax,
        title=f"{fit.model.name}: what was spent, and what is expected",
        x="Observed mean value of a repeat order",
        y="Expected value of an order",
        grid="both",
    )
    _lines(ax, table, wanted)
    return drawn(ax, table, return_data=return_data)


def _lines(ax: Axes, table: pd.DataFrame, wanted: Sequence[int]) -> None:
    end = float(table["monetary_value"].max())
    for frequency, colour in zip(wanted, shades(len(wanted)), strict=True):
        rows = table[table["frequency"] == frequency]
        label = "1 repeat purchase" if frequency == 1 else f"{frequency} repeat purchases"
        ax.plot(rows["monetary_value"], rows["expected_spend"], color=colour, linewidth=1.8, label=label)
        band(ax, rows["monetary_value"], rows, colour)
    population = table.loc[table["frequency"] == 0, "expected_spend"].iloc[0]
    ax.plot([0.0, end], [population, population], ":", color=ACTUAL, label=f"Mean of all customers, {population:,.2f}")
    ax.plot([0.0, end], [0.0, end], "--", color=QUIET, label="As observed")
    ax.set_xlim(0.0, end)
