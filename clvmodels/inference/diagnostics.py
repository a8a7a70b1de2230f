"""How a fit ended, in words a user can act on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from clvmodels.inference.observations import Observations
from clvmodels.inference.surrogate import LARGEST_ERROR
from clvmodels.models.specification import Array, Limit, Model, TransactionModel
from clvmodels.numerics.maximisation import BOUNDARY_LOG_PARAMETER, MIN_CURVATURE, Optimum

__all__ = ["Diagnostics", "diagnose", "diagnose_chains", "diagnose_weights"]

LARGEST_R_HAT, LEAST_ESS, LARGEST_K = 1.01, 400.0, 0.7
"""Vehtari et al. (2021), Bayesian Analysis 16(2); Vehtari et al. (2024), JMLR 25."""

INTERVALS = 'method="posterior" gives parameters with intervals'
"""What can be done about a likelihood that is flat: its posterior is not."""

Status = Literal["given", "converged", "boundary", "not identified", "not converged"]


@dataclass(frozen=True)
class Diagnostics:
    """How a fit ended.

    Attributes
    ----------
    status
        ``"given"`` for parameters that were not fitted; ``"converged"``: a clean maximum; ``"boundary"``: a parameter
        ran to zero or infinity; ``"not identified"``: the data leave a combination of parameters open.
    message
        The same in a sentence, with what in the data may have caused it.
    gradient
        Largest derivative of the mean log-likelihood by a log parameter, before the last step.
    evaluations
        How often the likelihood of all customers was computed.
    r_hat, ess
        Of draws from chains: the largest R-hat, and the smallest effective sample size, of any parameter; None where
        one chain, or fewer than four draws of each, do not suffice.
    divergences
        Number of draws at which the sampler's steps went astray.
    pareto_k
        Of draws from an approximation: above 0.7 it is too far off.
    surrogate_error
        Of draws of many customers from an approximation: by how much a polynomial that stands for the log density of
        most draws misses it, as a root mean square over others; above 0.01 the density of each draw was computed. None
        where there was no polynomial.
    limits
        What is true of the data where the likelihood is highest at the edge of the model, in words.
    endless
        Whether customers who are alive never leave there.
    grid
        Of histories that were counted in cells: what exact ones would change about the log-likelihood, to second order.
    """

    status: Status
    message: str
    gradient: float = 0.0
    evaluations: int = 0
    r_hat: float | None = None
    ess: float | None = None
    divergences: int | None = None
    pareto_k: float | None = None
    surrogate_error: float | None = None
    limits: tuple[str, ...] = ()
    endless: bool = False
    grid: float | None = None

    def on_grid(self, effect: float) -> Diagnostics:
        """Return the same of a fit to histories on a grid."""
        words = f" Counted in cells of like histories; exact ones would change the log-likelihood by {effect:.2g}."
        return replace(self, message=self.message + words, grid=effect)

    def at_maximum(self, likelihood: Diagnostics) -> Diagnostics:
        """Return the same of draws of a posterior, told how the maximum of the likelihood ended."""
        if not likelihood.limits:
            return self
        words = f" The likelihood alone is highest at the edge of the model: {', and '.join(likelihood.limits)}."
        return replace(self, message=self.message + words, limits=likelihood.limits, endless=likelihood.endless)


def diagnose(model: Model, observations: Observations, optimum: Optimum) -> Diagnostics:
    """Tell a clean maximum from a boundary, a flat direction or none, and name what in the data causes it."""
    eigenvalues, vectors = np.linalg.eigh(optimum.hessian / observations.customers)
    size = np.abs(optimum.gradient).max()
    runaways = [name for name, psi in zip(model.names, optimum.psi, strict=True) if abs(psi) > BOUNDARY_LOG_PARAMETER]
    status: Status
    limits = _limits(model, optimum.psi) if runaways else ()
    if runaways:
        status, what = "boundary", _limit_in_words(model, optimum.psi, runaways, limits)
    elif not optimum.converged:
        slope = f"the slope of the log-likelihood is still {size:.1e} a customer"
        status, what = "not converged", f"{slope}, and a step would raise it by {optimum.left:.2g}"
    elif eigenvalues[0] < MIN_CURVATURE:
        status, what = "not identified", f"the data leave open a combination of {_involved(model, vectors[:, 0])}"
    else:
        return Diagnostics("converged", "converged to a clean maximum.", float(size), optimum.evaluations)
    message = f"{status}: {what}. {_data_in_words(model, observations)}"
    return Diagnostics(
        status,
        message,
        float(size),
        optimum.evaluations,
        limits=tuple(limit.meaning for limit in limits),
        endless=any(limit.endless for limit in limits),
    )


def _limits(model: Model, psi: Array) -> tuple[Limit, ...]:
    """Return the limits of the model that a fit ended at; if nobody leaves, chances need not be distinguished."""
    named = dict(zip(model.names, psi.tolist(), strict=True))
    limits: dict[str, Limit] = {}
    explained: set[str] = set()
    for limit in model.limits:
        names = {name for sums in limit.beyond for name in sums}
        if limit.holds(named, far=BOUNDARY_LOG_PARAMETER) and not names <= explained:
            limits.setdefault(limit.meaning, limit)
            explained |= names
    return tuple(limits.values())


def _limit_in_words(model: Model, psi: Array, runaways: list[str], limits: Sequence[Limit]) -> str:
    """Return what is true of data whose fit ended at a limit of the model, and which parameters say so."""
    named = dict(zip(model.names, psi.tolist(), strict=True))
    larger, smaller = ([name for name in runaways if sign * named[name] > 0.0] for sign in (1.0, -1.0))
    ways = [(larger, "grew without limit"), (smaller, "went to its lower bound")]
    if len(smaller) > 1:
        ways[1] = smaller, "went to their lower bounds"
    directions = ", ".join(f"{' and '.join(names)} {way}" for names, way in ways if names)
    meanings = [limit.meaning for limit in limits]
    return f"{', and '.join(meanings) or 'the likelihood is highest at the edge of the model'} ({directions})"


def _involved(model: Model, direction: Array) -> str:
    return " and ".join(name for name, part in zip(model.names, direction, strict=True) if abs(part) > 0.2)


def _data_in_words(model: Model, observations: Observations) -> str:
    x, weight = observations.columns[0], observations.weight
    words = f"The data: {observations.customers:,.0f} customers, largest x {x.max():,.0f}"
    if isinstance(model, TransactionModel):
        T = observations.columns[2]
        once = weight[x == 0].sum() / weight.sum()
        words += f", {once:.0%} with x = 0, T from {T.min():.4g} to {T.max():.4g}"
        return f"{words}. A longer observation or more customers help; {INTERVALS}."
    return f"{words}. More repeat customers help; {INTERVALS}."


def diagnose_chains(u: Array, divergences: int) -> Diagnostics:
    """Judge draws of shape (chain, draw, size) by their convergence and their effective number, with advice."""
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    by_variable = np.moveaxis(u, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):  # what stands still has no R-hat
        r_hat = _known(np.max([array_stats.rhat(draws) for draws in by_variable]))
    kinds: tuple[dict[str, Any], ...] = ({"method": "bulk"}, {"method": "tail", "prob": (0.05, 0.95)})
    ess = _known(np.min([array_stats.ess(draws, **kind) for draws in by_variable for kind in kinds]))
    agreement = "R-hat unknown" if r_hat is None else f"R-hat at most {r_hat:.3f}"
    number = "an unknown number of" if ess is None else f"at least {ess:,.0f}"
    figures = f"{agreement}, {number} effective draws, {divergences} divergence{'s' * (divergences != 1)}"
    faults = []
    if len(u) < 2:
        faults.append("one chain cannot be checked against another: ask for chains=4")
    elif r_hat is None:
        faults.append("the draws do not tell whether the chains agree: ask for more (draws=...)")
    elif r_hat > LARGEST_R_HAT:
        faults.append("the chains disagree: tune longer (tune=1000), or state tighter priors")
    if ess is None or ess < LEAST_ESS:
        faults.append("too few effective draws for intervals: ask for more (draws=...)")
    if divergences:
        faults.append("steps went astray: tune longer (tune=1000), or state tighter priors")
    message = f"{figures}: {'; '.join(faults)}." if faults else f"{figures}: good to use."
    status: Status = "not converged" if faults else "converged"
    return Diagnostics(status, message, r_hat=r_hat, ess=ess, divergences=divergences)


def _known(figure: Any) -> float | None:  # noqa: ANN401 - a scalar of NumPy
    """Return a figure, or None for NaN, which ArviZ returns where the draws do not suffice."""
    return None if np.isnan(figure) else float(figure)


def diagnose_weights(pareto_k: float, surrogate_error: float | None = None) -> Diagnostics:
    """Judge draws from an approximation by the tail of their importance weights."""
    if pareto_k <= LARGEST_K:
        message = f"re-weighted draws from an approximation, Pareto k {pareto_k:.2f}: good to use."
        message += _surrogate_in_words(surrogate_error)
        return Diagnostics("converged", message, pareto_k=pareto_k, surrogate_error=surrogate_error)
    message = f'draws from an approximation, Pareto k {pareto_k:.2f} above {LARGEST_K}: too far off; use method="nuts".'
    return Diagnostics("not converged", message, pareto_k=pareto_k, surrogate_error=surrogate_error)


def _surrogate_in_words(error: float | None) -> str:
    """Return how the log density of the draws was computed, where there are many customers."""
    if error is None:
        return ""
    if error <= LARGEST_ERROR:
        return f" The log density of most of them is that of a polynomial, which misses it by {error:.1g} (sd)."
    return f" The log density of each was computed, since a polynomial misses it by {error:.1g} (sd)."
