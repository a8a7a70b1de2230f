"""Can the fits be trusted for money? Each check says what it found, what it is worth, and what to write instead."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.data.required import require_customers
from clvmodels.errors import AssumptionError, DataError, FitWarning
from clvmodels.evaluation.dependence import dependence, with_positive_spend
from clvmodels.evaluation.findings import Checks, Finding, Verdict, not_checked, verdict_of, worst
from clvmodels.evaluation.history_checks import merged_orders, selection
from clvmodels.evaluation.last_third_check import fit_to_the_last_third
from clvmodels.evaluation.rate_dependence import RateDependence, rate_dependence
from clvmodels.evaluation.regularity_check import regularity_of_purchases
from clvmodels.evaluation.segment_checks import segment_findings
from clvmodels.inference.estimator import SpendEstimator
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.spend_state import spend_state
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import call_of
from clvmodels.style import require

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.evaluation.holdout_total import HoldoutTotal

__all__ = ["checks"]

Array = NDArray[np.float64]

_SIGNED: Final = "orders may be worth less than nothing, and the check is about positive values"
SIGNIFICANT: Final = 0.01
"""Probability below which classes of frequency do not differ by chance."""
FEW: Final = 10
"""Customers whose influence is shown."""
ENOUGH: Final = 50
"""Customers with a known mean spend, to say something about its tail."""
TAIL: Final = 0.05
"""Share of the customers that Hill's estimator takes for the tail, at least `FEW`."""

# From where on a share is worth a look, and from where on it is serious.
DEPENDENCE: Final = (0.02, 0.10)
MOVED: Final = (0.05, 0.20)
INFLUENCE: Final = (0.20, 0.33)
ONCE: Final = (0.10, 0.25)
LEFT_OUT: Final = (0.05, 0.15)
# The same of a tail index: at 2 the variance becomes infinite, at 1 the mean.
INDEX: Final = (2.0, 1.2)


@dataclass(frozen=True, eq=False)
class _Worth:
    """What the customers are worth.

    Attributes
    ----------
    name
        What that is called.
    of
        By customer, shape (customers,).
    sales
        The part of it that moves with the value of orders, shape (customers,).
    """

    name: str
    of: Array
    sales: Array

    @property
    def total(self) -> float:
        return float(self.of.sum())

    def share(self, part: float) -> float:
        return part / self.total


