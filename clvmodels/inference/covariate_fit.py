"""From a model, covariates and histories to what is estimated, and from that estimate back to a fit of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import FitError, ParameterError, one_of
from clvmodels.inference.coefficients import Coefficients
from clvmodels.inference.covariate_model import column_names, covaried
from clvmodels.inference.covariate_test import likelihood_ratios
from clvmodels.inference.design import Covariates, Design, design_of
from clvmodels.inference.observations import observe
from clvmodels.models.specification import Array, Model, SpendModel, TransactionModel

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.diagnostics import Diagnostics
    from clvmodels.inference.priors import Priors
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["WithCovariates", "coefficient_priors", "priors_of_model", "require_no_segments", "with_covariates"]

ALL: Final = "coefficients"
"""The name of a prior that is that of each coefficient."""
LARGEST: Final = 8.0
"""A larger coefficient, per unit of a column of zeros and ones, else per standard deviation: a factor of 3,000."""
LEAST_EIGENVALUE: Final = 1e-8
"""Of the curvature, relative to the largest."""
OF_COEFFICIENTS: Final = 0.2
"""A part of a flat direction that counts."""


type Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class WithCovariates:
    """What is estimated in place of a model with covariates.

    Attributes
    ----------
    base
        The model.
    model
        The model of rows, whose parameters are those of the base model and exp(coefficient) of each scaled column.
    histories
        The customers, the scaled columns beside their statistics.
    design
        The columns.
    fingerprint
        Of the histories.
    """

    base: TransactionModel | SpendModel
    model: TransactionModel | SpendModel
    histories: Histories
    design: Design
    fingerprint: str

    def fit[F: TransactionFit | SpendFit](self, estimated: F) -> F:
        """Return the fit of the base model that an estimate of `model` stands for."""
        size, scale = len(self.base.parameters), self.design.scale
        draws = np.log(estimated.theta[..., size:])
        by_likelihood = not estimated.priors
        scaled = np.log(estimated.estimate[size:]) if by_likelihood else draws.reshape(-1, len(scale)).mean(axis=0)
        unbounded, units = self._unbounded(estimated, scaled), np.concatenate([np.ones(size), scale])
        ratio = np.full(len(scale), np.nan)
        if by_likelihood:
            observations = observe(self.model, self.histories)
            ratio = likelihood_ratios(self.model, observations, estimated.estimate, estimated.covariance, size)
        coefficients = Coefficients(
            design=self.design,
            draws=draws / scale,
            estimate=scaled / scale,
            covariance=estimated.covariance / np.outer(units, units),
            likelihood_ratio=ratio,
            unbounded=tuple(unbounded.tolist()),
            priors={name: prior for name, prior in estimated.priors.items() if name in self.design.names},
        )
        log_likelihood = estimated.log_likelihood
        if not by_likelihood:
            centre = np.concatenate([estimated.estimate[:size], np.exp(scaled)])
            log_likelihood = observe(self.model, self.histories).log_likelihood(self.model, centre)[0]
        changed: dict[str, Any] = {
            "model": self.base,
            "theta": estimated.theta[..., :size].copy(),
            "estimate": estimated.estimate[:size].copy(),
            "covariance": self._own_covariance(estimated.covariance[:size, :size], unbounded),
            "log_likelihood": log_likelihood,
            "fingerprint": self.fingerprint,
            "priors": {name: prior for name, prior in estimated.priors.items() if name not in self.design.names},
            "diagnostics": self._diagnostics(estimated.diagnostics, unbounded, scaled),
            "covariates": coefficients,
        }
        return replace(estimated, **changed)

    def _own_covariance(self, covariance: Array, unbounded: Flags) -> Array:
        """Return the covariance of the parameters; those that an unbounded coefficient moves are not known either."""
        known = covariance.copy()
        moved = self.design.effects(self.base)[unbounded].any(axis=0)
        known[moved], known[:, moved] = np.nan, np.nan
        return known

    def _unbounded(self, estimated: TransactionFit | SpendFit, scaled: Array) -> Flags:
        """Return which coefficients of a likelihood ran away, or lie in a direction in which it is flat."""
        size = len(self.base.parameters)
        unbounded = np.abs(scaled) > LARGEST
        if estimated.priors:
            return np.zeros(len(scaled), bool)
        covariance = estimated.covariance
        if np.isfinite(covariance).all():
            values, vectors = np.linalg.eigh(covariance)
            flat = vectors[size:, values > values[0] / LEAST_EIGENVALUE]
            unbounded |= (np.abs(flat) > OF_COEFFICIENTS).any(axis=1)
        return unbounded

    def _diagnostics(self, diagnostics: Diagnostics, unbounded: Flags, scaled: Array) -> Diagnostics:
        names = [name for name, runs in zip(self.design.names, unbounded, strict=True) if runs]
        if not names:
            return diagnostics
        ways = ["grew" if value > 0.0 else "fell" for value, runs in zip(scaled, unbounded, strict=True) if runs]
        words = ", ".join(f"{name} {way} without limit" for name, way in zip(names, ways, strict=True))
        references = self.design.references(unbounded)
        words += f" against the reference level {' and '.join(references)}" if references else ""
        return replace(
            diagnostics,
            status="boundary",
            message=(
                f"boundary: {words}: the data hold no customers who bound it, such as a level in which nobody bought "
                "again, or left. Merge the level with another, leave it out, or state a prior: "
                f'priors={{"{names[0]}": {{"dist": "Normal", "mu": 0.0, "sigma": 1.0}}}} with method="map" or '
                '"posterior".'
            ),
        )


def with_covariates(
    base: TransactionModel | SpendModel, covariates: Covariates, histories: Histories
) -> WithCovariates:
    """Return what is estimated in place of a model with covariates.

    Of histories in an engine, the distinct ones of each combination of attributes are fetched for a model of
    transactions; the customers are for one of spend, and where a column of one customer depends on the others.

    Raises
    ------
    FitError
        If a formula cannot be read.
    DataError
        If an attribute or a value is missing, a column is the same for all customers or follows from others, or the
        customers of an engine do not fit into memory.
    """
    fingerprint = observe(base, histories).fingerprint
    rows, design = _rows_and_design(base, covariates, histories)
    columns = design.rows(rows.attributes) / design.scale
    named = dict(zip(column_names(columns.shape[1]), columns.T, strict=True))
    return WithCovariates(base, covaried(base, design.terms), rows.with_statistics(named), design, fingerprint)


def _rows_and_design(
    base: TransactionModel | SpendModel, covariates: Covariates, histories: Histories
) -> tuple[Histories, Design]:
    if isinstance(base, SpendModel):
        rows = histories.collect()
        usable = rows.usable(base.statistics)
        rows = rows if usable is None else rows.select(usable)
        return rows, _design(covariates, rows)
    if histories.in_memory:
        return histories, _design(covariates, histories)
    from clvmodels.inference.formulas import variables_of

    names = sorted({name for formula in covariates.values() for name in variables_of(formula)})
    rows = histories.weighted(names).histories
    design = _design(covariates, rows)
    if any(part.columns.stateful for part in design.processes):
        rows = histories.collect()
        design = _design(covariates, rows)
    return rows, design


def _design(covariates: Covariates, rows: Histories) -> Design:
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    return design_of(covariates, rows.attributes, weight)


def coefficient_priors(model: Model, priors: Priors | None, design: Design) -> Priors | None:
    """Return priors with those of all coefficients, or of all of a process, written out for each.

    Raises
    ------
    ParameterError
        If there is no such coefficient, or priors are about the papers' parameters.
    """
    if priors is None:
        return None
    given = dict(priors)
    groups: Mapping[str, list[str]] = {ALL: list(design.names)} | {
        process: [name for name in design.names if name.startswith(f"{process}: ")] for process in design.formulas
    }
    for group, names in groups.items():
        if group in given:
            prior = given.pop(group)
            given = {**dict.fromkeys(names, prior), **given}
    if set(given) & set(model.names):
        raise ParameterError(
            f"{model.name}: with covariates, priors are stated in {', '.join(q.name for q in model.quantities)}, "
            f"not in {', '.join(model.names)}"
        )
    known = [quantity.name for quantity in model.quantities] + [*design.names, *groups]
    for name in given:
        if name not in known:
            raise ParameterError(f"{model.name}: {one_of('quantity for a prior', name, known)}")
    return given


def priors_of_model(priors: Priors | None, covariates: Covariates | None) -> Priors | None:
    """Return the priors without those of coefficients, whose names are known once there are customers."""
    given: object = priors
    if covariates is None or not isinstance(given, Mapping):
        return priors
    starts = tuple(f"{process}: " for process in covariates)
    return {
        name: prior
        for name, prior in given.items()
        if name not in (ALL, *covariates) and not str(name).startswith(starts)
    }


def require_no_segments(by: str | None, covariates: Covariates | None) -> None:
    """Raise FitError if both segments and covariates are asked for."""
    if by is not None and covariates is not None:
        process = next(iter(covariates))
        raise FitError(
            f"by={by!r} gives segments all parameters of their own, and covariates move single ones; name the "
            f'attribute in a formula, covariates={{"{process}": "{by} + ..."}}, or fit by segment without covariates'
        )
