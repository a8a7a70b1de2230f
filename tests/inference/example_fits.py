"""Published fits (golden.md), with draws around them, and by segment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import clvmodels as clv

BG = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
PARETO = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
GG = {"p": 6.25, "q": 3.74, "v": 15.44}

bg = clv.BGNBD().from_params(BG, unit="week")
pareto = clv.ParetoNBD().from_params(PARETO, unit="week")
gamma_gamma = clv.GammaGamma().from_params(GG)


def around(params, draws=40, sd=0.1, seed=0):
    """Return parameters with draws around the given ones, shape (2, draws / 2)."""
    generator = np.random.default_rng(seed)
    return {name: value * np.exp(sd * generator.standard_normal((2, draws // 2))) for name, value in params.items()}


def by_segment(fits, by="segment"):
    """Return a fit by segment whose segments have the parameters of some fits."""
    some = list(fits.values())
    return replace(some[0], by=by, segments=tuple(fits), segment_theta=np.stack([fit.theta for fit in some]))
