"""A user's own model: the one of the notebook `own_model`, G/NBD, does all that the models of the package do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import FitError, FitWarning, ModelError
from clvmodels.inference import observations
from clvmodels.inference.bayes import _recipe
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.inference.likelihood import summed, tabulate
from clvmodels.inference.observations import observe
from clvmodels.models import MODELS, Traits, register
from clvmodels.models.bg_nbd import BG_NBD
from clvmodels.models.consistency import LAWS, check_model
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.mbg_nbd import MBG_NBD
from clvmodels.models.registry import SPEND_MODELS, TRANSACTION_MODELS, _remove
from clvmodels.models.specification import _no_quantities
from clvmodels.reporting.fitting import Estimation, fit_all

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "own_model.md"
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}


def cell_with(text):
    """The only cell of the notebook with a text."""
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)\n```", NOTEBOOK.read_text(encoding="utf-8"), re.DOTALL)
    (cell,) = [cell for cell in cells if text in cell]
    return cell


@pytest.fixture(scope="module")
def names():
    """What the notebook's file defines."""
    names: dict[str, object] = {"clv": clv, "replace": replace}
    exec(cell_with("TransactionModel("), names)
    return names


@pytest.fixture(scope="module")
def own(names):
    """The model as the notebook defines it."""
    return names["GNBD"]


@pytest.fixture
def registered(own):
    register(own)
    yield own
    for model in [model for model in MODELS.values() if model.public_name == own.public_name]:
        _remove(model)


@pytest.fixture(scope="module")
def rfm(own):
    return TransactionEstimator(own).from_params(own.example, unit="week").simulate(3_000, "52 weeks", seed=4)


def test_it_keeps_the_laws(own):
    table = check_model(own)
    assert table["kept"].all(), table[~table["kept"]]


def test_its_kernel_keeps_the_laws_and_is_asked_for_many_customers(names, own, rfm, monkeypatch):
    exec(cell_with("Kernel("), names)
    model, rows = names["with_kernel"], observe(own, rfm)
    plain = rows.log_likelihood(model, own.theta(own.example))
    monkeypatch.setattr(observations, "MANY", 1)
    value, gradient = rows.log_likelihood(model, own.theta(own.example))
    assert value == pytest.approx(plain[0], rel=1e-12)
    np.testing.assert_allclose(gradient, plain[1], rtol=1e-9)
    assert not np.array_equal(gradient, plain[1])  # it has not been computed alike


def test_it_is_the_limit_of_mbg_nbd_when_customers_do_not_differ_in_leaving(own):
    theta, (r, alpha, odds) = own.theta(own.example), own.example.values()
    limit = np.array([r, alpha, odds * 1e8, 1e8])
    x, t_x, T = np.array([[0.0, 0.0, 39.0], [1.0, 20.0, 39.0], [8.0, 30.0, 31.0], [40.0, 38.0, 52.0]]).T
    t, n = np.asarray(26.0), np.arange(6.0)[:, None]
    for ours, theirs in (
        (own.log_likelihood(theta, x, t_x, T), MBG_NBD.log_likelihood(limit, x, t_x, T)),
        (own.p_alive(theta, x, t_x, T), MBG_NBD.p_alive(limit, x, t_x, T)),
        (own.future(theta, x, T, t)[0], MBG_NBD.future(limit, x, T, t)[0]),
        (own.future(theta, x, T, t)[1], MBG_NBD.future(limit, x, T, t)[1]),
        (own.expected_purchases(theta, x, T, t), MBG_NBD.expected_purchases(limit, x, T, t)),
        (own.pmf(theta, x, T, t, n), MBG_NBD.pmf(limit, x, T, t, n)),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6)


