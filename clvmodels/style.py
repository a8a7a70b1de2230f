"""One look for all pictures: legible, and clear to people who do not see all colours.

What was observed is dark and called "Actual"; models have the colours and markers of `look`, in the order in which they
are given; shares and probabilities are in per cent; bands and whiskers hold 90 %, which the legend says once.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from clvmodels.errors import ClvError, DataError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from numpy.typing import ArrayLike

__all__ = [
    "ACTUAL",
    "BAND",
    "COLOURS",
    "GAIN",
    "LOSS",
    "MATRIX",
    "QUIET",
    "TOTAL",
    "Axes",
    "Drawn",
    "Look",
    "band",
    "date_axis",
    "drawn",
    "in_counts",
    "in_percent",
    "letters",
    "look",
    "on_axes",
    "require",
    "shades",
    "whiskers",
]

# Okabe & Ito (2008), "Color universal design": distinguishable under every common colour vision deficiency.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS: Final = ("s", "^", "D", "v", "o", "P")
LINES: Final = ("-", "--", "-.", ":")
ACTUAL: Final = "#1f2933"
QUIET: Final = "#9aa5b1"
TOTAL: Final = "#52606d"
GAIN: Final = "#0072B2"
LOSS: Final = "#D55E00"
MATRIX: Final = "cividis"
BAND: Final = 0.18  # opacity of a band around a line
TITLE_SIZE: Final = 12.0
LEGEND_SIZE: Final = 9.0
POINTS_PER_INCH: Final = 72.0

type Drawn = Axes | tuple[Axes, pd.DataFrame]


class Look(NamedTuple):
    """How one of several models is drawn."""

    colour: str
    marker: str
    line: str


def look(number: int) -> Look:
    """Return how the model with this number, from zero, is drawn; from the seventh on, lines are broken.

    Examples
    --------
    >>> look(1)
    Look(colour='#D55E00', marker='^', line='-')
    """
    again, place = divmod(number, len(COLOURS))
    return Look(COLOURS[place], MARKERS[place], LINES[again % len(LINES)])


def shades(number: int) -> list[str]:
    """Return colours of what has an order, such as cut-offs in time: from light to dark, the last one darkest.

    Examples
    --------
    >>> shades(2)
    ['#d6c35d', '#002b62']
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[MATRIX](place)) for place in np.linspace(0.05, 0.85, number)[::-1]]


def require(got: object, kind: type, what: str, error: type[ClvError] = DataError) -> None:
    """Refuse what is no `kind`, saying what is expected.

    Examples
    --------
    >>> require(3, str, "a name is a text")
    Traceback (most recent call last):
    clvmodels.errors.DataError: a name is a text; got int
    """
    if not isinstance(got, kind):
        raise error(f"{what}; got {type(got).__name__}")


def on_axes(ax: Axes | None, *, title: str, x: str, y: str, grid: str = "y") -> Axes:
    """Return the axes to draw on, new ones if there are none, titled and labelled.

    Parameters
    ----------
    ax
        Axes given by the user, or None.
    title, x, y
        What the picture shows, in lines that are no wider than the axes; and what stands along each side, with its
        unit.
    grid
        The lines in the background: ``"y"``, ``"x"``, ``"both"`` or ``""``.

    Raises
    ------
    DataError
        If `ax` is something else.

    Examples
    --------
    >>> on_axes(None, title="Customers", x="weeks", y="purchases").get_xlabel()
    'weeks'
    """
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    room = 1.0
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
        room = 1.15  # the layout will widen the axes
    require(ax, Axes, "ax is one axes, such as the second value of plt.subplots(), or one of an array: ax=axes[0, 1]")
    _set_title(ax, textwrap.fill(title, int(room * letters(ax, TITLE_SIZE))))
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color="#e4e7eb", linewidth=0.8)  # type: ignore[arg-type]
    return ax


def _set_title(ax: Axes, title: str, pad: float | None = None) -> None:
    ax.set_title(title, loc="left", fontsize=TITLE_SIZE, fontweight="bold", pad=pad)


def letters(ax: Axes, size: float) -> int:
    """Return about how many letters of a size in points have room beside each other in axes."""
    figure = ax.get_figure(root=True)
    dots = figure.dpi if figure is not None else POINTS_PER_INCH
    return max(int(ax.get_window_extent().width / dots * POINTS_PER_INCH / (0.62 * size)), 12)


def drawn(ax: Axes, data: pd.DataFrame, *, return_data: bool, above: bool = False) -> Drawn:
    """Return the axes with a legend, and with the data drawn if asked for.

    Parameters
    ----------
    ax, data, return_data
        The picture, the table that is drawn, and whether to return it.
    above
        Put the legend between title and axes, for pictures that are full.
    """
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: (not labels[k].startswith("Actual"), labels[k].startswith("90 %")))
    room = letters(ax, LEGEND_SIZE)
    texts = [textwrap.fill(labels[k], room - 6 if above else max(room // 2, 18)) for k in order]
    if above:
        _legend_above(ax, [handles[k] for k in order], texts, room)
    elif texts:
        ax.legend([handles[k] for k in order], texts, fontsize=LEGEND_SIZE, framealpha=0.8, edgecolor="none")
    return (ax, data) if return_data else ax


def _legend_above(ax: Axes, handles: list[Artist], texts: list[str], room: int) -> None:
    columns = min(max(room // (max(map(len, texts)) + 5), 1), len(texts))
    lines = -(-len(texts) // columns)
    _set_title(ax, ax.get_title(loc="left"), pad=8.0 + 1.5 * LEGEND_SIZE * lines)
    ax.legend(
        handles,
        texts,
        fontsize=LEGEND_SIZE,
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.0,
        ncols=columns,
        columnspacing=1.2,
        handletextpad=0.4,
    )


def band(ax: Axes, x: ArrayLike, table: pd.DataFrame, colour: str) -> None:
    """Draw the band from ``lower`` to ``upper``; nothing where they are missing, as for a point estimate."""
    if not table["lower"].notna().any():
        return
    ax.fill_between(x, table["lower"], table["upper"], color=colour, alpha=BAND, linewidth=0)
    if (label := "90 % band") not in ax.get_legend_handles_labels()[1]:
        ax.fill_between([], [], [], color=TOTAL, alpha=2.0 * BAND, linewidth=0, label=label)


def whiskers(ax: Axes, x: ArrayLike, table: pd.DataFrame, around: str, colour: str) -> None:
    """Draw upright lines from ``lower`` to ``upper`` around a number; none where they are missing."""
    value = table[around].to_numpy(dtype=float)
    ends = np.nan_to_num(np.stack([value - table["lower"], table["upper"] - value]))
    labelled = "90 % interval" in ax.get_legend_handles_labels()[1]
    how = {"fmt": "none", "elinewidth": 1.2, "capsize": 2}
    ax.errorbar(x, value, np.maximum(ends, 0.0), ecolor=colour, **how)  # type: ignore[arg-type]
    if not labelled:
        grey = ACTUAL if colour == ACTUAL else TOTAL
        ax.errorbar([], [], [], ecolor=grey, label="90 % interval", **how)  # type: ignore[arg-type]


def in_percent(axis: Axis) -> None:
    """Write the shares at an axis in per cent."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))


def in_counts(axis: Axis) -> None:
    """Write the numbers at an axis as whole ones, with thousands separators."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def date_axis(ax: Axes) -> None:
    """Write dates along the bottom, as many as have room."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=int(np.clip(letters(ax, 10.0) // 6, 3, 10)))  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
