"""The most valuable customers who are silent: against the closed form, under one model and several."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.inference.model_average import ModelAverage
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.silent_text import silent_text
from clvmodels.valuation.silent import silence_of, silent_best

PARETO = {"r": 0.55, "alpha": 10.58, "s": 0.61, "beta": 11.67}
BG = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}


@pytest.fixture(scope="module")
def rfm():
    """Customers who buy every week, every two weeks, ...; the third and the fifth have stopped some weeks ago."""
    last = np.array([52.0, 51.5, 46.0, 51.0, 34.0, 20.0])
    table = {"frequency": [52, 40, 46, 20, 17, 1], "recency": last, "T": 52.5, "monetary_value": 50.0}
    return clv.Histories.from_frame(pd.DataFrame({"customer_id": list("ABCDEF"), **table}), unit="week")


@pytest.fixture(scope="module")
def spend():
    return clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})


def test_those_are_silent_whose_wait_is_improbable(rfm, spend):
    fit = clv.ParetoNBD().from_params(PARETO, unit="week")
    book = clv.value(fit, spend, rfm, clv.Assumptions(discount_rate=0.1, margin=0.3, currency="EUR"))
    r, alpha = PARETO["r"], PARETO["alpha"]
    wait = ((alpha + rfm.recency) / (alpha + rfm.T)) ** (r + rfm.frequency)
    np.testing.assert_allclose(silence_of(fit, rfm), wait, rtol=1e-8)
    order = np.argsort(-book.rlv)
    for best in (3, 6):
        expected = [str(rfm.customer_id[k]) for k in order[:best] if wait[k] <= 0.05]
        silent = silent_best(book, best)
        assert list(silent.customer_id) == expected
        assert silent.equity == pytest.approx(sum(book.rlv[rfm.customer_id == each][0] for each in expected))
    text = silent_text(book, Locale("en", "EUR"))
    assert text.startswith("Silent for longer than 95 % of the waits expected of them: 2 of the 6 most")
    assert "(C, E)" in text


def test_under_an_average_probabilities_are_averaged(rfm):
    fits = clv.BGNBD().from_params(BG, unit="week"), clv.ParetoNBD().from_params(PARETO, unit="week")
    average = ModelAverage(fits, (0.3, 0.7), "AIC")
    alone = [silence_of(fit, rfm) for fit in fits]
    np.testing.assert_allclose(silence_of(average, rfm), 0.3 * alone[0] + 0.7 * alone[1], rtol=1e-12)