@pytest.mark.filterwarnings("ignore:the spend of")
def test_a_registered_model_is_fitted_priced_and_stored(registered, rfm, tmp_path):
    assert "GNBD" in dir(clv)
    orders = clv.GNBD().fit(rfm)
    assert orders.diagnostics.status == "converged"
    z = np.log(orders.estimate / registered.theta(registered.example)) / np.sqrt(np.diag(orders.covariance))
    assert np.abs(z).max() < 4.0
    assert "coefficient of variation" in orders.describe()
    book = clv.value(orders, clv.GammaGamma().from_params(SPEND), rfm, clv.Assumptions(discount_rate=0.1, margin=0.3))
    assert book.customers["discounted_orders"].sum() > 0.5 * orders.total_purchases(rfm, "52 weeks")["mean"]
    orders.save(tmp_path / "transactions.json")
    assert repr(clv.Fit.load(tmp_path / "transactions.json")) == repr(orders)
    _remove(registered)
    with pytest.raises(FitError, match=r"unknown model 'g_nbd'.*clv\.models\.register"):
        clv.Fit.load(tmp_path / "transactions.json")
    register(registered)


def test_without_a_discount_rate_a_horizon_is_asked_for(own, rfm):
    orders = TransactionEstimator(own).from_params(own.example, unit="week")
    terms = clv.Assumptions(discount_rate=0.0, margin=0.3)
    with pytest.raises(clv.errors.AssumptionError, match="needs a horizon"):
        clv.value(orders, clv.GammaGamma().from_params(SPEND), rfm, terms)


def test_its_posterior_needs_no_kernel(own, rfm):
    estimator = TransactionEstimator(own, priors={"dropout": {"dist": "Beta", "alpha": 1.0, "beta": 3.0}})
    fit = estimator.fit(rfm, method="laplace", draws=500, seed=1)
    assert fit.diagnostics.status == "converged"
    best = TransactionEstimator(own).fit(rfm)
    np.testing.assert_allclose(fit.estimate, best.estimate, rtol=0.05)
    np.testing.assert_allclose(fit.covariance, best.covariance, rtol=0.35, atol=0.1 * best.covariance.max())


@pytest.fixture(scope="module")
def without_priors(own):
    """The model as if its author had written no quantities."""
    fields = {"quantities": (), "from_quantities": _no_quantities, "to_quantities": _no_quantities}
    return replace(own, key="g_nbd_plain", name="G/NBD without priors", public_name="PlainGNBD", **fields)


def test_a_posterior_without_priors_is_refused(without_priors, rfm):
    estimator = TransactionEstimator(without_priors)
    for method in ("posterior", "nuts", "map"):
        with pytest.raises(FitError, match=r"no default priors.*r, alpha, odds.*clv\.PlainGNBD\(priors=.*\"mle\""):
            estimator.fit(rfm, method=method, seed=1, progress=False)
    with pytest.raises(FitError, match="no default priors"):
        estimator.to_pymc(rfm)
    wide = {name: {"dist": "LogNormal", "mu": 0.0, "sigma": 3.0} for name in without_priors.names}
    stated = TransactionEstimator(without_priors, priors=wide).fit(rfm, method="laplace", draws=500, seed=1)
    np.testing.assert_allclose(stated.estimate, estimator.fit(rfm).estimate, rtol=0.1)


def test_models_without_priors_are_left_out_where_posteriors_are_averaged(without_priors):
    """As `--model auto` does, which takes all that are registered."""
    rfm = clv.BGNBD().from_params(BG_NBD.example, unit="week").simulate(1_000, "52 weeks", seed=4)
    models, posterior = (without_priors, BG_NBD), Estimation.parse("posterior", 100)
    with pytest.warns(FitWarning, match=r"G/NBD without priors is left out.*method=\"mle\""):
        fits = fit_all(rfm, models, lambda _: None, posterior)
    assert [fit.model for fit in fits] == [BG_NBD]
    fits = fit_all(rfm, models, lambda _: None)
    assert {fit.model for fit in fits} == set(models)
    with pytest.raises(FitError, match="no default priors"):
        fit_all(rfm, models[:1], lambda _: None, posterior)


