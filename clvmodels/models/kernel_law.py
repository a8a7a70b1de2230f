"""The law that a model's kernel keeps: it sums what the model's own functions say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from clvmodels.models.kernel import Array, Kernel
from clvmodels.models.law import SMALL, relative_error
from clvmodels.models.specification import Model

__all__ = ["KERNEL_LAW", "KERNEL_TOLERANCE", "kernel_error"]

KERNEL_LAW: Final = "the kernel, if there is one, sums what the terms say"
KERNEL_TOLERANCE: Final = 1e-9
SPREAD: Final = 2.0
"""Parameters are also taken apart by this factor: kernels branch where one parameter exceeds another."""


def kernel_error(model: Model, theta: Array, columns: Sequence[Array]) -> float:
    """Return the largest relative error of a kernel's weighted sums, of their gradients and second derivatives.

    What the kernel has for functions of another model is left out: it is never used.

    Parameters
    ----------
    model
        The model.
    theta
        Its parameters, shape (parameters,).
    columns
        Histories, shape (n,) each, in any order.
    """
    if model.kernel is None:
        return 0.0
    order = np.argsort(columns[0], kind="stable")
    histories = [np.ascontiguousarray(column[order]) for column in columns]
    apart = np.where(np.arange(len(theta)) % 2, SPREAD, 1.0 / SPREAD)
    points = (model.lower + (theta - model.lower) * factor for factor in (np.ones(len(theta)), apart, 1.0 / apart))
    return float(np.max([_error_at(model, model.kernel, point, histories) for point in points]))


def _error_at(model: Model, kernel: Kernel, theta: Array, histories: Sequence[Array]) -> float:
    weight = np.linspace(1.0, 2.0, len(histories[0]))
    errors = [0.0]
    for terms, columns in ((model.count_terms, histories[:1]), (model.history_terms, histories)):
        sums = kernel.sums_of(terms)
        if sums is not None:
            exact = [weight @ part for part in terms(theta, *columns)]
            errors.append(_largest_error(sums(theta, weight, *columns), exact))
    by_row = kernel.row_sums_of(model.count_terms, model.history_terms)
    if by_row is not None:
        apart = np.exp(np.linspace(-1.0, 1.0, len(weight)))[:, None] ** np.where(np.arange(len(theta)) % 2, 1.0, -1.0)
        rows = model.lower + (theta - model.lower) * apart
        counts, rest = model.count_terms(rows, histories[0]), model.history_terms(rows, *histories)
        exact_rows = (weight @ (counts[0] + rest[0]), weight[:, None] * (counts[1] + rest[1]))
        errors.append(_largest_error(by_row(rows, weight, *histories), exact_rows))
    expansion = kernel.expansion_of(model.history_expansion)
    if expansion is not None and model.history_expansion is not None:
        parts = expansion(theta, weight, *histories), model.history_expansion(theta, weight, *histories)
        errors.append(_largest_error(*parts))
    return float(np.max(errors))


def _largest_error(sums: Sequence[object], exact: Sequence[object]) -> float:
    pairs = zip(map(np.asarray, sums), map(np.asarray, exact), strict=True)
    return float(np.max([relative_error(values, expected, SMALL) for values, expected in pairs]))
