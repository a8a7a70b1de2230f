"""Fits of the same data side by side: likelihood, information criteria, leave-one-out, holdout scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.arguments import abridged
from clvmodels.data.histories import Histories
from clvmodels.data.holdout import Holdout
from clvmodels.data.statistics import SPEND
from clvmodels.errors import FitError
from clvmodels.evaluation.forecasts import of_fit
from clvmodels.evaluation.scores import scores
from clvmodels.inference.fit import Fit
from clvmodels.inference.observations import observe
from clvmodels.inference.one_or_many import named_fits
from clvmodels.inference.spend_choice import on_orders
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["compare"]


def compare(
    fits: Sequence[Fit] | Mapping[str, Fit], data: Holdout | Histories | None = None, *, spend: SpendFit | None = None
) -> pd.DataFrame:
    """Return one table of several fits to the same histories.

    Parameters
    ----------
    fits
        The fits, of orders or of spend; or a mapping from names of your own.
    data
        The histories of the fits, for leave-one-out where a fit has draws; or a holdout that follows them, for its
        scores too (of fits of transactions).
    spend
        A fit of spend to the same customers, for the scores in money.

    Returns
    -------
    DataFrame
        By model: ``method``; ``parameters``, their number; ``log_likelihood``, ``aic`` and ``bic`` (smaller is better)
        at the point estimate, of fits of spend to single orders and to means together all of single orders, Jacobian
        included, which takes `data`; with `data`, of fits with draws, ``elpd_loo`` (greater is better) with its
        standard error, how far it lies ``behind`` the best, with the standard error of that difference over the same
        customers, and the largest ``pareto_k``, above 0.7 of which it is not to be relied upon; with a holdout, the
        scores that `backtest` explains.

    Raises
    ------
    FitError
        If the fits are to different data, to other data than given, or of orders and spend together; or if parameters
        were given and not fitted, unless there is a holdout.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> train, holdout = clv.rfm_train_test_split(log, value="amount", resolution="day", train_end="1997-09-30")
    >>> fits = [clv.BGNBD().fit(train), clv.ParetoNBD().fit(train)]
    >>> compare(fits, holdout)[["log_likelihood", "predicted_over_actual"]].round(2)
                log_likelihood  predicted_over_actual
    model
    BG/NBD            -9582.43                   0.88
    Pareto/NBD        -9594.98                   0.88
    """
    import pandas as pd

    by_name = named_fits(fits)
    if data is not None and not isinstance(data, Histories | Holdout):
        raise FitError(f"data are histories in memory or a holdout, got {abridged(data)}")
    if spend is not None and not isinstance(spend, SpendFit):
        raise FitError(f"spend is a fit of spend, such as clv.GammaGamma().fit(rfm), got {abridged(spend)}")
    histories = data.histories if isinstance(data, Holdout) else data
    by_name = _on_one_footing(by_name, histories)
    _require_same_data(by_name, histories, holdout=isinstance(data, Holdout))
    rows: dict[str, dict[str, object]] = {
        name: {
            "method": fit.method,
            "parameters": fit.number_of_parameters,
            "log_likelihood": fit.log_likelihood,
            "aic": fit.aic,
            "bic": fit.bic,
        }
        for name, fit in by_name.items()
    }
    if histories is not None:
        for name, numbers in _left_out(by_name, histories).items():
            rows[name] |= numbers
    if isinstance(data, Holdout):
        for name, fit in by_name.items():
            rows[name] |= scores(of_fit(fit, spend, data), data) if isinstance(fit, TransactionFit) else {}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _on_one_footing(fits: dict[str, Fit], histories: Histories | None) -> dict[str, Fit]:
    """Return fits of spend with likelihoods of single orders, if some of them are to these and others to means.

    Raises
    ------
    FitError
        If histories are needed and there are none.
    """
    of_means = [name for name, fit in fits.items() if isinstance(fit, SpendFit) and fit.model.statistics == SPEND]
    if not of_means or len(of_means) == sum(isinstance(fit, SpendFit) for fit in fits.values()):
        return fits
    if histories is None:
        raise FitError(
            f"{', '.join(map(repr, of_means))} {'is' if len(of_means) == 1 else 'are'} fitted to means and others to "
            "single orders: their likelihoods are compared on orders, which takes the histories: compare(fits, rfm)"
        )
    return {
        name: on_orders(fit, histories) if name in of_means and isinstance(fit, SpendFit) else fit
        for name, fit in fits.items()
    }


def _require_same_data(fits: Mapping[str, Fit], histories: Histories | None, *, holdout: bool) -> None:
    """Refuse to compare what cannot be compared. Given parameters were fitted to nothing that is known."""
    if len({isinstance(fit, SpendFit) for fit in fits.values()}) > 1:
        raise FitError("fits of transactions and fits of spend have no likelihood in common; compare them apart")
    by_fingerprint: dict[str, str] = {fit.fingerprint: name for name, fit in fits.items() if fit.fingerprint}
    if not by_fingerprint and not holdout:
        raise FitError(
            f"the parameters of {', '.join(map(repr, fits))} were given and not fitted, so that there is no likelihood "
            "to compare; fit them, or give the holdout of rfm_train_test_split as data"
        )
    if len(by_fingerprint) > 1:
        first, second = list(by_fingerprint.values())[:2]
        raise FitError(
            f"{first!r} and {second!r} were fitted to different histories: their likelihoods and scores cannot be "
            "compared; fit both to the same ones"
        )
    if histories is None or not by_fingerprint:
        return
    fingerprint, name = next(iter(by_fingerprint.items()))
    if observe(fits[name].model, histories).fingerprint != fingerprint:
        raise FitError(
            f"{name!r} was fitted to other histories than the {len(histories):,} given; pass those of the fit, or the "
            "holdout that follows them"
        )


def _left_out(fits: Mapping[str, Fit], histories: Histories) -> dict[str, dict[str, float]]:
    """Return leave-one-out figures of the fits that have draws."""
    elpd = {name: fit.loo(histories) for name, fit in fits.items() if len(fit.draws) > 1}
    if not elpd:
        return {}
    best = max(elpd.values(), key=lambda loo: float(loo.elpd))
    return {
        name: {
            "elpd_loo": float(loo.elpd),
            "elpd_se": float(loo.se),
            "behind": float(best.elpd - loo.elpd),
            "behind_se": _se(best.elpd_i - loo.elpd_i),
            "pareto_k": float(loo.pareto_k.max()),
        }
        for name, loo in elpd.items()
    }


def _se(difference: xr.DataArray) -> float:
    """Return the standard error of the sum of differences by customer."""
    return float(np.sqrt(difference.size * difference.var(ddof=1)))
