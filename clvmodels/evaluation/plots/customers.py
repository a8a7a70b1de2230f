"""Customers one by one: whether probabilities come true, and whether the best ones were found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from clvmodels.data.columns import count, examples
from clvmodels.errors import DataError
from clvmodels.evaluation.gains import gains
from clvmodels.evaluation.reliability import reliability
from clvmodels.style import ACTUAL, QUIET, Drawn, drawn, in_percent, look, on_axes, require, whiskers

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["calibration", "lift"]

FORESIGHT: Final = "Perfect foresight"
ALONE: Final = "Predictions"
"""The name of predictions, or scores, that are given without one."""


def calibration(
    predicted: pd.Series[Any] | Mapping[str, pd.Series[Any]],
    happened: pd.Series[Any],
    *,
    bins: int = 10,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw predicted probabilities, such as those of any purchase, against how often it happened.

    Parameters
    ----------
    predicted
        Probabilities by customer_id; several by the names they have in the picture.
    happened
        Whether it happened, by customer_id.
    bins
        Number of bins of equal size that the customers are put into by their probability.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: by ``model`` and bin the number of ``customers``, their mean probability ``expected``, the share
        ``actual`` to whom it happened, and its 90 % interval from ``lower`` to ``upper``.

    Raises
    ------
    DataError
        If the customers of the two are not the same, a probability lies outside [0, 1], or something is no Series.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> train, holdout = clv.rfm_train_test_split(log, resolution="day", train_end="1997-09-30", test_end="1998-06-30")
    >>> nothing = clv.BGNBD().fit(train).probability_of_purchases(train, holdout.duration, 0)["mean"]
    >>> ax, table = calibration(1 - nothing, holdout.to_frame()["frequency"] > 0, bins=5, return_data=True)
    >>> table[["expected", "actual"]].round(2).iloc[-1].to_dict()
    {'expected': 0.61, 'actual': 0.68}
    """
    import pandas as pd

    tables = [
        reliability(probability, event, bins).assign(model=name)
        for name, (probability, event) in _aligned(predicted, happened).items()
    ]
    table = pd.concat(tables, ignore_index=True)
    size = round(float(table["customers"].mean()))
    x = f"Predicted probability (bins of about {count(size, 'customer')})"
    ax = on_axes(ax, title="Do predicted probabilities come true?", x=x, y="Share to whom it happened", grid="both")
    for number, (name, rows) in enumerate(table.groupby("model", sort=False)):
        colour, marker, _ = look(number)
        ax.plot(rows["expected"], rows["actual"], f"{marker}-", color=colour, linewidth=1.0, label=str(name))
        whiskers(ax, rows["expected"], rows, "actual", colour)
    ax.plot([0.0, 1.0], [0.0, 1.0], color=QUIET, linestyle="--", linewidth=1.0, label="Predicted = actual")
    _percent(ax, highest=float(table[["expected", "upper"]].to_numpy().max()))
    return drawn(ax, table[["model", *table.columns.drop("model")]], return_data=return_data)


def lift(
    score: pd.Series[Any] | Mapping[str, pd.Series[Any]],
    outcome: pd.Series[Any],
    *,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw the share of an outcome, such as holdout revenue, that the top customers by a score make.

    Parameters
    ----------
    score
        The greater, the better the customer is thought to be, by customer_id; several by the names they have in the
        picture.
    outcome
        What the customers made, by customer_id; its name is that of the axis.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: by ``model`` (the last one is perfect foresight) ``share_of_customers``, from the best down, and the
        ``share`` of the outcome that they make.

    Raises
    ------
    DataError
        If the customers of the two are not the same, a number is unknown, there is no outcome, or something is no
        Series.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> train, holdout = clv.rfm_train_test_split(log, value="amount", resolution="day", train_end="1997-09-30",
    ...                                           test_end="1998-06-30")
    >>> expected = clv.BGNBD().fit(train).expected_purchases(train, holdout.duration)["mean"]
    >>> ax, table = lift({"BG/NBD": expected}, holdout.to_frame()["revenue"], return_data=True)
    >>> table[table["share_of_customers"] == 0.2].set_index("model")["share"].round(3).to_dict()
    {'BG/NBD': 0.628, 'Perfect foresight': 0.943}
    """
    import pandas as pd

    aligned = _aligned(score, outcome)
    curves = {name: gains(ranking, made) for name, (ranking, made) in aligned.items()}
    made = next(iter(aligned.values()))[1]
    curves[FORESIGHT] = gains(made, made)
    table = pd.concat([curve.assign(model=name) for name, curve in curves.items()], ignore_index=True)
    what = outcome.name if isinstance(outcome.name, str) else "outcome"
    ax = on_axes(
        ax,
        title=f"Share of {what} made by the top customers",
        x="Share of customers",
        y=f"Share of {what}",
        grid="both",
    )
    for number, (name, curve) in enumerate(curves.items()):
        colour, _, line = look(number)
        if name == FORESIGHT:
            colour, line = ACTUAL, ":"
        ax.plot(curve["share_of_customers"], curve["share"], line, color=colour, linewidth=1.8, label=name)
    ax.plot([0.0, 1.0], [0.0, 1.0], color=QUIET, linestyle="--", linewidth=1.0, label="At random")
    _percent(ax, highest=1.0)
    return drawn(ax, table[["model", "share_of_customers", "share"]], return_data=return_data)


def _aligned(
    series: pd.Series[Any] | Mapping[str, pd.Series[Any]], other: pd.Series[Any]
) -> dict[str, tuple[pd.Series[Any], pd.Series[Any]]]:
    """Return each Series with the other one in its order, matched by customer id."""
    import pandas as pd

    by_name = dict(series) if isinstance(series, Mapping) else {ALONE: series}
    if not by_name:
        raise DataError('there is nothing to draw; give a Series, or several by name: {"BG/NBD": ...}')
    for values in (*by_name.values(), other):
        require(
            values, pd.Series, 'a Series by customer_id is expected here, such as fit.probability_alive(rfm)["mean"]'
        )
    for name, values in by_name.items():
        for index in (values.index, other.index):
            if not index.is_unique:
                twice = examples(index[index.duplicated()].unique())
                raise DataError(f"customer ids must be unique; more than once: {twice}")
        odd = values.index.symmetric_difference(other.index)
        if len(odd):
            raise DataError(
                f"{name} and the outcomes must be of the same customers;"
                f" {count(len(odd), 'customer')} in only one of them: {examples(odd)}"
            )
    return {name: (values, other.reindex(values.index)) for name, values in by_name.items()}


def _percent(ax: Axes, *, highest: float) -> None:
    """Write shares as percentages, from zero up."""
    top = min(1.02, 1.05 * highest)
    ax.set_xlim(0.0, top)
    ax.set_ylim(0.0, top)
    for axis in (ax.xaxis, ax.yaxis):
        in_percent(axis)
