"""How well a forecast did in a holdout: one number a score, all of them in one registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.holdout import estimated_revenue
from clvmodels.evaluation.gains import gains, gini
from clvmodels.evaluation.reliability import reliability

if TYPE_CHECKING:
    from clvmodels.data.holdout import Holdout
    from clvmodels.evaluation.distributions import Distributions
    from clvmodels.evaluation.forecasts import Forecast
    from clvmodels.models.specification import Array

__all__ = ["SCORES", "scores"]

type Score = Callable[[Forecast, Holdout], float]


def scores(forecast: Forecast, holdout: Holdout) -> dict[str, float]:
    """Return all scores of a forecast by name; NaN where a score does not apply, as of a rule that only ranks."""
    return {name: score(forecast, holdout) for name, score in SCORES.items()}


def _predicted(forecast: Forecast, _: Holdout) -> float:
    return float(forecast.purchases.sum())


def _error(power: float) -> Score:
    """Return the mean absolute error (power 1) or the root mean square error (power 2) of purchases by customer."""

    def score(forecast: Forecast, holdout: Holdout) -> float:
        return float(np.mean(np.abs(forecast.purchases - holdout.frequency) ** power) ** (1.0 / power))

    return score


def _of_distributions(number: Callable[[Distributions, Array], Array]) -> Score:
    """Return the mean over customers of a number of their predictive distributions and of what they did."""

    def score(forecast: Forecast, holdout: Holdout) -> float:
        if forecast.distributions is None:
            return np.nan
        return float(np.mean(number(forecast.distributions, holdout.frequency)))

    return score


def _crps(forecast: Forecast, holdout: Holdout) -> float:
    """Return the mean CRPS; that of a forecast of one number is its absolute error."""
    if forecast.distributions is None:
        return _error(1.0)(forecast, holdout)
    return float(forecast.distributions.crps.mean())


def _calibration_error(forecast: Forecast, holdout: Holdout) -> float:
    """Return the mean distance, over customers, of P(any purchase) from the share who bought, in ten bins."""
    if forecast.distributions is None:
        return np.nan
    bins = reliability(forecast.distributions.any_purchase, holdout.frequency > 0, bins=10)
    return float(np.average((bins["expected"] - bins["actual"]).abs(), weights=bins["customers"]))


def _captured(share: float, ranking: Array, made: Array) -> float:
    """Return the part of an outcome that the top share of customers by a ranking make."""
    if not made.sum() > 0.0:
        return np.nan
    curve = gains(ranking, made)
    return float(np.interp(share, curve["share_of_customers"], curve["share"]))


def _top_decile_lift(forecast: Forecast, holdout: Holdout) -> float:
    return _captured(0.1, forecast.purchases_ranking, holdout.frequency) / 0.1


def _top_20_revenue(forecast: Forecast, holdout: Holdout) -> float:
    return _captured(0.2, forecast.revenue_ranking, _revenue(holdout))


def _normalised_gini(ranking: Array, actual: Array) -> float:
    """Return the area between the curve of gains and the diagonal, relative to that of perfect foresight."""
    if not actual.sum() > 0.0 or np.ptp(actual) == 0.0:  # no customer can be ranked above another
        return np.nan
    return gini(ranking, actual) / gini(actual, actual)


def _revenue(holdout: Holdout) -> Array:
    """Return what customers spent on all their orders, as forecasts are of all, whether their value is known or not."""
    return estimated_revenue(holdout.frequency, holdout.revenue)


def _ratio(of: Callable[[Forecast], Array], to: Callable[[Holdout], Array]) -> Score:
    def score(forecast: Forecast, holdout: Holdout) -> float:
        actual = to(holdout).sum()
        return float(of(forecast).sum() / actual) if actual > 0.0 else np.nan

    return score


SCORES: Final[dict[str, Score]] = {
    "purchases": lambda _, holdout: float(holdout.frequency.sum()),
    "predicted": _predicted,
    "predicted_over_actual": _ratio(lambda forecast: forecast.purchases, lambda holdout: holdout.frequency),
    "mae": _error(1.0),
    "rmse": _error(2.0),
    "log_score": _of_distributions(lambda predictive, _: predictive.log_score),
    "crps": _crps,
    "brier": _of_distributions(lambda predictive, y: (predictive.any_purchase - (y > 0)) ** 2),
    "calibration_error": _calibration_error,
    "coverage": _of_distributions(lambda predictive, y: ((predictive.low <= y) & (y <= predictive.high)).astype(float)),
    "coverage_stated": _of_distributions(lambda predictive, _: predictive.within),
    "top_decile_lift": _top_decile_lift,
    "gini": lambda forecast, holdout: _normalised_gini(forecast.purchases_ranking, holdout.frequency),
    "revenue": lambda _, holdout: float(_revenue(holdout).sum()),
    "revenue_predicted": lambda forecast, _: float(forecast.revenue.sum()),
    "revenue_over_actual": _ratio(lambda forecast: forecast.revenue, _revenue),
    "top_20_revenue": _top_20_revenue,
    "revenue_gini": lambda forecast, holdout: _normalised_gini(forecast.revenue_ranking, _revenue(holdout)),
}
"""``(forecast, holdout) -> number``, in the order of the table's columns."""
