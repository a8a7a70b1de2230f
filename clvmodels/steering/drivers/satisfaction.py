"""Satisfaction: how it goes with customers' buying and staying, and what a point of it would be worth.

One answer says how satisfied somebody is with an error. Its scores make the effect look too small; they are replaced by
what is expected of the satisfaction of who gave them (regression calibration). Who has not answered is a level of
their own: the satisfied answer more often.

Sources: Carroll, Ruppert, Stefanski & Crainiceanu (2006), Measurement Error in Nonlinear Models, ch. 4; Shrout & Fleiss
(1979), Psychological Bulletin 86(2), on the reliability of one answer and of means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number, require_choice
from clvmodels.data.ledger_tables import Form, read_ledger
from clvmodels.data.required import require_customers, require_histories
from clvmodels.errors import DataError, FitError
from clvmodels.inference.model_classes import model_classes
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models import MODELS
from clvmodels.valuation.book import value

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.valuation.assumptions import Assumptions
    from clvmodels.valuation.book import Book

__all__ = ["Satisfaction", "SatisfactionEffect", "satisfaction"]

Array = NDArray[np.float64]

SCORE: Final = "satisfaction"
ANSWERED: Final = "answered"
"""Attributes of customers: their expected satisfaction in points from the mean, and whether they have answered."""
FORM: Final = Form("answer", money="score")
LEAST_REPEATED: Final = 30
"""Customers with two answers or more; of fewer, the reliability is hardly known."""
STEP: Final = 0.01
"""Of the log of a factor, for a difference of equity: its error is of the square of it."""
NORMAL_975: Final = 1.959963984540054
USABLE: Final = tuple(key for key in ("pareto_nbd", "bg_nbd", "mbg_nbd") if key in MODELS)


@dataclass(frozen=True)
class SatisfactionEffect:
    """What a point of satisfaction goes with; `Satisfaction.effect` makes it.

    Attributes
    ----------
    equity
        Customer equity.
    per_point
        By how much it would rise if all customers were one point more satisfied from now on, and bought and stayed as
        those do who are: the derivative.
    sd, low, high
        Its standard error, and the 95 % interval: of the coefficients.
    """

    equity: float
    per_point: float
    sd: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"Customers one point more satisfied go with {self.per_point:,.2f} more equity ({self.low:,.2f} to "
            f"{self.high:,.2f}), {self.per_point / self.equity:.1%} of {self.equity:,.2f}. This is an association: "
            "what raising satisfaction brings is shown by a campaign that raised it for a random half."
        )


@dataclass(frozen=True, eq=False, repr=False)
class Satisfaction:
    """A fit with satisfaction as a covariate; `satisfaction` makes it.

    Attributes
    ----------
    fit
        The fit of transactions.
    histories
        The customers, with the attributes ``satisfaction`` (expected, in points from the mean; zero without an answer)
        and ``answered`` (1 or 0).
    reliability
        Of one answer: the share of the variance of scores that is satisfaction, and not error.
    response
        The share of customers who have answered.
    """

    fit: TransactionFit
    histories: Histories
    reliability: float
    response: float

    @property
    def coefficients(self) -> pd.DataFrame:
        """The coefficients by process and term, per point of satisfaction."""
        return self.fit.coefficients

    def effect(self, spend: SpendFit | float | str, assumptions: Assumptions) -> SatisfactionEffect:
        """Return by how much equity would rise with satisfaction, if the association were an effect.

        Purchase rates rise by exp(coefficient), and leaving (the odds of it, under BG/NBD) by that of its own.

        Parameters
        ----------
        spend, assumptions
            As of ``clv.value``.

        Raises
        ------
        FitError, AssumptionError
            As of ``clv.value``; or if the data do not bound a coefficient.
        """
        book = value(self.fit, spend, self.histories, assumptions)
        processes = [process for process, term in self.fit.coefficients.index if term == SCORE]
        slopes = np.array([_slope(book, self.fit, process) for process in processes])
        estimate, covariance = self._of_score()
        if not np.isfinite(covariance).all():
            raise FitError(
                "the data do not bound a coefficient of satisfaction; ask more customers, or more of those who left"
            )
        mean, sd = float(slopes @ estimate), float(np.sqrt(slopes @ covariance @ slopes))
        return SatisfactionEffect(book.equity, mean, sd, mean - NORMAL_975 * sd, mean + NORMAL_975 * sd)

    def _of_score(self) -> tuple[Array, Array]:
        """Return the coefficients of the score, and their covariance."""
        covariates = self.fit.covariates
        assert covariates is not None
        rows = np.array([k for k, (_, term) in enumerate(covariates.design.terms) if term == SCORE])
        size = len(covariates.estimate)
        covariance = covariates.covariance[-size:, -size:][np.ix_(rows, rows)]
        unbounded = np.array(covariates.unbounded, bool)[rows]
        covariance = np.where(unbounded[:, None] | unbounded, np.nan, covariance)
        return np.asarray(covariates.estimate[rows]), covariance

    def __repr__(self) -> str:
        return (
            f"<Satisfaction: {self.response:.0%} of {self.histories.customers:,} customers have answered, reliability "
            f"of an answer {self.reliability:.2f}, {self.fit!r}>"
        )


def satisfaction(
    histories: Histories, surveys: object, *, reliability: float | None = None, model: str = "pareto_nbd"
) -> Satisfaction:
    """Fit transactions with satisfaction as a covariate of buying and of leaving.

    A score is replaced by its reliability times its distance from the mean, that of several answers by the reliability
    of their mean. Without that, an effect on equity looks as much too small as scores are unreliable.

    Parameters
    ----------
    histories
        The customers, in memory, one row each.
    surveys
        The ledger of answers: a table or file with customer_id, time and score (from 0 up); more of it is better.
    reliability
        Of one answer, above 0 and up to 1; None: from customers who have answered twice or more.
    model
        ``"pareto_nbd"``, ``"bg_nbd"`` or ``"mbg_nbd"``.

    Returns
    -------
    Satisfaction
        ``coefficients``, and ``effect(spend, assumptions)`` in money. Both are associations.

    Raises
    ------
    DataError
        If the ledger cannot be read, nobody or too few have answered, all scores are the same, or too few answers are
        repeated to know their reliability.
    FitError
        If `model` or `reliability` is none.

    Examples
    --------
    >>> import pandas as pd
    >>> rfm = transactions.simulate(2_000, "52 weeks", seed=1).taken(np.arange(2_000))
    >>> table = rfm.to_frame()[["frequency", "recency", "T"]]
    >>> rfm = clv.Histories.from_frame(table, unit="week", observation_end="2024-12-31")
    >>> scores = np.random.default_rng(1).integers(1, 11, 1_200)
    >>> surveys = pd.DataFrame({"customer_id": range(1_200), "time": "2024-06-01", "score": scores})
    >>> clv.satisfaction(rfm, surveys, reliability=0.6, model="bg_nbd").response
    0.6
    """
    require_histories(histories)
    require_customers(histories, "satisfaction")
    require_choice("model", model, USABLE, FitError)
    answers = _answers(surveys, histories)
    if reliability is None:
        reliability = _reliability(answers)
    elif not 0.0 < as_number(reliability) <= 1.0:
        raise FitError(
            f"the reliability of one answer lies above 0 and up to 1, such as 0.6, got {abridged(reliability)}"
        )
    attributes = _calibrated(answers, histories, float(reliability))
    response = float(attributes[ANSWERED].mean())
    terms = SCORE if response == 1.0 else f"{SCORE} + {ANSWERED}"
    with_scores = histories.with_attributes(attributes)
    estimator = model_classes()[MODELS[model].public_name]
    fit = estimator(covariates={"purchase": terms, "dropout": terms}).fit(with_scores)
    assert isinstance(fit, TransactionFit)
    return Satisfaction(fit, with_scores, float(reliability), response)


def _slope(book: Book, fit: TransactionFit, process: str) -> float:
    """Return the derivative of equity by the log of how much there is of a process."""
    ends = []
    for step in (STEP, -STEP):
        moved = fit.with_factors({process: float(np.exp(step))})
        ends.append(value(moved, book.spend, book.histories, book.assumptions).equity)
    return (ends[0] - ends[1]) / (2.0 * STEP)


def _answers(surveys: object, histories: Histories) -> pd.DataFrame:
    """Return the answers of the customers until the end of observation."""
    import pandas as pd

    table, findings = read_ledger(surveys, FORM)
    if findings:
        raise DataError("the survey cannot be used as it is:\n- " + "\n- ".join(findings))
    if histories.observation_end is not None:
        time, end = pd.to_datetime(table["time"]).dt.tz_localize(None), histories.observation_end.tz_localize(None)
        table = table[time < end.normalize() + pd.Timedelta(days=1)]
    table = table.assign(customer_id=table["customer_id"].astype(object))
    own = table[table["customer_id"].isin(histories.customer_id)]
    if own["score"].nunique() < 2:
        raise DataError(
            f"satisfaction needs answers of customers with different scores, and the survey has {len(own):,} answers "
            f"of customers in the histories until the end of observation, with {own['score'].nunique()} scores"
        )
    return own


def _reliability(answers: pd.DataFrame) -> float:
    """Return the reliability of one answer: the intraclass correlation ICC(1) of customers who answered repeatedly."""
    groups = answers.groupby("customer_id", observed=True)["score"]
    number, mean, variance = groups.count(), groups.mean(), groups.var(ddof=1)
    several = number > 1
    k, m = number[several].to_numpy(float), mean[several].to_numpy(float)
    if len(k) < LEAST_REPEATED:
        raise DataError(
            f"the reliability of an answer needs {LEAST_REPEATED} customers or more with two answers, got {len(k)}; "
            "state reliability=..., such as 0.6, as known of the questionnaire"
        )
    within = float((k - 1.0) @ variance[several].to_numpy(float) / (k - 1.0).sum())
    grand = float(k @ m / k.sum())
    between = float(k @ (m - grand) ** 2 / (len(k) - 1.0))
    size = float((k.sum() - (k**2).sum() / k.sum()) / (len(k) - 1.0))
    of_people = max((between - within) / size, 0.0)
    if of_people == 0.0:
        raise DataError(
            "answers of the same customer differ as much as those of different ones: the scores say nothing"
        )
    return of_people / (of_people + within)


def _calibrated(answers: pd.DataFrame, histories: Histories, reliability: float) -> pd.DataFrame:
    """Return the expected satisfaction of customers, in points from the mean, and who has answered."""
    import pandas as pd

    groups = answers.groupby("customer_id", observed=True)["score"]
    number = groups.count().reindex(histories.customer_id, fill_value=0).to_numpy(float)
    mean: Any = groups.mean().reindex(histories.customer_id).to_numpy(float)
    answered = number > 0.0
    of_mean = number * reliability / (1.0 + np.maximum(number - 1.0, 0.0) * reliability)
    centre = float(of_mean[answered] @ mean[answered] / of_mean[answered].sum())
    score = np.where(answered, of_mean * (np.nan_to_num(mean) - centre), 0.0)
    return pd.DataFrame({SCORE: score, ANSWERED: answered.astype(float)}, index=histories.customer_id)
