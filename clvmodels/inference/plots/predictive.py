"""What the priors say before any data, and whether data made by a fit look like those it was fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import DataError, FitError
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.inference.one_or_many import OneOrMany
from clvmodels.inference.plots.inputs import is_histories, transaction_fits
from clvmodels.inference.predictive import observed_shares, replicated_by_fit, replicated_by_priors
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import TransactionModel
from clvmodels.style import ACTUAL, Drawn, drawn, in_percent, look, on_axes, require, whiskers

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["posterior_predictive", "prior_predictive"]

WIDTH: Final = 0.6
"""Of the group of marks of one number of purchases."""


def prior_predictive(
    estimator: TransactionEstimator,
    histories: Histories,
    *,
    most: int = 7,
    draws: int = 200,
    seed: int = 0,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw what the priors of a model say about customers before their purchases are seen, beside the observed ones.

    Parameters are drawn from the priors, and purchases of customers of the observed ages simulated under each. Marks
    are medians, and intervals hold 90 % of the simulated data. Priors that rule out what is plausible have narrow
    intervals in the wrong place.

    Parameters
    ----------
    estimator
        A model of transactions with its priors, such as ``clv.BGNBD(priors=...)``; what is not given has the default.
    histories
        The customers: their ages are taken, and their purchases compared.
    most
        The last group: this many repeat purchases or more.
    draws, seed
        Data sets simulated, and the seed that reproduces them.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model``, ``frequency`` (as ``bin``, the last one as ``7+``), and the share of customers with it:
        ``actual``, and of simulated data the median ``expected`` and the 90 % interval from ``lower`` to ``upper``.

    Raises
    ------
    DataError
        If there are no histories, or `most` or `draws` is below one.
    FitError
        If `estimator` is no model of orders.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
    >>> ax, table = prior_predictive(clv.BGNBD(), rfm, draws=20, return_data=True)
    >>> table["actual"].iloc[:3].round(3).tolist()
    [0.599, 0.186, 0.091]
    """
    _check(histories, most, draws)
    model = "a model with its priors is expected here, such as clv.BGNBD(priors=...)"
    require(estimator, TransactionEstimator, model, FitError)
    require(estimator.model, TransactionModel, model, FitError)
    simulated = replicated_by_priors(estimator, histories, most=most, draws=draws, seed=seed)
    name = f"Priors of {estimator.model.name}"
    return _picture({name: simulated.table()}, histories, most, "What the priors expect", ax, return_data=return_data)


def posterior_predictive(
    fits: OneOrMany[TransactionFit],
    histories: Histories,
    *,
    most: int = 7,
    draws: int = 200,
    seed: int = 0,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw how often customers would have bought under a fit, beside how often they did.

    Purchases of customers of the observed ages are simulated under draws of the parameters. Intervals hold 90 % of the
    simulated data: an observed share outside is one that the model would hardly have produced. Under a point estimate
    the simulated data differ by chance alone.

    Parameters
    ----------
    fits
        A fit, or several by the names they have in the picture.
    histories
        The customers that the fit is about.
    most, draws, seed, ax, return_data
        As of `prior_predictive`; of more than 20,000 customers as many are simulated, evenly picked by age.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table, as that of `prior_predictive`.

    Raises
    ------
    DataError
        As `prior_predictive` does.
    FitError
        If something is no fit of transactions.
    UnitError
        If the histories are not in the unit of a fit.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
    >>> ax, table = posterior_predictive(clv.BGNBD().fit(rfm), rfm, draws=50, return_data=True)
    >>> table[["actual", "expected"]].round(2).iloc[0].to_dict()
    {'actual': 0.6, 'expected': 0.59}
    """
    _check(histories, most, draws)
    tables = {
        name: replicated_by_fit(fit, histories, most=most, draws=draws, seed=seed).table()
        for name, fit in transaction_fits(fits).items()
    }
    return _picture(tables, histories, most, "Repeat purchases, actual and simulated", ax, return_data=return_data)


def _check(histories: Histories, most: int, draws: int) -> None:
    is_histories(histories)
    if not len(histories) or most < 1 or draws < 1:
        raise DataError(
            f"customers, most and draws are numbers from one up, got {len(histories):,}, {most} and {draws}"
        )


def _picture(
    simulated: Mapping[str, pd.DataFrame],
    histories: Histories,
    most: int,
    title: str,
    ax: Axes | None,
    *,
    return_data: bool,
) -> Drawn:
    """Draw actual shares as bars, and simulated ones as marks with intervals."""
    import pandas as pd

    shares, bins = observed_shares(histories, most), [*map(str, range(most)), f"{most}+"]
    names = {"q50": "expected", "q05": "lower", "q95": "upper"}
    tables = [
        summary.rename(columns=names).assign(model=name, bin=bins, actual=shares) for name, summary in simulated.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    table = table[["model", "frequency", "bin", "actual", *names.values()]]
    ax = on_axes(ax, title=title, x="Repeat purchases", y="Share of customers")
    ax.bar(np.arange(most + 1), shares, width=0.8, color=ACTUAL, alpha=0.3, label="Actual")
    for k, (name, rows) in enumerate(table.groupby("model", sort=False)):
        at = rows["frequency"] + WIDTH * ((k + 0.5) / len(simulated) - 0.5)
        colour, marker, _ = look(k)
        ax.plot(at, rows["expected"], marker, color=colour, markersize=5, label=str(name))
        whiskers(ax, at, rows, "expected", colour)
    ax.set_xticks(range(most + 1), bins)
    ax.set_ylim(bottom=0.0)
    in_percent(ax.yaxis)
    return drawn(ax, table, return_data=return_data)
