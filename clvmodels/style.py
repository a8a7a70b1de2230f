"""One look for all pictures: legible, and told apart by people who do not see all colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

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
    "drawn",
    "on_axes",
]

# Okabe & Ito (2008), "Color universal design": distinguishable under every common colour vision deficiency.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
ACTUAL: Final = "#1f2933"
QUIET: Final = "#9aa5b1"
TOTAL: Final = "#52606d"
GAIN: Final = "#0072B2"
LOSS: Final = "#D55E00"
MATRIX: Final = "cividis"
BAND: Final = 0.18  # opacity of a band around a line

type Drawn = Axes | tuple[Axes, pd.DataFrame]


def on_axes(ax: Axes | None, *, title: str, x: str, y: str, grid: str = "y") -> Axes:
    """Return the axes to draw on, new ones if there are none, titled and labelled.

    Parameters
    ----------
    ax
        Axes given by the user, or None.
    title, x, y
        What the picture shows, and what stands along each side, with its unit.
    grid
        The lines in the background: ``"y"``, ``"x"``, ``"both"`` or ``""``.

    Examples
    --------
    >>> on_axes(None, title="Customers", x="weeks", y="purchases").get_xlabel()
    'weeks'
    """
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
    ax.set_title(title, loc="left", fontsize=12, fontweight="bold")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color="#e4e7eb", linewidth=0.8)  # type: ignore[arg-type]
    return ax


def drawn(ax: Axes, data: pd.DataFrame, *, return_data: bool) -> Drawn:
    """Return the axes, with the data drawn if asked for."""
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False)
    return (ax, data) if return_data else ax
