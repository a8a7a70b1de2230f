"""How the value of orders depends on the rate at which a customer is expected to buy, as a power of it.

Models of spend hold the two to be independent. Here the population's scale is proportional to rate^e: the rate is the
posterior mean of a customer's own, (r + x) / (alpha + T), which is defined for those who bought once, and does not rise
with age as x does. Two steps: the rates are those of a fit of transactions, and what is unsure about them is left out.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats

from clvmodels.data.histories import Histories
from clvmodels.errors import FitWarning
from clvmodels.evaluation.populations import usable_spend
from clvmodels.inference.estimator import SpendEstimator
from clvmodels.inference.formulas import with_term
from clvmodels.inference.purchase_rates import BY_RATE, RATE, purchase_rates, with_rates
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.spend_state import spend_state
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import Array

__all__ = ["RateDependence", "rate_dependence"]


@dataclass(frozen=True, eq=False)
class RateDependence:
    """The dependence of the value of orders on the expected rate of purchases.

    Attributes
    ----------
    coefficient, se
        The exponent of the rate, by maximum likelihood, and its standard error given the rates.
    gain
        By how much it raises the log-likelihood.
    ratio
        Expected value of each customer's orders with the exponent, over that without; shape (customers,).
    """

    coefficient: float
    se: float
    gain: float
    ratio: Array

    @property
    def p_value(self) -> float:
        """Probability of such a gain if order values do not depend on rates (likelihood ratio)."""
        return float(stats.chi2.sf(2.0 * max(self.gain, 0.0), 1))


def rate_dependence(spend: SpendFit, transactions: TransactionFit, histories: Histories) -> RateDependence | None:
    """Return how order values depend on rates, as far as the fit has not taken that into account.

    It is None if it has, if the model has no scale that covariates act on, if all customers have one rate, or if the
    exponent has no maximum.

    Parameters
    ----------
    spend
        A fit of spend to all customers together, whose model is fitted anew to these histories.
    transactions
        A fit of transactions.
    histories
        The customers.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
    >>> relation = rate_dependence(clv.GammaGamma().fit(rfm), clv.ParetoNBD().fit(rfm), rfm)
    >>> round(relation.coefficient, 2), round(relation.se, 2)
    (0.2, 0.04)
    """
    if "spend" not in spend.model.effects or RATE in spend.columns_of_parameters:
        return None
    rates = purchase_rates(transactions.model, transactions.parameters(histories).point(slice(None)), histories)
    if np.ptp(rates[usable_spend(spend.model, histories)]) == 0.0:
        return None
    rated, formulas = with_rates(histories, rates), spend.formulas or {}
    covariates = {**formulas, "spend": with_term(formulas.get("spend"), BY_RATE)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # a boundary may be where the likelihood is highest
        alone = SpendEstimator(spend.model, covariates=spend.formulas).fit(histories)
        both = SpendEstimator(spend.model, covariates=covariates).fit(rated)
    assert both.covariates is not None
    term = both.covariates.design.terms.index(("spend", BY_RATE))
    if both.covariates.unbounded[term]:
        return None
    state = spend_state(spend.model, histories)
    with_rate, without = (
        spend.model.expected_spend(fit.parameters(rated).point(slice(None)), *state) for fit in (both, alone)
    )
    table = both.coefficients
    return RateDependence(
        coefficient=float(table["estimate"].iloc[term]),
        se=float(table["sd"].iloc[term]),
        gain=both.log_likelihood - alone.log_likelihood,
        ratio=with_rate / without,
    )
