"""Segments of customers by recency, frequency and money, at cut points of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number, require_mapping
from clvmodels.data.required import require_customers, require_histories
from clvmodels.errors import DataError, one_of
from clvmodels.units import Duration, duration

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories

__all__ = ["rfm_segments"]

Array = NDArray[np.float64]


def rfm_segments(
    histories: Histories,
    *,
    recency: Sequence[Duration] = (),
    frequency: Sequence[float] = (),
    money: Sequence[float] = (),
    names: Mapping[str, str] | None = None,
) -> pd.Series:
    """Return the segment of each customer by when they bought last, how often, and at what mean value.

    A segment depends on the cut points alone, not on the other customers: it means the same at every closing.

    Parameters
    ----------
    histories
        The customers. Those of an engine are fetched.
    recency
        Times since the last purchase, such as ``["13 weeks", "1 year"]``; who is exactly at a cut point counts as more
        recent.
    frequency
        Numbers of repeat purchases, such as ``[1, 4]``: the lowest of each higher class.
    money
        Mean values of a repeat purchase, the lowest of each higher class; who has none is in class 0.
    names
        Names of your own by the names described below, such as ``{"R3 F3": "champions"}``.

    Returns
    -------
    Series
        By customer_id: names such as ``"R3 F2 M1"``, of those of the three that have cut points. The higher a number,
        the better the customer: R from 1 (longest ago) to one more than there are cut points, F and M alike.

    Raises
    ------
    DataError
        If there are no cut points, they do not rise, or a name is given to a segment that does not exist.

    Examples
    --------
    >>> import clvmodels as clv
    >>> clv.rfm_segments(rfm, recency=["4 weeks"], frequency=[1, 4], names={"R2 F3": "champions"}).to_dict()
    {'A': 'R1 F2', 'B': 'R1 F1', 'C': 'champions'}
    """
    import pandas as pd

    require_histories(histories)
    require_customers(histories, "rfm_segments")
    histories = histories.collect()
    times = _rising("recency", [duration(each, histories.unit) for each in recency])
    counts, values = _rising("frequency", list(frequency)), _rising("money", list(money))
    silent = histories.T - histories.recency
    spend = np.nan_to_num(histories.monetary_value, nan=-np.inf)
    classes = {
        "R": (len(times) + 1 - np.searchsorted(times, silent, "left"), len(times) + 1, 1),
        "F": (1 + np.searchsorted(counts, histories.frequency, "right"), len(counts) + 1, 1),
        "M": (np.where(np.isneginf(spend), 0, 1 + np.searchsorted(values, spend, "right")), len(values) + 1, 0),
    }
    used = {letter: each for letter, each in classes.items() if each[1] > 1}
    if not used:
        raise DataError('segments need cut points, such as recency=["13 weeks"] or frequency=[1, 4]; got none')
    labels = [
        " ".join(f"{letter}{each}" for letter, each in zip(used, row, strict=True))
        for row in zip(*(each[0].tolist() for each in used.values()), strict=True)
    ]
    own = _names(names or {}, {letter: (least, most) for letter, (_, most, least) in used.items()})
    return pd.Series([own.get(label, label) for label in labels], index=histories.customer_id, name="segment")


def _rising(what: str, cuts: Sequence[float]) -> Array:
    """Return cut points; refuse what does not rise."""
    numbers = np.array([as_number(each) for each in cuts])
    if not (np.isfinite(numbers).all() and (np.diff(numbers) > 0.0).all()):
        raise DataError(f"cut points of {what} are numbers that rise, got {abridged(list(cuts))}")
    return numbers


def _names(names: Mapping[str, str], used: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """Return names of the user's own; refuse those of segments that do not exist.

    Raises
    ------
    DataError
        Which says what the segments are called.
    """
    possible = [""]
    for letter, (least, most) in used.items():
        possible = [f"{name} {letter}{number}".strip() for name in possible for number in range(least, most + 1)]
    for name in require_mapping("names", names, "{'R2 F3': 'champions'}", DataError):
        if name not in possible:
            raise DataError(one_of("segment", name, possible))
    return dict(names)
