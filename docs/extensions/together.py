"""Attributes that share a line of a docstring (``purchase_rows, occasions``) stand together in the reference.

Sphinx reads what stands before the last name as its type, which it then looks for.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sphinx.application import Sphinx

NAMES: Final = re.compile(r"^(\s*:ivar )(\w+(?:, \w+)+)(?=:)")


def setup(app: Sphinx) -> dict[str, Any]:
    """Have the docstrings read once napoleon has turned them into fields."""
    app.connect("autodoc-process-docstring", join_names, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def join_names(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:  # noqa: ARG001
    """Join names by commas alone, which makes them one word to Sphinx."""
    lines[:] = [NAMES.sub(lambda match: match[1] + match[2].replace(", ", ","), line) for line in lines]
