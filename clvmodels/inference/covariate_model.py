"""The model that a fit with covariates estimates: a model whose rows have parameters of their own.

Its parameters are those of the base model, and exp(coefficient) of each column, so that all coordinates of a fit are
logs. Its histories are those of the base model with the columns beside them. The parameters of a row are

    log theta_i = log theta + sum_k sign_k z_ik coefficient_k,

and the gradient is the chain rule of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final

import numpy as np

from clvmodels.inference.processes import effects_matrix
from clvmodels.models.differences import no_terms
from clvmodels.models.kernel import Array, CompiledSums, Kernel, Sums
from clvmodels.models.specification import Model, Parameter, Quantity, SpendModel, TransactionModel
from clvmodels.numerics.threads import dot

__all__ = ["column_names", "covaried"]

PRIOR: Final = ("Normal", {"mu": 0.0, "sigma": 1.0})
"""Of a coefficient, per unit of a column of zeros and ones, else per standard deviation."""
STEP: Final = 3e-5
"""Of differences, in logs."""
COMPILED_FROM: Final = 1 << 15
"""Rows in a block from which loading the compiler pays."""


def column_names(number: int) -> tuple[str, ...]:
    """Return the names of columns as statistics of histories.

    Examples
    --------
    >>> column_names(2)
    ('covariate 1', 'covariate 2')
    """
    return tuple(f"covariate {k + 1}" for k in range(number))


@cache
def covaried(base: TransactionModel | SpendModel, terms: tuple[tuple[str, str], ...]) -> TransactionModel | SpendModel:
    """Return the model with covariates; the same one for the same terms.

    Parameters
    ----------
    base
        The model.
    terms
        The process (or several) and the column of each coefficient.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> covaried(MODELS["bg_nbd"], (("purchase", "channel[T.web]"),)).names
    ('r', 'alpha', 'a', 'b', 'exp(purchase: channel[T.web])')
    """
    names = tuple(f"{process}: {term}" for process, term in terms)
    effects = effects_matrix(base, terms)
    history_terms = partial(_history_terms, base, effects)
    own = [] if not base.quantities else [Quantity(name, "coefficient of a covariate", PRIOR) for name in names]
    return replace(
        base,
        parameters=(*base.parameters, *(Parameter(f"exp({name})") for name in names)),
        count_terms=no_terms,
        history_terms=history_terms,
        starts=tuple((*start, *np.ones(len(names)).tolist()) for start in base.starts),
        quantities=(*base.quantities, *own),
        from_quantities=partial(_from_quantities, base, names),
        to_quantities=partial(_to_quantities, base, names),
        statistics=(*base.statistics, *column_names(len(names))),
        history_sums=partial(_history_sums, base, effects),
        count_curvature=lambda theta, *_: np.zeros((len(theta), len(theta))),
        history_expansion=partial(_history_expansion, base, effects),
        kernel=Kernel(no_terms, history_terms, partial(_of_samplers, base, effects), for_samplers=True),
    )


def _from_quantities(base: Model, names: Sequence[str], quantities: Mapping[str, Any], year: float) -> dict[str, Any]:
    """Return the parameters; a power, which symbols have too, in place of the exponential."""
    own = {name: value for name, value in quantities.items() if name not in names}
    return {**base.from_quantities(own, year), **{f"exp({name})": np.e ** quantities[name] for name in names}}


def _to_quantities(base: Model, names: Sequence[str], params: Mapping[str, Any], year: float) -> dict[str, Any]:
    own = {name: params[name] for name in base.names}
    return {**base.to_quantities(own, year), **{name: np.log(params[f"exp({name})"]) for name in names}}


def _of_rows(base: Model, effects: Array, theta: Array, columns: Sequence[Array]) -> Array:
    """Return the base model's parameters of each row, shape (n, parameters), columns side by side."""
    size = len(base.parameters)
    logs = np.log(theta[size:])[:, None] * effects
    rows = np.empty((len(columns[0]), size))
    for p in range(size):
        shift = np.zeros(len(rows) if effects[:, p].any() else 1)
        for k in np.flatnonzero(effects[:, p]).tolist():
            shift += logs[k, p] * columns[k]
        np.multiply(np.exp(shift, out=shift), theta[p], out=rows[:, p])
    return rows


def _chained(effects: Array, by_log: Array, columns: Sequence[Array]) -> Array:
    """Return the sums of derivatives by log parameters and by coefficients, of rows of derivatives by the former."""
    by_coefficient = np.zeros(len(effects))
    for p in np.flatnonzero(effects.any(axis=0)):
        moved = np.ascontiguousarray(by_log[:, p])
        for k in np.flatnonzero(effects[:, p]).tolist():
            by_coefficient[k] += effects[k, p] * dot(columns[k], moved)
    return np.concatenate([np.einsum("ij->j", by_log), by_coefficient])


