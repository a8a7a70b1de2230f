"""The same posterior as pymc-marketing's, on CDNOW under the same priors."""

from __future__ import annotations

import numpy as np
import pytest
from pymc_extras.prior import Prior

import clvmodels as clv


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the peer's own
def test_the_posterior_is_that_of_pymc_marketing():
    from pymc_marketing.clv import BetaGeoModel

    log = clv.datasets.load_cdnow(sample=True)
    rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
    priors = {
        "r": Prior("HalfNormal", sigma=1.0),
        "alpha": Prior("HalfNormal", sigma=10.0),
        "a": Prior("HalfNormal", sigma=2.0),
        "b": Prior("HalfNormal", sigma=5.0),
    }
    ours = clv.BGNBD(priors=priors).fit(rfm, method="nuts", draws=2_000, seed=1, progress=False)
    peer = BetaGeoModel(model_config=priors)
    table = rfm.to_frame().reset_index()[["customer_id", "frequency", "recency", "T"]]
    peer.fit(table, method="mcmc", draws=1_000, chains=4, random_seed=1, progressbar=False)
    for k, name in enumerate(ours.model.names):
        theirs = peer.fit_result[name].to_numpy().ravel()
        error = theirs.std() / np.sqrt(400.0)
        assert ours.draws[:, k].mean() == pytest.approx(theirs.mean(), abs=4.0 * error)
        assert ours.draws[:, k].std() == pytest.approx(theirs.std(), rel=0.15)
