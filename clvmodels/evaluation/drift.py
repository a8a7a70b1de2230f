"""Whether the parameters of a model move from one cut-off to the next by more than chance explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from clvmodels.inference.orders_fit import OrdersFit

__all__ = ["drift"]


def drift(earlier: OrdersFit, later: OrdersFit) -> float:
    """Return the p-value of the change in parameters between two fits, the later one to a longer window of one log.

    All parameters are tested together, on the log scale, for they trade against each other: alpha moves with r, b with
    a. The later window holds the earlier one, so that the variance of the difference is that of the earlier estimate
    less that of the later one (Hausman 1978, Econometrica 46, lemma 2.1); directions in which it comes out negative,
    which is noise, are left out. NaN if nothing is left, or the fits do not know their covariance.

    Examples
    --------
    >>> import clvmodels as clv
    >>> fit = clv.BGNBD().fit(clv.BGNBD().from_params({"r": 1, "alpha": 4, "a": 1, "b": 3}, unit="week").simulate(
    ...     1_000, "39 weeks", seed=1))
    >>> drift(fit, fit)
    nan
    """
    lower = earlier.model.lower
    change = np.log(later.estimate - lower) - np.log(earlier.estimate - lower)
    variance = earlier.covariance - later.covariance
    if not np.isfinite(variance).all():
        return np.nan
    size, directions = np.linalg.eigh(variance)
    usable = size > 1e-6 * np.abs(np.diag(earlier.covariance)).max()
    if not usable.any():
        return np.nan
    along = change @ directions[:, usable]
    return float(stats.chi2.sf((along**2 / size[usable]).sum(), usable.sum()))
