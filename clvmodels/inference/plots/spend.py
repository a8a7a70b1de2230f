"""What customers spend on an order: how it varies over customers, and how far what was seen of one counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import DataError
from clvmodels.inference.imagined import require_one_population
from clvmodels.inference.several import Several, named, thinned
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.spend_shape import (
    density_of_mean_spend,
    expected_by_observed,
    observed_density,
    repeat_buyers,
    usual_frequencies,
)
from clvmodels.style import ACTUAL, BAND, COLOURS, MATRIX, QUIET, Drawn, drawn, on_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["conditional_spend", "spend_density"]

DRAWS: Final = 100
"""Draws that a band is taken from."""
POINTS: Final = 50
SHOWN: Final = 0.99
"""Share of the customers whose mean spend lies within the picture."""
OBSERVED: Final = "Observed"


def spend_density(
    fits: Several[SpendFit],
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
        The table: ``series`` ("Observed", or the name of a fit), ``low`` and ``high`` (edges of the bin), ``density``
        (its mean in the bin), and ``q05``, ``q95`` over (at most 100) draws; NaN for what was observed.

    Raises
    ------
    DataError
        If no customer has a repeat purchase of positive value, or `bins` is below one.
    FitError
        If a fit is one by segment.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", resolution="day", observation_end="1997-09-30")
    >>> fit = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> ax, table = spend_density(fit, rfm, bins=4, return_data=True)
    >>> table.pivot_table(index="high", columns="series", values="density").round(4).iloc[0].to_dict()
    {'Gamma-Gamma': 0.0175, 'Observed': 0.0177}
    """
    import pandas as pd

    if bins < 1:
        raise DataError(f"bins is a number from one up, got {bins}")
    x, spend = repeat_buyers(histories)
    edges = np.linspace(0.0, float(np.quantile(spend, SHOWN)), bins + 1)
    some = named(fits)
    table = pd.concat(
        [
            _binned(OBSERVED, edges, observed_density(spend, edges)[None], with_band=False),
            *(_binned(name, edges, _density(fit, x, edges), with_band=True) for name, fit in some.items()),
        ],
        ignore_index=True,
    )
    ax = on_axes(ax, title="Mean spend of repeat buyers", x="Mean value of a repeat order", y="Density of customers")
    _histogram(ax, table[table["series"] == OBSERVED])
    for k, name in enumerate(some):
        _curve(ax, table[table["series"] == name], name, COLOURS[k % len(COLOURS)])
    ax.set_xlim(0.0, edges[-1])
    return drawn(ax, table, return_data=return_data)


def _density(fit: SpendFit, x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    require_one_population(fit, what="densities of spend")
    return density_of_mean_spend(fit.model, thinned(fit, DRAWS).draws, x, edges)


def _binned(name: str, edges: np.ndarray, values: np.ndarray, *, with_band: bool) -> pd.DataFrame:
    """Return densities by draw and bin as rows of the picture's table."""
    import pandas as pd

    q05, q95 = np.quantile(values, [0.05, 0.95], axis=0) if with_band else (np.nan, np.nan)
    columns = {"low": edges[:-1], "high": edges[1:], "density": values.mean(axis=0), "q05": q05, "q95": q95}
    table = pd.DataFrame(columns)
    table.insert(0, "series", name)
    return table


def _histogram(ax: Axes, table: pd.DataFrame) -> None:
    width = table["high"] - table["low"]
    ax.bar(table["low"], table["density"], width, align="edge", color=QUIET, alpha=0.55, label=OBSERVED)


def _curve(ax: Axes, table: pd.DataFrame, name: str, colour: str) -> None:
    middle = (table["low"] + table["high"]) / 2.0
    ax.plot(middle, table["density"], color=colour, linewidth=1.8, label=name)
    ax.fill_between(middle, table["q05"], table["q95"], color=colour, alpha=BAND, linewidth=0)


def conditional_spend(
    fit: SpendFit,
    histories: Histories,
    *,
    frequencies: Sequence[int] | None = None,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw the expected value of a customer's next order against the mean of those he made.

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
        The table: ``frequency`` (0: the population), ``monetary_value`` observed, and ``mean``, ``q05``, ``q95`` of the
        expectation over draws.

    Raises
    ------
    DataError
        If no customer has a repeat purchase of positive value, or a frequency is below one.
    FitError
        If the fit is one by segment.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", resolution="day", observation_end="1997-09-30")
    >>> fit = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> ax, table = conditional_spend(fit, rfm, frequencies=[1, 10], return_data=True)
    >>> table.groupby("frequency")["mean"].max().round(2).to_dict()
    {0.0: 35.22, 1.0: 132.34, 10.0: 169.05}
    """
    x, spend = repeat_buyers(histories)
    wanted = usual_frequencies(x) if frequencies is None else tuple(frequencies)
    if not wanted or min(wanted) < 1:
        raise DataError(f"frequencies are numbers of repeat purchases from one up, got {wanted}")
    table = expected_by_observed(fit, wanted, np.linspace(0.0, float(np.quantile(spend, SHOWN)), POINTS))
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
    from matplotlib import colormaps

    end = float(table["monetary_value"].max())
    for frequency, shade in zip(wanted, np.linspace(0.85, 0.05, len(wanted)), strict=True):
        some, colour = table[table["frequency"] == frequency], colormaps[MATRIX](shade)
        label = "1 repeat purchase" if frequency == 1 else f"{frequency} repeat purchases"
        ax.plot(some["monetary_value"], some["mean"], color=colour, linewidth=1.8, label=label)
        ax.fill_between(some["monetary_value"], some["q05"], some["q95"], color=colour, alpha=BAND, linewidth=0)
    population = table.loc[table["frequency"] == 0, "mean"].iloc[0]
    ax.plot([0.0, end], [population, population], ":", color=ACTUAL, label=f"Mean of all customers, {population:,.2f}")
    ax.plot([0.0, end], [0.0, end], "--", color=QUIET, label="As observed")
