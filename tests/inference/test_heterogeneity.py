"""The distributions of traits are those that every model simulates its customers from."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy import integrate, stats

from clvmodels.errors import FitError
from clvmodels.inference.heterogeneity import TRAITS, Of, trait_of
from clvmodels.models.bg_nbd import BG_NBD
from clvmodels.models.registry import TRANSACTION_MODELS

CUSTOMERS = 200_000
models = pytest.mark.parametrize("model", TRANSACTION_MODELS.values(), ids=TRANSACTION_MODELS)


def simulated(model):
    nothing = np.zeros(CUSTOMERS)
    return model.draw_traits(model.theta(model.example), nothing, nothing, np.random.default_rng(1))


def above(model, of):
    trait = trait_of(model, of)
    columns = trait.columns(model, model.theta(model.example)[None], 1.0)
    return trait, lambda value: float(trait.above(*(column[0] for column in columns), np.asarray(value)))


def within_chance(share, told):
    return abs(share - told) < 4.0 * np.sqrt(told * (1.0 - told) / CUSTOMERS)


@models
def test_purchase_rates(model):
    _, share_above = above(model, "purchase_rate")
    rates = simulated(model).purchase_rate
    for value in (0.001, 0.01, 0.05, 0.2, 0.5):
        assert within_chance((rates > value).mean(), share_above(value))
    mean, _ = integrate.quad(share_above, 0.0, np.inf)
    assert mean == pytest.approx(float(model.mean_purchase_rate(model.theta(model.example))), rel=1e-6)


@models
def test_dropout(model):
    """The chance to stay, from the distribution of the trait, is that of the simulated customers.

    A mean E[g(trait)] is g(0) plus the integral of g' times the share above.
    """
    trait, share_above = above(model, "dropout")
    traits = simulated(model)
    if trait.is_rate:  # P(lifetime > t) = E[exp(-mu t)]
        for t in (1.0, 10.0, 50.0):
            left, _ = integrate.quad(lambda mu, t=t: t * np.exp(-mu * t) * share_above(mu), 0.0, np.inf, limit=200)
            assert within_chance((traits.lifetime > t).mean(), 1.0 - left)
        return
    nothing = np.zeros(1)
    born = float(model.p_alive(model.theta(model.example), nothing, nothing, nothing)[0])
    stood = 0 if born == 1.0 else 1  # opportunities to leave at the first purchase
    for n in (
        1,
        2,
        5,
    ):  # P(more than n purchases until they leave | alive after the first one) = E[(1 - p)^(n + stood)] / born
        power = n + stood
        left, _ = integrate.quad(lambda p, k=power: k * (1.0 - p) ** (k - 1) * share_above(p), 0.0, 1.0)
        assert within_chance((traits.last_purchase > n).mean(), (1.0 - left) / born)


@pytest.mark.parametrize("trait", TRAITS, ids=lambda trait: trait.meaning)
def test_quantiles_turn_shares_round(trait):
    for share in (0.1, 0.5, 0.98):
        value = trait.quantile(np.array(0.243), np.array(4.414), share)
        assert trait.above(np.array(0.243), np.array(4.414), value) == pytest.approx(1.0 - share, rel=1e-9)


def test_rates_are_per_the_time_asked_for():
    trait = trait_of(BG_NBD, "purchase_rate")
    r, alpha = trait.columns(BG_NBD, BG_NBD.theta(BG_NBD.example)[None], 52.0)
    assert trait.above(r, alpha, np.array(10.0)) == pytest.approx(
        stats.gamma(0.243, scale=52 / 4.414).sf(10.0), rel=1e-9
    )


@models
@pytest.mark.parametrize("of", get_args(Of))
def test_every_model_has_one(model, of):
    assert trait_of(model, of).of == of


def test_a_model_without_it_is_refused():
    model = replace(BG_NBD, parameters=BG_NBD.parameters[:2])
    with pytest.raises(FitError, match="BG/NBD has no dropout that differs by customer: its parameters are r, alpha"):
        trait_of(model, "dropout")