def checks(
    transactions: TransactionFit,
    spend: SpendFit,
    histories: Histories,
    *,
    rlv: pd.Series[Any] | None = None,
    sales: pd.Series[Any] | None = None,
    last_third: HoldoutTotal | None = None,
    regular: TransactionFit | None = None,
) -> Checks:
    """Check what the models assume, how far the data depart from it, and what that is worth in money.

    Parameters
    ----------
    transactions, spend
        The fits.
    histories
        The customers they were fitted to, in the unit of `transactions`.
    rlv
        Residual lifetime value by customer id, such as ``book.customers["rlv"]``. Without it, or if its sum is not
        positive, money is the revenue expected within a year.
    sales
        The part of `rlv` that moves with the value of orders, by customer id: the sum of the lines that are a share of
        sales, such as ``book.customers["contribution_margin"]``. Without it, all of `rlv`.
    last_third
        What `last_third` returns of the log, to be among the checks.
    regular
        A fit of regular purchases to the same customers, such as ``clv.MBGCNBDk().fit(rfm)``, to be among the checks.

    Returns
    -------
    Checks
        independence
            Of spend and frequency: correlations, the likelihood ratio of populations by class of frequency against one
            for all, and what they change. Effect: the change of the total.
        influence
            What the ten most valuable customers hold, and how many hold half. Effect: the ten's.
        one-time buyers
            BG/NBD holds them to be alive for sure. Effect: what they are worth.
        merged orders
            How much lower the rate of purchases is, as several within the resolution count as one. Rows of one instant,
            or of one order id, are one order.
        heavy tails
            The tail index of customers' mean spend (Hill's estimator, and Gamma-Gamma's q: up to 2, the variance is
            infinite), and the total without the largest spender, spend being fitted anew. Effect: that change.
        selection
            One-time buyers dropped by mistake: far fewer than the fit expects at these ages.
        fit to the last third
            With `last_third`: what was predicted of the last third of the log, and what came. Effect: the difference in
            revenue.
        regularity
            With `regular`: how regular purchases are, and who is overdue, but called alive by a model of purchases at
            random. Effect: the change of the revenue expected within a year.
        segments differ: ...
            For each attribute, of text or whole numbers, that names 2 to 50 segments, of 20 customers or more on
            average: whether fits by segment explain the data better than one population. Effect: the change of the
            revenue expected within a year.

    Raises
    ------
    DataError
        If the histories are not in memory, there are no customers, or `rlv` or `sales` is not known of all of them.
    AssumptionError
        If `sales` is given without `rlv`.
    UnitError
        If the histories are not in the unit of `transactions`.

    Notes
    -----
    Hill (1975), Annals of Statistics 3(5). If mean spend is known of too few customers, the checks of spend say so.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
    >>> found = checks(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm)
    >>> found.table["verdict"].to_dict()
    {'independence': 'look', 'influence': 'fine', 'one-time buyers': 'look', 'merged orders': 'fine',
     'heavy tails': 'fine', 'selection': 'fine'}
    >>> found.figures["independence"][["pearson", "without_one"]].round(3).to_dict()
    {'pearson': 0.114, 'without_one': 0.057}
    """
    require(histories, Histories, "histories are expected here")
    require_customers(histories, "a check")
    if not len(histories):
        raise DataError("there are no customers to check")
    transactions.require_unit(histories)
    worth = _worth(transactions, spend, histories, rlv, sales)
    return Checks(
        (
            _independence(transactions, spend, histories, worth),
            _influence(worth),
            _one_time_buyers(transactions, histories, worth),
            merged_orders(histories),
            _heavy_tails(spend, histories, worth),
            selection(transactions, histories),
            *(() if last_third is None else (fit_to_the_last_third(last_third),)),
            *(() if regular is None else (regularity_of_purchases(transactions, regular, spend, histories),)),
            *segment_findings(transactions, spend, histories),
        )
    )


def _worth(
    transactions: TransactionFit,
    spend: SpendFit,
    histories: Histories,
    rlv: pd.Series[Any] | None,
    sales: pd.Series[Any] | None,
) -> _Worth:
    if rlv is None and sales is not None:
        raise AssumptionError("sales are a part of rlv: give both, or neither")
    if rlv is not None:
        values = _by_id("rlv", rlv, histories)
        if values.sum() > 0.0:
            return _Worth("equity", values, values if sales is None else _by_id("sales", sales, histories))
    purchases = transactions.expected_purchases(histories, "1 year")["mean"].to_numpy()
    revenue = purchases * spend.expected_spend(histories)["mean"].to_numpy()
    return _Worth("revenue expected within a year", revenue, revenue)


def _by_id(name: str, values: pd.Series[Any], histories: Histories) -> Array:
    array = np.asarray(values.reindex(histories.customer_id), dtype=np.float64)
    missing = int(np.isnan(array).sum())
    if missing:
        raise DataError(
            f"{name} is not known of {missing:,} of {len(histories):,} customers; give a Series by customer id, "
            "such as a column of book.customers, of the same histories"
        )
    return array


