"""What ArviZ needs of a fit: the DataTree, and leave-one-out cross-validation, computed on distinct histories.

Customers with equal histories have equal pointwise log-likelihoods and equal leave-one-out densities, so that both are
computed once a distinct history and repeated by customer. Source: Vehtari, Gelman & Gabry (2017), Statistics and
Computing 27(5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clvmodels.arguments import require_memory
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_customers, require_histories
from clvmodels.data.statistics import column_of
from clvmodels.errors import FitError
from clvmodels.inference.parameters import Parameters, distinct_histories
from clvmodels.inference.priors import draw_priors
from clvmodels.inference.protocols import Fitted
from clvmodels.inference.surrogate import MANY_HISTORIES
from clvmodels.models.specification import Array, Model, TransactionModel
from clvmodels.numerics.distinct import DistinctRows, distinct_rows
from clvmodels.numerics.skeleton import Skeleton, skeleton
from clvmodels.numerics.threads import map_blocks
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import xarray as xr
    from arviz_stats.utils import ELPDData

__all__ = ["left_out_by_history", "loo", "mean_density_by_history", "to_datatree"]

NUMBERS_PER_BLOCK: Final = 1 << 20
LEAST_DRAWS: Final = 25
"""Their largest fifth, five of them, shows the tail of the weights."""
PRIOR_DRAWS: Final = 500
FEW_DRAWS: Final = 32
SAMPLED: Final = 400
"""Histories that show which of the draws give all others."""
EVEN: Final = 0.1
"""Standard deviation over draws of the log density of a history: below it, its importance weights need no smoothing,
which moves its log density by 0.0002 at most."""
GIGABYTE: Final = 1e9


def _usable(fit: Fitted[Model], histories: Histories) -> tuple[Histories, tuple[Array, ...]]:
    """Return the customers whom the likelihood is about, and its columns."""
    require_histories(histories)
    require_customers(histories, "leave-one-out")
    chosen = histories.usable(fit.model.statistics)
    usable = histories if chosen is None else histories.select(chosen)
    return usable, tuple(usable.statistic(name) for name in fit.model.statistics)


def _distinct(fit: Fitted[Model], histories: Histories) -> tuple[Histories, DistinctRows, Array]:
    """Return the customers whom the likelihood is about, their distinct histories, and its log by them and draw."""
    fit = fit.of_paths(histories)
    usable, columns = _usable(fit, histories)
    parameters = fit.parameters(usable)
    distinct = distinct_rows(*columns, *parameters.columns(), with_order=True)
    rows = [np.ascontiguousarray(column) for column in distinct.rows.T]
    of_rows = parameters.of_groups(np.array(rows[len(columns) :]))

    def block(chunk: slice) -> Array:
        there = (column[chunk, None] for column in rows[: len(columns)])
        return np.asarray(fit.model.log_likelihood(of_rows.theta(chunk), *there))

    at_a_time = max(NUMBERS_PER_BLOCK // parameters.number, 1)
    return usable, distinct, np.concatenate(map_blocks(block, len(distinct.rows), at_a_time))


def _of_totals(fit: Fitted[Model], usable: Histories) -> Array:
    """Return what the statistics of `Model.totals` add to the log density of each customer, the same in all draws."""
    if fit.model.total_factors is None:
        return np.zeros(len(usable))
    factors = fit.model.total_factors(fit.estimate)[0]
    return np.asarray(factors @ np.stack([usable.statistic(name) for name in fit.model.totals]))


def loo(fit: Fitted[Model], histories: Histories) -> ELPDData:
    """Return the expected log predictive density of each customer, left out; `Fit.loo` says more."""
    import xarray as xr
    from arviz_stats.utils import ELPDDataLOO

    if len(fit.draws) < LEAST_DRAWS:
        raise FitError(
            f'leave-one-out needs draws, {LEAST_DRAWS} or more, got {len(fit.draws)}; fit with method="nuts" or '
            '"laplace", which draw 1,000 and more unless told otherwise'
        )
    efficiency = _relative_efficiency(fit)
    usable, distinct, pointwise = _distinct(fit, histories)
    three = np.array([_left_out(values, efficiency) for values in pointwise])
    elpd, pareto_k, effective = three[distinct.index].T
    elpd = elpd + _of_totals(fit, usable)
    good = min(1.0 - 1.0 / np.log10(len(fit.draws)), 0.7)
    coords = {"customer_id": usable.customer_id.to_numpy()}
    return ELPDDataLOO(
        elpd=float(elpd.sum()),
        se=float(np.sqrt(len(elpd) * elpd.var(ddof=1))),
        p=float(effective.sum()),
        n_samples=len(fit.draws),
        n_data_points=len(elpd),
        scale="log",
        warning=bool((pareto_k > good).any()),
        good_k=good,
        elpd_i=xr.DataArray(elpd, coords, dims="customer_id"),
        pareto_k=xr.DataArray(pareto_k, coords, dims="customer_id"),
    )


def left_out_by_history(fit: Fitted[TransactionModel], histories: Histories) -> tuple[Array, Array]:
    """Return the log density of a customer with each distinct history, left out, and how many customers have it.

    Shape (distinct histories,) each, in the order of the histories. Importance weights that hardly vary are taken as
    they are; the others are smoothed, as by `loo`.
    """
    efficiency = _relative_efficiency(fit)
    pointwise, customers = _by_history(fit, histories)
    elpd = np.asarray(np.log(pointwise.shape[1]) - special.logsumexp(-pointwise, axis=1))
    for row in np.flatnonzero(pointwise.std(axis=1) > EVEN):
        elpd[row] = _left_out(pointwise[row], efficiency)[0]
    return elpd, customers


def mean_density_by_history(fit: Fitted[TransactionModel], histories: Histories) -> tuple[Array, Array]:
    """Return the log of the mean density of each distinct history over some draws, and how many customers have it.

    Of many customers, one left out hardly moves the draws: their density stands for that of leave-one-out.
    """
    fit = fit.of_paths(histories)
    parameters = fit.parameters(histories)
    which = np.linspace(0, parameters.number - 1, min(parameters.number, FEW_DRAWS)).round().astype(np.int64)
    distinct, of_rows = distinct_histories(fit.model, parameters.of_draws(which), histories)

    def densities(rows: NDArray[np.int64]) -> Array:
        pointwise = _of_rows(fit.model, distinct, of_rows, rows)
        return np.asarray(np.exp(pointwise - pointwise.max(axis=1, keepdims=True)))[..., None]

    few = Skeleton.whole(len(which))
    if of_rows.group is None and len(distinct.rows) >= MANY_HISTORIES:
        few = skeleton(densities, len(distinct.rows), len(which), sampled=SAMPLED, fewest=FEW_DRAWS)
    pointwise = _of_all(fit.model, distinct, of_rows.of_draws(few.chosen))
    highest = pointwise.max(axis=1)
    np.exp(np.subtract(pointwise, highest[:, None], out=pointwise), out=pointwise)
    mean: Array = np.log(np.einsum("ij,j->i", pointwise, few.mean)) + highest
    return mean, distinct.weight


def _by_history(fit: Fitted[TransactionModel], histories: Histories) -> tuple[Array, Array]:
    """Return the log density of each distinct history under each draw, and how many customers have it."""
    fit = fit.of_paths(histories)
    distinct, of_rows = distinct_histories(fit.model, fit.parameters(histories), histories)
    return _of_all(fit.model, distinct, of_rows), distinct.weight


def _of_all(model: TransactionModel, distinct: DistinctRows, parameters: Parameters) -> Array:
    """Return the log density of each distinct history under each draw, shape (histories, draws)."""
    if parameters.group is not None:
        return _in_blocks(lambda rows: _of_rows(model, distinct, parameters, rows), parameters, distinct)
    counts = distinct.by(0)
    of_counts = np.asarray(model.count_terms(parameters.draws, counts.rows)[0])

    def block(rows: slice) -> Array:
        x, t_x, T = (column[:, None] for column in np.ascontiguousarray(distinct.rows[rows, :3].T))
        return np.asarray(of_counts[counts.index[rows]] + model.history_terms(parameters.draws, x, t_x, T)[0])

    return _in_blocks(block, parameters, distinct)


def _in_blocks(block: Callable[[slice], Array], parameters: Parameters, distinct: DistinctRows) -> Array:
    at_a_time = max(NUMBERS_PER_BLOCK // parameters.number, 1)
    return np.concatenate(map_blocks(block, len(distinct.rows), at_a_time))


def _of_rows(
    model: TransactionModel, distinct: DistinctRows, parameters: Parameters, rows: NDArray[np.int64] | slice
) -> Array:
    """Return the same of some of the histories."""
    there = (np.ascontiguousarray(column[rows])[:, None] for column in distinct.rows[:, : len(model.statistics)].T)
    return np.asarray(model.log_likelihood(parameters.theta(rows), *there))


def _relative_efficiency(fit: Fitted[Model]) -> float:
    """Return the effective number of draws by their number, averaged over all that ArviZ gets, as ``az.loo`` does."""
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    chains, draws = fit.theta.shape[:2]
    if chains == 1:
        return 1.0
    effective = [
        np.ravel(array_stats.ess(values, chain_axis=0, draw_axis=1, method="mean"))
        for values in _posterior(fit).values()
    ]
    return float(np.concatenate(effective).mean() / (chains * draws))


def _left_out(log_likelihood: Array, efficiency: float) -> tuple[float, float, float]:
    """Return the log density of a history left out, Pareto k, and its share of the effective number of parameters.

    A history that is as likely under all draws, such as that of a customer of age zero, says nothing about them.
    """
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    if np.ptp(log_likelihood) == 0.0:
        return float(log_likelihood[0]), -np.inf, 0.0
    elpd, pareto_k, effective = array_stats.loo(log_likelihood[None, :], r_eff=efficiency)
    return float(elpd), float(pareto_k), float(effective)


def to_datatree(fit: Fitted[Model], histories: Histories, memory_gb: float) -> xr.DataTree:
    """Return the fit as ArviZ's DataTree; `Fit.to_datatree` says more."""
    import arviz_base

    memory_gb = require_memory(memory_gb, FitError) / GIGABYTE
    usable, columns = _usable(fit, histories)
    chains, draws = fit.theta.shape[:2]
    size = 8.0 * chains * draws * len(usable) / GIGABYTE
    if size > memory_gb:
        raise FitError(
            f"the pointwise log-likelihood of {len(usable):,} customers under {chains * draws:,} draws takes "
            f"{size:.1f} GB, more than memory_gb={memory_gb:g}; select customers, or use fit.loo(rfm), which "
            "az.compare takes as well"
        )
    _, distinct, values = _distinct(fit, histories)
    pointwise = values[distinct.index].T.reshape(chains, draws, -1) + _of_totals(fit, usable)
    names = tuple(map(column_of, fit.model.statistics))
    groups: dict[str, dict[str, Any]] = {
        "posterior": _posterior(fit),
        "sample_stats": dict(fit.stats),
        "prior": _prior(fit),
        "observed_data": dict(zip(names, columns, strict=True)),
        "log_likelihood": {"history": pointwise},
    }
    dims = {name: ["customer_id"] for name in (*names, "history")}
    dims |= {f"{name}_of_segment": ["segment"] for name in fit.model.names}
    coords: dict[str, Any] = {"customer_id": usable.customer_id.to_numpy(), "segment": list(fit.segments)}
    return arviz_base.from_dict({name: group for name, group in groups.items() if group}, coords=coords, dims=dims)


