"""A model of transactions on clocks of each customer's own: covariates that change while they are customers.

While a customer's columns are z, purchases run exp(gamma'z) times as fast as time, and leaving in time exp(delta'z)
times. A clock is the integral of its speed since the first purchase; the likelihood is that of the model at the clocks'
readings, times the speeds at the repeat purchases: with A the clock of purchases, D that of leaving,

    log L = log Gamma(r+x)/Gamma(r) - x log alpha + sum over repeat purchases of gamma'z
            + log[(1+A(T)/alpha)^-(r+x) (1+D(T)/beta)^-s + sum over pieces after t_x of I],

I the integral of (1+A(t)/alpha)^-(r+x) (s/beta) (1+D(t)/beta)^-(s+1) D'(t) over a piece in which the columns are
constant. Models whose customers leave at purchases see A(t_x) and A(T) alone.

From T on, the columns stay as they are: a customer whose clocks then run at speeds a and d has the future of one who
starts at T with alpha = (alpha + A(T)) / a and beta = (beta + D(T)) / d, given that they are alive.

Source: the time change of a Poisson process (Cinlar 1975, chapter 4); Bachmann, Meierer & Naef (2021), Marketing
Science 40(4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import ModelError
from clvmodels.models.derived import residuals
from clvmodels.models.purchase_clock import gamma_of, terms_by_reading
from clvmodels.models.silence import silence
from clvmodels.models.specification import Array, Traits, TransactionModel
from clvmodels.models.stages import ConditionalOnAlive
from clvmodels.numerics.pieces import LARGEST_LOG_SPEED, Pieces, flattened, running_sums
from clvmodels.numerics.power_integral import power_integral
from clvmodels.numerics.quadrature import Weighting
from clvmodels.numerics.special import log_sums

__all__ = ["OwnPaths", "require_paths_of"]

Index = NDArray[np.int64]

AT_A_TIME: Final = 1 << 18
"""Pieces of rows: the arrays of more would take much memory."""
LARGEST: Final = 1e200
"""Samplers stray; where a parameter is larger, or smaller than the inverse, nothing is likely."""
MANY_PIECES: Final = 1 << 10
"""From so many on, compiled functions take the place of those here; see `numerics.kernels`."""


def require_paths_of(base: TransactionModel) -> None:
    """Raise ModelError unless a model can run on clocks of customers' own.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> require_paths_of(MODELS["pareto_nbd"])
    """
    if not base.clocks or base.draw_traits is None:
        raise ModelError(
            f"{base.name} runs on no clock, so that its covariates cannot change in time; use BG/NBD, MBG/NBD or"
            " Pareto/NBD with paths, or attributes that stay as they are"
        )


@dataclass(frozen=True, eq=False)
class Likelihoods:
    """What staying and leaving contribute to the likelihood of rows: logs, and their slopes.

    Attributes
    ----------
    staying, leaving
        Shape (n,); minus infinity where the last purchase was just now.
    by_staying, by_leaving
        By the model's parameters, then by the coefficients; shape (n, parameters + coefficients).
    """

    staying: Array
    leaving: Array
    by_staying: Array
    by_leaving: Array


@dataclass(frozen=True, eq=False)
class OwnPaths:
    """A model on customers' own clocks. In place of t_x and T, its functions take the number of a customer's path.

    theta holds the model's parameters, then exp(coefficient) of each column.

    Attributes
    ----------
    base
        The model.
    processes
        What each column acts on, one of ``base.effects``.
    pieces
        The paths: row 0 is that of customers who are still to come, whose columns are zero.
    row_of
        The row of each path by its number, minus one of those that are not among them; None: they are numbered so.
    """

    base: TransactionModel
    processes: tuple[str, ...]
    pieces: Pieces
    row_of: Index | None = None

    @cached_property
    def on_purchases(self) -> NDArray[np.bool_]:
        """Which columns set the speed of purchases, shape (columns,)."""
        return np.array([process == "purchase" for process in self.processes], bool)

    @cached_property
    def on_leaving(self) -> NDArray[np.bool_]:
        """Which columns set the speed of leaving in time, shape (columns,)."""
        return ~self.on_purchases & self.leave_in_time

    @property
    def leave_in_time(self) -> bool:
        """Whether customers leave in time, on a clock, and not at purchases."""
        return "dropout" in self.base.clocks

    @cached_property
    def shifts(self) -> Array:
        """By how much each column moves the log of each parameter, where it sets no speed, (columns, parameters)."""
        effects = np.zeros((len(self.processes), len(self.base.parameters)))
        for row, process, runs in zip(effects, self.processes, self.on_purchases | self.on_leaving, strict=True):
            for name, sign in () if runs else self.base.effects[process]:
                row[self.base.names.index(name)] = sign
        return effects

    def split(self, theta: Array) -> tuple[Array, Array]:
        """Return the parameters of the model, and the coefficients."""
        size = len(self.base.parameters)
        return theta[..., :size], np.log(theta[..., size:])

    # ------------------------------------------------------------------------------------------------- likelihood

    def history_terms(self, theta: Array, x: Array, *columns: Array) -> tuple[Array, Array]:
        """Return the log-likelihood of each row and its gradient; the last of the columns is the path.

        Nothing is left for `Model.count_terms`: parameters in it may be those of a row.
        """
        flat, shape = self._flat(theta, x, columns[-1])
        if not np.all((theta > 1.0 / LARGEST) & (theta < LARGEST)):
            return np.full(shape, -np.inf), np.zeros((*shape, theta.shape[-1]))
        value, gradient = self._in_parts(self._terms, *flat)
        _, logs = self.split(theta)
        at_events = np.where(self.on_purchases, self.pieces.at_events, 0.0)[flat[2].reshape(shape)]
        gradient = gradient.reshape(*shape, -1)
        gradient[..., len(self.base.parameters) :] += at_events
        gradient[..., len(self.base.parameters) :] /= np.exp(logs)
        return value.reshape(shape) + np.einsum("...k,...k->...", at_events, logs), gradient

    def p_alive(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:  # noqa: ARG002 - the same path
        """Return P(alive at T)."""
        flat, shape = self._flat(theta, x, T)

        def alive(theta: Array, x: Array, path: Index) -> tuple[Array]:
            if not self.leave_in_time:
                last, now, *_ = self._readings(theta, path, slopes=False)
                return (self.base.p_alive(self._shifted(theta, path), x, last, now),)
            parts = self._likelihoods(theta, x, path, slopes=False)
            return (np.exp(parts.staying - np.logaddexp(parts.staying, parts.leaving)),)

        return self._in_parts(alive, *flat)[0].reshape(shape)

    def silence(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:  # noqa: ARG002 - the same path
        """Return the probability of no purchase in (t_x, T], as `models.silence` does."""
        flat, shape = self._flat(theta, x, T)

        def quiet(theta: Array, x: Array, path: Index) -> tuple[Array]:
            last, now, *_ = self._readings(theta, path, slopes=False)
            params = self._shifted(theta, path)
            if not self.leave_in_time:
                return (silence(self.base, params, x, last, now),)
            shape, rate = gamma_of(self.base, params)
            return (np.exp(-(shape + x) * np.log1p((now - last) / (rate + last))),)

        return self._in_parts(quiet, *flat)[0].reshape(shape)

    def _flat(self, theta: Array, x: Array, path: Array) -> tuple[tuple[Array, Array, Index], tuple[int, ...]]:
        """Return theta, x and pieces' row of each row, in one axis; theta alone, where all share it; and the shape."""
        shape = np.broadcast_shapes(theta.shape[:-1], np.shape(x), np.shape(path))
        rows = (np.broadcast_to(np.asarray(column, float), shape).ravel() for column in (x, path))
        if theta.ndim > 1:
            theta = np.broadcast_to(theta, (*shape, theta.shape[-1])).reshape(-1, theta.shape[-1])
        x, path = rows
        which = path.astype(np.int64)
        which = which if self.row_of is None else self.row_of[which]
        if np.any(which < 0):
            raise ModelError("the paths are those of other customers; ask fit.at_end_of(rfm) for the fit of these")
        return (theta, x, which), shape

    def _in_parts(
        self, function: Callable[[Array, Array, Index], tuple[Array, ...]], theta: Array, x: Array, path: Index
    ) -> tuple[Array, ...]:
        """Return what a function gives of rows, few pieces at a time."""
        pieces = np.cumsum(self.pieces.first[path + 1] - self.pieces.first[path])
        if not len(path) or pieces[-1] <= AT_A_TIME:
            return function(theta, x, path)
        cuts = np.searchsorted(pieces, np.arange(AT_A_TIME, pieces[-1], AT_A_TIME))
        parts = [
            function(theta if theta.ndim == 1 else theta[rows], x[rows], path[rows])
            for rows in np.split(np.arange(len(path)), np.unique(cuts[cuts > 0]))
        ]
        return tuple(np.concatenate(each) for each in zip(*parts, strict=True))

    def _terms(self, theta: Array, x: Array, path: Index) -> tuple[Array, Array]:
        """Return log-likelihoods without the speeds at purchases, and slopes by parameters and coefficients."""
        if not self.leave_in_time:
            return self._terms_by_reading(theta, x, path)
        parts = self._likelihoods(theta, x, path, slopes=True)
        value = np.logaddexp(parts.staying, parts.leaving)
        stays, left = (np.exp(part - value)[:, None] for part in (parts.staying, parts.leaving))
        gradient = stays * parts.by_staying + left * parts.by_leaving
        counts, by_params = self.base.count_terms(self.split(theta)[0], x)
        gradient[:, : by_params.shape[-1]] += by_params
        return value + counts, gradient

    def _terms_by_reading(self, theta: Array, x: Array, path: Index) -> tuple[Array, Array]:
        params = self._shifted(theta, path)
        last, now, slope_last, slope_now = self._readings(theta, path, slopes=True)
        value, gradient, by_now, per_last = terms_by_reading(self.base, params, x, last, now)
        counts, by_params = self.base.count_terms(params, x)
        gradient = gradient + by_params
        by_logs = by_now[:, None] * slope_now + per_last[:, None] * slope_last
        by_logs += self.pieces.now[path] * ((gradient * params) @ self.shifts.T)
        own = self.split(theta)[0]
        return value + counts, np.concatenate([gradient * params / own, by_logs], axis=1)

    def _shifted(self, theta: Array, path: Index) -> Array:
        """Return the model's parameters of rows, moved by columns that set no speed."""
        params, logs = self.split(theta)
        if not self.shifts.any():
            return params
        return np.asarray(params * np.exp((self.pieces.now[path] * logs) @ self.shifts))

    def _readings(self, theta: Array, path: Index, *, slopes: bool) -> tuple[Array, Array, Array, Array]:
        """Return A(t_x) and A(T) of rows, and their slopes by the coefficients, shape (n, coefficients)."""
        which, number = flattened(self.pieces.first, path)
        row = np.repeat(np.arange(len(path)), number)
        step = self._speed(theta, which, row, self.on_purchases) * self.pieces.length[which]
        early = np.where(which < self.pieces.silence[path][row], step, 0.0)
        empty = np.zeros((0, 0))
        last, now = (running_sums(values, number)[1] for values in (early, step))
        if not slopes:
            return last, now, empty, empty
        columns = np.where(self.on_purchases, self.pieces.columns[which], 0.0)
        by_last, by_now = (running_sums(values[:, None] * columns, number)[1] for values in (early, step))
        return last, now, by_last, by_now

    def _speed(self, theta: Array, which: Index, row: Index, columns: NDArray[np.bool_]) -> Array:
        """Return the speed that some of the columns give pieces."""
        logs = np.where(columns, self.split(theta)[1], 0.0)
        if logs.ndim == 1:
            return _speed_of(self.pieces.columns @ logs)[which]
        return _speed_of(np.einsum("mk,mk->m", self.pieces.columns[which], logs[row]))

    def _likelihoods(self, theta: Array, x: Array, path: Index, *, slopes: bool) -> Likelihoods:
        """Return what staying and leaving contribute, where customers leave in time."""
        number = int((self.pieces.first[path + 1] - self.pieces.first[path]).sum())
        if number < MANY_PIECES:
            return self.likelihoods(theta, x, path)
        from clvmodels.models.kernels.own_paths import path_likelihoods

        params, logs = (np.ascontiguousarray(each) for each in self.split(np.atleast_2d(theta)))
        group = np.zeros(len(path), np.int64) if theta.ndim == 1 else np.arange(len(path))
        pieces, acts = self.pieces, (self.on_purchases, self.on_leaving)
        paths = (pieces.first, pieces.silence, pieces.length, pieces.columns)
        return Likelihoods(*path_likelihoods(params, logs, group, x, path, *paths, *acts, slopes))

    def likelihoods(self, theta: Array, x: Array, path: Index) -> Likelihoods:
        """Return what staying and leaving contribute to rows of Pareto/NBD, in functions of whole arrays.

        Parameters
        ----------
        theta
            Shape (parameters + coefficients,), or (n, parameters + coefficients).
        x, path
            Shape (n,).
        """
        pieces, (params, _) = self.pieces, self.split(theta)
        which, number = flattened(pieces.first, path)
        row = np.repeat(np.arange(len(path)), number)
        columns, length = pieces.columns[which], pieces.length[which]
        clocks = [
            _RunningClock.of(self._speed(theta, which, row, chosen), length, np.where(chosen, columns, 0.0), number)
            for chosen in (self.on_purchases, self.on_leaving)
        ]
        staying, by_staying = _staying(params, x, clocks)
        silent = which >= pieces.silence[path][row]
        row, length, clocks = row[silent], length[silent], [clock.taken(silent) for clock in clocks]
        value, slopes = _leaving(params if params.ndim == 1 else params[row], x[row], clocks, length)
        leaving, by_leaving = log_sums(len(path), row, value, slopes)
        return Likelihoods(staying, leaving, by_staying, by_leaving)

    # ----------------------------------------------------------------------------------------------------- future

    def from_now(self, theta: Array, T: Array) -> Array:
        """Return the parameters of the model of customers who, given that they are alive, start at T.

        Parameters
        ----------
        theta
            Its axes but the last broadcast against those of T.
        T
            The numbers of their paths.

        Returns
        -------
        Array
            Shape (*axes, parameters).
        """
        flat, shape = self._flat(theta, np.zeros(()), T)
        return self._in_parts(self._from_now, *flat)[0].reshape(*shape, -1)

    def _from_now(self, theta: Array, x: Array, path: Index) -> tuple[Array]:
        params = np.array(np.broadcast_to(self._shifted(theta, path), (len(x), len(self.base.parameters))))
        logs, now = self.split(theta)[1], self.pieces.now[path]
        which, number = flattened(self.pieces.first, path)
        row = np.repeat(np.arange(len(path)), number)
        acts = {"purchase": self.on_purchases, "dropout": self.on_leaving}
        for process, parameter in self.base.clocks.items():
            step = self._speed(theta, which, row, acts[process]) * self.pieces.length[which]
            speed = _speed_of(np.sum(now * np.where(acts[process], logs, 0.0), axis=-1))
            time = self.base.names.index(parameter)
            params[:, time] = (params[:, time] + running_sums(step, number)[1]) / speed
        return (params,)

    def future(self, theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
        """Return survival and intensity at T + t."""
        return self.base.future(self.from_now(theta, T), x, np.zeros(()), t)

    def expected_purchases(self, theta: Array, x: Array, T: Array, t: Array) -> Array:
        """Return E[purchases in (T, T+t]] given alive at T."""
        return self.base.expected_purchases(self.from_now(theta, T), x, np.zeros(()), t)

    def pmf(self, theta: Array, x: Array, T: Array, t: Array, n: Array) -> Array:
        """Return P(n purchases in (T, T+t]) given alive at T."""
        return self.base.pmf(self.from_now(theta, T), x, np.zeros(()), t, n)

    def mean_purchase_rate(self, theta: Array) -> Array:
        """Return the mean purchase rate of customers whose columns are zero."""
        return self.base.mean_purchase_rate(self.split(theta)[0])

    def draw_traits(self, theta: Array, x: Array, T: Array, generator: np.random.Generator) -> Traits:
        """Draw what customers who are alive at T are like from then on."""
        assert self.base.draw_traits is not None
        return self.base.draw_traits(self.from_now(theta, T), x, np.zeros(()), generator)

    def residuals(
        self,
        draws: Array,  # noqa: ARG002 - as those of other models
        x: Array,  # noqa: ARG002
        T: Array,  # noqa: ARG002
        weightings: Sequence[Weighting],
    ) -> ConditionalOnAlive:
        """Return the function that gives weighted integrals of intensity and survival."""

        def given(theta: Array, x: Array, T: Array) -> Array:
            if not len(x):
                return np.zeros((0, theta.shape[-2], 2 * len(weightings)))
            params, start = self.from_now(theta, T[:, None]), np.zeros(len(x))
            return residuals(self.base, params, x, start, weightings, np.arange(len(x)))(params, x, start)

        return given


def _speed_of(log: Array) -> Array:
    return np.asarray(np.exp(np.clip(log, -LARGEST_LOG_SPEED, LARGEST_LOG_SPEED)))


@dataclass(frozen=True, eq=False)
class _RunningClock:
    """A clock in pieces: its speed, what it shows when each begins and at the end of rows, and slopes of all.

    Attributes
    ----------
    columns
        Those that set its speed, zeros the others: slopes of the log of the speed; shape (pieces, columns).
    speed, shown, by_shown
        Of pieces; slopes of shape (pieces, columns).
    total, by_total
        Of rows; slopes of shape (rows, columns).
    """

    columns: Array
    speed: Array
    shown: Array
    by_shown: Array
    total: Array
    by_total: Array

    @classmethod
    def of(cls, speed: Array, length: Array, columns: Array, number: Index) -> Self:
        """Return the clock of a speed in pieces, of which each row has a number."""
        step = speed * length
        shown, total = running_sums(step, number)
        by_shown, by_total = running_sums(step[:, None] * columns, number)
        return cls(columns, speed, np.maximum(shown, 0.0), by_shown, total, by_total)

    def taken(self, pieces: NDArray[np.bool_]) -> Self:
        """Return the clock of some pieces."""
        columns, speed, shown, by_shown = (
            values[pieces] for values in (self.columns, self.speed, self.shown, self.by_shown)
        )
        return replace(self, columns=columns, speed=speed, shown=shown, by_shown=by_shown)


def _staying(params: Array, x: Array, clocks: Sequence[_RunningClock]) -> tuple[Array, Array]:
    """Return log of (1+A/alpha)^-(r+x) (1+D/beta)^-s, and its slopes by parameters and coefficients."""
    r, alpha, s, beta = np.moveaxis(params, -1, 0)
    n, (A, D) = r + x, (clock.total for clock in clocks)
    growth, beta_growth = np.log1p(A / alpha), np.log1p(D / beta)
    by_params = [-growth, n / alpha * A / (alpha + A), -beta_growth, s / beta * D / (beta + D)]
    by_clocks = (-n / (alpha + A), -s / (beta + D))
    by_coefficients = sum(by[:, None] * clock.by_total for by, clock in zip(by_clocks, clocks, strict=True))
    return -n * growth - s * beta_growth, np.column_stack([*by_params, by_coefficients])


def _leaving(params: Array, x: Array, clocks: Sequence[_RunningClock], length: Array) -> tuple[Array, Array]:
    """Return log of int_0^length (1+(A+a u)/alpha)^-(r+x) (d s/beta) (1+(D+d u)/beta)^-(s+1) du, and its slopes.

    The factors over their values at u = 0 fall as (1 + u a/(alpha+A))^-(r+x) and (1 + u d/(beta+D))^-(s+1).
    """
    r, alpha, s, beta = np.moveaxis(params, -1, 0)
    n, (A, D), (a, d) = r + x, (clock.shown for clock in clocks), (clock.speed for clock in clocks)
    growth, beta_growth = np.log1p(A / alpha), np.log1p(D / beta)
    base, beta_base = (alpha + A) / a, (beta + D) / d
    left = power_integral(n, s + 1.0, base, beta_base, np.zeros(()), length)
    value = left.log + np.log(d * s / beta) - n * growth - (s + 1.0) * beta_growth
    by_params = [
        left.by_n - growth,
        left.by_alpha / a + n / alpha * A / (alpha + A),
        left.by_k - beta_growth + 1.0 / s,
        left.by_beta / d + ((s + 1.0) * D / (beta + D) - 1.0) / beta,
    ]
    by_shown = (left.by_alpha / a - n / (alpha + A), left.by_beta / d - (s + 1.0) / (beta + D))
    by_log_speed = (-left.by_alpha * base, 1.0 - left.by_beta * beta_base)
    by_coefficients = sum(
        shown[:, None] * clock.by_shown + speed[:, None] * clock.columns
        for shown, speed, clock in zip(by_shown, by_log_speed, clocks, strict=True)
    )
    return value, np.column_stack([*by_params, by_coefficients])
