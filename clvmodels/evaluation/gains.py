"""How much of an outcome the customers make who were ranked first: the curve of cumulative gains, and its area."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.models.specification import Array

__all__ = ["gains", "gini"]


def gains(score: ArrayLike, outcome: ArrayLike, steps: int = 100) -> pd.DataFrame:
    """Return the share of an outcome that the top share of customers by score make.

    Customers with equal scores are taken in no order: each of them counts with the mean of all of them. A share that
    ends within a customer takes a part of them.

    Parameters
    ----------
    score
        Customers are ranked by it, the greatest first; shape (customers,).
    outcome
        What they made, such as purchases or revenue in a holdout; shape (customers,).
    steps
        The shares of customers are 0, 1/steps, 2/steps, ..., 1.

    Returns
    -------
    DataFrame
        ``share_of_customers``, and ``share`` of the outcome that they make.

    Raises
    ------
    DataError
        If shapes differ, a number is not finite, or the outcomes do not add up to more than zero.

    Examples
    --------
    >>> gains([3, 2, 1, 1], [6.0, 0.0, 4.0, 0.0], steps=4)
       share_of_customers  share
    0                0.00    0.0
    1                0.25    0.6
    2                0.50    0.6
    3                0.75    0.8
    4                1.00    1.0
    """
    import pandas as pd

    reached, made = _curve(score, outcome)
    share = np.arange(steps + 1) / steps
    return pd.DataFrame({"share_of_customers": share, "share": np.interp(share, reached, made)})


def gini(score: ArrayLike, outcome: ArrayLike) -> float:
    """Return twice the area between the curve of `gains` and the diagonal: 0 if customers are ranked at random.

    Ranked by the outcome itself, as if foreseen, it is the Gini index of the outcome.

    Examples
    --------
    >>> gini([1, 2, 3, 4], [0.0, 0.0, 0.0, 1.0])
    0.75
    """
    reached, made = _curve(score, outcome)
    return float(2.0 * np.trapezoid(made, reached) - 1.0)


def _curve(score: ArrayLike, outcome: ArrayLike) -> tuple[Array, Array]:
    """Return cumulated shares of customers and of the outcome, the greatest score first, a point a distinct score."""
    rank, made = np.asarray(score, dtype=float), np.asarray(outcome, dtype=float)
    if rank.shape != made.shape or rank.ndim != 1:
        raise DataError(f"one score and one outcome a customer are needed, got shapes {rank.shape} and {made.shape}")
    if not (np.isfinite(rank).all() and np.isfinite(made).all()):
        raise DataError("scores and outcomes are finite numbers; leave out customers for whom one is not known")
    if not made.sum() > 0.0:
        raise DataError(f"there is nothing to share out: the outcomes of {len(made):,} customers sum to {made.sum():g}")
    order = np.argsort(-rank, kind="stable")
    last = np.flatnonzero(np.diff(rank[order], append=np.nan) != 0.0)  # of each run of equal scores
    total = np.cumsum(made[order])
    reached = (last + 1) / len(order)
    return np.concatenate(([0.0], reached)), np.concatenate(([0.0], total[last] / total[-1]))