def test_a_likelihood_asked_in_python_is_that_of_the_kernel(rfm):
    groups = [observe(BG_NBD, rfm.select(rfm.customer_id[some])) for some in (slice(1_000), slice(1_000, None))]
    theta = np.array([[0.243, 4.414, 0.793, 2.426], [0.5, 3.0, 1.2, 5.0]])
    in_python = replace(BG_NBD, kernel=None)
    compiled, python = (summed(model)(theta, *vars(tabulate(groups)).values()) for model in (BG_NBD, in_python))
    np.testing.assert_allclose(python[0], compiled[0], rtol=1e-11)
    np.testing.assert_allclose(python[1], compiled[1], rtol=1e-8)


def test_functions_compiled_for_a_model_are_not_those_of_its_next_version(own):
    priors = {"dropout": {"dist": "Beta", "alpha": 1.0, "beta": 3.0}}
    assert _recipe(own, priors, "week", None) == _recipe(own, priors, "week", None)
    assert _recipe(own, priors, "week", None) != _recipe(replace(own), priors, "week", None)


def test_taken_names_are_refused(registered):
    with pytest.raises(ModelError, match="'g_nbd' is that of G/NBD, registered before"):
        register(replace(registered, public_name="Another"))
    with pytest.raises(ModelError, match="public name 'GNBD' is that of G/NBD"):
        register(replace(registered, key="another"))
    with pytest.raises(ModelError, match=r"public name is like 'MyModel'.*got 'my model'"):
        register(replace(registered, key="another", public_name="my model"))
    for changes in ({"key": "bg_nbd"}, {"public_name": "GammaGamma"}):
        with pytest.raises(ModelError, match="of the package"):
            register(replace(registered, **changes), replace=True)
    second = replace(registered, key="second_version")
    register(second, replace=True)
    assert [key for key, model in MODELS.items() if model.public_name == "GNBD"] == ["second_version"]
    assert clv.GNBD().model is second
    assert "g_nbd" not in TRANSACTION_MODELS


def test_a_model_of_spend_is_registered_too():
    register(replace(GAMMA_GAMMA, key="spend_copy", public_name="SpendCopy"))
    try:
        assert clv.SpendCopy().from_params(SPEND).params == pytest.approx(SPEND)
        assert "spend_copy" in SPEND_MODELS
        assert "spend_copy" not in TRANSACTION_MODELS
    finally:
        _remove(MODELS["spend_copy"])


def _halved(function):
    return lambda *arguments: 0.5 * function(*arguments)


def _shifted(terms, value, by):
    """The terms of a log-likelihood with another value, or another first component of the gradient."""

    def wrong(theta, *columns):
        found, gradient = terms(theta, *columns)
        return found + value, gradient + by * np.eye(gradient.shape[-1])[0]

    return wrong


def _doubled_rates(theta, x, T, generator):
    traits = BG_NBD.draw_traits(theta, x, T, generator)
    return Traits(2.0 * traits.purchase_rate, traits.lifetime, traits.last_purchase)


def _bent(theta, *columns):
    value, gradient, curvature = BG_NBD.history_expansion(theta, *columns)
    return value, gradient, 0.5 * curvature


def _negative(sums):
    """Sums with a sign error in the gradient."""

    def wrong(*arguments):
        value, gradient, *rest = sums(*arguments)
        return value, gradient * [1.0, 1.0, -1.0, 1.0], *rest

    return wrong


def _kernel_with(**functions):
    """The kernel of BG/NBD with other functions in place of its own."""
    compiled = BG_NBD.kernel.compiled._replace(**functions)
    return replace(BG_NBD.kernel, load=lambda: compiled)


def _of_first_row(theta, *columns):
    return BG_NBD.history_terms(theta[:1] if theta.ndim == 2 else theta, *columns)


