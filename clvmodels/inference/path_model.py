"""The model of customers on their own paths: of a base model, coefficients of columns, and the paths themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.statistics import PATH
from clvmodels.errors import DataError, FitError
from clvmodels.inference.covariate_model import covaried
from clvmodels.inference.formulas import variables_of
from clvmodels.inference.processes import single_processes
from clvmodels.models.clocked import ClockedModel
from clvmodels.models.differences import no_terms
from clvmodels.models.own_paths import OwnPaths, require_paths_of
from clvmodels.models.specification import Array, Model, OwnRates, TransactionModel
from clvmodels.numerics.pieces import Pieces
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.data.paths import CustomerPaths
    from clvmodels.inference.design import Covariates, Design

__all__ = [
    "CustomerSpells",
    "PathModel",
    "bound_pieces",
    "customer_spells",
    "model_on_paths",
    "paths_of",
    "require_paths_fit",
]

Index = NDArray[np.int64]

OF_CUSTOMERS: Final = ("x", PATH, PATH)
"""What predictions see of a customer: the path stands for the time of the last purchase and for the age, too."""


@dataclass(frozen=True, eq=False, repr=False)
class PathModel(TransactionModel):
    """A model of transactions whose customers run on clocks of their own.

    Attributes
    ----------
    base
        The model.
    own
        What it is on the clocks.
    terms
        The process and the column of each coefficient.
    """

    base: TransactionModel = field(kw_only=True)
    own: OwnPaths = field(kw_only=True)
    terms: tuple[tuple[str, str], ...] = field(kw_only=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return model_on_paths, (self.base, self.terms, self.own.pieces, self.own.row_of, self.statistics)


def model_on_paths(
    base: TransactionModel,
    terms: tuple[tuple[str, str], ...],
    pieces: Pieces,
    row_of: Index,
    statistics: tuple[str, ...] = OF_CUSTOMERS,
) -> PathModel:
    """Return a model of customers on their own paths.

    Parameters
    ----------
    base
        The model.
    terms
        The process and the column of each coefficient.
    pieces
        The paths, with these columns.
    row_of
        The row of the pieces by the number of a path.
    statistics
        The columns of a history, of which the last is the path.
    """
    own = OwnPaths(base, tuple(process for process, _ in terms), pieces, row_of)
    static = covaried(base, terms)
    changed: dict[str, Any] = {each.name: getattr(static, each.name) for each in fields(TransactionModel)}
    changed |= dict.fromkeys(("history_sums", "count_curvature", "history_expansion", "kernel", "simulate"))
    changed |= {
        "statistics": statistics,
        "count_terms": no_terms,
        "history_terms": own.history_terms,
        "clocks": {},
        "spells": None,
        "effects": {},
    }
    for name in (
        *("p_alive", "future", "expected_purchases", "pmf", "mean_purchase_rate", "draw_traits", "residuals"),
        "silence",
    ):
        changed[name] = getattr(own, name)
    changed["own_rates"] = _own_rates(base, own)
    return PathModel(**changed, base=base, own=own, terms=terms)


def _own_rates(base: TransactionModel, own: OwnPaths) -> OwnRates | None:
    """Return how purchase rates differ at the level that each path has now: those of customers who start now."""
    if base.own_rates is None:
        return None
    mean, at_most, start = base.own_rates.mean, base.own_rates.at_most, np.zeros(())
    return OwnRates(
        lambda theta, x, t_x, T: mean(own.from_now(theta, T), x, start, start),  # noqa: ARG005
        lambda theta, x, t_x, T, rate: at_most(own.from_now(theta, T), x, start, start, rate),  # noqa: ARG005
    )


# ------------------------------------------------------------------------------------------------------ from histories


@dataclass(frozen=True, eq=False)
class CustomerSpells:
    """The spells of the customers of histories.

    Attributes
    ----------
    table
        A row a spell: the columns of paths and the attributes that are wanted.
    weight
        The share of each spell in what is observed of its customer, shape (spells,).
    place
        The customers' paths among all, each once, shape (customers,).
    first
        The first spell of each customer, and the number of all; shape (customers + 1,).
    spell
        The position of each spell among those of all paths, shape (spells,).
    paths
        The paths.
    """

    table: pd.DataFrame
    weight: Array
    place: Index
    first: Index
    spell: Index
    paths: CustomerPaths

    def pieces(self, columns: Array, days: float, *, merged: bool = True) -> tuple[Pieces, Index]:
        """Return the pieces with the columns of spells, in a unit of so many days, and the row of each path."""
        paths, spell = self.paths.paths, self.spell
        pieces = Pieces.of(
            self.first,
            paths.begin[spell] / days,
            paths.end[spell] / days,
            columns,
            paths.purchases[spell],
            paths.last_purchase[self.place] / days,
            merged=merged,
        )
        row_of = np.full(paths.customers + 1, -1, np.int64)
        row_of[0] = 0
        row_of[self.place + 1] = np.arange(1, len(self.place) + 1)
        return pieces, row_of


def paths_of(covariates: Covariates, histories: Histories) -> tuple[str, ...]:
    """Return the columns of paths that formulas name, sorted."""
    if histories.paths is None:
        return ()
    named = {name for formula in covariates.values() for name in variables_of(formula)}
    return tuple(sorted(named & set(histories.paths.paths.columns)))


def customer_spells(histories: Histories, variables: tuple[str, ...]) -> CustomerSpells:
    """Return the spells of the customers of histories, with some of their columns and attributes.

    Raises
    ------
    DataError
        If purchases are not those of the histories.
    """
    import pandas as pd

    paths = histories.paths
    assert paths is not None
    place, customer = np.unique(paths.place, return_index=True)
    spell, number = paths.paths.spells_of(place)
    first = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
    bought = np.add.reduceat(paths.paths.purchases[spell], first[:-1])
    if not np.array_equal(bought, histories.frequency[customer]):
        raise DataError(
            "the purchases that the paths were laid out on are not those of the histories; add the paths to the"
            " histories that rfm_summary made of the log: rfm.with_paths(...)"
        )
    row = np.repeat(customer, number)
    table = paths.paths.levels.iloc[spell].reset_index(drop=True)
    own = [name for name in variables if name in histories.attributes.columns]
    attributes = histories.attributes[own].iloc[row].reset_index(drop=True)
    length = paths.paths.end[spell] - paths.paths.begin[spell]
    total = np.repeat(np.add.reduceat(length, first[:-1]), number)
    weight = np.where(total > 0.0, length / np.where(total > 0.0, total, 1.0), 1.0 / np.repeat(number, number))
    return CustomerSpells(pd.concat([table, attributes], axis=1), weight, place, first, spell, paths)


def require_paths_fit(base: Model, covariates: Mapping[str, object], histories: Histories) -> None:
    """Raise an error unless a model can take covariates that change in time.

    Raises
    ------
    ModelError
        If it runs on no clock.
    FitError
        If customers leave at purchases, and what changes is to act on that; or purchases follow a calendar; or
        processes are to share coefficients.
    """
    if isinstance(base, ClockedModel):
        raise FitError(
            "a calendar does not go with paths; give its columns to the paths of all customers, or leave it out"
        )
    assert isinstance(base, TransactionModel)
    require_paths_of(base)
    for process, formula in covariates.items():
        changing = paths_of({process: formula}, histories)  # type: ignore[dict-item]
        if len(single_processes(process)) > 1:
            raise FitError(
                f"{process} share no coefficients where covariates change in time; write covariates of each of them"
            )
        if changing and process not in base.clocks:
            raise FitError(
                f"{base.name}: customers leave at purchases, so that what changes in time cannot act on {process}:"
                f" {', '.join(changing)}; let it act on purchases, or use clv.ParetoNBD, whose customers leave in time"
            )


def bound_pieces(design: Design, histories: Histories, *, merged: bool = True) -> tuple[Pieces, Index]:
    """Return the pieces of customers with the scaled columns of a design, and the row of each path.

    Raises
    ------
    DataError
        If the histories have no such paths, or lack an attribute; or a level is one that the fit has not seen.
    """
    known = () if histories.paths is None else histories.paths.paths.columns
    missing = [name for name in design.paths if name not in known]
    if missing:
        raise DataError(
            f"this fit follows each customer's {missing[0]}, and the histories have no such path; write"
            f' rfm.with_paths(table, time="time", columns={list(design.paths)})'
        )
    spells = customer_spells(histories, design.variables)
    return spells.pieces(design.rows(spells.table) / design.scale, DAYS[histories.unit], merged=merged)
