"""Differences between the arms of a randomised campaign, adjusted for what was known before it.

Each arm has a regression of its own on covariates centred at their mean over all customers; the difference of two
intercepts is the effect. With one arm and a holdout, this is the regression on the arm, the centred covariates and
their products.

Source: Lin (2013), Annals of Applied Statistics 7(1); MacKinnon & White (1985) for HC2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import DataError

__all__ = ["AdjustedEffects", "adjusted_effects", "centred", "intercept", "residual_sd"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AdjustedEffects:
    """Effects of k arms per customer, each against the holdout.

    Attributes
    ----------
    effect
        Shape (k,).
    covariance
        Of the effects, HC2, shape (k, k).
    holdout
        The adjusted mean of the holdout.
    """

    effect: Array
    covariance: Array
    holdout: float

    @property
    def se(self) -> Array:
        """The standard errors, shape (k,)."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance)), np.float64)

    @property
    def correlation(self) -> Array:
        """The correlation of the effects, shape (k, k); effects without variance are not correlated."""
        scale = np.where(self.se > 0.0, self.se, 1.0)
        matrix = self.covariance / np.outer(scale, scale)
        np.fill_diagonal(matrix, 1.0)
        return np.asarray(matrix, np.float64)


def adjusted_effects(y: Array, arm: Index, arms: int, covariates: Array | None = None) -> AdjustedEffects:
    """Return the effect of each arm against the holdout.

    Parameters
    ----------
    y
        The outcome by customer, shape (n,).
    arm
        0 for the holdout, 1 to `arms` for the others, shape (n,).
    arms
        Number of arms without the holdout.
    covariates
        Known before the campaign, shape (n, p); None: the plain difference of means.

    Raises
    ------
    DataError
        If an arm has too few customers for its regression.

    Examples
    --------
    >>> y, arm = np.array([5.0, 0, 3, 8, 2, 1, 7, 4]), np.array([1, 0, 1, 1, 0, 0, 1, 0])
    >>> covariate = np.array([[4.0], [1], [2], [6], [3], [0], [5], [4]])
    >>> adjusted = adjusted_effects(y, arm, 1, covariate)
    >>> adjusted.effect.round(10), adjusted.se.round(10)
    (array([1.65357143]), array([0.64666022]))
    """
    known = centred(np.zeros((len(y), 0)) if covariates is None else covariates)
    means, variances = np.array([intercept(y[arm == number], known[arm == number]) for number in range(arms + 1)]).T
    covariance = np.diag(variances[1:]) + variances[0]
    return AdjustedEffects(means[1:] - means[0], covariance, float(means[0]))


def centred(covariates: Array) -> Array:
    """Return covariates less their means, in units of their standard deviations; constant ones are zero."""
    spread = covariates.std(axis=0)
    moving = spread > 1e-12 * np.abs(covariates).max(axis=0, initial=0.0)
    return np.asarray(np.where(moving, (covariates - covariates.mean(axis=0)) / np.where(moving, spread, 1.0), 0.0))


def intercept(y: Array, covariates: Array) -> tuple[float, float]:
    """Return the intercept of a least-squares regression, and its HC2 variance.

    Raises
    ------
    DataError
        If there are no more customers than coefficients.

    Examples
    --------
    >>> intercept(np.array([1.0, 2.0, 3.0]), np.zeros((3, 0)))  # the mean, and its variance
    (2.0, 0.333...)
    """
    if len(y) <= 1 + covariates.shape[1]:
        raise DataError(
            f"an arm has {len(y)} customers: too few for a mean adjusted for {covariates.shape[1]} covariates; assign"
            " more customers to it, or leave the arm out"
        )
    design = np.column_stack([np.ones(len(y)), covariates])
    left, values, right = np.linalg.svd(design, full_matrices=False)
    kept = values > 1e-10 * values[0]
    left, weights = left[:, kept], right[kept, 0] / values[kept]
    influence = left @ weights
    residuals = y - left @ (left.T @ y)
    leverage = np.minimum(np.einsum("ij,ij->i", left, left), 1.0 - 1e-9)
    return float(influence @ y), float(np.sum(influence**2 * residuals**2 / (1.0 - leverage)))


def residual_sd(y: Array, covariates: Array | Sequence[Sequence[float]]) -> float:
    """Return the standard deviation of what a linear regression on covariates leaves of y.

    Examples
    --------
    >>> residual_sd(np.array([1.0, 2.0, 3.0, 4.0]), np.array([[1.0], [2.0], [3.0], [4.0]])) < 1e-12
    True
    """
    known = centred(np.asarray(covariates, np.float64))
    design = np.column_stack([np.ones(len(y)), known])
    coefficients, _, rank, _ = np.linalg.lstsq(design, y)
    residuals = y - design @ coefficients
    return float(np.sqrt(residuals @ residuals / max(len(y) - int(rank), 1)))
