"""German reports say in German how fits ended that did not end at a clean maximum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.inference.diagnostics import diagnose_chains, diagnose_weights
from clvmodels.models.clocked import on_clock
from clvmodels.models.registry import MODELS
from clvmodels.numerics.clocks import Steps
from clvmodels.reporting.fit_text import fit_remark, limit_in_german
from clvmodels.reporting.fitting import warning_of
from clvmodels.reporting.locale import Locale

GERMAN, ENGLISH = Locale("de", "EUR"), Locale("en", "EUR")
ADVICE = "Eine längere Beobachtung oder mehr Kunden helfen"


@pytest.fixture
def fit():
    return clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")


def ended(fit, **how):
    return replace(fit, diagnostics=replace(fit.diagnostics, **how))


def test_each_limit_of_each_model_has_its_german():
    steps = Steps(np.array([-1.0, 0.0, 1.0]), np.array([[0.0], [1.0]]), 0.0, (-1.0, 0.0))
    for model in (*MODELS.values(), on_clock(MODELS["pareto_nbd"], steps, ("price",))):
        assert model.limits
        for limit in model.limits:
            assert limit_in_german(limit.meaning) != limit.meaning


@pytest.mark.parametrize("kind", [clv.ParetoNBD(ageing="gompertz"), clv.ParetoNBD(ageing="weibull")])
def test_so_has_each_of_models_whose_customers_age(kind):
    for limit in kind.model.limits:
        assert limit_in_german(limit.meaning) != limit.meaning


def test_english_reports_say_what_the_fit_warns_of(fit):
    fit = ended(fit, status="not converged", message="not converged: the slope is still 1e-3 a customer.")
    assert fit_remark(fit, ENGLISH) == warning_of(fit)


def test_a_maximum_that_is_none_is_named_in_german(fit):
    at_limits = ended(fit, status="boundary", limits=("nobody is seen to leave", "purchase rates do not differ"))
    assert "(dass Kunden abwandern, ist nicht zu erkennen, und Kaufraten unterscheiden sich nicht)" in fit_remark(
        at_limits, GERMAN
    )
    for status, words in (
        ("boundary", "am Rand des Modells am höchsten."),
        ("not identified", "legen die Parameter nicht vollständig fest"),
        ("not converged", "nicht zum Ziel gekommen"),
    ):
        remark = fit_remark(ended(fit, status=status, message="English"), GERMAN)
        assert remark.startswith("BG/NBD: ")
        assert words in remark
        assert ADVICE in remark
        assert "English" not in remark


def test_draws_are_judged_in_german_with_their_figures(fit):
    far_off = diagnose_weights(0.98)
    assert "Pareto k 0,98 über 0,7" in fit_remark(replace(fit, diagnostics=far_off), GERMAN)
    chains = np.random.default_rng(1).normal(size=(2, 50, 1)) + np.array([0.0, 5.0])[:, None, None]
    judged = diagnose_chains(chains, 3)
    remark = fit_remark(replace(fit, diagnostics=replace(judged, limits=("nobody is seen to leave",))), GERMAN)
    assert f"R-hat {GERMAN.number(judged.r_hat, 3)}" in remark
    assert "divergente Schritte 3" in remark
    assert remark.endswith("am höchsten (dass Kunden abwandern, ist nicht zu erkennen).")


def test_one_customer_alone_is_named(fit):
    one = replace(ended(fit, status="not identified", message="English"), customers=1)
    assert "nur von einem einzigen Kunden bekannt" in fit_remark(one, GERMAN)
