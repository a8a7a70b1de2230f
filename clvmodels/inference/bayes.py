"""From a model, priors and histories to draws of its parameters: the steps of a Bayesian fit."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import DataError, FitError, one_of
from clvmodels.inference.diagnostics import Diagnostics, diagnose_chains, diagnose_weights
from clvmodels.inference.observations import Observations, observe
from clvmodels.inference.priors import Priors, in_plain_data, is_plain
from clvmodels.inference.protocols import Method
from clvmodels.inference.sampler_settings import SamplerSettings
from clvmodels.models.specification import Array, Model
from clvmodels.units import Unit

if TYPE_CHECKING:
    import pymc as pm

    from clvmodels.inference.likelihood import Table
    from clvmodels.inference.posterior import Target
    from clvmodels.inference.sampling import Mode, PosteriorDraws

__all__ = [
    "BayesMethod",
    "Drawn",
    "Segments",
    "draw",
    "pymc_model_of",
    "segments_of",
    "split",
]

BayesMethod = Literal["map", "laplace", "nuts", "advi", "posterior"]
LEAST_DRAWS_OF_NUTS, LEAST_CHAINS = 1_000, 4
"""Where an approximation is too far off: most shorter chains do not have enough effective draws."""


@dataclass(frozen=True)
class Segments:
    """The segments of some histories: the attribute that names them, their names, and the customers of each."""

    by: str
    names: tuple[str, ...]
    rows: tuple[np.ndarray[tuple[int], np.dtype[np.intp]], ...]


@dataclass(frozen=True)
class Drawn:
    """Draws of the parameters.

    Attributes
    ----------
    theta
        Shape (chain, draw, parameters); of the population, if there are segments.
    segment_theta
        Shape (segment, chain, draw, parameters).
    stats
        The sampler's statistics of each draw, shape (chain, draw).
    diagnostics
        How it went.
    method
        How they were drawn.
    """

    theta: Array
    segment_theta: Array
    stats: dict[str, Array]
    diagnostics: Diagnostics
    method: Method


def segments_of(histories: Histories, by: str) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], tuple[str, ...]]:
    """Return the number of each customer's segment, shape (customers,), and the names of the segments, sorted.

    Raises
    ------
    DataError
        If there is no such attribute, it is missing for some customers, or those of an engine do not fit into memory.
    """
    attributes = histories.attributes
    if by not in attributes.columns:
        raise DataError(one_of("attribute of the histories", by, [str(column) for column in attributes.columns]))
    column = attributes[by]
    if column.isna().any():
        raise DataError(f"{by} is missing for {int(column.isna().sum()):,} customers; name their segment first")
    codes, names = column.astype(str).factorize(sort=True)
    return codes.astype(np.int64), tuple(map(str, np.asarray(names, object).tolist()))


def split(histories: Histories, by: str) -> Segments:
    """Return the segments that an attribute of the histories names.

    Raises
    ------
    DataError
        If there is no such attribute, it is missing for some customers, or those of an engine do not fit into memory.
    """
    code, names = segments_of(histories, by)
    starts = np.cumsum(np.bincount(code, minlength=len(names)))[:-1]
    return Segments(by, names, tuple(np.split(np.argsort(code, kind="stable"), starts)))


def _observed(model: Model, histories: Histories, segments: Segments | None) -> list[Observations]:
    if segments is None:
        return [observe(model, histories)]
    groups = []
    for name, rows in zip(segments.names, segments.rows, strict=True):
        try:
            groups.append(observe(model, histories.select(histories.customer_id[rows])))
        except FitError as error:
            raise FitError(f"{segments.by} {name}: {error}") from error
    return groups


def pymc_model_of(
    model: Model,
    priors: Priors,
    histories: Histories,
    unit: Unit | None,
    segments: Segments | None,
) -> pm.Model:
    """Return the PyMC model of some histories."""
    from clvmodels.inference.likelihood import tabulate

    return _build(model, priors, unit, segments)(tabulate(_observed(model, histories, segments)))


def _build(model: Model, priors: Priors, unit: Unit | None, segments: Segments | None) -> Callable[[Table], pm.Model]:
    """Return what builds the PyMC model of a table of histories."""
    from clvmodels.inference.posterior import pymc_model

    names = () if segments is None else segments.names
    return partial(pymc_model, model, priors, unit=unit, segments=names)


def draw(
    model: Model,
    priors: Priors,
    histories: Histories,
    unit: Unit | None,
    segments: Segments | None,
    *,
    method: BayesMethod,
    effort: SamplerSettings,
) -> Drawn:
    """Sample the posterior, or find its mode."""
    from clvmodels.inference import sampling
    from clvmodels.inference.likelihood import tabulate
    from clvmodels.inference.posterior import Target

    observed = _observed(model, histories, segments)
    few = [group.sample() for group in observed]
    build, recipe = _build(model, priors, unit, segments), _recipe(model, priors, unit, segments)
    target = Target(build, tabulate(observed), recipe, jacobian=method != "map")
    centre = sampling.mode(target, None if few == observed else replace(target, table=tabulate(few)))
    sampled, diagnostics, by_method = _sampled(target, centre, method, effort)
    theta, segment_theta = _of_parameters(model, target, sampled.u, pooled=segments is not None)
    return Drawn(theta, segment_theta, dict(sampled.stats), diagnostics, by_method)


def _sampled(
    target: Target, centre: Mode, method: BayesMethod, effort: SamplerSettings
) -> tuple[PosteriorDraws, Diagnostics, Method]:
    """Return draws of the unconstrained variables, how it went, and by which method they were drawn in the end."""
    from clvmodels.inference import sampling

    if method == "map":
        return sampling.PosteriorDraws(centre.u[None, None, :]), _of_mode(centre.clean), method
    if method == "nuts" or (method == "posterior" and not centre.clean):
        return *_by_chains(target, centre, effort, method), "nuts"
    near = sampling.advi(target, centre, seed=effort.seed, progress=effort.progress) if method == "advi" else centre
    sampled = sampling.laplace(target.log_density, near, draws=effort.draws, seed=effort.seed, costly=target.costly)
    diagnostics = diagnose_weights(sampled.pareto_k, sampled.surrogate_error)
    if method == "posterior" and diagnostics.status != "converged":
        return *_by_chains(target, centre, effort, method), "nuts"
    return sampled, diagnostics, "advi" if method == "advi" else "laplace"


def _by_chains(
    target: Target, centre: Mode, effort: SamplerSettings, method: BayesMethod
) -> tuple[PosteriorDraws, Diagnostics]:
    """Return draws of NUTS; where it stands in for an approximation, with chains that are long enough."""
    from clvmodels.inference import sampling

    if method == "posterior":
        effort = replace(effort, draws=max(effort.draws, LEAST_DRAWS_OF_NUTS), chains=max(effort.chains, LEAST_CHAINS))
    sampled = sampling.nuts(target, centre, effort)
    return sampled, diagnose_chains(sampled.u, int(sampled.stats["diverging"].sum()))


def _recipe(model: Model, priors: Priors, unit: Unit | None, segments: Segments | None) -> Hashable:
    """Return what is equal for PyMC models that differ in their data only; something else where we cannot tell."""
    if not all(is_plain(prior) for prior in priors.values()):
        return uuid4().hex
    plain = {name: in_plain_data(prior) for name, prior in priors.items()}
    return model, repr((plain, unit, 0 if segments is None else len(segments.names)))


def _of_mode(clean: bool) -> Diagnostics:
    if clean:
        return Diagnostics("converged", "a clean mode of the posterior.")
    return Diagnostics("not converged", 'the posterior has no clean mode; use method="nuts", or tighter priors.')


def _of_parameters(model: Model, target: Target, u: Array, *, pooled: bool) -> tuple[Array, Array]:
    """Turn draws of the unconstrained variables into those of the parameters, and of those of each segment."""
    if not pooled:
        return _stacked(model.names, target.variables(u, model.names)), np.empty((0, 0, 0, 0))
    population = [f"population_{name}" for name in model.names]
    drawn = target.variables(u, [*model.names, *population])
    by_segment = np.moveaxis(_stacked(model.names, drawn), 2, 0)
    return _stacked(population, drawn), np.ascontiguousarray(by_segment)


def _stacked(names: Sequence[str], drawn: dict[str, Array]) -> Array:
    return np.stack([drawn[name] for name in names], axis=-1)
