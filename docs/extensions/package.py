"""The picture of the layers, drawn from the import contracts in ``pyproject.toml``, so that it cannot grow old.

The directive ``layers`` draws it; ``subpackages`` lists the subpackages with the first sentence of their docstrings.
"""

from __future__ import annotations

import tomllib
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PROJECT: Final = Path(__file__).resolve().parents[2] / "pyproject.toml"
PACKAGE: Final = "clvmodels"
WIDTH, ROW, GAP = 560, 44, 14
LEFT, BOX, SPACE = 40, 290, 8


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("layers", Layers)
    app.add_directive("subpackages", Subpackages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def contracts() -> list[dict[str, Any]]:
    """Return the import contracts."""
    content = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    return list(content["tool"]["importlinter"]["contracts"])


def layers() -> list[list[str]]:
    """Return the subpackages of each layer, the highest first."""
    stated = next(one for one in contracts() if one["type"] == "layers")["layers"]
    return [[subpackage.strip(" ()") for subpackage in layer.split("|")] for layer in stated]


def confined() -> dict[str, list[str]]:
    """Return by subpackage the heavy libraries that may be imported there and nowhere else."""
    found: dict[str, list[str]] = {}
    for contract in contracts():
        if contract["type"] != "forbidden":
            continue
        for exception in contract.get("ignore_imports", []):
            where = exception.partition(" -> ")[0].removeprefix(f"{PACKAGE}.").removesuffix(".**").removeprefix("*.")
            found.setdefault(
                where,
                [library for library in contract["forbidden_modules"] if "_" not in library and library != "pytensor"],
            )
    return found


def drawing() -> str:
    """Return the layers as SVG, in the colours of the page."""
    rows = layers()
    height = len(rows) * (ROW + GAP) + 10
    beside_by = confined()
    shapes = []
    for number, subpackages in enumerate(rows):
        top = 5 + number * (ROW + GAP)
        width = (BOX - (len(subpackages) - 1) * SPACE) / len(subpackages)
        for place, name in enumerate(subpackages):
            left = LEFT + place * (width + SPACE)
            shapes.append(f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW}" rx="6"/>')
            shapes.append(f'<text x="{left + width / 2:.1f}" y="{top + 28}" text-anchor="middle">{escape(name)}</text>')
        beside = ", ".join(name for subpackage in subpackages for name in beside_by.get(subpackage, []))
        shapes.append(f'<text class="beside" x="{LEFT + BOX + 15}" y="{top + 27}">{escape(beside)}</text>')
    arrow = f'<path class="arrow" d="M18 12 V{height - 22} M11 {height - 31} L18 {height - 20} L25 {height - 31}"/>'
    label = "Layers of the package, from the command line down to errors; a layer imports from those below it only"
    return (
        f'<svg class="layers" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{arrow}{"".join(shapes)}'
        "</svg>"
    )


class Layers(SphinxDirective):
    """Draw the layers."""

    def run(self) -> list[nodes.Node]:
        """Return the drawing."""
        self.env.note_dependency(str(PROJECT))
        return [nodes.raw("", f'<figure class="layers">{drawing()}</figure>', format="html")]


class Subpackages(SphinxDirective):
    """List the subpackages and what they are for."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = [f"| `{name}` | {_purpose(name)} |" for layer in layers() for name in layer]
        return self.parse_text_to_nodes("\n".join(["| subpackage | what it is for |", "|---|---|", *rows]))


def _purpose(subpackage: str) -> str:
    """Return the first paragraph of a subpackage's docstring, as Markdown."""
    text = import_module(f"{PACKAGE}.{subpackage}").__doc__ or ""
    return " ".join(text.strip().split("\n\n")[0].split()).replace("``", "`")