WRONG = {
    "starting points": {"starts": ((0.3, 0.2, 0.8),)},
    "broadcast": {"p_alive": lambda *columns: np.sum(BG_NBD.p_alive(*columns), keepdims=True)},
    "parameters of its own": {"history_terms": _of_first_row},
    "gradients are those": {"history_terms": _shifted(BG_NBD.history_terms, 0.0, 1e-3)},
    "sums of terms": {"history_sums": lambda *columns: (BG_NBD.history_sums(*columns)[0], np.zeros(4))},
    "curvatures": {"history_expansion": _bent},
    "the kernel": {"kernel": _kernel_with(history_sums=_negative(BG_NBD.kernel.compiled.history_sums))},
    "between zero and one": {"p_alive": lambda *columns: 1.1 * BG_NBD.p_alive(*columns)},
    "silence": {"p_alive": lambda theta, x, t_x, T: 1.0 - 0.5 * BG_NBD.p_alive(theta, x, t_x, T)},
    "never rise": {"future": lambda theta, x, T, t: BG_NBD.future(theta, x, T, 1.0 / (0.01 + t))},
    "integral of the intensity": {"expected_purchases": _halved(BG_NBD.expected_purchases)},
    "sum to one": {"pmf": _halved(BG_NBD.pmf)},
    "integrated over the times": {"count_terms": _shifted(BG_NBD.count_terms, 1e-6, 0.0)},
    "averaged over the histories": {"p_alive": lambda *columns: BG_NBD.p_alive(*columns) ** 1.001},
    "mean purchase rate": {"mean_purchase_rate": lambda theta: theta[..., 1] / theta[..., 0]},
    "no slope at the truth": {"draw_traits": _doubled_rates},
    "simulated futures": {"draw_traits": _doubled_rates},
    "unit of time": {"parameters": tuple(replace(one, dimension="none") for one in BG_NBD.parameters)},
    "each other's inverse": {"to_quantities": lambda params, year: BG_NBD.to_quantities(params, 2.0 * year)},
}


@pytest.mark.parametrize("says", WRONG)
def test_every_law_is_broken_by_a_model_that_is_wrong(says):
    (law,) = [law for law in LAWS if says in law.description]
    model = replace(BG_NBD, **WRONG[says])
    assert not law.deviation(model, BG_NBD.theta(BG_NBD.example)) <= law.tolerance


@pytest.mark.parametrize("name", ["count_sums", "history_sums", "history_expansion"])
def test_a_wrong_sign_in_any_function_of_a_kernel_is_found(name):
    kernel = _kernel_with(**{name: _negative(getattr(BG_NBD.kernel.compiled, name))})
    (law,) = [law for law in LAWS if "the kernel" in law.description]
    theta = BG_NBD.theta(BG_NBD.example)
    assert law.deviation(BG_NBD, theta) < 1e-12
    assert law.deviation(replace(BG_NBD, kernel=kernel), theta) > 0.1


def test_wrong_second_derivatives_of_a_kernel_are_found():
    def bent(*arguments):
        value, gradient, matrix = BG_NBD.history_expansion(*arguments)
        return value, gradient, matrix * (1.0 + 1e-8)

    (law,) = [law for law in LAWS if "the kernel" in law.description]
    model = replace(BG_NBD, kernel=_kernel_with(history_expansion=bent))
    assert law.tolerance < law.deviation(model, BG_NBD.theta(BG_NBD.example)) < 1e-7


def test_a_kernel_whose_sums_are_no_number_is_found():
    kernel = _kernel_with(count_sums=lambda *_: (np.nan, np.zeros(4)))
    assert not check_model(replace(BG_NBD, kernel=kernel))["kept"].filter(like="the kernel").any()


@pytest.mark.parametrize("says", ["gradients are those", "parameters of its own"])
def test_a_law_is_broken_by_what_is_no_number(says):
    """A missing number must not pass for a deviation of zero, as it may where the largest of several is taken."""
    (law,) = [law for law in LAWS if says in law.description]
    model = replace(BG_NBD, history_terms=_shifted(BG_NBD.history_terms, np.nan, np.nan))
    assert law.deviation(model, BG_NBD.theta(BG_NBD.example)) == np.inf


def test_a_mistake_in_each_law_is_shown():
    assert len(WRONG) == len(LAWS)


def test_an_error_tells_which_law_was_checked():
    def broken(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        check_model(replace(BG_NBD, pmf=broken))
    assert "broadcast" in caught.value.__notes__[0]