def _history_terms(base: Model, effects: Array, theta: Array, *columns: Array) -> tuple[Array, Array]:
    """Return the log-likelihood of each row, and its gradient, at one point of the parameters."""
    own = len(base.statistics)
    rows = _of_rows(base, effects, theta, columns[own:])
    counts, histories = base.count_terms(rows, columns[0]), base.history_terms(rows, *columns[:own])
    by_log = (counts[1] + histories[1]) * rows
    by_coefficient = np.column_stack(columns[own:]) * np.einsum("ip,kp->ik", by_log, effects)
    return counts[0] + histories[0], np.concatenate([by_log, by_coefficient], axis=1) / theta


def _history_sums(base: Model, effects: Array, theta: Array, weight: Array, *columns: Array) -> tuple[float, Array]:
    """Return the weighted sums of these; by the base model's kernel where there are many rows."""
    own = len(base.statistics)
    rows = _of_rows(base, effects, theta, columns[own:])
    value, gradient = _row_sums(base, len(weight))(rows, weight, *columns[:own])
    return value, _chained(effects, gradient * rows, columns[own:]) / theta


def _history_expansion(
    base: Model, effects: Array, theta: Array, weight: Array, *columns: Array
) -> tuple[float, Array, Array]:
    """Return the same and the weighted sum of the second derivatives.

    Those by the logs of a row's own parameters are differences of its gradient: as many as the base model has
    parameters, however many coefficients there are. The rest is the chain rule, whose second derivatives are zero.
    """
    own, size = len(base.statistics), len(base.parameters)
    rows, row_sums = _of_rows(base, effects, theta, columns[own:]), _row_sums(base, len(weight))
    value, gradient = row_sums(rows, weight, *columns[:own])
    by_log = _chained(effects, gradient * rows, columns[own:])
    matrix = np.zeros((len(theta), len(theta)))
    for p in range(size):
        ends = []
        for step in (STEP, -STEP):
            moved = rows.copy()
            moved[:, p] *= np.exp(step)
            ends.append(row_sums(moved, weight, *columns[:own])[1] * moved)
        second = (ends[0] - ends[1]) / (2.0 * STEP)
        matrix[p] += _chained(effects, second, columns[own:])
        for k in np.flatnonzero(effects[:, p]).tolist():
            own_share = effects[k, p] * columns[own + k][:, None] * second
            matrix[size + k] += _chained(effects, own_share, columns[own:])
    matrix = 0.5 * (matrix + matrix.T) - np.diag(by_log)
    return value, by_log / theta, matrix / np.outer(theta, theta)


def _row_sums(base: Model, rows: int) -> Sums:
    compiled = None
    if base.kernel is not None and rows >= COMPILED_FROM:
        compiled = base.kernel.row_sums_of(base.count_terms, base.history_terms)
    return partial(_summed_terms, base) if compiled is None else compiled


def _summed_terms(base: Model, theta: Array, weight: Array, *columns: Array) -> tuple[float, Array]:
    counts, histories = base.count_terms(theta, columns[0]), base.history_terms(theta, *columns)
    return float(np.einsum("i,i", weight, counts[0] + histories[0])), weight[:, None] * (counts[1] + histories[1])


def _of_samplers(base: Model, effects: Array) -> CompiledSums:
    """Return the sums that samplers ask for: the base model's kernel by row, if it has one, however few rows there are.

    They are called from Python, step by step: compiled around the kernel, they would be so anew in each process, which
    takes longer than all draws.
    """
    row_sums = None if base.kernel is None else base.kernel.row_sums_of(base.count_terms, base.history_terms)

    def count_sums(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:  # noqa: ARG001 - as those of others
        return 0.0, np.zeros(len(theta))

    if row_sums is None:
        return CompiledSums(count_sums, partial(_history_sums, base, effects))
    return CompiledSums(count_sums, _compiled_sums(row_sums, effects, len(base.statistics)))


def _compiled_sums(row_sums: Sums, effects: Array, own: int) -> Sums:
    """Return `_history_sums` of a model of so many statistics of its own, by compiled steps."""
    from clvmodels.models.kernels.row_parameters import chained, parameters_of_rows

    def history_sums(theta: Array, weight: Array, *columns: Array) -> tuple[float, Array]:
        covariates, size = np.stack(columns[own:]), effects.shape[1]
        rows = parameters_of_rows(theta[:size], np.log(theta[size:]), effects, covariates)
        value, gradient = row_sums(rows, weight, *columns[:own])
        return value, chained(effects, rows, gradient, covariates) / theta

    return history_sums
