"""Write the table of docs/numerics.md: how far from arbitrary precision every quantity is, on the whole grid.

Run with ``python -m tests.accuracy.table``; it takes some minutes on two cores.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from tests.accuracy.grid import CASES, Point, errors, known

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"
MARK: Final = "<!-- table: written by tests/accuracy/table.py -->"
HEAD: Final = "| model | quantity | points | largest error | where |\n|---|---|---:|---:|---|"


def row(case: int) -> str:
    model, quantity = CASES[case]
    points = quantity.points(model, whole=True)
    error = errors(model, quantity, points)
    worst = int(np.argmax(error))
    names = f"{known(model).name} | {quantity.name}"
    return f"| {names} | {len(points):,} | {error[worst]:.1e} | {_in_words(points[worst])} |"


def _in_words(point: Point) -> str:
    parts = []
    for name, value in point.items():
        if name == "age":
            parts.append(f"t_x {value[0]:g}, T {value[1]:g}")
        elif name == "rate":
            parts.append(f"{value[0]:g} a year, {value[1] or 'indefinitely'}")
        else:
            parts.append(f"{name} {value:.13g}")
    return ", ".join(parts)


def main() -> None:
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(row, range(len(CASES))))
    text, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text("\n".join([text + MARK, "", HEAD, *rows, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
