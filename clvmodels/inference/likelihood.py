"""A model's log-likelihood as a PyTensor operation, with its gradient.

It is evaluated by the model's kernel; a model without one, such as a user's own, is asked in Python.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numba import njit, objmode
from numba.extending import is_jitted
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from clvmodels import numerics
from clvmodels.inference.observations import Observations
from clvmodels.inference.sums import weighted_sum
from clvmodels.models import kernels
from clvmodels.models.kernel import Array, Sums
from clvmodels.models.specification import Model

__all__ = ["LogLikelihood", "Table", "tabulate"]

Index = np.ndarray[tuple[int, ...], np.dtype[np.int32]]
"""As PyMC keeps whole numbers: what is compiled of its model takes these."""


@dataclass(frozen=True)
class Table:
    """The distinct histories of customers in groups that have parameters of their own, one group after the other.

    Attributes
    ----------
    counts, customers
        The distinct x of each group, and the number of its customers with each.
    columns, weight
        The distinct histories, shape (columns, n), and the number of customers with each.
    count_starts, starts
        Where each group begins in the two, and where the last ends, shape (groups + 1,).
    """

    counts: Array
    customers: Array
    columns: Array
    weight: Array
    count_starts: Index
    starts: Index

    @property
    def named(self) -> dict[str, Array | Index]:
        """The arrays by their names in a PyMC model, in the order that `LogLikelihood` takes them in."""
        return {
            "distinct_x": self.counts,
            "customers_with_x": self.customers,
            "distinct_histories": self.columns,
            "customers_with_history": self.weight,
            "first_x_of_group": self.count_starts,
            "first_history_of_group": self.starts,
        }


def tabulate(groups: Sequence[Observations]) -> Table:
    """Return the observations of one or more groups of customers as one table."""
    histograms = [group.histogram for group in groups]
    starts = np.cumsum([0, *(len(group.weight) for group in groups)], dtype=np.int32)
    columns = np.empty((len(groups[0].columns), starts[-1]))
    for k, column in enumerate(columns):
        np.concatenate([group.columns[k] for group in groups], out=column)
    return Table(
        counts=np.concatenate([counts for counts, _ in histograms]),
        customers=np.concatenate([customers for _, customers in histograms]),
        columns=columns,
        weight=np.concatenate([group.weight for group in groups]),
        count_starts=np.cumsum([0, *(len(counts) for counts, _ in histograms)], dtype=np.int32),
        starts=starts,
    )


class LogLikelihood(Op):
    """The log-likelihood of a table of histories, a number, and its gradient by theta.

    Its inputs are theta, shape (groups, parameters), and the six arrays of a `Table`.
    """

    __props__ = ("model",)

    def __init__(self, model: Model) -> None:
        self.model = model

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Return the node of the graph."""
        return Apply(self, [pt.as_tensor_variable(value) for value in inputs], [pt.dscalar(), pt.dmatrix()])

    def perform(self, node: Apply[Any], inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:  # noqa: ARG002
        """Compute it outside of compiled graphs."""
        value, gradient = summed(self.model)(*inputs)
        output_storage[0][0], output_storage[1][0] = np.asarray(value), gradient

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Return the gradient, which is the second output."""
        return [cotangents[0] * outputs[1], *(disconnected_type() for _ in inputs[1:])]

    def connection_pattern(self, node: Apply[Any]) -> list[list[bool]]:
        """Return which output depends differentiably on which input."""
        return [[True, False], *([False, False] for _ in node.inputs[1:])]


@cache
def summed(model: Model) -> Callable[..., tuple[Array, Array]]:
    """Return a compiled function that sums a model's log-likelihood over the groups.

    Where the sum, or its gradient, is not finite, it returns minus infinity and no slope: a sampler turns back there,
    and chain rules, which multiply by zero, stay clear of NaN.
    """
    sums = _compiled_sums(model)
    if sums is None:
        return _summed_in_python(model)
    by_count, by_history = sums
    columns_of = _columns_of(len(model.statistics))

    def log_likelihood(theta, counts, customers, columns, weight, count_starts, starts):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        total, gradient = 0.0, np.zeros_like(theta)
        for group in range(len(theta)):
            count_rows = slice(count_starts[group], count_starts[group + 1])
            rows = slice(starts[group], starts[group + 1])
            value, slope = by_count(theta[group], customers[count_rows], counts[count_rows])
            total += value
            gradient[group] += slope
            value, slope = by_history(theta[group], weight[rows], *columns_of(columns, rows))
            total += value
            gradient[group] += slope
        return _finite(total, gradient)

    function: Callable[..., tuple[Array, Array]] = njit(log_likelihood, nogil=True, error_model="numpy")
    return function


def _compiled_sums(model: Model) -> tuple[Sums, Sums] | None:
    """Return the functions of the model's kernel, if it has one that compiled code can call."""
    sums = _sums(model)
    return sums if sums is not None and all(map(is_jitted, sums)) else None


def _sums(model: Model) -> tuple[Sums, Sums] | None:
    """Return the functions of the model's kernel, if it has one that sums its terms."""
    if model.kernel is None:
        return None
    by_count, by_history = model.kernel.sums_of(model.count_terms), model.kernel.sums_of(model.history_terms)
    return None if by_count is None or by_history is None else (by_count, by_history)


def _columns_of(count: int) -> Callable[[Array, slice], tuple[Array, ...]]:
    """Return a compiled function that returns the first `count` columns of some rows, a tuple of fixed length."""
    last = count - 1
    function: Callable[[Array, slice], tuple[Array, ...]]
    if last == 0:
        function = njit(lambda columns, rows: (columns[0, rows],), nogil=True)
    else:
        before = _columns_of(last)
        function = njit(lambda columns, rows: (*before(columns, rows), columns[last, rows]), nogil=True)
    return function


@njit(nogil=True, error_model="numpy")
def _finite(value: float, gradient: Array) -> tuple[Array, Array]:
    """Return value and gradient, or what stands for those that are not finite."""
    if np.isfinite(value) and np.isfinite(gradient).all():
        return np.asarray(value), gradient
    return np.asarray(-np.inf), np.zeros_like(gradient)


def _summed_in_python(model: Model) -> Callable[..., tuple[Array, Array]]:
    """Return the same of a model without such a kernel: a compiled function that asks for sums in Python."""
    by_count, by_history = _sums(model) or (_of_terms(model.count_terms), _of_terms(model.history_terms))

    def ask(theta: Array, counts: Array, customers: Array, columns: Array, weight: Array, *starts: Index) -> Array:
        out = np.zeros((len(theta), theta.shape[1] + 1))
        parts = zip(theta, *map(pairwise, starts), out, strict=True)
        with np.errstate(all="ignore"):  # a sampler strays; what is not finite is refused
            for point, count_rows, rows, total in parts:
                for value, gradient in (
                    by_count(point, customers[slice(*count_rows)], counts[slice(*count_rows)]),
                    by_history(point, weight[slice(*rows)], *columns[:, slice(*rows)]),
                ):
                    total[0] += value
                    total[1:] += gradient
        return out

    def log_likelihood(theta, counts, customers, columns, weight, count_starts, starts):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        with objmode(out="float64[:, ::1]"):
            out = ask(theta, counts, customers, columns, weight, count_starts, starts)
        return _finite(out[:, 0].sum(), out[:, 1:].copy())

    function: Callable[..., tuple[Array, Array]] = njit(log_likelihood)
    return function


def _of_terms(terms: Callable[..., tuple[Array, Array]]) -> Sums:
    """Return what sums a model's own terms."""
    return lambda point, mass, *columns: weighted_sum(mass, *terms(point, *columns))


@register_funcify_and_cache_key(LogLikelihood)  # type: ignore[untyped-decorator]
def _numba(op: LogLikelihood, **_: object) -> tuple[Callable[..., tuple[Array, Array]], str | None]:
    """Return the compiled function, and its name in PyTensor's cache on disk: other source, other name; or no name."""
    sums = _compiled_sums(op.model)
    names = [] if sums is None else [f"{function.__module__}.{function.__qualname__}" for function in sums]
    if not names or not all(name.startswith(f"{kernels.__name__}.") for name in names):
        return summed(op.model), None  # whatever a user's function calls may have changed
    sources = [file for package in (kernels, numerics) for file in Path(package.__path__[0]).glob("*.py")]
    content = sum(zlib.crc32(file.read_bytes()) for file in (*sources, Path(__file__)))
    return summed(op.model), f"clvmodels {' '.join(names)} {len(op.model.statistics)} {content}"
