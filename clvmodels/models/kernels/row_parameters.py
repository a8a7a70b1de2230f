"""Compiled steps from parameters and coefficients to those of rows, and from derivatives by the latter back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.elementary import compiled, exp

__all__ = ["chained", "parameters_of_rows"]

Array = NDArray[np.float64]


@compiled()
def parameters_of_rows(theta: Array, coefficients: Array, effects: Array, columns: Array) -> Array:
    """Return the parameters of rows, theta exp(sum of effect times coefficient times column), shape (n, parameters).

    Parameters
    ----------
    theta, coefficients
        Parameters where all columns are zero, shape (parameters,), and coefficients, shape (columns,).
    effects
        By how much each coefficient moves the log of each parameter, shape (columns, parameters).
    columns
        Shape (columns, n).
    """
    number, size = effects.shape
    rows, shift = np.empty((columns.shape[1], size)), np.empty(columns.shape[1])
    for p in range(size):
        shift[:] = 0.0
        for k in range(number):
            if effects[k, p] != 0.0:
                _add_multiple(effects[k, p] * coefficients[k], columns[k], shift)
        if np.any(effects[:, p]):
            _grow(shift)
            rows[:, p] = theta[p] * shift
        else:
            rows[:, p] = theta[p]
    return rows


@compiled()
def _add_multiple(factor: float, column: Array, shift: Array) -> None:
    for i in range(len(shift)):
        shift[i] += factor * column[i]


@compiled()
def _grow(shift: Array) -> None:
    for i in range(len(shift)):
        shift[i] = exp(shift[i])


@compiled(reordered=True)
def _dot(left: Array, right: Array) -> float:
    total = 0.0
    for i in range(len(left)):
        total += left[i] * right[i]
    return total


@compiled()
def chained(effects: Array, rows: Array, gradient: Array, columns: Array) -> Array:
    """Return the sums of derivatives by log theta and by coefficients, shape (parameters + columns,).

    `gradient` are derivatives by the parameters of each row, `rows`, both of shape (n, parameters).
    """
    number, size = effects.shape
    sums = np.zeros(size + number)
    for p in range(size):
        by_log = rows[:, p] * gradient[:, p]
        sums[p] = by_log.sum()
        for k in range(number):
            if effects[k, p] != 0.0:
                sums[size + k] += effects[k, p] * _dot(columns[k], by_log)
    return sums
