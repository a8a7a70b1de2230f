"""Every label is used, every label that is asked for exists, in both languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

import clvmodels
from clvmodels.errors import ClvError
from clvmodels.reporting.assumption_text import UNITS
from clvmodels.reporting.labels import LABELS, Language, label, parse_language
from clvmodels.reporting.workbook.document import SHEETS
from clvmodels.units import DAYS
from clvmodels.valuation.assumptions import Assumptions, Timing
from clvmodels.valuation.line_table import FORMULAS, contributions_of
from clvmodels.valuation.lines import DRIVERS
from clvmodels.valuation.movement import LINES

PACKAGE = Path(clvmodels.__file__).parent

COMPOSED = {f"movement_{key}" for key in LINES} | {f"duration_{unit}{many}" for unit in DAYS for many in ("", "s")}
"""Keys that are put together where they are used."""

FROM_TABLES = {
    *SHEETS,
    *UNITS.values(),
    *DRIVERS,
    *(formula.name for formula in FORMULAS),
    *(field.name for field in fields(Assumptions)),
    *get_args(Timing),
    *contributions_of(FORMULAS),
    *(part for parts in contributions_of(FORMULAS).values() for part in parts),
    *(f"duration_{unit}{many}" for unit in DAYS for many in ("", "s")),
}
"""Keys that the reports take from tables, whatever the data."""


def nodes() -> Iterator[ast.AST]:
    """Yield what all modules but that of the labels consist of."""
    for path in PACKAGE.rglob("*.py"):
        if path.name != "labels.py":
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def text_of(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_every_label_is_used() -> None:
    texts = {text_of(node) for node in nodes()} | COMPOSED
    assert sorted(set(LABELS) - texts) == []


def test_every_label_that_is_asked_for_exists() -> None:
    calls = [node for node in nodes() if isinstance(node, ast.Call) and node.args]
    labels = [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) == "label"]
    asked = {text_of(call.args[0]) for call in labels} - {""}
    assert len(asked) > 50
    assert sorted((asked | FROM_TABLES) - set(LABELS)) == []


@pytest.mark.parametrize("language", get_args(Language))
def test_a_movement_has_a_label_for_each_of_its_lines(language: Language) -> None:
    for key in LINES:
        own = f"movement_{key}"
        assert label(own, language) != own or label(key, language) != key, key


def test_both_languages_say_as_much() -> None:
    for key, texts in LABELS.items():
        assert len(texts) == len(get_args(Language)), key
        assert all(texts), key
        first, second = (sorted(re.findall(r"\{\w*\}", text)) for text in texts)
        assert first == second, key


def test_a_language_is_one_of_two() -> None:
    assert parse_language("de") == "de"
    with pytest.raises(ClvError, match="use one of 'en', 'de'"):
        parse_language("fr")
