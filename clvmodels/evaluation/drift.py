"""Whether the parameters of a model move from one cut-off to the next by more than chance explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from clvmodels.inference.parameters import distinct_histories

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["drift"]


def drift(earlier: TransactionFit, later: TransactionFit, histories: Histories) -> float:
    """Return the p-value of the change in parameters between two fits, the later one to a longer window of one log.

    The statistic is twice what the later parameters cost in log-likelihood of the earlier histories; it tests all
    parameters together, which trade against each other, and does not depend on their scale. As the later window holds
    the earlier one, the variance of the change is that of the earlier estimate V1 less that of the later one V2
    (Hausman 1978, Econometrica 46, lemma 2.1): the statistic is a sum of squared normals with weights between 0 and 1,
    the eigenvalues of 1 - V1^-1 V2, taken as a multiple of chi-square with the same mean and variance (Satterthwaite
    1946, Biometrics Bulletin 2). NaN if a fit has no covariance, as given parameters have none.

    Parameters
    ----------
    earlier, later
        The fits.
    histories
        Those that the earlier one was fitted to.

    Examples
    --------
    >>> import clvmodels as clv
    >>> truth = clv.BGNBD().from_params({"r": 1, "alpha": 4, "a": 1, "b": 3}, unit="week")
    >>> short, other = truth.simulate(1_000, "39 weeks", seed=1), truth.simulate(4_000, "39 weeks", seed=2)
    >>> drift(clv.BGNBD().fit(short), clv.BGNBD().fit(other), short) > 0.05
    True
    """
    before, after = (
        fit.covariance if fit.covariates is None else fit.covariates.covariance for fit in (earlier, later)
    )
    if before.shape != after.shape or not (np.isfinite(before).all() and np.isfinite(after).all()):
        return np.nan
    lost = [_log_likelihood(fit, histories) for fit in (earlier, later)]
    shares = np.linalg.eigvals(np.linalg.solve(before, after)).real
    weights = np.clip(1.0 - shares, 0.0, 1.0)
    if not weights.any():
        return np.nan
    scale = (weights**2).sum() / weights.sum()
    return float(stats.chi2.sf(max(2.0 * (lost[0] - lost[1]), 0.0) / scale, weights.sum() / scale))


def _log_likelihood(fit: TransactionFit, histories: Histories) -> float:
    distinct, parameters = distinct_histories(fit.model, fit.parameters(histories), histories)
    return float(distinct.weight @ fit.model.log_likelihood(parameters.point(slice(None)), *distinct.rows[:, :3].T))
