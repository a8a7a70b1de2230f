"""What ArviZ needs of a fit: the DataTree, and leave-one-out cross-validation, computed on distinct histories.

Customers with equal histories have equal pointwise log-likelihoods and equal leave-one-out densities, so that both are
computed once a distinct history and repeated by customer. Source: Vehtari, Gelman & Gabry (2017), Statistics and
Computing 27(5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError
from clvmodels.inference.priors import create_variable
from clvmodels.models.specification import Array
from clvmodels.numerics.distinct import DistinctRows, distinct_rows
from clvmodels.numerics.threads import map_blocks
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import xarray as xr
    from arviz_stats.utils import ELPDData

    from clvmodels.inference.fit import Fit
    from clvmodels.inference.orders_fit import OrdersFit
    from clvmodels.inference.spend_fit import SpendFit

__all__ = ["loo", "to_datatree"]

NUMBERS_PER_BLOCK: Final = 1 << 20
PRIOR_DRAWS: Final = 500
GIGABYTE: Final = 1e9


def _usable(fit: Fit, histories: Histories) -> tuple[Histories, tuple[Array, ...]]:
    """Return the customers whom the likelihood is about, and its columns."""
    if fit.unit is not None:
        return histories, (histories.frequency, histories.recency, histories.T)
    usable = (histories.frequency > 0) & (histories.monetary_value > 0)
    some = histories.select(usable)
    return some, (some.frequency, some.monetary_value)


def _log_likelihood(fit: Fit, draws: Array, distinct: DistinctRows) -> Array:
    """Return the pointwise log-likelihood of distinct histories, shape (distinct, draws)."""
    columns = [np.ascontiguousarray(column) for column in distinct.rows.T]

    def block(rows: slice) -> Array:
        values = fit.model.log_likelihood(draws[None, :, :], *(column[rows, None] for column in columns))
        return np.asarray(values)

    return np.concatenate(map_blocks(block, len(distinct.rows), max(NUMBERS_PER_BLOCK // len(draws), 1)))


def _by_customer(fit: Fit, histories: Histories) -> list[tuple[Array, DistinctRows, Any]]:
    """Return (log-likelihood by distinct history and draw, the distinct histories, rows of the customers) a segment."""
    some, columns = _usable(fit, histories)
    parts = []
    for part in fit.parts(some):
        rows = slice(None) if part.rows is None else part.rows
        distinct = distinct_rows(*(column[rows] for column in columns), with_order=True)
        parts.append((_log_likelihood(fit, part.draws, distinct), distinct, rows))
    return parts


def loo(fit: OrdersFit | SpendFit, histories: Histories) -> ELPDData:
    """Return the expected log predictive density of each customer, left out; `Fit.loo` says more."""
    import xarray as xr
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]
    from arviz_stats.utils import ELPDDataLOO

    if len(fit.draws) < 2:
        raise FitError('leave-one-out needs draws; fit with method="nuts" or "laplace"')
    some, _ = _usable(fit, histories)
    elpd, pareto_k, effective = (np.empty(len(some)) for _ in range(3))
    for values, distinct, rows in _by_customer(fit, histories):
        three = np.array([array_stats.loo(one.reshape(fit.theta.shape[:2])) for one in values])
        elpd[rows], pareto_k[rows], effective[rows] = three[distinct.index].T
    good = min(1.0 - 1.0 / np.log10(len(fit.draws)), 0.7)
    coords = {"customer_id": some.customer_id.to_numpy()}
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


def to_datatree(fit: OrdersFit | SpendFit, histories: Histories, memory_gb: float) -> xr.DataTree:
    """Return the fit as ArviZ's DataTree; `Fit.to_datatree` says more."""
    import arviz_base

    some, columns = _usable(fit, histories)
    chains, draws = fit.theta.shape[:2]
    size = 8.0 * chains * draws * len(some) / GIGABYTE
    if size > memory_gb:
        raise FitError(
            f"the pointwise log-likelihood of {len(some):,} customers under {chains * draws:,} draws takes "
            f"{size:.1f} GB, more than memory_gb={memory_gb:g}; select customers, or use fit.loo(rfm), which "
            "az.compare takes as well"
        )
    pointwise = np.empty((chains, draws, len(some)))
    for values, distinct, rows in _by_customer(fit, histories):
        pointwise[:, :, rows] = values[distinct.index].T.reshape(chains, draws, -1)
    names = ("frequency", "recency", "T") if fit.unit is not None else ("frequency", "monetary_value")
    groups: dict[str, dict[str, Any]] = {
        "posterior": _posterior(fit),
        "sample_stats": dict(fit.stats),
        "prior": _prior(fit),
        "observed_data": dict(zip(names, columns, strict=True)),
        "log_likelihood": {"history": pointwise},
    }
    dims = {name: ["customer_id"] for name in (*names, "history")}
    dims |= {f"{name}_of_segment": ["segment"] for name in fit.model.names}
    coords: dict[str, Any] = {"customer_id": some.customer_id.to_numpy(), "segment": list(fit.segments)}
    return arviz_base.from_dict({name: group for name, group in groups.items() if group}, coords=coords, dims=dims)


def _posterior(fit: Fit) -> dict[str, Array]:
    """Return the draws of the parameters, and of the quantities that priors are stated in."""
    params = {name: fit.theta[..., k] for k, name in enumerate(fit.model.names)}
    segments = {
        f"{name}_of_segment": np.moveaxis(fit.segment_theta[..., k], 0, -1)
        for k, name in enumerate(fit.model.names)
        if fit.segments
    }
    return params | fit.model.to_quantities(params, _year(fit)) | segments


def _year(fit: Fit) -> float:
    return DAYS["year"] / DAYS[fit.unit] if fit.unit is not None else 1.0


def _prior(fit: Fit) -> dict[str, Array]:
    """Return draws of what was believed before; none for maximum likelihood or an object of the user's own."""
    import pymc as pm

    if not fit.priors or any("object" in prior for prior in fit.priors.values()):
        return {}
    with pm.Model():
        variables = {name: create_variable(name, prior) for name, prior in fit.priors.items()}
        drawn = pm.draw(list(variables.values()), PRIOR_DRAWS, random_seed=1, mode="FAST_COMPILE")
    values = {name: np.asarray(one)[None, :] for name, one in zip(variables, drawn, strict=True)}
    return values if set(values) == set(fit.model.names) else values | fit.model.from_quantities(values, _year(fit))
