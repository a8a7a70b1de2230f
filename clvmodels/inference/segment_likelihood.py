"""The log-likelihoods of all segments at once, as functions of each segment's quantities.

A segment's coordinates psi are the logs of the quantities that priors are stated in, the log odds of those that are
shares; of a model without quantities, the logs of what its parameters are above their lower bounds, in units where the
mean age (mean spend) is one. Rows are the distinct histories within each segment, sorted by segment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clvmodels.data.histories import Histories
from clvmodels.inference.bayes import segments_of
from clvmodels.inference.spend_state import require_order_values, usual_order
from clvmodels.models.specification import Array, Model, SpendModel, TransactionModel
from clvmodels.numerics.distinct import distinct_rows, run_starts, weighted_rows
from clvmodels.numerics.maximisation import MAX_LOG_PARAMETER
from clvmodels.numerics.threads import map_blocks
from clvmodels.units import DAYS

__all__ = ["SegmentLikelihood", "SegmentTerms", "segment_likelihood"]

Index = NDArray[np.int64]

FARTHEST: Final = 12.0
"""Beyond exp(+-12) of its unit, a quantity changes nothing any more."""
FARTHEST_START: Final = 9.0
"""Where a fit to all customers ended farther out, segments start from here."""
STEP: Final = 1e-4
"""Of the differences by which parameters follow quantities: an error of its square, and 1e-12 of rounding."""
STEP_CURVATURE: Final = 1e-3
"""Of the differences of the gradient."""
ROWS_PER_BLOCK: Final = 1 << 13


@dataclass(frozen=True, eq=False)
class SegmentTerms:
    """The log-likelihoods of segments near psi, to second order.

    Attributes
    ----------
    value, gradient
        Shape (segments,) and (segments, size).
    curvature
        Of minus the log-likelihood, shape (segments, size, size); where it bends the other way, zero.
    """

    value: Array
    gradient: Array
    curvature: Array


@dataclass(frozen=True, eq=False)
class SegmentLikelihood:
    """The log-likelihoods of segments.

    Attributes
    ----------
    model
        The model.
    columns
        Of the distinct histories within segments, shape (rows,) each.
    weight
        Customers with each, shape (rows,).
    segment
        The segment of each row, shape (rows,), ascending.
    segments
        Number of segments; some may have no row.
    units
        Of the parameters, shape (parameters,): psi counts in them.
    year
        A year in the unit of time in which the mean age is one.
    """

    model: Model
    columns: tuple[Array, ...]
    weight: Array
    segment: Index
    segments: int
    units: Array
    year: float

    @property
    def names(self) -> tuple[str, ...]:
        """What the coordinates are logs of."""
        return tuple(quantity.name for quantity in self.model.quantities) or self.model.names

    @property
    def shares(self) -> NDArray[np.bool_]:
        """Which coordinates are log odds, shape (size,)."""
        return np.array([quantity.share for quantity in self.model.quantities] or [False] * len(self.model.names))

    @cached_property
    def _runs(self) -> tuple[Index, Index]:
        """Where each x of a segment begins among the rows, and the run of each row."""
        first = np.union1d(run_starts(self.segment), run_starts(self.columns[0]))
        lengths = np.diff(np.append(first, len(self.weight)))
        return first, np.repeat(np.arange(len(first)), lengths)

    def theta(self, psi: Array) -> Array:
        """Return the parameters at coordinates of shape (..., size), in the unit of the histories."""
        return np.asarray(self.model.lower + np.exp(self._log_parameters(psi)) * self.units)

    def _log_parameters(self, psi: Array) -> Array:
        """Return log((theta - lower) / units); what is farther out than makes a difference stays there."""
        clipped = np.clip(psi, -FARTHEST, FARTHEST)
        if not self.model.quantities:
            return clipped
        quantities = {
            quantity.name: special.expit(clipped[..., k]) if quantity.share else np.exp(clipped[..., k])
            for k, quantity in enumerate(self.model.quantities)
        }
        with np.errstate(divide="ignore", over="ignore"):  # zero and infinity are clipped
            named = self.model.from_quantities(quantities, self.year)
            above = np.stack([named[name] for name in self.model.names], axis=-1) - self.model.lower
            return np.clip(np.log(above), -MAX_LOG_PARAMETER, MAX_LOG_PARAMETER)

    def psi(self, theta: Array) -> Array:
        """Return the coordinates of parameters, shape (size,), none farther out than segments may start from."""
        above = (theta - self.model.lower) / self.units
        if self.model.quantities:
            named = dict(zip(self.model.names, self.model.lower + above, strict=True))
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                quantities = self.model.to_quantities(named, self.year)
                above = np.array([float(quantities[name]) for name in self.names])
                above = np.where(self.shares, above / (1.0 - above), above)
        with np.errstate(divide="ignore"):
            return np.clip(np.log(above), -FARTHEST_START, FARTHEST_START)

    def slopes(self, psi: Array) -> Array:
        """Return how log((theta - lower) / units) follows psi, shape (..., parameters, size)."""
        shifts = STEP * np.eye(psi.shape[-1])
        return np.stack(
            [(self._log_parameters(psi + by) - self._log_parameters(psi - by)) / (2.0 * STEP) for by in shifts], axis=-1
        )

    def gradient(self, psi: Array) -> tuple[Array, Array]:
        """Return the log-likelihood of each segment and its gradient at coordinates of shape (segments, size)."""
        theta = self.theta(psi)
        first, run = self._runs
        with np.errstate(all="ignore"):  # far from the maximum a term may overflow; what is not finite is refused
            of_counts, slope_of_counts = self.model.count_terms(theta[self.segment[first]], self.columns[0][first])
        value, by_theta = np.empty(len(self.weight)), np.empty((len(self.weight), theta.shape[-1]))

        def block(rows: slice) -> None:
            columns = [column[rows] for column in self.columns]
            with np.errstate(all="ignore"):  # as above
                values, slopes = self.model.history_terms(theta[self.segment[rows]], *columns)
                np.multiply(values + of_counts[run[rows]], self.weight[rows], out=value[rows])
                np.multiply(slopes + slope_of_counts[run[rows]], self.weight[rows, None], out=by_theta[rows])

        map_blocks(block, len(value), ROWS_PER_BLOCK)
        starts = run_starts(self.segment)
        present = self.segment[starts]
        values, gradient = np.zeros(self.segments), np.zeros(psi.shape)
        if not len(present):
            return values, gradient
        values[present] = np.add.reduceat(value, starts)
        by_log = np.add.reduceat(by_theta, starts) * (theta - self.model.lower)[present]
        gradient[present] = np.einsum("gp,gpk->gk", by_log, self.slopes(psi[present]))
        return values, gradient

    def curvature(self, psi: Array, gradient: Array | None = None) -> Array:
        """Return the curvature of minus the log-likelihood of each segment, shape (segments, size, size).

        Where the log-likelihood bends upwards, it is zero in that direction. Central differences of the gradient, good
        to about 1e-6; with the `gradient` at psi, forward ones, good to about 1e-3 at half the cost.
        """
        shifts = STEP_CURVATURE * np.eye(psi.shape[-1])
        if gradient is None:
            slopes = [0.5 * (self.gradient(psi - by)[1] - self.gradient(psi + by)[1]) for by in shifts]
        else:
            slopes = [gradient - self.gradient(psi + by)[1] for by in shifts]
        matrix = np.stack(slopes, axis=-1) / STEP_CURVATURE
        known = np.asarray(np.isfinite(matrix).all(axis=(1, 2)))
        matrix = np.where(known[:, None, None], matrix, 0.0)
        values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.transpose(0, 2, 1)))
        return np.asarray(np.einsum("gik,gk,gjk->gij", vectors, np.maximum(values, 0.0), vectors))

    def of(self, chosen: NDArray[np.bool_]) -> SegmentLikelihood:
        """Return the likelihoods of some of the segments, one boolean a segment."""
        if chosen.all():
            return self
        rows = chosen[self.segment]
        segment = (np.cumsum(chosen) - 1)[self.segment[rows]]
        columns = tuple(column[rows] for column in self.columns)
        return replace(
            self, columns=columns, weight=self.weight[rows], segment=segment, segments=int(np.count_nonzero(chosen))
        )


def segment_likelihood(model: Model, histories: Histories, by: str) -> tuple[SegmentLikelihood, tuple[str, ...]]:
    """Return the likelihoods of the segments that an attribute of histories in memory names, and their names.

    Raises
    ------
    DataError
        If there is no such attribute, or it is missing for some customers.
    """
    code, names = segments_of(histories, by)
    if isinstance(model, SpendModel):
        require_order_values(model, model.statistics, histories)
    columns, weight = [histories.statistic(name) for name in model.statistics], histories.weight
    usable = histories.usable(model.statistics)
    if usable is not None:
        code, columns = code[usable], [column[usable] for column in columns]
        weight = None if weight is None else weight[usable]
    keys = (code.astype(float), *columns)
    distinct = distinct_rows(*keys) if weight is None else weighted_rows(weight, *keys)
    segment, *rows = np.ascontiguousarray(distinct.rows.T)
    units, year = np.ones(len(model.names)), 1.0
    if isinstance(model, TransactionModel):
        time = 1.0 if model.time == "periods" else float(np.average(rows[2], weights=distinct.weight))
        units, year = model.units(time=time), DAYS["year"] / DAYS[histories.unit] / time
    else:
        assert isinstance(model, SpendModel)
        units = model.units(money=usual_order(model, rows, distinct.weight))
    return SegmentLikelihood(
        model, tuple(rows), distinct.weight, segment.astype(np.int64), len(names), units, year
    ), names
