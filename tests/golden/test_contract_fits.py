"""Fitted contract models: Fader & Hardie (2007), JIM 21(1); Fader, Hardie, Liu, Davis & Steenburgh (2018), JIM 43.

The log-likelihoods at the maxima of four renewals agree with a published replication of the latter, those of seven
renewals and all parameters are computed independently; those of sBG with seven renewals are printed in the former.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv

HIGH_END = (1000, 869, 743, 653, 593, 551, 517, 491)
REGULAR = (1000, 631, 468, 382, 326, 289, 262, 241)
ACTUAL_AFTER_TWELVE = 0.394
"""Share of the High End cohort after twelve renewals."""


def cohort(survivors: Sequence[int], renewals: int) -> clv.Histories:
    left = -np.diff(survivors[: renewals + 1])
    table = {"renewals": [*range(renewals), renewals], "churned": [1] * renewals + [0]}
    return clv.Histories.from_frame(pd.DataFrame({**table, "weight": [*left, survivors[renewals]]}), unit="year")


MAXIMA = [
    ("SBG", REGULAR, 4, (0.763665, 1.295830), -1401.5594),
    ("BDW", REGULAR, 4, (0.523029, 0.894283, 1.196399), -1401.3831),
    ("SBG", HIGH_END, 4, (1.280976, 7.790385), -1225.1349),
    ("BDW", HIGH_END, 4, (0.259336, 1.722552, 1.584361), -1222.7493),
    ("SBG", REGULAR, 7, (0.704077, 1.182043), -1680.2652),
    ("BDW", REGULAR, 7, (0.455614, 0.779326, 1.283451), -1679.6028),
    ("SBG", HIGH_END, 7, (0.668088, 3.806095), -1611.1581),
    ("BDW", HIGH_END, 7, (0.214253, 1.426575, 1.723565), -1605.3142),
]


@pytest.mark.parametrize(("model", "survivors", "renewals", "params", "log_likelihood"), MAXIMA)
def test_the_maximum(
    model: str, survivors: Sequence[int], renewals: int, params: tuple[float, ...], log_likelihood: float
) -> None:
    fit = getattr(clv, model)().fit(cohort(survivors, renewals))
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=6e-5)
    assert fit.estimate == pytest.approx(params, abs=3e-5)
    assert fit.diagnostics.status == "converged"


def test_the_share_after_twelve_renewals_from_four() -> None:
    """The High End cohort: sBG says too few, the beta-discrete-Weibull what came."""
    both = (getattr(clv, model)().fit(cohort(HIGH_END, 4)).retention_curve(12) for model in ("SBG", "BDW"))
    sbg, bdw = (curve["survival"].iloc[-1] for curve in both)
    assert (sbg, bdw) == pytest.approx((0.307, 0.389), abs=5e-4)
    assert abs(bdw - ACTUAL_AFTER_TWELVE) < 0.1 * abs(sbg - ACTUAL_AFTER_TWELVE)


VALUES = [
    ("SBG", {"gamma": 0.764, "delta": 1.296}, (2.882211, 3.939422, 5.682489)),
    ("BDW", {"gamma": 0.523029, "delta": 0.894283, "c": 1.196399}, (2.960794, 4.061684, 6.035099)),
    ("BDW", {"gamma": 0.259336, "delta": 1.722552, "c": 1.584361}, (5.493717, 5.852896, 7.317539)),
]


@pytest.mark.parametrize(("model", "params", "values"), VALUES)
def test_payments_due_before_the_first_second_and_fifth_renewal(
    model: str, params: dict[str, float], values: tuple[float, ...]
) -> None:
    """At 10 % a period; those of sBG times 100 are printed as 288, 394 and 568 (Fader & Hardie 2010)."""
    before = getattr(clv, model)().from_params(params, unit="year").residual_payments(0.10, renewals=4)["before_next"]
    assert before.loc[[0, 1, 4]].to_list() == pytest.approx(values, abs=6e-7)


def test_the_book_has_the_published_values() -> None:
    """Right before the renewal, a period after the last: 288, 394 and 568 of 100 a year."""
    table = pd.DataFrame({"customer_id": [1, 2, 5], "renewals": [0, 1, 4], "churned": 0})
    fit = clv.SBG().from_params({"gamma": 0.764, "delta": 1.296}, unit="year")
    contracts = clv.Histories.from_frame(table, unit="year")
    book = clv.value(fit, 100.0, contracts, clv.Assumptions(discount_rate=0.10, margin=1.0))
    assert (1.1 * book.rlv).round().tolist() == [288.0, 394.0, 568.0]
    assert 1.1 * book.equity == pytest.approx(288.22114 + 393.94221 + 568.24892, abs=2e-4)
