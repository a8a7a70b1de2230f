"""How the package and its pages read: one word a thing, and names that say what they hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "clvmodels").rglob("*.py"))
PAGES = sorted(
    {*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"}
)
RETIRED = re.compile(
    r"\b(for ever(?!y)|foretold|hangs? on|(?:a|per) head|dear(?:er|est)?|twins?|lifelines?|re-?imagined"
    r"|OrdersFit|OrdersEstimator)\b"
)
"""Words that another one has replaced; the glossary and the vocabulary of reports give it."""
VAGUE = frozenset({"some", "found", "one", "nothing", "told", "said", "seen", "held", "born"})
"""Names that do not say what a variable holds."""


def stored_names(source: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each variable, argument, function and class."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def test_names_say_what_they_hold():
    vague = [
        f"{source.relative_to(ROOT)}:{line} {name}"
        for source in SOURCES
        for line, name in stored_names(source)
        if name in VAGUE
    ]
    assert not vague


@pytest.mark.parametrize("files", [SOURCES, PAGES], ids=["package", "pages"])
def test_retired_words_stay_away(files):
    lines = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if RETIRED.search(line)
    ]
    assert not lines


def test_the_guard_knows_what_it_looks_for():
    assert RETIRED.search("what it earns for ever")
    assert not RETIRED.search("a figure for every customer, and a heading")
