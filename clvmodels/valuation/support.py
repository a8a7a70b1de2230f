"""How far the data carry customer equity: what lies within the time that customers were observed, and what beyond.

Value within the longest time observed has been seen to happen; value beyond is an extrapolation of how customers leave.
The figure is supported, assumed or not supported, by three legs: the width of its interval, the share beyond, and a
test against what happened. The bounds were set on some 250 simulated logs of three weeks to three years: a ratio of
the interval's ends above 2.5 found every figure that was off by more than a factor of two.

Source of the sensitivity to the prior: Kallioinen, Paananen, Bürkner & Vehtari (2024), Statistics and Computing 34.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from clvmodels.inference.priors import log_prior
from clvmodels.units import DAYS
from clvmodels.valuation.support_words import SENTENCES, Wording, span_in_words
from clvmodels.valuation.uncertainty import SEED, Interval, Member, customers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.valuation.valued_rows import ValuedRows

__all__ = ["Amount", "Support", "Verdict", "support_of"]

Array = NDArray[np.float64]
Verdict = Literal["supported", "assumed", "not supported"]
Leg = Literal["none", "width", "span", "beyond", "boundary"]
Amount = Literal["purchases", "revenue"]

WIDEST: Final = 2.5
"""Ratio of the upper to the lower end of the 90 % interval; above it the figure may be off by a factor of two."""
SHORTEST, MOST_BEYOND_SHORTEST = 0.25, 0.9
"""Years, and the share of equity beyond them."""
MOST_BEYOND, MOST_BEYOND_BOUNDARY = 2.0 / 3.0, 0.5
"""Share of equity beyond the time observed; and where nobody is seen to leave."""
RESTS_ON_PRIOR: Final = 0.3
"""Sensitivity from which the part beyond is said to rest on the prior."""
LEAST_MISS: Final = 0.075
"""A miss that lowers a verdict. Totals of logs whose story no model knows were off by 9 to 30 %; with many customers a
band is so narrow that misses which change little lie outside it."""
LOWER: Final[Mapping[Verdict, Verdict]] = {
    "supported": "assumed",
    "assumed": "not supported",
    "not supported": "not supported",
}


@dataclass(frozen=True)
class Support:
    """How far the data carry customer equity.

    Attributes
    ----------
    span
        The longest time that a customer was observed, in years.
    equity
        Customer equity; where parameters were fitted, the mean of the posterior.
    within, within_twice, beyond
        What of it comes within that time ahead, within twice that time, and after the first of them.
    interval, interval_within
        Where equity, and the part within, lie with a probability of 0.9.
    ratio
        The upper end of the interval by the lower one; infinite if that is not positive.
    prior_sensitivity
        By how much the part beyond moves, in logs, when the priors of how customers leave are squared or their root is
        taken; NaN if parameters were given.
    endless
        Whether the likelihood is highest where nobody who is alive leaves.
    verdict
        Whether the whole figure is supported by the data, assumed, or not supported.
    leg
        What decided it: the width of the interval, the span, the share beyond, nobody seen to leave; or none of them.
    missed, missed_in
        What came in the last third held back, relative to the forecast, less 1, if that lay outside its 90 % band;
        None: it lay inside, or was not tried. And of what: purchases or revenue.
    currency
        Printed beside amounts.
    """

    span: float
    equity: float
    within: float
    within_twice: float
    beyond: float
    interval: Interval
    interval_within: Interval
    ratio: float
    prior_sensitivity: float
    endless: bool
    verdict: Verdict
    leg: Leg
    missed: float | None = None
    missed_in: Amount = "purchases"
    currency: str = ""

    @property
    def share_beyond(self) -> float:
        """Share of equity beyond the time observed; NaN where equity is not positive."""
        return self.beyond / self.equity if self.equity > 0.0 else np.nan

    def tested(self, missed: float | None, of: Amount = "purchases") -> Support:
        """Return the verdict after a test against what happened: a step lower if the forecast missed by 7.5 % or more.

        Parameters
        ----------
        missed
            What came relative to the forecast, less 1, if it lay outside the 90 % band; None: it lay inside.
        of
            What came: ``"purchases"`` or ``"revenue"``.

        Examples
        --------
        >>> support = replace(book.support, verdict="supported")
        >>> support.tested(-0.25, "revenue").verdict, support.tested(-0.06).verdict, support.tested(None).verdict
        ('assumed', 'supported', 'supported')
        """
        if missed is None:
            return replace(self, missed=None)
        after = replace(self, missed=missed, missed_in=of)
        return replace(after, verdict=LOWER[self.verdict]) if after.lowered else after

    @property
    def lowered(self) -> bool:
        """Whether a test against what happened has lowered the verdict."""
        return self.missed is not None and abs(self.missed) >= LEAST_MISS

    @property
    def reason(self) -> str:
        """The verdict in words that name its leg, with the money."""
        sentences = {key: english for key, (english, _) in SENTENCES.items()}
        currency = f" {self.currency}" if self.currency else ""
        return self.reason_in(Wording(sentences, lambda amount: f"{amount:,.0f}{currency}", "{:.0%}".format, str))

    def reason_in(self, words: Wording) -> str:
        """Return the same as another language words it."""
        text = words.sentences[self.leg].format(
            equity=words.money(self.equity),
            within=words.money(self.within),
            beyond=words.money(self.beyond),
            share=words.share(self.share_beyond),
            span=words.duration(span_in_words(self.span)),
            low=words.money(self.interval.low),
            high=words.money(self.interval.high),
        )
        if self.prior_sensitivity > RESTS_ON_PRIOR:
            text += words.sentences["prior"]
        if self.missed is not None:
            side = "above" if self.missed > 0.0 else "below"
            text += words.sentences[f"{self.missed_in}_{side}"].format(words.share(abs(self.missed)))
        return text

    def __str__(self) -> str:
        return f"{self.verdict[0].upper()}{self.verdict[1:]}: {self.reason}."


def support_of(rows: ValuedRows, covers: tuple[str, ...]) -> Support:
    """Return how far the data carry customer equity.

    Parameters
    ----------
    rows
        A valuation whose fits have draws, or were given.
    covers
        What its intervals allow for beside what customers will really do.
    """
    equity = rows.equity
    within, twice = (rows.summed(rows.rlv_within_spans(times)) for times in (1, 2))
    until = _until(rows)
    interval, interval_within = (_interval(each, covers) for each in (rows, until))
    ratio = interval.high / interval.low if interval.low > 0.0 else np.inf
    endless = any(fit.diagnostics.endless for fit in rows.transactions.fits)
    share = 1.0 - within / equity if equity > 0.0 else 0.0
    verdict, leg = _verdict(ratio, rows.span, share, endless=endless)
    return Support(
        span=rows.span,
        equity=equity,
        within=within,
        within_twice=twice,
        beyond=equity - within,
        interval=interval,
        interval_within=interval_within,
        ratio=ratio,
        prior_sensitivity=_prior_sensitivity(rows, until),
        endless=endless,
        verdict=verdict,
        leg=leg,
        currency=rows.assumptions.currency,
    )


def _verdict(ratio: float, span: float, beyond: float, *, endless: bool) -> tuple[Verdict, Leg]:
    if ratio > WIDEST:
        return "not supported", "width"
    if span < SHORTEST and beyond > MOST_BEYOND_SHORTEST:
        return "not supported", "span"
    if endless and beyond > MOST_BEYOND_BOUNDARY:
        return "assumed", "boundary"
    return ("assumed", "beyond") if beyond > MOST_BEYOND else ("supported", "none")


def _until(rows: ValuedRows) -> ValuedRows:
    """Return the rows for draws of what comes within the time observed: with that horizon, or their own nearer one."""
    year = rows.assumptions.year_in("day")
    end = min(rows.span * year, rows.assumptions.horizon_in("day"))
    return replace(rows, assumptions=rows.assumptions.replace({"horizon": f"{end!r} days"}))


def _interval(rows: ValuedRows, covers: tuple[str, ...]) -> Interval:
    return Interval.of(rows.uncertainty(process=True, seed=SEED).equity, 0.9, (*covers, "what customers do"))


def _prior_sensitivity(rows: ValuedRows, until: ValuedRows) -> float:
    """Return |log(E[beyond | prior squared] / E[beyond | root of the prior])|, by weights on the draws.

    `until` are the rows with the time observed as horizon.
    """
    fits = rows.transactions.fits
    if not rows.has_draws or any(not _has_plain_priors(fit) for fit in fits):
        return np.nan
    none = np.zeros(len(rows.histories), np.int64)
    members = customers_of(rows.basis, rows.histories, none).members
    whole, within = (each.uncertainty(process=False, seed=None).equity for each in (rows, until))
    beyond = whole - within
    means = np.zeros(2)
    by_key = {fit.model.key: fit for fit in fits}
    for member in members:
        own = beyond[member.draws]
        log_prior = _log_prior(by_key[member.model.key], member)
        for k, power in enumerate((2.0, 0.5)):
            powers = (power - 1.0) * log_prior
            weight = np.exp(powers - powers.max())
            means[k] += len(own) * float(weight @ own / weight.sum())
    return float(abs(np.log(means[0] / means[1]))) if (means > 0.0).all() else np.nan


def _has_plain_priors(fit: TransactionFit) -> bool:
    """Whether the draws are of a posterior, the same for all customers, whose priors of leaving are known."""
    leaving = [quantity.name for quantity in fit.model.quantities if quantity.leaving]
    return fit.by is None and all("dist" in fit.priors.get(name, {}) for name in leaving)


def _log_prior(fit: TransactionFit, member: Member) -> Array:
    """Return the log density of the priors of how customers leave at the draws, shape (draws,)."""
    draws = member.parameters.draws
    params = {name: draws[:, k] for k, name in enumerate(fit.model.names)}
    quantities = fit.model.to_quantities(params, DAYS["year"] / DAYS[fit.unit])
    leaving = {quantity.name: quantities[quantity.name] for quantity in fit.model.quantities if quantity.leaving}
    return log_prior(fit.priors, leaving)
