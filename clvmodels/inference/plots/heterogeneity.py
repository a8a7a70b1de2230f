"""How different customers are, in how often they buy and how easily they leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from clvmodels.errors import FitError, one_of
from clvmodels.inference.heterogeneity import Of, Trait, trait_of
from clvmodels.inference.hypothetical import require_one_population
from clvmodels.inference.one_or_many import OneOrMany, thinned
from clvmodels.inference.plots.inputs import transaction_fits
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.style import Drawn, band, drawn, in_percent, look, on_axes
from clvmodels.units import DAYS, parse_unit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["heterogeneity"]

DRAWS: Final = 100
"""Draws that a band is taken from."""
POINTS: Final = 201
SHOWN: Final = 0.98
"""Share of the customers whose rates lie within the picture."""
TITLES: Final[dict[Of, str]] = {"purchase_rate": "How often customers buy", "dropout": "How easily customers leave"}


def heterogeneity(
    fits: OneOrMany[TransactionFit],
    *,
    of: Of = "purchase_rate",
    per: str = "year",
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw how customers who have just been acquired differ: the share of them above each value.

    Parameters
    ----------
    fits
        A fit, or several by the names they have in the picture; one of its segments, if a fit has any.
    of
        ``"purchase_rate"``: how often they buy while alive. ``"dropout"``: how easily they leave; a chance at each
        purchase, or a rate, as the model has it.
    per
        The unit of time that rates are per.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model``, ``value``, and ``share`` of customers above it, with its 90 % band from ``lower`` to
        ``upper`` over (at most 100) draws; missing where the fit has no draws.

    Raises
    ------
    FitError
        If something is no fit of transactions, `of` is none of these, a model has no such trait, it is a chance in one
        model and a rate in another, or a fit is one by segment.
    UnitError
        If `per` is no unit.

    Examples
    --------
    >>> import clvmodels as clv
    >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> ax, table = heterogeneity(fit, return_data=True)
    >>> table.iloc[[0, 100, 200]].round(3)[["value", "share"]]
          value  share
    0     0.000  1.000
    100   5.493  0.159
    200  21.974  0.020
    """
    import pandas as pd

    if of not in get_args(Of):
        raise FitError(one_of("of", of, get_args(Of)))
    unit, by_name = parse_unit(per), transaction_fits(fits)
    trait = _common({name: trait_of(fit.model, of) for name, fit in by_name.items()})
    columns = {}
    for name, fit in by_name.items():
        require_one_population(fit, what="customers")
        columns[name] = trait.columns(fit.model, thinned(fit, DRAWS).draws, DAYS[unit] / DAYS[fit.unit])
    end = max(float(trait.quantile(first, second, SHOWN).max()) for first, second in columns.values())
    steps = np.linspace(0.0, 1.0, POINTS) ** 2  # close together where shares fall fast
    value = (end if trait.is_rate else 1.0) * steps
    table = pd.concat([_shares(name, trait, two, value) for name, two in columns.items()], ignore_index=True)
    ax = on_axes(ax, title=TITLES[of], x=trait.meaning.format(unit=unit), y="Share of customers above", grid="both")
    for k, name in enumerate(by_name):
        rows, (colour, _, line) = table[table["model"] == name], look(k)
        ax.plot(rows["value"], rows["share"], line, color=colour, linewidth=1.8, label=name)
        band(ax, rows["value"], rows, colour)
    ax.set_xlim(0.0, value[-1])
    ax.set_ylim(0.0, 1.0)
    in_percent(ax.yaxis)
    if not trait.is_rate:
        in_percent(ax.xaxis)
    return drawn(ax, table, return_data=return_data)


def _common(traits: Mapping[str, Trait]) -> Trait:
    """Return the trait of all fits, which is to be one."""
    meanings = {trait.meaning.format(unit="time").lower(): name for name, trait in traits.items()}
    if len(meanings) > 1:
        text = "; ".join(f"{name}: {meaning}" for meaning, name in meanings.items())
        raise FitError(f"these do not go on one axis ({text}); draw the fits apart")
    return next(iter(traits.values()))


def _shares(name: str, trait: Trait, columns: tuple[np.ndarray, np.ndarray], value: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    shares = trait.above(columns[0][:, None], columns[1][:, None], value)
    low, high = np.quantile(shares, [0.05, 0.95], axis=0) if len(shares) > 1 else (np.nan, np.nan)
    table = pd.DataFrame({"value": value, "share": shares.mean(axis=0), "lower": low, "upper": high})
    table.insert(0, "model", name)
    return table
