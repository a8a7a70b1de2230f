"""Draws from a compiled posterior: its mode, NUTS by nutpie or PyMC, the Laplace approximation, ADVI.

Sources: Hoffman & Gelman (2014), JMLR 15 (NUTS); Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25 (Pareto-smoothed
importance sampling); Kucukelbir et al. (2017), JMLR 18 (ADVI).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.errors import FitError, ParameterError
from clvmodels.inference.posterior import Target
from clvmodels.inference.surrogate import Density, log_densities
from clvmodels.models.specification import Array
from clvmodels.numerics.maximisation import Objective, maximise_from

if TYPE_CHECKING:
    from clvmodels.inference.sampler_settings import SamplerSettings

__all__ = ["Mode", "PosteriorDraws", "advi", "laplace", "mode", "nuts"]

LONGEST_SD: Final = 5.0
"""Of an unconstrained variable; where the curvature says more, or nothing, a chain starts with this."""
ADVI_STEPS, ADVI_RATE = 4_000, 0.02
LEAST_PROPOSALS: Final = 256
MOST_TO_ROUND, LARGEST_K = 8, 0.7
TARGET_ACCEPT, TARGET_ACCEPT_POOLED = 0.8, 0.95
"""Acceptance to tune the step size to; a population of segments has narrow corners that need small steps."""
LEAST_LOG: Final = -1e10
DEGREES_OF_FREEDOM: Final = 7.0
"""Of the t distribution that approximates: the tails of a posterior are heavier than normal ones."""


@dataclass(frozen=True)
class Mode:
    """Where the density of u is highest.

    Attributes
    ----------
    u
        The mode, shape (size,).
    factor
        A square root of the inverse curvature there, shape (size, size).
    log_density
        Its value there.
    clean
        Whether the density is known there, its gradient vanishes and the curvature is positive.
    """

    u: Array
    factor: Array
    log_density: float
    clean: bool


@dataclass(frozen=True)
class PosteriorDraws:
    """Draws of u.

    Attributes
    ----------
    u
        Shape (chain, draw, size).
    stats
        The sampler's statistics of them, arrays (chain, draw) by name.
    pareto_k
        Of the importance weights.
    surrogate_error
        By how much a polynomial misses the log density, as `log_densities` returns it; None where there was none.
    """

    u: Array
    stats: Mapping[str, Array] = field(default_factory=dict)
    pareto_k: float = np.nan
    surrogate_error: float | None = None


def mode(target: Target, sample: Target | None = None) -> Mode:
    """Climb from PyMC's starting point, with the help of the density of a sample of many customers, if there is one.

    Raises
    ------
    ParameterError
        If there is no density to climb where the priors start.
    """
    everybody, start = Objective(target.density, target.customers), (sample or target).start
    few = None if sample is None else Objective(sample.density, target.customers)
    if not np.isfinite((few or everybody)(start)[0]):
        centre = ", ".join(f"{name} {np.round(value, 4).tolist()}" for name, value in target.point(start).items())
        raise ParameterError(
            f"the model has no density at the centre of the priors ({centre}); state priors whose centres a model can "
            "have: shares between zero and one, everything else above zero"
        )
    optimum = maximise_from(everybody, start, few)
    values, vectors = np.linalg.eigh(optimum.hessian)
    clean = bool(np.isfinite(optimum.value) and values[0] > 0.0) and optimum.converged
    sd = np.minimum(1.0 / np.sqrt(np.maximum(values, LONGEST_SD**-2)), LONGEST_SD)
    return Mode(optimum.psi, vectors * sd, optimum.value, clean)


def nuts(target: Target, centre: Mode, effort: SamplerSettings) -> PosteriorDraws:
    """Sample by NUTS."""
    return {"nutpie": _nutpie, "pymc": _pymc}[effort.sampler](target, centre, effort)


def _rounded(target: Target, centre: Mode, seed: int | None) -> Mode:
    """Return mean and spread of the whole posterior in place of the curvature at its mode, where they are easy to get.

    A skew posterior extends further than the curvature at its mode says.
    """
    size = len(centre.u)
    if not centre.clean or size > MOST_TO_ROUND:
        return centre
    sampled = laplace(target.log_density, centre, draws=LEAST_PROPOSALS, seed=seed, costly=target.costly)
    if not sampled.pareto_k < LARGEST_K:
        return centre
    u = sampled.u[0]
    return replace(centre, u=u.mean(axis=0), factor=np.linalg.cholesky(np.cov(u, rowvar=False)))


def _nutpie(target: Target, centre: Mode, effort: SamplerSettings) -> PosteriorDraws:
    """Sample with nutpie, in coordinates in which the posterior is nearly standard normal."""
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    centre = _rounded(target, centre, effort.seed)
    density = target.whitened(centre.u, centre.factor)
    size = len(centre.u)

    def make_density() -> Any:  # noqa: ANN401
        return lambda z: density(np.ascontiguousarray(z))

    def make_expand(*_: object) -> Any:  # noqa: ANN401
        return lambda z: {"z": np.array(z)}

    def start(seed: int) -> Array:
        return np.random.default_rng(seed).standard_normal(size)

    compiled = from_pyfunc(
        size, make_density, make_expand, [np.dtype("float64")], [(size,)], ["z"], make_initial_point_fn=start
    )
    result = nutpie.sample(
        compiled,
        draws=effort.draws,
        tune=effort.tune,
        chains=effort.chains,
        seed=effort.seed,
        progress_bar=effort.progress,
        save_warmup=False,
        target_accept=TARGET_ACCEPT if size <= MOST_TO_ROUND else TARGET_ACCEPT_POOLED,
    )
    z = result["posterior"]["z"].to_numpy()
    stats = result["sample_stats"]
    kept = {"diverging": "diverging", "n_steps": "n_steps", "step_size": "step_size", "logp": "lp"}
    return PosteriorDraws(
        centre.u + z @ centre.factor.T,
        {ours: stats[theirs].to_numpy() for theirs, ours in kept.items() if theirs in stats},
    )


def _pymc(target: Target, _: Mode, effort: SamplerSettings) -> PosteriorDraws:
    """Sample with PyMC's own implementation."""
    import pymc as pm

    result = pm.sample(
        effort.draws,
        tune=effort.tune,
        chains=effort.chains,
        cores=1,
        random_seed=effort.seed,
        progressbar=effort.progress,
        quiet=not effort.progress,
        nuts_sampler="pymc",
        idata_kwargs={"include_transformed": True},
        compute_convergence_checks=False,
        model=target.built,
    )
    shape = (effort.chains, effort.draws, -1)
    parts = [result["posterior"][value.name].to_numpy() for value in target.built.continuous_value_vars]
    u = np.concatenate([part.reshape(shape) for part in parts], axis=-1)
    stats = ("diverging", "n_steps", "step_size", "lp")
    return PosteriorDraws(u, {name: result["sample_stats"][name].to_numpy() for name in stats})