def _independence(transactions: TransactionFit, spend: SpendFit, histories: Histories, worth: _Worth) -> Finding:
    if spend.model.signed:
        return not_checked("independence", _SIGNED)
    relation = dependence(spend, histories)
    if relation is None:
        return not_checked("independence", "too few customers with a known mean spend to compare classes of frequency")
    rates = rate_dependence(spend, transactions, histories) if spend.by is None else None
    change = worth.sales * (relation.ratio - 1.0)
    effect, moved = float(change.sum()), 0.5 * float(np.abs(change).sum())
    by_class = ", ".join(f"{mean:,.2f} ({name})" for name, mean in zip(relation.classes, relation.means, strict=True))
    chance = f"more than chance (p = {relation.p_value:.2g})" if relation.p_value < SIGNIFICANT else "within chance"
    sizes = (verdict_of(abs(worth.share(effect)), DEPENDENCE), verdict_of(worth.share(moved), MOVED))
    return Finding(
        "independence",
        "fine" if relation.p_value >= SIGNIFICANT else worst(sizes),
        f"mean spend and frequency correlate with {relation.pearson:.3f} ({relation.without_one:.3f} without one "
        f"customer, {relation.spearman:.3f} by ranks). A population for each class of frequency spends {by_class} an "
        f"order, {chance}; together they change the {worth.name} by {effect:+,.2f} ({worth.share(effect):+.1%}) and "
        f"move {moved:,.2f} ({worth.share(moved):.1%}) between customers{_of_rates(rates, worth)}",
        effect,
        f"{_on_rates(spend, rates)}fit spend by what tells frequent buyers apart, a segment of yours or the class "
        "itself: rfm = "
        "rfm.with_attributes(clv.frequency_classes(rfm).to_frame()); "
        f'{call_of(spend.model)}.fit(rfm, method="nuts", by="frequency_class")',
        {
            "pearson": relation.pearson,
            "without_one": relation.without_one,
            "spearman": relation.spearman,
            "p_value": relation.p_value,
            "effect_share": worth.share(effect),
            "moved": moved,
            "moved_share": worth.share(moved),
        }
        | _figures_of_rates(rates)
        | {f"mean_{name}": float(mean) for name, mean in zip(relation.classes, relation.means, strict=True)},
    )


def _on_rates(spend: SpendFit, rates: RateDependence | None) -> str:
    """Return the remedy of a dependence on the expected rate of purchases, as the beginning of a sentence."""
    if rates is None or rates.p_value >= SIGNIFICANT:
        return ""
    return (
        f"let order values depend on the expected purchase rate: {call_of(spend.model, 'depends_on=transactions')}"
        ".fit(rfm), with transactions the fit of purchases; or "
    )


def _figures_of_rates(rates: RateDependence | None) -> dict[str, float]:
    if rates is None:
        return {}
    return {"rate_coefficient": rates.coefficient, "rate_se": rates.se, "rate_gain": rates.gain}


def _of_rates(rates: RateDependence | None, worth: _Worth) -> str:
    """Return what the dependence on the expected rate of purchases amounts to, as the end of a sentence."""
    if rates is None:
        return ""
    effect = worth.share(float((worth.sales * (rates.ratio - 1.0)).sum()))
    return (
        f". The value of an order goes with the expected purchase rate to the power of {rates.coefficient:.3f} "
        f"(standard error {rates.se:.3f}, {rates.gain:+,.2f} log-likelihood), which changes the {worth.name} by "
        f"{effect:+.1%}"
    )


def _influence(worth: _Worth) -> Finding:
    descending = np.sort(worth.of)[::-1]
    few = min(FEW, len(descending))
    top_worth = float(descending[:few].sum())
    half = int(np.searchsorted(np.cumsum(descending[descending > 0.0]), 0.5 * worth.total)) + 1
    return Finding(
        "influence",
        verdict_of(worth.share(top_worth), INFLUENCE),
        f"{few} of {len(descending):,} customers hold {worth.share(top_worth):.1%} of the {worth.name}, and {half:,} "
        f"({half / len(descending):.1%}) hold half of it",
        top_worth,
        "look at the few one by one (a reseller, a company, a test account?), value them apart, and state the total "
        "with and without them: rfm.select(...)",
        {"top_share": worth.share(top_worth), "customers_of_half": float(half)},
    )


