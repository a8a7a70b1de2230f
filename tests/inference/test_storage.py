"""Files of fits: every number comes back, and a damaged file is refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import FitError
from clvmodels.inference.diagnostics import Diagnostics
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from tests.inference.example_fits import bg

HUGE = float("inf")
"""As Python reads 1e400."""


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("fit") / "fit.json"
    clv.BGNBD().fit(bg.simulate(300, "39 weeks", seed=3), method="laplace", draws=20, seed=1).save(path)
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    "change",
    [
        {"theta": [[[HUGE, 6.0, 0.8, 2.5]]]},
        {"theta": [[[1.0]]]},
        {"theta": [[[10**400, 6.0, 0.8, 2.5]]]},
        {"theta": []},
        {"estimate": [0.5, -6.0, 0.8, 2.5]},
        {"estimate": [1.0]},
        {"estimate": None},
        {"covariance": [[1.0]]},
        {"covariance": None},
        {"covariance": "x"},
        {"model": []},
        {"model": {}},
        {"model": None},
        {"method": "anything"},
        {"method": []},
        {"version": None},
        {"version": "2"},
        {"version": True},
        {"version": 0},
        {"customers": "many"},
        {"customers": -1},
        {"fingerprint": 3},
        {"log_likelihood": [1.0]},
        {"diagnostics": []},
        {"diagnostics": {"status": "fine", "message": "x"}},
        {"priors": []},
        {"priors": {"purchase_rate": 3}},
        {"stats": []},
        {"stats": {"lp": [[1.0]]}},
        {"by": "segment"},
        {"segments": "shop"},
        {"by": "segment", "segments": ["shop"], "segment_theta": [[[[1.0, 6.0, 0.8, 2.5]]]]},
        {"segment_theta": [[[[1.0, 6.0, 0.8, 2.5]]]]},
        {"unit": 3},
    ],
)
def test_a_damaged_file_is_refused(tmp_path, content, change):
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(content | change).replace("Infinity", "1e400"))
    with pytest.raises(FitError, match=r"fit\.json(: unknown model| is damaged)"):
        clv.Fit.load(path)


def test_a_file_that_lacks_something_is_refused(tmp_path, content):
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(content))
    assert clv.Fit.load(path).method == "laplace"
    for name in content.keys() - {"format", "segment_test"}:  # files of before have no test
        path.write_text(json.dumps({key: value for key, value in content.items() if key != name}))
        with pytest.raises(FitError, match=r"fit\.json(: unknown model| is damaged)"):
            clv.Fit.load(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' + "1" * 5_000 + "}", "\ufeff{}"])
def test_what_cannot_be_read_is_no_fit(tmp_path, text):
    path = tmp_path / "fit.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FitError, match="not a fit"):
        clv.Fit.load(path)


def test_numbers_that_are_not_finite_come_back(tmp_path):
    drawn = clv.BGNBD().from_params({"r": np.array([[0.2, 0.3, 0.4]]), "alpha": 4.4, "a": 0.8, "b": 2.4}, unit="week")
    diagnostics = Diagnostics("not converged", "so.", r_hat=math.nan, ess=math.inf, pareto_k=math.inf)
    stats = {"lp": np.array([[-math.inf, math.nan, -3.0]]), "diverging": np.array([[True, False, False]])}
    fit = replace(drawn, diagnostics=diagnostics, stats=stats)
    fit.save(tmp_path / "fit.json")
    json.loads((tmp_path / "fit.json").read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    again = clv.Fit.load(tmp_path / "fit.json")
    assert (again.diagnostics.r_hat, again.diagnostics.ess, again.diagnostics.pareto_k) == (None, math.inf, math.inf)
    np.testing.assert_array_equal(again.stats["lp"], stats["lp"])
    assert again.stats["diverging"].dtype == bool
    assert math.isnan(again.log_likelihood)
    assert np.isnan(again.covariance).all()


@pytest.mark.parametrize(
    "change", [{"theta": [[[1e308, 1, 1, 1]]]}, {"diagnostics": [1]}, {"customers": 1.5}, {"unit": {}}, {"priors": 3}]
)
def test_files_with_other_things_in_them(change: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "fit.json"
    bg.save(file)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(FitError, match="is damaged"):
        clv.Fit.load(file)


def test_a_folder_is_no_fit(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="cannot read the fit"):
        clv.Fit.load(tmp_path)


def test_a_kind_of_fit_loads_its_own_kind(tmp_path: Path) -> None:
    file = tmp_path / "fit.json"
    bg.save(file)
    assert isinstance(TransactionFit.load(file), TransactionFit)
    with pytest.raises(FitError, match="holds a TransactionFit, not a SpendFit"):
        SpendFit.load(file)


def test_a_fresh_process_loads_a_fit(tmp_path: Path) -> None:
    bg.save(tmp_path / "fit.json")
    code = "import sys, clvmodels as clv; print(clv.Fit.load(sys.argv[1]))"
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "fit.json")], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == repr(bg)
