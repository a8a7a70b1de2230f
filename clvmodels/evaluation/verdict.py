"""What a backtest says in the end: which model is best, whether it beats the rules of thumb, whether totals hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from clvmodels.evaluation.forecasts import NAIVE, Forecast
from clvmodels.evaluation.holdout_total import HoldoutTotal, holdout_total, total_text

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from clvmodels.data.holdout import Holdout
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array

__all__ = ["Comparison", "Outcome", "Verdict", "verdict_of_backtest", "verdict_text"]

CHANCE: Final = 1.6449
"""A difference of more standard errors comes by chance in one of twenty backtests of equals."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One cut-off: the holdout, the fits, and what they, regressors and rules of thumb predicted.

    Attributes
    ----------
    holdout
        The holdout.
    fits
        Fits of transactions by name.
    spend
        The fit of spend; None: there is none.
    forecasts
        By name, rules of thumb included.
    """

    holdout: Holdout
    fits: Mapping[str, TransactionFit]
    spend: SpendFit | None
    forecasts: Mapping[str, Forecast]

    @property
    def cutoff(self) -> pd.Timestamp:
        """The end of training."""
        return self.holdout.start


@dataclass(frozen=True)
class Comparison:
    """A model against a rule of thumb, customer by customer.

    Attributes
    ----------
    model, rule
        Their names.
    gain
        By how much the mean squared error of the rule exceeds that of the model.
    se
        Its standard error over customers.
    result
        ``"better"`` or ``"worse"`` if the difference is more than chance explains, else ``"no different"``.
    """

    model: str
    rule: str
    gain: float
    se: float
    result: Literal["better", "no different", "worse"]


@dataclass(frozen=True)
class Verdict:
    """What a backtest says in the end; `str` of it is in words.

    Attributes
    ----------
    best
        The model or regressor with the smallest mean squared error of purchases by customer, over all cut-offs.
    rmse
        The root of the mean squared error by name, of models, regressors and rules that predict a number.
    comparisons
        Each model and regressor against each rule of thumb that predicts a number.
    cutoffs
        Number of cut-offs.
    customers
        Number of customers who were predicted at one of them at least.
    totals
        Of the best model of transactions (regressors have no interval), what it predicted of all customers together at
        each cut-off, and what came; empty if there are only regressors.
    """

    best: str
    rmse: Mapping[str, float]
    comparisons: tuple[Comparison, ...]
    cutoffs: int
    customers: int
    totals: tuple[HoldoutTotal, ...]

    @property
    def total(self) -> HoldoutTotal | None:
        """The total at the last cut-off."""
        return self.totals[-1] if self.totals else None

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules of thumb."""
        return tuple(dict.fromkeys(comparison.rule for comparison in self.comparisons))

    @property
    def beaten(self) -> tuple[str, ...]:
        """The rules of thumb that the best model beats by more than chance."""
        return tuple(each.rule for each in self.comparisons if each.model == self.best and each.result == "better")

    @property
    def unbeaten(self) -> tuple[str, ...]:
        """The rules of thumb that no model beats by more than chance."""
        beaten = {comparison.rule for comparison in self.comparisons if comparison.result == "better"}
        return tuple(rule for rule in self.rules if rule not in beaten)

    def __str__(self) -> str:
        return verdict_text(self)


