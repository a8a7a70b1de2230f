"""What can be sent to another process: models by their key, estimators, fits, histories, assumptions and books."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed

import clvmodels as clv
from clvmodels.errors import ClvError, DataError, ModelError
from clvmodels.models.registry import MODELS, PERIOD_MODELS, SPEND_MODELS, _remove, register

NAMES = [model.public_name for model in (MODELS | PERIOD_MODELS).values()]
ASSUMPTIONS = {
    "discount_rate": [0.08, 0.10],
    "margin": {"by": "segment", "rates": {"A": 0.3, "B": 0.25}},
    "order_cost": {"column": "cost"},
}


def pickled(given):
    return pickle.loads(pickle.dumps(given))


@pytest.fixture(scope="module")
def rfm() -> clv.Histories:
    truth = clv.BGNBD().from_params({"r": 0.6, "alpha": 5.0, "a": 0.8, "b": 2.5}, unit="week")
    table = truth.simulate(400, "52 weeks", seed=3).to_frame().reset_index()
    generator = np.random.default_rng(5)
    orders, mean = table["frequency"].clip(lower=1.0), 60.0 / generator.gamma(4.0, size=len(table))
    table["monetary_value"] = np.where(table["frequency"] > 0, generator.gamma(3.0 * orders) / orders * mean, np.nan)
    table["segment"] = np.where(np.arange(len(table)) % 3 == 0, "A", "B")
    return clv.Histories.from_frame(table.assign(cost=1.5), unit="week")


@pytest.fixture(scope="module")
def book(rfm) -> clv.Book:
    transactions = clv.BGNBD().fit(rfm, method="laplace", draws=50, seed=1)
    spend = clv.GammaGamma().fit(rfm, method="laplace", draws=50, seed=1)
    return clv.value(transactions, spend, rfm, clv.Assumptions(**ASSUMPTIONS))


@pytest.fixture
def own():
    """A user's model, registered."""
    model = replace(MODELS["bg_nbd"], key="own", public_name="Own", name="Own/NBD")
    register(model)
    yield model
    if MODELS.get(model.key) is model:
        _remove(model)


def same(fit, other):
    assert type(fit) is type(other)
    assert fit.model is other.model
    for name in ("theta", "estimate", "covariance", "segment_theta"):
        np.testing.assert_array_equal(getattr(fit, name), getattr(other, name))
        assert not getattr(other, name).flags.writeable
    for name in ("method", "unit", "customers", "fingerprint", "diagnostics", "priors", "by", "segments"):
        assert getattr(fit, name) == getattr(other, name)
    assert repr(fit) == repr(other)


@pytest.mark.parametrize("again", [pickled, copy.deepcopy, copy.copy])
@pytest.mark.parametrize("name", NAMES)
def test_models_estimators_and_given_fits(name, again):
    kind = getattr(clv, name)
    assert again(kind.model) is kind.model
    assert again(kind) is kind
    estimator = kind(priors=kind().default_priors)
    assert again(estimator) == estimator
    assert type(again(estimator)) is kind
    unit = {} if kind.model in SPEND_MODELS.values() else {"unit": "week"}
    fit = kind().from_params(kind.model.example, **unit)
    same(fit, again(fit))


@pytest.mark.parametrize("name", ["BGNBD", "GammaGamma"])
@pytest.mark.parametrize("options", [{}, {"method": "laplace", "draws": 50, "seed": 1}, {"method": "map"}])
def test_fits(name, options, rfm):
    fit = getattr(clv, name)().fit(rfm, progress=False, **options)
    same(fit, pickled(fit))
    same(fit, copy.deepcopy(fit))


@pytest.mark.slow  # samples
@pytest.mark.parametrize("method", ["nuts", "advi"])
def test_sampled_fits(method, rfm):
    fit = clv.BGNBD().fit(rfm, method=method, draws=1_000, tune=1_000, seed=1, progress=False)
    same(fit, pickled(fit))
    for name, values in fit.stats.items():
        np.testing.assert_array_equal(values, pickled(fit).stats[name])


