"""A small log with repeat buyers, and the command run in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from clvmodels import datasets
from clvmodels.cli import main

TERMS = 'discount_rate = 0.15\nmargin = 0.30\nyear = "52 weeks"\n'


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command with arguments and returns its exit code and what it printed."""
    monkeypatch.setenv("COLUMNS", "120")

    def run_(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        assert isinstance(left.value.code, int)
        return Result(left.value.code, *capfd.readouterr())

    return run_


@pytest.fixture(scope="session")
def purchases() -> pd.DataFrame:
    return datasets.load_cdnow(sample=True)


@pytest.fixture(scope="session")
def log(purchases: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "sample.parquet"
    purchases.to_parquet(path, index=False)
    return path


@pytest.fixture
def terms(tmp_path: Path) -> Path:
    path = tmp_path / "assumptions.toml"
    path.write_text(TERMS, encoding="utf-8")
    return path