def _one_time_buyers(transactions: TransactionFit, histories: Histories, worth: _Worth) -> Finding:
    once = histories.frequency == 0.0
    name, amount, zero = transactions.model.name, float(worth.of[once].sum()), np.zeros(1)
    oldest = np.array([histories.T.max()])
    certain = bool(transactions.model.p_alive(transactions.estimate, zero, zero, oldest)[0] == 1.0)
    assumption = "holds them to be alive for sure, however long they have been silent" if certain else "lets them leave"
    return Finding(
        "one-time buyers",
        verdict_of(worth.share(amount), ONCE) if certain else "fine",
        f"{int(once.sum()):,} customers ({once.mean():.1%}) bought once only and hold {worth.share(amount):.1%} of the "
        f"{worth.name}; {name} {assumption}",
        amount,
        "compare with a model in which customers may leave after their first purchase: clv.MBGNBD().fit(rfm) or "
        "clv.ParetoNBD().fit(rfm); decide by probability_of_purchases rather than by probability_alive",
        {"share": float(once.mean()), "worth_share": worth.share(amount), "alive_for_sure": float(certain)},
    )


def _heavy_tails(spend: SpendFit, histories: Histories, worth: _Worth) -> Finding:
    if spend.model.signed:
        return not_checked("heavy tails", _SIGNED)
    known = with_positive_spend(histories)
    if np.count_nonzero(known) < ENOUGH:
        return not_checked("heavy tails", "too few customers with a known mean spend to tell how heavy the tail is")
    value = histories.monetary_value[known]
    revenue = histories.frequency[known] * value
    index, error = _hill(value)
    q = spend.params.get("q", math.nan)
    effect = _without_largest(spend, histories, worth)
    share = float(np.sort(revenue)[-FEW:].sum() / revenue.sum())
    # Hill's estimator lies low where the tail has only begun, so that it has to be surely below.
    lowest = float(np.fmin(index + 1.645 * error, q))
    by_index: Verdict = "serious" if lowest < INDEX[1] else "look" if lowest <= INDEX[0] else "fine"
    sizes = (by_index, verdict_of(-worth.share(effect), LEFT_OUT))
    return Finding(
        "heavy tails",
        worst(sizes),
        f"the tail index of mean spend is {index:.2f} +- {error:.2f} (Hill; {spend.model.name}: q = {q:.2f}; up to "
        f"2 the variance is infinite); {FEW} customers made {share:.1%} of the repeat revenue so far; without the "
        f"largest spender, in the fit and in the total, the {worth.name} changes by {effect:+,.2f} "
        f"({worth.share(effect):+.1%})",
        effect,
        "value the largest spenders apart, by hand, and fit spend without them, as the published valuation of CDNOW "
        "does: rfm.select(~(rfm.frequency * rfm.monetary_value > limit))",
        {
            "hill": index,
            "hill_error": error,
            "q": q,
            "top_revenue_share": share,
            "effect_share": worth.share(effect),
        },
    )


def _hill(values: Array) -> tuple[float, float]:
    """Return Hill's estimate of the tail index of positive values, and its standard error.

    Examples
    --------
    >>> index, error = _hill(np.random.default_rng(1).pareto(3.0, 100_000) + 1.0)
    >>> abs(index - 3.0) < 2 * error, round(error, 3)
    (True, 0.043)
    """
    tail = max(round(TAIL * len(values)), FEW)
    largest = np.log(np.sort(values)[::-1][: tail + 1])
    mean = float((largest[:-1] - largest[-1]).mean())
    index = 1.0 / mean if mean > 0.0 else math.inf
    return index, index / math.sqrt(tail)


def _without_largest(spend: SpendFit, histories: Histories, worth: _Worth) -> float:
    """Return the change of the total if the customer with the largest repeat revenue is left out, of the fit too."""
    known = with_positive_spend(histories)
    others = np.ones(len(histories), bool)
    others[np.argmax(np.where(known, histories.frequency * histories.monetary_value, -np.inf))] = False
    estimator = SpendEstimator(spend.model, covariates=spend.formulas, depends_on=spend.rates)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # at a boundary too, the fits tell what one customer moves
        with_him, without = estimator.fit(histories), estimator.fit(histories.select(others))
    rest = histories.select(others)
    state = spend_state(spend.model, rest)
    new, old = (
        spend.model.expected_spend(fit.parameters(rest).point(slice(None)), *state) for fit in (without, with_him)
    )
    return float((worth.sales[others] * (new / old - 1.0)).sum() - worth.of[~others].sum())
