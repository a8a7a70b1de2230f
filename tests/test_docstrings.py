"""Everything public says what it does, and shows it in an example that runs (``--doctest-modules`` runs them)."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module

import pytest

import clvmodels as clv

# What comes out of public calls, and is asked further.
RESULTS = [
    "clvmodels.data.report:DataReport",
    "clvmodels.inference.estimator:TransactionEstimator",
    "clvmodels.inference.estimator:SpendEstimator",
    "clvmodels.evaluation.backtest:Backtest",
    "clvmodels.evaluation.findings:Checks",
    "clvmodels.evaluation.tracking:Tracking",
    "clvmodels.inference.transaction_fit:TransactionFit",
    "clvmodels.inference.spend_fit:SpendFit",
    "clvmodels.valuation.book:NewCustomer",
    "clvmodels.valuation.movement:Movement",
    "clvmodels.valuation.uncertainty:Interval",
]
MODULES = ["datasets", "models", "plots"]
# Nobody makes one of these by hand: the call that does has an example.
MADE_BY_CALLS = {
    "clvmodels.AcquisitionForecast",
    "clvmodels.Allocation",
    "clvmodels.Book",
    "clvmodels.CampaignEffect",
    "clvmodels.CombinedBook",
    "clvmodels.Fit",
    "clvmodels.Holdout",
    "clvmodels.Plan",
    "clvmodels.RevenueForecast",
    "clvmodels.datasets.Company",
    "clvmodels.datasets.Truth",
    "clvmodels.evaluation.backtest.Backtest",
    "clvmodels.evaluation.findings.Checks",
    "clvmodels.evaluation.tracking.Tracking",
    "clvmodels.inference.transaction_fit.TransactionFit",
    "clvmodels.inference.spend_fit.SpendFit",
    "clvmodels.valuation.book.NewCustomer",
    "clvmodels.valuation.movement.Movement",
}
# Its example needs a sampler of another package, which takes minutes: it is shown and not run.
SHOWN_ONLY = {"clvmodels.from_pymc_marketing"}


def public() -> Iterator[tuple[str, object]]:
    """Yield every public object with the name it is documented under."""
    for name in sorted({*clv.__all__, *clv._model_classes()} - set(MODULES)):
        found = getattr(clv, name)
        yield f"clvmodels.{name}", found
    for path in RESULTS:
        module, _, name = path.partition(":")
        yield f"{module}.{name}", getattr(import_module(module), name)
    for name in MODULES:
        module = getattr(clv, name)
        for inside in module.__all__:
            yield f"clvmodels.{name}.{inside}", getattr(module, inside)


def members(found: object) -> Iterator[tuple[str, object]]:
    """Yield the public methods and properties that a class of ours defines."""
    if not inspect.isclass(found):
        return
    taken = {field.name for field in dataclasses.fields(found)} if dataclasses.is_dataclass(found) else set()
    for base in found.__mro__:
        if not base.__module__.startswith("clvmodels"):
            continue
        for name, member in vars(base).items():
            if not name.startswith("_") and name not in taken:
                taken.add(name)
                yield name, member


def plain(member: object) -> object:
    """Return the function behind a method."""
    return member.__func__ if isinstance(member, classmethod | staticmethod) else member


NAMED = list(public())
INSIDE = {
    id(plain(what)): (f"{name}.{member}", plain(what))
    for name, found in reversed(NAMED)
    for member, what in members(found)
}.values()
CALLS = [one for one in NAMED if callable(one[1])]
METHODS = [one for one in INSIDE if inspect.isfunction(one[1])]
PROPERTIES = [one for one in INSIDE if isinstance(one[1], property | cached_property)]
SHOWN = [one for one in [*CALLS, *METHODS] if one[0] not in MADE_BY_CALLS | SHOWN_ONLY]


def named(ones):
    return [pytest.param(*one, id=one[0].removeprefix("clvmodels.")) for one in sorted(ones, key=lambda one: one[0])]


def test_much_is_looked_at():
    assert len(CALLS) > 15
    assert len(METHODS) > 30
    assert len(PROPERTIES) > 10
    assert {name for name, _ in CALLS} >= MADE_BY_CALLS | SHOWN_ONLY


@pytest.mark.parametrize(("name", "found"), named([*CALLS, *METHODS, *PROPERTIES]))
def test_it_says_what_it_does(name, found):
    text = inspect.getdoc(found) or ""
    assert text.partition("\n\n")[0].rstrip().endswith("."), f"{name} needs a docstring that begins with a sentence"
    assert not text.startswith(f"{name.rpartition('.')[2]}("), f"{name} has a generated docstring"


@pytest.mark.parametrize(("name", "found"), named(SHOWN))
def test_it_shows_an_example(name, found):
    _, heading, examples = (inspect.getdoc(found) or "").partition("Examples\n--------")
    assert heading, f"{name} has no section of examples"
    assert ">>>" in examples, f"{name} has no example that runs"
    assert "+SKIP" not in examples, f"{name} has an example that does not run"
