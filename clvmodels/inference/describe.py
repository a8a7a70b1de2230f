"""A fit as a table and in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.inference.protocols import Fitted
from clvmodels.models.clocked import ClockedModel
from clvmodels.models.derived import survival
from clvmodels.models.specification import ContractModel, Model, SpendModel, TransactionModel
from clvmodels.units import DAYS, Unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["in_words", "interval", "median_lifetime", "summary"]

NORMAL_975 = 1.959963984540054
LONGEST_YEARS = 1_000.0
"""What takes longer does not matter."""


def summary(fit: Fitted[Model]) -> pd.DataFrame:
    """Return estimate, standard error and 95 % interval by parameter, from the covariance or from the draws.

    Coefficients of covariates follow, on their own scale.
    """
    import pandas as pd

    lower = fit.model.lower
    grown = fit.estimate - lower
    if len(fit.draws) > 1:
        sd = fit.draws.std(axis=0, ddof=1)
        low, high = np.quantile(fit.draws, [0.025, 0.975], axis=0)
    else:
        log_sd = np.sqrt(np.diag(fit.covariance))
        with np.errstate(over="ignore"):  # at a boundary the interval has no end
            sd, spread = grown * log_sd, np.exp(NORMAL_975 * log_sd)
        low, high = lower + grown / spread, lower + grown * spread
    values = {"estimate": fit.estimate, "sd": sd, "low": low, "high": high}
    table = pd.DataFrame(values, index=pd.Index(fit.model.names, name="parameter"))
    if fit.covariates is None:
        return table
    coefficients = fit.covariates.table()[[*values]]
    coefficients.index = pd.Index(fit.covariates.design.names, name="parameter")
    return pd.concat([table, coefficients])


def interval(estimate: np.ndarray, sd: np.ndarray, draws: np.ndarray, index: pd.Index) -> pd.DataFrame:
    """Return estimate, standard error and 95 % interval of numbers, from their draws if there are several."""
    import pandas as pd

    low, high = estimate - NORMAL_975 * sd, estimate + NORMAL_975 * sd
    if len(draws) > 1:
        sd = draws.std(axis=0, ddof=1)
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return pd.DataFrame({"estimate": estimate, "sd": sd, "low": low, "high": high}, index=index)


def median_lifetime(model: TransactionModel, theta: np.ndarray, unit: Unit) -> float:
    """Return the time, in `unit`, by which half of those just acquired have left; infinite beyond 1,000 years."""
    zero = np.zeros(1)
    p_alive_new = model.p_alive(theta, zero, zero, zero)

    def most_stay(t: float) -> bool:
        return bool((p_alive_new * survival(model, theta, zero, zero, t))[0] > 0.5)

    low, high = 0.0, LONGEST_YEARS * DAYS["year"] / DAYS[unit]
    if not most_stay(low):
        return low
    if most_stay(high):
        return np.inf
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if most_stay(middle) else (low, middle)
    return high


def in_words(fit: Fitted[Model]) -> str:
    """Return what the parameters say about the customers."""
    if isinstance(fit.model, ContractModel):
        words = _contracts(fit, fit.model)
    elif isinstance(fit.model, TransactionModel):
        words = _orders(fit, fit.model.base if isinstance(fit.model, ClockedModel) else fit.model)
    else:
        assert isinstance(fit.model, SpendModel)
        words = _spend(fit, fit.model)
    if fit.covariates is not None:
        return "\n".join([words, *fit.covariates.sentences()])
    if fit.segment_test is None or fit.by is None:
        return words
    return f"{words}\n{fit.segment_test.describe(fit.by)}"


def _orders(fit: Fitted[Model], model: TransactionModel) -> str:
    assert fit.unit is not None
    theta, unit = fit.estimate[: len(model.parameters)], fit.unit
    zero = np.zeros(1)
    year = DAYS["year"] / DAYS[unit]
    p_alive_new = model.p_alive(theta, zero, zero, zero)
    first_year = float((p_alive_new * model.expected_purchases(theta, zero, zero, np.asarray(year)))[0])
    rate = float(model.mean_purchase_rate(theta))
    variety = model.to_quantities(fit.params, year).get("purchase_rate_cv")
    lifetime = median_lifetime(model, theta, unit)
    leaving = "More than half of new customers never leave within any time that matters."
    if np.isfinite(lifetime):
        in_years = "" if unit == "year" else f" ({lifetime / year:.2g} years)"
        leaving = f"Half of new customers have left after {lifetime:,.4g} {unit}s{in_years}."
    buying = f"While alive, a customer buys {rate:.3g} times a {unit} on average ({rate * year:.3g} a year)"
    if variety is not None:
        buying += f"; the rates vary across customers with a coefficient of variation of {variety:.2g}"
    lines = [
        f"{model.name}, time in {unit}s: {fit.diagnostics.message}",
        f"{buying}.",
        leaving,
        f"A new customer is expected to buy {first_year:.3g} times more in the first year.",
    ]
    return "\n".join([*lines, *_effects(fit), *_own_words(fit)])


def _contracts(fit: Fitted[Model], model: ContractModel) -> str:
    assert fit.unit is not None
    theta, zero = fit.estimate[: len(model.parameters)], np.zeros(1)
    first, fifth = (float(model.future(theta, at, at, np.ones(1))[0][0]) for at in (zero, zero + 4.0))
    lifetime = median_lifetime(model, theta, fit.unit)
    leaving = "More than half of new customers never leave within any time that matters."
    if np.isfinite(lifetime):
        leaving = f"Half of new customers have left after {np.ceil(lifetime):,.0f} renewals."
    lines = [
        f"{model.name}, a contract is renewed each {fit.unit}: {fit.diagnostics.message}",
        f"{first:.1%} of new customers renew once or more; of those who reach their fifth renewal, {fifth:.1%} renew.",
        leaving,
    ]
    return "\n".join([*lines, *_own_words(fit)])


def _effects(fit: Fitted[Model]) -> Sequence[str]:
    """Return what the columns of a calendar do to purchases."""
    names = fit.model.columns if isinstance(fit.model, ClockedModel) else ()
    return [f"One unit of {name} multiplies purchases by {fit.params[name]:.3g}." for name in names]


def _own_words(fit: Fitted[Model]) -> Sequence[str]:
    """Return what only this model can say."""
    chosen = [] if fit.regularity is None else [f"{fit.regularity}"]
    return [*chosen, *([] if fit.model.in_words is None else fit.model.in_words(fit.params))]


def _spend(fit: Fitted[Model], model: SpendModel) -> str:
    zero = np.zeros(1)
    mean = float(model.expected_spend(fit.estimate, zero, zero)[0])
    return "\n".join(
        [
            f"{model.name}: {fit.diagnostics.message}",
            f"An order is worth {mean:,.2f} on average over customers.",
            *_own_words(fit),
        ]
    )
