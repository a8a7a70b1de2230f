"""`clv.BGNBD` and its siblings: classes that explain their models, made of what the specifications say."""

from __future__ import annotations

import ast
import copy
import doctest
import inspect
import pydoc
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.base import clone

import clvmodels as clv
from clvmodels.errors import ClvError, FitError
from clvmodels.inference.estimator import ContractEstimator, SpendEstimator, TransactionEstimator
from clvmodels.models.registry import (
    CONTRACT_MODELS,
    MODELS,
    PERIOD_MODELS,
    REGULAR_FAMILIES,
    SPEND_MODELS,
    _remove,
    register,
)

NAMES = [model.public_name for model in (MODELS | PERIOD_MODELS | CONTRACT_MODELS).values()] + list(REGULAR_FAMILIES)
PRIORS = {"BGNBD": "dropout", "MBGNBD": "dropout", "ParetoNBD": "first_year_loss", "GammaGamma": "order_cv"}
PRIORS |= {"BGCNBDk": "dropout", "MBGCNBDk": "dropout", "ParetoCNBDk": "first_year_loss"}
PRIORS |= {"LogNormalSpend": "between_share", "NormalContribution": "order_sd"}
PRIORS |= {"BGBB": "purchase_chance", "SBG": "churn", "BDW": "churn_shape"}
OPTIONS = {"GammaGamma": {"orders": "means", "first_order": "ignore"}, "LogNormalSpend": {"first_order": "ignore"}}
OPTIONS = {name: {"depends_on": None} | OPTIONS.get(name, {}) for name in (*OPTIONS, "NormalContribution")}
OPTIONS |= {"ParetoNBD": {"ageing": None}} | {name: {"k": None} for name in REGULAR_FAMILIES}


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> type:
    return getattr(clv, request.param)


def test_it_is_a_class_of_the_package(kind):
    assert inspect.isclass(kind)
    assert isinstance(kind(), kind)
    of_other_kind = ContractEstimator if kind.model in CONTRACT_MODELS.values() else TransactionEstimator
    assert issubclass(kind, SpendEstimator if kind.model in SPEND_MODELS.values() else of_other_kind)
    assert getattr(clv, kind.__name__) is kind
    assert f"{kind.__module__}.{kind.__qualname__}" == f"clvmodels.{kind.__name__}"
    assert kind() == kind()
    assert not any(isinstance(kind(), getattr(clv, other)) for other in NAMES if other != kind.__name__)


def test_help_explains_the_model(kind):
    text = pydoc.render_doc(kind, renderer=pydoc.plaintext)
    model = kind.model
    family = REGULAR_FAMILIES.get(kind.__name__)
    assert inspect.getdoc(kind).startswith(f"{model.name if family is None else family.real().name}: ")
    for words in ("Story:", "Source:", *model.names, *(quantity.name for quantity in model.quantities)):
        assert words in text
    assert "fit(self, histories: 'Histories', *, method: 'FitMethod' = 'mle'" in text
    assert max(map(len, kind.__doc__.splitlines())) <= 120


def test_the_example_of_its_docstring_runs(kind):
    test = doctest.DocTestParser().get_doctest(kind.__doc__, {}, kind.__name__, None, 0)
    assert test.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


def test_its_signature_takes_priors_by_keyword(kind):
    priors, *others = inspect.signature(kind).parameters.values()
    usual = {"covariates": None} | ({"calendar": None} if issubclass(kind, TransactionEstimator) else {})
    assert {each.name: each.default for each in others} == usual | OPTIONS.get(kind.__name__, {})
    assert {each.kind for each in others} <= {inspect.Parameter.KEYWORD_ONLY}
    assert (priors.name, priors.kind, priors.default) == ("priors", inspect.Parameter.KEYWORD_ONLY, None)
    with pytest.raises(TypeError):
        kind({})


def test_its_repr_is_one_short_line(kind):
    name = PRIORS[kind.__name__]
    priors = {name: kind().default_priors[name]}
    assert repr(kind()) == f"{kind.__name__}()"
    assert repr(kind(priors=priors)) == f"{kind.__name__}(priors for {name})"
    assert len(repr(kind.model).splitlines()) == 1
    assert len(repr(kind.model)) < 60


def test_params_are_taken_and_given_back(kind):
    name = PRIORS[kind.__name__]
    priors = {name: kind().default_priors[name]}
    estimator = kind()
    other = estimator.set_params(priors=priors)
    options = {"covariates": None} | ({"calendar": None} if issubclass(kind, TransactionEstimator) else {})
    options |= OPTIONS.get(kind.__name__, {})
    assert (estimator.get_params(), other.get_params()) == ({"priors": None} | options, {"priors": priors} | options)
    assert other.set_params() == other
    assert other.set_params(priors=None) == estimator
    assert replace(estimator, priors=priors) == other
    for made in (clone(other), copy.copy(other), copy.deepcopy(other)):
        assert type(made) is kind
        assert made == other
        assert made.model is kind.model
    with pytest.raises(ClvError, match="loyalty"):
        estimator.set_params(priors={"loyalty": {"dist": "Beta", "alpha": 1.0, "beta": 1.0}})


def test_a_class_is_no_fit():
    with pytest.raises(FitError, match="a fit is expected here"):
        clv.compare([clv.BGNBD], None)


def test_a_model_is_its_own_copy():
    model = MODELS["bg_nbd"]
    assert copy.copy(model) is model
    assert copy.deepcopy(model) is model


def test_the_names_of_the_package_are_those_that_are_meant():
    names = [name for name in dir(clv) if not name.startswith("__")]
    assert set(names) == {*clv.__all__, *NAMES}
    for name in dir(clv):
        getattr(clv, name)


def test_type_checkers_and_editors_see_every_model_of_the_package():
    tree = ast.parse(Path(clv.__file__).read_text(encoding="utf-8"))
    (checking,) = [node for node in tree.body if isinstance(node, ast.If)]
    shown = {node.name: node for node in checking.body if isinstance(node, ast.ClassDef)}
    assert list(shown) == NAMES
    for name, node in shown.items():
        assert ast.unparse(node.bases[0]) == getattr(clv, name).__mro__[1].__name__
        assert getattr(clv, name).__doc__.startswith(ast.get_docstring(node).removesuffix(".")), name


def test_a_model_of_a_user_has_a_class_too():
    model = replace(MODELS["bg_nbd"], key="spare", public_name="Spare", name="Spare/NBD", story="")
    register(model)
    try:
        assert isinstance(clv.Spare(), clv.Spare)
        assert clv.Spare.__doc__.startswith("Spare/NBD.\n\nSource: Fader, Hardie & Lee (2005)")
        assert "Spare" in dir(clv)
    finally:
        _remove(model)
    with pytest.raises(AttributeError, match="Spare"):
        _ = clv.Spare
