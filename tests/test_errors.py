"""Errors are classes of one family, and say what to write instead."""

from __future__ import annotations

import inspect

import pytest

from clvmodels import errors
from clvmodels.errors import ClvError, ClvWarning, one_of

CLASSES = [getattr(errors, name) for name in errors.__all__ if inspect.isclass(getattr(errors, name))]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_belongs_to_the_family(kind: type[Exception]) -> None:
    base = ClvWarning if issubclass(kind, Warning) else ClvError
    assert issubclass(kind, base)
    assert kind.__doc__


def test_an_error_can_be_caught_as_a_value_error() -> None:
    assert issubclass(ClvError, ValueError)


def test_a_warning_can_be_silenced_as_a_user_warning() -> None:
    assert issubclass(ClvWarning, UserWarning)


def test_the_allowed_values_are_listed_in_their_order() -> None:
    assert one_of("method", "xyz", ["nuts", "map"]) == "unknown method 'xyz'; use one of 'nuts', 'map'"


def test_a_near_miss_gets_a_hint() -> None:
    assert one_of("method", "nut", ["nuts", "map"]).endswith("(did you mean 'nuts'?)")


def test_a_value_that_is_no_text_is_shown_as_it_is() -> None:
    assert one_of("policy", 3, ("net", "drop")) == "unknown policy 3; use one of 'net', 'drop'"


def test_allowed_values_may_come_from_an_iterator() -> None:
    assert one_of("policy", "nett", iter(["net", "drop"])).endswith("(did you mean 'net'?)")
