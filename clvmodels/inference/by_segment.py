"""A fit by segment: the segments from a common population, beside the fit to all customers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.errors import FitError
from clvmodels.inference.diagnostics import Diagnostics, diagnose_weights
from clvmodels.inference.empirical_bayes import Hierarchy, fit_hierarchy
from clvmodels.inference.segment_draws import draw_segments
from clvmodels.inference.segment_likelihood import segment_likelihood
from clvmodels.inference.segment_test import SegmentTest

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.protocols import Method
    from clvmodels.inference.sampler_settings import SamplerSettings
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["fit_by_segment"]


def fit_by_segment[F: TransactionFit | SpendFit](
    pooled: F, histories: Histories, by: str, method: Method, effort: SamplerSettings
) -> F:
    """Return the fit by segment of the model of a fit to all customers.

    Parameters
    ----------
    pooled
        The fit to all customers by maximum likelihood.
    histories
        The customers, in memory.
    by
        The attribute that names their segments.
    method, effort
        ``"mle"``: the means of the segments. ``"laplace"``: draws of the centre and the spreads of the population,
        re-weighted, and of the segments given each of them.

    Raises
    ------
    FitError
        If there are no draws, as the data do not tell where the centre is.
    DataError
        If there is no such attribute, or it is missing for some customers.
    """
    likelihood, names = segment_likelihood(pooled.model, histories, by)
    hierarchy = fit_hierarchy(likelihood, likelihood.psi(pooled.estimate))
    size = len(likelihood.names)
    centre, psi, pareto_k = hierarchy.population.centre[None], hierarchy.psi[:, None], None
    if method == "laplace":
        if np.isnan(hierarchy.covariance).any():
            raise FitError(
                "the likelihood of the population's centre is flat at its maximum, so that there is no normal "
                f'approximation to draw from; use method="nuts" in Python ({pooled.diagnostics.message})'
            )
        centre, psi, pareto_k = draw_segments(hierarchy, effort.draws, effort.seed)
    slopes = likelihood.slopes(hierarchy.population.centre)
    spreads = np.exp(hierarchy.population.log_spread).tolist()
    return replace(
        pooled,
        theta=likelihood.theta(centre)[None],
        method=method,
        log_likelihood=hierarchy.evidence,
        estimate=likelihood.theta(hierarchy.population.centre),
        covariance=slopes @ hierarchy.covariance[:size, :size] @ slopes.T,
        diagnostics=_diagnostics(pooled.diagnostics, hierarchy, pareto_k),
        by=by,
        segments=names,
        segment_theta=likelihood.theta(psi)[:, None],
        segment_test=SegmentTest(
            hierarchy.evidence, pooled.log_likelihood, dict(zip(likelihood.names, spreads, strict=True))
        ),
    )


def _diagnostics(pooled: Diagnostics, hierarchy: Hierarchy, pareto_k: float | None) -> Diagnostics:
    """Return how the fit ended: as that to all customers, if that has no clean maximum."""
    segments = f"{len(hierarchy.psi):,} segments from a common population, in {hierarchy.rounds} rounds"
    if not hierarchy.converged:
        return Diagnostics("not converged", f'not converged: {segments}, and they still move; use method="nuts".')
    if pooled.status != "converged":
        return replace(pooled, message=f"all customers: {pooled.message}")
    if pareto_k is not None:
        weights = diagnose_weights(pareto_k)
        return replace(weights, message=f"{segments}; {weights.message}")
    return Diagnostics("converged", f"{segments}, converged to a clean maximum.", evaluations=hierarchy.rounds)
