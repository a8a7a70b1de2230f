"""The k of a gamma distribution of waits that suits a log best, and the whole k around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.inference.maximum_likelihood import maximise, objective
from clvmodels.inference.observations import Observations, observe
from clvmodels.inference.regularity import Regularity
from clvmodels.models.regular_waits import MOST_STAGES
from clvmodels.numerics.maximisation import Optimum, maximise_from

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.models.regular_family import RegularFamily

__all__ = ["regularity"]

FIRST_LOOK: Final = (1, 2)
"""Whole k from whose better one k is sought."""


def regularity(family: RegularFamily, histories: Histories) -> Regularity:
    """Return how regular purchases are.

    Parameters
    ----------
    family
        The story around the waits.
    histories
        The customers, with the logs of their waits.

    Raises
    ------
    FitError
        If the waits are not known, or there are no repeat purchases.
    """
    observations = observe(family.whole(1), histories)
    optima = {k: _whole(family, k, observations) for k in FIRST_LOOK}
    real = family.real()
    begin = max(optima, key=lambda k: optima[k].value)
    start = np.append(optima[begin].psi, np.log(float(begin)))
    few = observations.sample()
    sample = None if few is observations else objective(real, few)
    best = maximise_from(objective(real, observations), start, sample)
    k, variance = float(np.exp(best.psi[-1])), best.covariance[-1, -1]
    below = int(np.clip(np.floor(k), 1, MOST_STAGES - 1))
    values = {k: optimum.value for k, optimum in optima.items()}

    def value(whole: int) -> float:
        if whole not in values:
            values[whole] = _whole(family, whole, observations).value
        return values[whole]

    used = below if value(below) >= value(below + 1) else below + 1
    beside = {each for each in (used - 1, used + 1) if 1 <= each <= MOST_STAGES}
    by_k = {each: value(each) for each in sorted({1, below, below + 1} | beside)}
    sd = k * float(np.sqrt(variance)) if variance > 0.0 else np.nan
    return Regularity(k, sd, max(best.value, *by_k.values()), by_k)


def _whole(family: RegularFamily, k: int, observations: Observations) -> Optimum:
    return maximise(family.whole(k), observations)
