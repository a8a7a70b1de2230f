"""One table of several fits: against ArviZ, by hand, and what it refuses."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import FitError
from clvmodels.evaluation.compare import compare

CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}


@pytest.fixture(scope="module")
def split() -> tuple[clv.Histories, clv.Holdout]:
    log = clv.datasets.load_cdnow(sample=True)
    return clv.rfm_train_test_split(log, value="amount", resolution="day", train_end="1997-09-30")


def test_leave_one_out_is_that_of_arviz(split):
    train, _ = split
    fits = {
        model.model.name: model.fit(train, method="laplace", draws=300, seed=1) for model in (clv.BGNBD(), clv.MBGNBD())
    }
    table = compare(fits, train)
    theirs = az.compare({name: fit.to_datatree(train) for name, fit in fits.items()}, round_to="none")
    for name in fits:
        assert table.loc[name, "elpd_loo"] == pytest.approx(theirs.loc[name, "elpd"], rel=1e-6)
        assert table.loc[name, "elpd_se"] == pytest.approx(theirs.loc[name, "se"], rel=1e-6)
        assert table.loc[name, "behind"] == pytest.approx(-theirs.loc[name, "elpd_diff"], abs=1e-6)
        # ArviZ divides by n here, and by n - 1 for the standard error above, as we do for both.
        theirs_se = theirs.loc[name, "dse"] * np.sqrt(len(train) / (len(train) - 1.0))
        assert table.loc[name, "behind_se"] == pytest.approx(theirs_se, rel=1e-6, abs=1e-9)
    assert table.loc["BG/NBD", "aic"] == pytest.approx(8.0 + 2.0 * 9_582.42921, abs=1e-3)


def test_holdout_scores_stand_beside_the_likelihood(split):
    train, holdout = split
    fits = [clv.BGNBD().fit(train), clv.ParetoNBD().fit(train)]
    table = compare(fits, holdout, spend=clv.GammaGamma().fit(train))
    assert table.index.to_list() == ["BG/NBD", "Pareto/NBD"]
    assert table.loc["BG/NBD", "log_likelihood"] == pytest.approx(-9_582.42921, abs=1e-3)
    assert table.loc["BG/NBD", "predicted_over_actual"] == pytest.approx(0.8785, abs=5e-4)
    assert table["revenue_predicted"].notna().all()
    assert "elpd_loo" not in table  # a point estimate has nothing to leave out


def test_fits_of_spend_are_compared_with_one_another(split):
    train, holdout = split
    spend = clv.GammaGamma().fit(train)
    table = compare({"maximum": spend, "posterior": clv.GammaGamma().fit(train, method="laplace", seed=1)}, holdout)
    assert table.loc["maximum", "log_likelihood"] == pytest.approx(-4_055.918, abs=5e-3)
    assert np.isnan(table.loc["maximum", "elpd_loo"])
    assert "mae" not in table


def test_what_cannot_be_compared_is_refused(split):
    train, holdout = split
    fit, other = clv.BGNBD().fit(train), clv.MBGNBD().fit(train.select(train.frequency > -1.0).select(train.T > 30.0))
    with pytest.raises(FitError, match="fitted to different histories"):
        compare([fit, other])
    with pytest.raises(FitError, match="other histories than the 2,357 given"):
        compare([other], holdout)
    with pytest.raises(FitError, match="compare them apart"):
        compare([fit, clv.GammaGamma().fit(train)])
    with pytest.raises(FitError, match="names must differ"):
        compare([fit, fit])
    with pytest.raises(FitError, match="a fit is expected here"):
        compare([fit, "BG/NBD"])
    with pytest.raises(FitError, match="a fit is expected here"):
        compare({"not yet fitted": "no"})


def test_given_parameters_may_stand_beside_a_fit(split):
    train, holdout = split
    published = clv.BGNBD().from_params(CDNOW, unit="week")
    table = compare({"published": published, "ours": clv.BGNBD().fit(train)}, holdout)
    assert np.isnan(table.loc["published", "log_likelihood"])
    assert table.loc["published", "mae"] == pytest.approx(table.loc["ours", "mae"], rel=1e-3)


def test_what_is_no_fit_is_refused() -> None:
    fit = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    with pytest.raises(FitError, match="BG/NBD is not fitted yet"):
        compare([clv.BGNBD()])  # type: ignore[list-item]
    with pytest.raises(FitError, match="data are histories in memory or a holdout"):
        compare([fit], [1, 2])  # type: ignore[arg-type]
    with pytest.raises(FitError, match="spend is a fit of spend"):
        compare([fit], spend=fit)  # type: ignore[arg-type]