def laplace(
    log_density: Callable[[Array], float],
    centre: Mode,
    *,
    draws: int,
    seed: int | None,
    costly: Density | None = None,
) -> PosteriorDraws:
    """Draw from Laplace's approximation with the tails of Student's t, weigh each draw by what it leaves out, resample.

    The largest weights are smoothed by a generalised Pareto distribution; its shape k above 0.7 says that the
    approximation is too far off. Of a `costly` density, given with its gradient, a polynomial takes the place of the
    density of most draws, if it is near enough.
    """
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    if not centre.clean:
        raise FitError(
            'the density has no clean mode, so that there is no approximation around it to draw from; use method="nuts"'
        )
    generator = np.random.default_rng(seed)
    size = len(centre.u)
    proposals = max(draws, LEAST_PROPOSALS)
    z = generator.standard_normal((proposals, size))
    z /= np.sqrt(generator.chisquare(DEGREES_OF_FREEDOM, (proposals, 1)) / DEGREES_OF_FREEDOM)
    u = centre.u + z @ centre.factor.T
    log_proposal = -0.5 * (DEGREES_OF_FREEDOM + size) * np.log1p(np.sum(z**2, axis=1) / DEGREES_OF_FREEDOM)
    error = None
    with np.errstate(all="ignore"):  # far out a term may overflow; what is not finite has no weight
        if costly is None:
            values = np.array([log_density(point) for point in u])
        else:
            values, error = log_densities(costly, u, z, centre.factor, log_proposal)
    log_ratio = np.where(np.isfinite(values), values - centre.log_density - log_proposal, LEAST_LOG)
    log_weight, pareto_k = array_stats.psislw(-log_ratio)  # it is written for likelihoods, whose inverses are weights
    share = np.cumsum(np.exp(log_weight - np.max(log_weight)))
    positions = (np.arange(draws) + generator.random()) / draws * share[-1]
    chosen = generator.permutation(np.minimum(np.searchsorted(share, positions), proposals - 1))
    return PosteriorDraws(u[None, chosen], {"lp": values[None, chosen]}, float(pareto_k), error)


def advi(target: Target, start: Mode, *, seed: int | None, progress: bool) -> Mode:
    """Fit a normal distribution with full covariance by automatic differentiation variational inference."""
    import pymc as pm

    try:
        with target.built:
            approximation = pm.fit(
                ADVI_STEPS,
                method="fullrank_advi",
                start=target.point(start.u),
                obj_optimizer=pm.adam(learning_rate=ADVI_RATE),
                random_seed=seed,
                progressbar=progress,
            )
    except FloatingPointError as error:
        raise FitError(
            f"the variational approximation ran to where the density is not a number, from seed={seed}; try another "
            'seed, or use method="nuts" or method="laplace"'
        ) from error
    places = approximation.groups[0].ordering
    order = np.concatenate([np.r_[places[value.name][1]] for value in target.built.continuous_value_vars])
    centre = approximation.mean.eval()[order]
    factor = np.linalg.cholesky(approximation.cov.eval()[np.ix_(order, order)])
    return Mode(centre, factor, target.log_density(centre), clean=True)