def test_a_fit_by_segment(rfm):
    fit = clv.BGNBD().fit(rfm, by="segment")
    same(fit, pickled(fit))
    pd.testing.assert_frame_equal(pickled(fit).expected_purchases(rfm, "1 year"), fit.expected_purchases(rfm, "1 year"))


@pytest.mark.parametrize("again", [pickled, copy.deepcopy])
def test_histories_assumptions_and_books(again, rfm, book):
    histories = again(rfm)
    pd.testing.assert_frame_equal(histories.to_frame(), rfm.to_frame())
    assert histories.distinct().fingerprint == rfm.distinct().fingerprint
    with pytest.raises(ValueError, match="read-only"):
        histories.frequency[0] = 7.0
    assert again(book.assumptions) == book.assumptions
    with pytest.raises(TypeError):
        again(book.assumptions).margin.rates["A"] = 0.9
    for fresh in (True, False):  # before and after its figures have been asked for
        other = again(replace(book) if fresh else book)
        assert other.equity == book.equity
        assert other.interval(0.9) == book.interval(0.9)
        pd.testing.assert_frame_equal(other.customers, book.customers)


def test_a_holdout():
    log = clv.datasets.load_cdnow(sample=True)
    _, holdout = clv.rfm_train_test_split(log, value="amount", resolution="day", train_end="1997-09-30")
    other = pickled(holdout)
    pd.testing.assert_frame_equal(other.to_frame(), holdout.to_frame())
    with pytest.raises(ValueError, match="read-only"):
        other.frequency[0] = 7.0


def test_histories_in_an_engine_say_what_to_do():
    rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
    assert not rfm.in_memory
    with pytest.raises(DataError, match=r"collect\(\)"):
        pickle.dumps(rfm)
    assert copy.deepcopy(rfm).backend is rfm.backend
    assert copy.copy(rfm).backend is rfm.backend
    assert len(pickled(rfm.collect())) == len(rfm)


def test_fits_in_joblib(rfm):
    here = clv.BGNBD().fit(rfm)
    fits = Parallel(n_jobs=2)(delayed(clv.BGNBD().fit)(part) for part in (rfm, rfm))
    for fit in fits:
        same(here, fit)


def test_fits_and_books_in_a_pool_of_processes(rfm, book):
    """Started anew, so that nothing is there that was not sent."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        same(clv.BGNBD().fit(rfm), pool.submit(clv.BGNBD().fit, rfm).result())
        (other,) = pool.map(getattr, [book], ["equity"])
    assert other == book.equity


def test_a_registered_model_of_a_user(own):
    fit = clv.Own().from_params(own.example, unit="week")
    same(fit, pickled(fit))
    assert type(pickled(clv.Own())) is clv.Own
    sent = pickle.dumps((clv.Own(), fit))
    code = f"import pickle; pickle.loads({sent!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ModelError: the model 'own' is not registered in this process" in done.stderr
    assert "clv.models.register(model)" in done.stderr


def test_a_model_that_is_not_registered(own):
    for model in (replace(own), replace(own, key="other", public_name="Other")):
        with pytest.raises(ModelError, match=r"Own/NBD cannot be pickled.*register\(model\)"):
            pickle.dumps(model)
    sent = pickle.dumps(own)
    names = tuple(replace(parameter, name=f"{parameter.name}_2") for parameter in own.parameters)
    register(replace(own, parameters=names), replace=True)
    with pytest.raises(ClvError, match=r"had the parameters r, alpha, a, b when it was pickled.*r_2, alpha_2"):
        pickle.loads(sent)
    _remove(MODELS["own"])


def test_a_class_of_the_user_s_own_pickles_as_classes_do():
    assert type(pickled(Derived())) is Derived


class Derived(clv.BGNBD):
    """A class that somebody derives."""
