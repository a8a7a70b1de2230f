"""The value of orders as a power of the expected purchase rate: the published sample, and a known exponent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.evaluation.rate_dependence import rate_dependence

PARAMS = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}


@pytest.fixture(scope="module")
def rfm() -> Histories:
    log = clv.datasets.load_cdnow(sample=True)
    return clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")


@pytest.mark.parametrize(
    ("estimator", "coefficient", "se", "gain"),
    [(clv.GammaGamma(), 0.1975, 0.036, 14.95), (clv.GammaGamma(orders="all"), 0.1282, 0.0329, 7.46)],
    ids=repr,
)
def test_the_sample(estimator, coefficient, se, gain, rfm) -> None:  # type: ignore[no-untyped-def]
    """Reference figures of a joint maximum over the exponent and p, q, v, computed apart with scipy."""
    relation = rate_dependence(estimator.fit(rfm), clv.ParetoNBD().from_params(PARAMS, unit="week"), rfm)
    assert relation is not None
    assert relation.coefficient == pytest.approx(coefficient, abs=1e-4)
    assert relation.se == pytest.approx(se, abs=5e-4)
    assert relation.gain == pytest.approx(gain, abs=6e-3)


@pytest.mark.parametrize("estimator", [clv.GammaGamma(), clv.GammaGamma(orders="all"), clv.LogNormalSpend()], ids=repr)
def test_a_known_exponent_is_recovered(estimator) -> None:  # type: ignore[no-untyped-def]
    generator = np.random.default_rng(4)
    transactions = clv.ParetoNBD().from_params(PARAMS, unit="week")
    x, T = generator.poisson(generator.gamma(1.0, 3.0, 4_000)).astype(float), np.full(4_000, 39.0)
    rate = (PARAMS["r"] + x) / (PARAMS["alpha"] + T)
    owner = np.repeat(np.arange(4_000), x.astype(int))
    centre = 4.0 + 0.3 * np.log(rate) + generator.normal(0.0, 0.4, 4_000)
    logs = centre[owner] + generator.normal(0.0, 0.5, len(owner))
    divisor = np.maximum(x, 1.0)
    log_mean = np.bincount(owner, logs, 4_000) / divisor
    table = {"frequency": x, "recency": np.where(x > 0, 39.0, 0.0), "T": T}
    table |= {"monetary_value": np.bincount(owner, np.exp(logs), 4_000) / divisor, "log_mean": log_mean}
    table |= {"log_ss": np.bincount(owner, (logs - log_mean[owner]) ** 2, 4_000), "customer_id": np.arange(4_000)}
    names = {"log_mean": "log_mean", "log_ss": "log_ss"}
    histories = Histories.from_frame(pd.DataFrame(table), unit="week", statistics=names)
    relation = rate_dependence(estimator.fit(histories), transactions, histories)
    assert relation is not None
    assert abs(relation.coefficient - 0.3) < 3.0 * relation.se
    assert relation.se < 0.03
    assert relation.p_value < 1e-6


def test_one_rate_has_no_exponent(rfm: Histories) -> None:
    alike = rfm.select((rfm.frequency == 1) & (np.median(rfm.T) == rfm.T))
    spend = clv.GammaGamma().fit(rfm)
    assert rate_dependence(spend, clv.ParetoNBD().from_params(PARAMS, unit="week"), alike) is None
