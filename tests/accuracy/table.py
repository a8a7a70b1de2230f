"""Write docs/numerics.md: what is computed how, and how far from arbitrary precision it is on the whole grid.

Run with ``python -m tests.accuracy.table``; it takes about a quarter of an hour on two cores.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from clvmodels.models.registry import MODELS
from tests.accuracy.grid import CASES, Point, errors

PAGE = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"

TEXT = """\
# How the numbers are computed, and how exact they are

Every probability, likelihood and expectation is promised to lie within 1e-8 (relative) of arbitrary-precision arithmetic,
for up to 100,000 purchases, parameters from 0.001 to 1,000, `a` or `s` at or next to 1, `T = 0` and `t_x = T`; and to be a
number everywhere. The table below is written by `python -m tests.accuracy.table`, and the ordinary tests check a part of the
same grid (`tests/accuracy`).

## What is computed how

| quantity | BG/NBD, MBG/NBD | Pareto/NBD |
|---|---|---|
| log-likelihood, P(alive) | closed form, as the log of a sum of two terms; ratios of gamma functions by Stirling's series, without the cancellation of two large logs | the integral over the time of leaving by Gauss-Legendre panels in the log of time, where the integrand is analytic and positive: no hypergeometric function is left |
| survival, purchase intensity | Euler's integral of the hypergeometric function, over the log odds of the chance to leave, by the trapezoidal rule, which converges geometrically; tails that have become exponentials are added in closed form | closed form |
| expected purchases | the same rule for E[(1 - exp(-lambda p t)) / p], which is positive: a = 1 is a point like any other | closed form by `exprel`, continuous at s = 1 |
| D, L | survival and intensity at the nodes of Gauss-Legendre panels that grow threefold with time; the discount factor of any timing is integrated exactly against the interpolating polynomials | the same |
| P(n purchases) | closed form in logs, the incomplete beta function for the customers who leave | closed form plus the integral over the time of leaving, around its peak |

Gamma-Gamma: closed forms, in which the powers of order `p x` stand together, as their logs are large and nearly cancel.

A customer base of any size needs few evaluations: identical histories are computed once, and over ages T the same number
of purchases is interpolated by a Chebyshev series of 32 points in log(T + scale), checked by its last coefficients.

## Largest errors

The truth has {digits} digits and comes from other formulas wherever there is a choice (`tests/accuracy/reference.py`).
The error of a log-likelihood is absolute, which is the relative error of the likelihood; where the log itself is beyond
1e5, it counts in units of 1e-5 of the log, as a double has 16 digits. All other errors are relative. The points are a
fixed random part of the product of all values; where that is smaller than the number of points, all of it.

"""


def row(case: int) -> str:
    model, quantity = CASES[case]
    points = quantity.points(model, whole=True)
    error = errors(model, quantity, points)
    worst = int(np.argmax(error))
    return f"| {MODELS[model].name} | {quantity.name} | {len(points):,} | {error[worst]:.1e} | {_in_words(points[worst])} |"


def _in_words(point: Point) -> str:
    parts = []
    for name, value in point.items():
        if name == "age":
            parts.append(f"t_x {value[0]:g}, T {value[1]:g}")
        elif name == "rate":
            parts.append(f"{value[0]:g} a year, {value[1] or 'for ever'}")
        else:
            parts.append(f"{name} {value:.13g}")
    return ", ".join(parts)


def main() -> None:
    from tests.accuracy.reference import DIGITS

    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(row, range(len(CASES))))
    head = "| model | quantity | points | largest error | where |\n|---|---|---:|---:|---|\n"
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(TEXT.format(digits=DIGITS) + head + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
