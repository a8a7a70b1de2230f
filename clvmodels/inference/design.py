"""The design of a fit with covariates: the columns that act on each process, centred, for any customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import DataError, FitError, one_of
from clvmodels.inference.formulas import Columns, Formula, columns_of_formula
from clvmodels.inference.processes import effects_matrix, process_names, single_processes
from clvmodels.models.specification import Array, Model

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Covariates", "Design", "ProcessDesign", "check_covariates", "design_of"]

type Covariates = Mapping[str, Formula]
"""A formula by process, or by several that share the coefficients, such as ``"purchase + dropout"``."""

LEAST_VARIATION: Final = 1e-10
"""Of a column, relative to its size; and of what is left of a column once those before it are taken out."""
INVOLVED: Final = 1e-6
EXAMPLE: Final = '{"purchase": "channel + log(age)", "dropout": ["channel"]}'


@dataclass(frozen=True)
class ProcessDesign:
    """The covariates of one process, or of several together.

    Attributes
    ----------
    process
        Its name in `Model.effects`, or several, such as ``purchase + dropout``, that share the coefficients.
    columns
        The columns.
    centre
        The mean of each column over the customers of the fit, of one that changes over each customer's time first: the
        parameters of the model are those of a customer there.
    scale
        The unit that priors are stated in and maxima are sought in: one for a column of zeros and ones, else the
        standard deviation.
    """

    process: str
    columns: Columns
    centre: tuple[float, ...]
    scale: tuple[float, ...]


@dataclass(frozen=True)
class Design:
    """The covariates of all processes.

    Attributes
    ----------
    processes
        Those of each.
    paths
        Names of the columns that change in time; `variables` has them, too.
    """

    processes: tuple[ProcessDesign, ...]
    paths: tuple[str, ...] = ()

    @property
    def terms(self) -> tuple[tuple[str, str], ...]:
        """The process and the column of each coefficient."""
        return tuple((part.process, term) for part in self.processes for term in part.columns.terms)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, such as ``purchase: channel[T.web]``."""
        return tuple(f"{process}: {term}" for process, term in self.terms)

    @property
    def variables(self) -> tuple[str, ...]:
        """The attributes of customers that are needed."""
        return tuple(sorted({name for part in self.processes for name in part.columns.variables}))

    @property
    def formulas(self) -> dict[str, str]:
        """The formula of each process."""
        return {part.process: part.columns.formula for part in self.processes}

    @property
    def scale(self) -> Array:
        """The unit of each column that priors are stated in, shape (coefficients,)."""
        return np.array([unit for part in self.processes for unit in part.scale])

    def rows(self, attributes: pd.DataFrame) -> Array:
        """Return the centred columns of customers, in the user's units, shape (customers, coefficients).

        Raises
        ------
        DataError
            If an attribute or a value is missing, or a level is one that the fit has not seen.
        """
        return np.column_stack([part.columns.of(attributes) - part.centre for part in self.processes])

    def references(self, unbounded: NDArray[np.bool_]) -> tuple[str, ...]:
        """Return the reference levels of categories all of whose other levels are flagged, shape (coefficients,)."""
        flagged = {term for term, flag in zip(self.terms, unbounded.tolist(), strict=True) if flag}
        return tuple(
            f"{factor} {level}"
            for part in self.processes
            for factor, level, others in part.columns.references
            if {(part.process, other) for other in others} <= flagged
        )

    def effects(self, model: Model) -> Array:
        """Return by how much each coefficient moves the log of each parameter, shape (coefficients, parameters)."""
        return effects_matrix(model, self.terms)


def check_covariates(model: Model, covariates: Covariates | None) -> None:
    """Raise FitError unless covariates are formulas by processes of the model."""
    if covariates is None:
        return
    given: object = covariates
    if not isinstance(given, Mapping) or not given:
        raise FitError(f"covariates are formulas by process, such as {EXAMPLE}, got {covariates!r}")
    if not model.effects:
        raise FitError(f"{model.name} takes no covariates: its specification names nothing that they act on (effects)")
    for process in covariates:
        if process not in process_names(model):
            raise FitError(f"{model.name}: {one_of('process for covariates', process, process_names(model))}")


def design_of(covariates: Covariates, attributes: pd.DataFrame, weight: Array) -> Design:
    """Return the design of customers, with the number that each row stands for, shape (customers,).

    Raises
    ------
    FitError
        If a formula cannot be read, or a column acts on processes apart and together.
    DataError
        If an attribute or a value is missing; a column is the same for all customers, or follows from others.
    """
    parts = []
    for process, formula in covariates.items():
        columns, values = columns_of_formula(formula, attributes)
        centre = np.average(values, axis=0, weights=weight)
        sd = np.sqrt(np.average((values - centre) ** 2, axis=0, weights=weight))
        _require_variation(process, columns, np.abs(values).max(axis=0, initial=0.0), sd)
        _require_rank(process, columns.terms, (values - centre) / sd, weight)
        binary = np.isin(values, (0.0, 1.0)).all(axis=0)
        scale = np.where(binary, 1.0, sd)
        parts.append(ProcessDesign(process, columns, tuple(centre.tolist()), tuple(scale.tolist())))
    design = Design(tuple(parts))
    _require_apart(design)
    return design


def _require_apart(design: Design) -> None:
    """Raise FitError if a column acts on processes in more ways than there are processes."""
    processes_of_term: dict[str, list[str]] = {}
    for process, term in design.terms:
        processes_of_term.setdefault(term, []).append(process)
    for term, names in processes_of_term.items():
        single = sorted({process for name in names for process in single_processes(name)})
        acts = np.array([[process in single_processes(name) for process in single] for name in names])
        if np.linalg.matrix_rank(acts) < len(names):
            raise FitError(
                f"{term} acts on {', '.join(names)}, so that its effects cannot be told apart; leave it out of one"
            )


def _require_variation(process: str, columns: Columns, size: Array, sd: Array) -> None:
    if not columns.terms:
        raise DataError(
            f"{process}: {', '.join(columns.variables)} has one value only, so that there is nothing to compare"
        )
    for term, largest, spread in zip(columns.terms, size, sd, strict=True):
        if not spread > LEAST_VARIATION * largest:
            raise DataError(f"{process}: {term} is the same for all customers; leave it out, the model has a constant")


def _require_rank(process: str, terms: tuple[str, ...], standardised: Array, weight: Array) -> None:
    """Raise DataError if a column is a combination of those before it and a constant, and name them."""
    gram = (standardised * weight[:, None]).T @ standardised / weight.sum()
    for k in range(1, len(terms)):
        shares = np.linalg.solve(gram[:k, :k], gram[:k, k])
        if gram[k, k] - shares @ gram[:k, k] < LEAST_VARIATION:
            of = [term for term, share in zip(terms, shares, strict=False) if abs(share) > INVOLVED]
            raise DataError(
                f"{process}: {terms[k]} follows from {', '.join(of)}, so that their effects cannot be told apart; "
                "leave one of them out"
            )
