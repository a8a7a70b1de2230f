"""The kinds of fit, all of which `Fit` knows once this module is imported, and the one that suits a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.inference.contract_fit import ContractFit
from clvmodels.inference.fit import Fit, kind_of
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit

if TYPE_CHECKING:
    from clvmodels.inference.diagnostics import Diagnostics
    from clvmodels.inference.protocols import Method
    from clvmodels.models.specification import Array, Model
    from clvmodels.units import Unit

__all__ = ["ContractFit", "Fit", "SpendFit", "TransactionFit", "build"]


def build(
    model: Model,
    *,
    theta: Array,
    method: Method,
    unit: Unit | None,
    log_likelihood: float,
    estimate: Array,
    covariance: Array,
    customers: int,
    fingerprint: str,
    diagnostics: Diagnostics,
    priors: Mapping[str, Mapping[str, object]] | None = None,
    stats: Mapping[str, Array] | None = None,
    by: str | None = None,
    segments: tuple[str, ...] = (),
    segment_theta: Array | None = None,
) -> TransactionFit | SpendFit:
    """Return the kind of fit that suits the model."""
    segment_theta = np.empty((0, 0, 0, 0)) if segment_theta is None else segment_theta
    bayes = (priors or {}, stats or {}, by, segments, segment_theta)
    common = (log_likelihood, estimate, covariance, customers, fingerprint, diagnostics, *bayes)
    fit = kind_of(model)(model, theta, method, unit, *common)
    assert isinstance(fit, TransactionFit | SpendFit)
    return fit