def verdict_of_backtest(outcomes: Sequence[Outcome], seed: int | None) -> Verdict:
    """Return the verdict on what was predicted at one cut-off or several.

    Errors are compared customer by customer: the standard error of a mean difference is that over customers, the
    cut-offs of one customer taken together, as they depend on each other (Diebold & Mariano 1995, JBES 13, of the mean
    loss differential; Cameron & Miller 2015, Journal of Human Resources 50, of clusters). What moves all customers at
    once, such as a season, is not in it: it shows in the total.

    Squared errors are minimised by whoever knows the mean (Gneiting 2011, JASA 106): absolute ones would prefer a
    median, and so "nobody buys again".
    """
    names = [name for name, forecast in outcomes[0].forecasts.items() if np.isfinite(forecast.purchases).all()]
    rules = [name for name in names if name in NAIVE]
    models = [name for name in names if name not in NAIVE]
    errors = {name: _squared_errors(outcomes, name) for name in names}
    rmse = {name: float(np.sqrt(error.sum() / error.size)) for name, error in errors.items()}
    customer = np.unique(np.concatenate([_keys(outcome) for outcome in outcomes]), return_inverse=True)[1].astype(
        np.int64
    )
    best = min(models, key=rmse.__getitem__)
    fitted = [name for name in models if name in outcomes[0].fits]
    of_total = min(fitted, key=rmse.__getitem__) if fitted else None
    return Verdict(
        best=best,
        rmse=rmse,
        comparisons=tuple(
            _compared(model, rule, errors[rule] - errors[model], customer) for model in models for rule in rules
        ),
        cutoffs=len(outcomes),
        customers=int(customer.max()) + 1,
        totals=()
        if of_total is None
        else tuple(
            holdout_total({of_total: outcome.fits[of_total]}, outcome.spend, outcome.holdout, seed=seed)
            for outcome in outcomes
        ),
    )


def _keys(outcome: Outcome) -> Array:
    """Return the ids of customers as texts, which can be sorted whatever they are."""
    return outcome.holdout.customer_id.astype(str).to_numpy()


def _squared_errors(outcomes: Sequence[Outcome], name: str) -> Array:
    """Return the squared errors of all customers at all cut-offs."""
    return np.concatenate([(each.forecasts[name].purchases - each.holdout.frequency) ** 2 for each in outcomes])


def _compared(model: str, rule: str, difference: Array, customer: NDArray[np.int64]) -> Comparison:
    """Return the comparison of a model and a rule from the differences of their losses, shape (n,) as `customer`."""
    by_customer = np.bincount(customer, weights=difference)
    number, gain = len(by_customer), float(difference.mean())
    around = by_customer - by_customer.mean()
    se = float(np.sqrt((around**2).sum() * number / max(number - 1, 1)) / len(difference))
    size = gain / se if se > 0.0 else 0.0
    return Comparison(
        model, rule, gain, se, "better" if size > CHANCE else "worse" if size < -CHANCE else "no different"
    )


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict in words."""
    at = "1 cut-off" if verdict.cutoffs == 1 else f"{verdict.cutoffs} cut-offs"
    best, error = verdict.best, verdict.rmse[verdict.best]
    size = f"rmse {error:.3g}; {at}, {verdict.customers:,} customers"
    lines = [f"Best by the squared error of a customer's purchases: {best} ({size})."]
    if verdict.beaten:
        lines.append(f"It beats {_listed(verdict.beaten)} by more than chance.")
    for rule in verdict.unbeaten:
        by_chance = ", and either may be ahead by chance" if _alike(verdict, rule) else ""
        lines.append(f"No model beats {rule} here: its rmse is {verdict.rmse[rule]:.3g}{by_chance}.")
    if verdict.total is not None:
        name = next(iter(verdict.total.models))
        lines.append(f"After {verdict.total.cutoff.date()}, by {name}:")
        lines.append(total_text(verdict.total))
    if len(verdict.totals) > 1:
        inside = sum(total.inside for total in verdict.totals)
        lines.append(f"Purchases lie within the interval at {inside} of {len(verdict.totals)} cut-offs.")
    return "\n".join(lines)


def _alike(verdict: Verdict, rule: str) -> bool:
    """Return whether the best model and a rule differ by no more than chance explains."""
    compared = next(each for each in verdict.comparisons if (each.model, each.rule) == (verdict.best, rule))
    return compared.result == "no different"


def _listed(names: Sequence[str]) -> str:
    """Return names as a list in words.

    Examples
    --------
    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