def _posterior(fit: Fitted[Model]) -> dict[str, Array]:
    """Return the draws of the parameters, and of the quantities that priors are stated in."""
    params = {name: fit.theta[..., k] for k, name in enumerate(fit.model.names)}
    segments = {
        f"{name}_of_segment": np.moveaxis(fit.segment_theta[..., k], 0, -1)
        for k, name in enumerate(fit.model.names)
        if fit.segments
    }
    covariates = fit.covariates
    coefficients = (
        {}
        if covariates is None
        else dict(zip(covariates.design.names, np.moveaxis(covariates.draws, -1, 0), strict=True))
    )
    return params | fit.model.to_quantities(params, _year(fit)) | segments | coefficients


def _year(fit: Fitted[Model]) -> float:
    return DAYS["year"] / DAYS[fit.unit] if fit.unit is not None else 1.0


def _prior(fit: Fitted[Model]) -> dict[str, Array]:
    """Return draws of what was believed before; none for maximum likelihood, or for priors that cannot be drawn from.

    Those are objects of the user's own, of which the fit holds no more than what they are called, and flat ones.
    """
    if not fit.priors or any("object" in prior for prior in fit.priors.values()):
        return {}
    try:
        drawn = draw_priors(fit.model, fit.priors, _year(fit), draws=PRIOR_DRAWS, seed=1)
    except FitError:
        return {}
    return {name: values[None, :] for name, values in drawn.items()}
