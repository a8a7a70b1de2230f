"""From a model, covariates that change in time and histories to what is estimated, and to the fit of customers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from clvmodels.data.statistics import PATH, TRANSACTIONS
from clvmodels.inference.covariate_fit import WithCovariates, with_covariates
from clvmodels.inference.design import Covariates, design_of
from clvmodels.inference.formulas import variables_of
from clvmodels.inference.observations import observe
from clvmodels.inference.path_model import customer_spells, model_on_paths, paths_of, require_paths_fit
from clvmodels.models.specification import SpendModel, TransactionModel
from clvmodels.units import DAYS

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories

__all__ = ["covariate_task"]

OF_FITS: Final = (*TRANSACTIONS, PATH)


def covariate_task(base: TransactionModel | SpendModel, covariates: Covariates, histories: Histories) -> WithCovariates:
    """Return what is estimated in place of a model with covariates; `with_covariates` and `with_paths` say more."""
    paths = () if isinstance(base, SpendModel) else paths_of(covariates, histories)
    if not paths:
        return with_covariates(base, covariates, histories)
    assert isinstance(base, TransactionModel)
    return with_paths(base, covariates, histories, paths)


def with_paths(
    base: TransactionModel, covariates: Covariates, histories: Histories, paths: tuple[str, ...]
) -> WithCovariates:
    """Return what is estimated in place of a model with covariates of which some change in time.

    Columns are averaged over each customer's time and then over customers, and centred there: one that does not change
    is centred as an attribute is.

    Raises
    ------
    FitError
        If a formula cannot be read; customers leave at purchases, and what changes is to act on that; or there is a
        calendar.
    ModelError
        If the model runs on no clock.
    DataError
        If an attribute or a value is missing, or a column is always the same, or follows from others.
    """
    require_paths_fit(base, covariates, histories)
    fingerprint = observe(base, histories).fingerprint
    names = tuple(sorted({name for formula in covariates.values() for name in variables_of(formula)}))
    spells = customer_spells(histories, names)
    design = replace(design_of(covariates, spells.table, spells.weight), paths=paths)
    columns = design.rows(spells.table) / design.scale
    pieces, row_of = spells.pieces(columns, DAYS[histories.unit])
    model = model_on_paths(base, design.terms, pieces, row_of, OF_FITS)
    return WithCovariates(base, model, histories, design, fingerprint)
