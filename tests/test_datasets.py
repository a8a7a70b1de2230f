"""The bundled data equal their raw sources, and load as documented."""

from __future__ import annotations

import importlib.util
import time
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clvmodels import datasets
from clvmodels.errors import DataError

COLUMNS = ["customer_id", "date", "quantity", "amount"]
ROOT = Path(__file__).resolve().parents[1]


def load_build() -> Any:
    """Import ``data/build.py``, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("build_data", ROOT / "data" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build() -> Any:
    return load_build()


@pytest.fixture(scope="module")
def raw(build: Any) -> Path:
    folder = build.raw_folder()
    assert isinstance(folder, Path)
    return folder


def test_cdnow_has_the_documented_shape() -> None:
    log = datasets.load_cdnow()
    assert list(log.columns) == COLUMNS
    assert log.shape == (69_659, 4)
    assert log["customer_id"].nunique() == 23_570
    assert log["customer_id"].iloc[0] == "00001"
    assert pd.api.types.is_string_dtype(log["customer_id"])
    assert pd.api.types.is_datetime64_dtype(log["date"])
    assert log["quantity"].dtype == "int64"
    assert log["amount"].dtype == "float64"
    assert (log["date"].min(), log["date"].max()) == (pd.Timestamp("1997-01-01"), pd.Timestamp("1998-06-30"))
    assert int((log["amount"] == 0).sum()) == 80
    assert int(log.duplicated().sum()) == 255


def test_cdnow_equals_the_raw_master_file(raw: Path) -> None:
    lines = (raw / "CDNOW_master.txt").read_text(encoding="ascii").splitlines()[1:]
    log = datasets.load_cdnow()
    written = zip(log["customer_id"], log["date"].dt.strftime("%Y%m%d"), log["quantity"], log["amount"], strict=True)
    ours = [(customer, day, quantity, f"{amount:.2f}") for customer, day, quantity, amount in written]
    theirs = [(c, d, int(q), f"{float(a):.2f}") for c, d, q, a in (line.split() for line in lines)]
    assert ours == theirs


def test_the_sample_equals_the_raw_sample_file(build: Any, raw: Path) -> None:
    theirs = build.read_sample(raw)[COLUMNS].sort_values(COLUMNS, ignore_index=True)
    ours = datasets.load_cdnow(sample=True)
    assert ours["customer_id"].nunique() == 2_357
    pd.testing.assert_frame_equal(ours.sort_values(COLUMNS, ignore_index=True), theirs, check_dtype=False)


def test_the_sample_numbers_are_those_of_the_raw_file(build: Any, raw: Path) -> None:
    ours = pd.read_csv(datasets.path("cdnow_sample_customers.csv"), dtype="str")
    theirs = build.read_sample(raw).drop_duplicates("customer_id")
    assert dict(zip(ours["customer_id"], ours["sample_id"], strict=True)) == dict(
        zip(theirs["customer_id"], theirs["sample_id"], strict=True)
    )
    assert ours["customer_id"].is_monotonic_increasing


def test_the_data_can_be_rebuilt(build: Any, raw: Path, tmp_path: Path) -> None:
    build.build(raw, tmp_path)
    for name in ("cdnow_sample_customers.csv", "donations.csv"):
        assert (tmp_path / name).read_bytes() == datasets.path(name).read_bytes()
    rebuilt = pd.read_parquet(tmp_path / "cdnow.parquet")
    pd.testing.assert_frame_equal(rebuilt, datasets.load_cdnow())


def test_donations_have_the_published_total() -> None:
    donations = datasets.load_donations()
    assert list(donations.columns) == ["frequency", "recency", "periods", "weights"]
    assert int(donations["weights"].sum()) == 11_104
    assert (donations["periods"] == 6).all()


def test_the_published_assumptions() -> None:
    terms = tomllib.loads(datasets.path("cdnow.toml").read_text(encoding="utf-8"))
    stated = {"discount_rate": 0.15, "margin": 0.30, "year": "52 weeks", "timing": "continuous", "currency": "USD"}
    assert terms == stated


@pytest.mark.parametrize("name", datasets.FILES)
def test_every_listed_file_exists(name: str) -> None:
    assert datasets.path(name).is_file()


def test_every_data_file_is_listed() -> None:
    assert {file.name for file in (ROOT / "data").iterdir() if file.is_file()} - {"build.py"} == set(datasets.FILES)


def test_an_unknown_file_is_refused_with_the_right_names() -> None:
    with pytest.raises(DataError, match=r"did you mean 'cdnow\.toml'"):
        datasets.path("cdnow.tml")


def test_a_broken_installation_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets, "_FOLDERS", (tmp_path,))
    with pytest.raises(DataError, match="install clvmodels again"):
        datasets.path("cdnow.toml")


def test_loading_is_quick() -> None:
    datasets.load_cdnow()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        datasets.load_cdnow()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05
