"""Customers whose order value is known: once for arrays and, with the same operators, for columns of an engine.

There are two questions, and they differ where all repeat orders of a customer were free. A mean value of zero is
known, and what the customer will spend is predicted from it; but a distribution of positive values has no density
there, so that models of spend are fitted to customers with a positive mean. A mean that is missing or negative answers
neither.
"""

from __future__ import annotations

from typing import Any

__all__ = ["known_spend", "positive_spend"]


def known_spend(x: Any, mean: Any) -> Any:  # noqa: ANN401 - arrays, or columns of an engine
    """Return for which customers the mean value of repeat orders is known, so that predictions rest on it.

    Parameters
    ----------
    x
        Repeat purchases, shape (n,).
    mean
        Their mean value, shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> known_spend(np.array([0.0, 2.0, 2.0, 2.0]), np.array([np.nan, 0.0, 9.5, np.nan]))
    array([False,  True,  True, False])
    """
    return (x > 0) & (mean >= 0)


def positive_spend(x: Any, mean: Any) -> Any:  # noqa: ANN401
    """Return for which customers the mean value of repeat orders is positive: models of spend are fitted to them.

    Parameters
    ----------
    x, mean
        As of `known_spend`.

    Examples
    --------
    >>> import numpy as np
    >>> positive_spend(np.array([0.0, 2.0, 2.0, 2.0]), np.array([np.nan, 0.0, 9.5, np.nan]))
    array([False, False,  True, False])
    """
    return (x > 0) & (mean > 0)
