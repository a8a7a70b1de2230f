"""What the commands print and write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import FitWarning
from clvmodels.inference.spend_choice import BestSpend, best_spend_model
from clvmodels.models import MODELS
from clvmodels.models.bg_nbd import BG_NBD
from clvmodels.models.registry import TRANSACTION_MODELS
from tests.engines import simulated_log

if TYPE_CHECKING:
    from tests.cli.conftest import Run

VALUE_FILES = ["assumptions.toml", "customers.parquet", "equity.json", "spend.json", "transactions.json"]


@pytest.fixture(scope="module")
def book(purchases: pd.DataFrame) -> clv.Book:
    """The valuation that the command should give, made by hand."""
    rfm = clv.rfm_summary(purchases, value="amount", resolution="day")
    terms = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    return clv.value(clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, terms)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_version(run: Run) -> None:
    assert run("--version").out == f"clvmodels {clv.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["summarize", "--help"], ["fit", "--help"], ["value", "--help"]])
def test_help_says_how_to_begin(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.code == 0
    assert f"clvmodels {' '.join(arguments[:-1])}" in result.out
    assert len(arguments) == 1 or f"Example:  clvmodels {arguments[0]} log.csv" in result.out


def test_no_command_shows_the_help(run: Run) -> None:
    result = run()
    assert result.code == 2
    assert "Usage: clvmodels" in result.out
    assert result.err == ""


def test_summarize_prints_the_histories_in_words(run: Run, log: Path, purchases: pd.DataFrame) -> None:
    result = run("summarize", log, "--value", "amount", "--resolution", "day", "--observation-end", "1997-09-30")
    rfm = clv.rfm_summary(purchases, value="amount", resolution="day", observation_end="1997-09-30")
    assert result.code == 0
    assert all(line in result.out for line in str(rfm).splitlines())
    assert result.err == ""


@pytest.mark.parametrize("name", ["histories.parquet", "histories.csv", "Käufe, größere.CSV"])
def test_summarize_writes_the_table(run: Run, log: Path, tmp_path: Path, purchases: pd.DataFrame, name: str) -> None:
    out = tmp_path / "new" / name
    assert run("summarize", log, "--value", "amount", "--out", out).code == 0
    ids = {"customer_id": "str"}
    table = (
        pd.read_parquet(out)
        if name.endswith("parquet")
        else pd.read_csv(out, dtype=ids, parse_dates=["first_purchase"])
    )
    expected = clv.rfm_summary(purchases, value="amount").to_frame().reset_index()
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert names(out.parent) == [name]


def test_fit_shows_and_writes_the_models(run: Run, log: Path, tmp_path: Path, book: clv.Book) -> None:
    given = ("--value", "amount", "--resolution", "day", "--model", "pareto_nbd", "--spend", "gamma_gamma")
    result = run("fit", log, *given, "--out", tmp_path / "fits")
    assert result.code == 0
    assert all(line in result.out for line in book.transactions.describe().splitlines() if len(line) < 118)
    assert "standard error" in result.out
    orders, spend = (clv.Fit.load(tmp_path / "fits" / name) for name in ("transactions.json", "spend.json"))
    assert dict(orders.params) == pytest.approx(dict(book.transactions.params), rel=1e-6)
    assert dict(spend.params) == pytest.approx(dict(book.spend.params), rel=1e-6)


def test_fit_without_values_fits_no_spend(run: Run, log: Path, tmp_path: Path) -> None:
    result = run("fit", log, "--model", "auto", "--out", tmp_path / "fits")
    assert names(tmp_path / "fits") == ["transactions.json"]
    assert "Gamma-Gamma" not in result.out
    assert "the one with the lowest AIC is chosen" in result.out


def test_value_writes_what_it_shows(run: Run, log: Path, terms: Path, tmp_path: Path, book: clv.Book) -> None:
    out = tmp_path / "equity"
    given = ("--value", "amount", "--resolution", "day", "--model", "pareto_nbd", "--method", "mle")
    given = (*given, "--spend", "gamma_gamma", "--assumptions", terms, "--out", out)
    result = run("value", log, *given)
    assert result.code == 0
    assert names(out) == VALUE_FILES
    assert f"{book.equity:,.0f}" in result.out
    customers = pd.read_parquet(out / "customers.parquet").set_index("customer_id")
    pd.testing.assert_frame_equal(customers, book.customers, check_dtype=False, check_index_type=False, rtol=1e-6)
    record = json.loads((out / "equity.json").read_text(encoding="utf-8"))
    assert record["equity"] == pytest.approx(customers["rlv"].sum(), rel=1e-9)
    assert record["assumptions"]["year"] == "52 weeks"
    assert record["horizons"][0]["share"] == pytest.approx(book.horizons.loc[1, "share"], rel=1e-6)
    assert record["data_report"]["rows_read"] == book.histories.report.rows_read
    assert (out / "assumptions.toml").read_bytes() == terms.read_bytes()
    assert dict(clv.Fit.load(out / "transactions.json").params) == pytest.approx(
        dict(book.transactions.params), rel=1e-6
    )


def test_spend_auto_is_the_model_that_the_orders_speak_for(
    run: Run, log: Path, terms: Path, tmp_path: Path, purchases: pd.DataFrame
) -> None:
    given = ("--value", "amount", "--resolution", "day", "--model", "pareto_nbd", "--method", "mle")
    result = run("value", log, *given, "--spend", "auto", "--assumptions", terms, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    rfm = clv.rfm_summary(purchases, value="amount", resolution="day")
    spend = clv.Fit.load(tmp_path / "out" / "spend.json")
    assert spend.model is best_spend_model(rfm)
    assert spend.model is not MODELS["gamma_gamma"]
    assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    record = json.loads((tmp_path / "out" / "equity.json").read_text(encoding="utf-8"))
    book = clv.value(clv.ParetoNBD().fit(rfm), BestSpend().fit(rfm), rfm, assumptions)
    assert record["equity"] == pytest.approx(book.equity, rel=1e-9)
    fits = [tmp_path / "fits", tmp_path / "auto"]
    assert run("fit", log, *given, "--out", fits[0]).code == 0
    assert run("fit", log, *given, "--spend", "auto", "--out", fits[1]).code == 0
    assert [clv.Fit.load(folder / "spend.json").model for folder in fits] == [MODELS["gamma_gamma"], spend.model]
    assert run("value", log, *given, "--spend", "gamma_gamma_orders", "--assumptions", terms).code == 0


def test_auto_averages_all_models(run: Run, log: Path, terms: Path, tmp_path: Path, purchases: pd.DataFrame) -> None:
    given = ("--value", "amount", "--resolution", "day", "--assumptions", terms, "--out", tmp_path / "out")
    given = (*given, "--spend", "gamma_gamma")
    result = run("value", log, *given, "--method", "mle")
    assert result.code == 0, result.err
    record = json.loads((tmp_path / "out" / "equity.json").read_text(encoding="utf-8"))
    models = record["models"]
    assert sorted(model["model"] for model in models) == ["bg_nbd", "mbg_nbd", "pareto_nbd"]
    rfm = clv.rfm_summary(purchases, value="amount", resolution="day")
    assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    fits = [model().fit(rfm) for model in (clv.BGNBD, clv.MBGNBD, clv.ParetoNBD)]
    book = clv.value(fits, clv.GammaGamma().fit(rfm), rfm, assumptions)
    assert record["equity"] == pytest.approx(book.equity, rel=1e-9)
    assert record["average"] == "AIC"
    assert record["support"] is None  # rests on draws
    relative = np.array([model["aic"] for model in models])
    weights = np.exp(-0.5 * (relative - relative.min()))
    assert [model["weight"] for model in models] == pytest.approx(weights / weights.sum(), rel=1e-9)
    assert record["equity"] == pytest.approx(sum(model["weight"] * model["equity"] for model in models), rel=1e-9)
    assert all(f"{model['equity']:,.0f}" in result.out for model in models)
    equities = [model["equity"] for model in models]
    assert f"Under each model alone: {min(equities):,.0f} to {max(equities):,.0f}" in result.out
    others = [f"transactions_{model['model']}.json" for model in models[1:]]
    assert names(tmp_path / "out") == sorted([*VALUE_FILES, *others])
    assert clv.Fit.load(tmp_path / "out" / "transactions.json").model.key == models[0]["model"]
    assert [clv.Fit.load(tmp_path / "out" / file).model.key for file in others] == [m["model"] for m in models[1:]]
    assert run("value", log, *given, "--model", "bg_nbd", "--method", "mle").code == 0
    assert names(tmp_path / "out") == VALUE_FILES  # nothing of the earlier run stays behind


def test_auto_takes_a_registered_model_or_says_why_not(
    run: Run, log: Path, terms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model without priors has no posterior: it is left out where posteriors are averaged."""
    for known in ("pareto_nbd", "mbg_nbd"):  # put back last first, so that the registry keeps its order
        monkeypatch.delitem(TRANSACTION_MODELS, known)
    own = replace(BG_NBD, key="own", name="My model", public_name="MyModel", quantities=())
    monkeypatch.setitem(MODELS, "own", own)
    monkeypatch.setitem(TRANSACTION_MODELS, "own", own)
    given = ("--value", "amount", "--resolution", "day", "--assumptions", terms, "--out", tmp_path / "out")
    result = run("value", log, *given, "--method", "mle")
    assert result.code == 0, result.err
    fits = [
        clv.Fit.load(tmp_path / "out" / file) for file in names(tmp_path / "out") if file.startswith("transactions")
    ]
    assert {fit.model.key for fit in fits} == {"bg_nbd", "own"}
    result = run("value", log, *given, "--draws", 20)
    assert result.code == 0, result.err
    text = " ".join(result.out.split())
    assert "! My model is left out: it has no default priors" in text
    assert "write --method mle to fit all models" in text
    assert names(tmp_path / "out") == VALUE_FILES


def test_value_fits_the_posterior_and_says_how_far_the_data_carry_it(
    run: Run, log: Path, terms: Path, tmp_path: Path, purchases: pd.DataFrame
) -> None:
    given = ("--value", "amount", "--resolution", "day", "--assumptions", terms, "--observation-end", "1997-09-30")
    more = ("--model", "bg_nbd", "--spend", "gamma_gamma", "--draws", 60, "--out", tmp_path / "out")
    result = run("value", log, *given, *more)
    assert result.code == 0, result.err
    record = json.loads((tmp_path / "out" / "equity.json").read_text(encoding="utf-8"))
    rfm = clv.rfm_summary(purchases, value="amount", resolution="day", observation_end="1997-09-30")
    fits = [model.fit(rfm, method="posterior", draws=60, seed=1) for model in (clv.BGNBD(), clv.GammaGamma())]
    book = clv.value(*fits, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks"))
    assert record["equity"] == pytest.approx(book.equity, rel=1e-9)
    support = record["support"]
    assert support["within"] + support["beyond"] == pytest.approx(book.equity, rel=1e-9)
    assert support["within"] == pytest.approx(book.support.within, rel=1e-9)
    assert (support["verdict"], support["reason"]) == (book.support.verdict, book.support.reason)
    assert str(book.support)[:40] in result.out
    ends = [support["interval"][end] for end in ("low", "high")]
    covers = "90 % interval (parameters, what customers do)"
    assert f"{covers}: {ends[0]:,.0f} to {ends[1]:,.0f}" in result.out
    assert record["models"][0]["priors"] == clv.BGNBD().default_priors
    assert record["spend"]["priors"] == clv.GammaGamma().default_priors


def test_columns_and_folders_may_be_called_anything(
    run: Run, tmp_path: Path, terms: Path, purchases: pd.DataFrame
) -> None:
    columns = {"customer_id": "Kunde Nr.", "date": "Datum [Tag]", "amount": "Umsatz in €"}
    folder = tmp_path / "Übung mit Straße"
    folder.mkdir()
    log = folder / "Käufe 'neu'.csv"
    purchases.rename(columns=columns).to_csv(log, index=False, date_format="%d.%m.%Y")
    names_ = ("--customer-id", "Kunde Nr.", "--time", "Datum [Tag]", "--value", "Umsatz in €")
    given = (
        *names_,
        "--time-format",
        "%d.%m.%Y",
        "--model",
        "bg_nbd",
        "--method",
        "mle",
        "--assumptions",
        terms,
        "--out",
        folder / "Größe",
    )
    result = run("value", log, *given)
    assert result.code == 0, result.err
    assert names(folder / "Größe") == VALUE_FILES
    assert "00004" in pd.read_parquet(folder / "Größe" / "customers.parquet")["customer_id"].to_list()


def test_warnings_become_notes_told_once(
    run: Run, log: Path, terms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    from clvmodels.reporting import fitting

    fit_all = fitting.fit_all

    def warn(*arguments: object) -> object:
        for _ in range(2):
            warnings.warn("the parameter [a] ran away", FitWarning, stacklevel=1)
        return fit_all(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fitting, "fit_all", warn)
    given = ("--value", "amount", "--model", "bg_nbd", "--draws", 0, "--assumptions", terms, "--out", tmp_path / "out")
    result = run("value", log, *given)
    assert result.out.count("! the parameter [a] ran away") == 1
    assert result.err == ""
    assert json.loads((tmp_path / "out" / "equity.json").read_text(encoding="utf-8"))["notes"] == [
        "the parameter [a] ran away"
    ]


def test_a_process_of_its_own_from_log_to_equity(log: Path, terms: Path, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("clvmodels"), "value", log, "--value", "amount", "--resolution", "day"]
    options = ["--assumptions", terms, "--model", "pareto_nbd", "--draws", "50", "--out", "equity"]
    environment = os.environ | {"COLUMNS": "80"}
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert names(tmp_path / "equity") == VALUE_FILES
    assert "Customer equity" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    rlv = pd.read_parquet(tmp_path / "equity" / "customers.parquet")["rlv"]
    assert len(rlv) == 2357
    assert np.isfinite(rlv).all()
    assert f"{rlv.sum():,.0f}" in done.stdout


def test_a_terminal_that_knows_few_letters(log: Path) -> None:
    command = [Path(sys.executable).with_name("clvmodels"), "summarize", log, "--quiet"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "? 2,357 customers" in done.stdout


def test_the_command_starts_without_the_heavy_packages() -> None:
    heavy = {"pandas", "numpy", "numba", "scipy", "ibis", "duckdb", "pyarrow", "pymc"}
    code = f"import sys, clvmodels.cli; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_stays_in_the_engine_is_worth_the_same(run: Run, tmp_path: Path) -> None:
    """Histories of CSV come into memory, those of Parquet stay in DuckDB, which writes the customers too."""
    log = simulated_log(500, seed=1, days=True)
    ids = log["customer_id"]
    log = log.assign(segment=np.where(ids % 3 > 0, "a", "b"), cost=ids % 5 / 10)
    log.to_parquet(tmp_path / "log.parquet", index=False)
    log.to_csv(tmp_path / "log.csv", index=False)
    terms = tmp_path / "assumptions.toml"
    rates = 'order_cost = {column = "cost"}\npayment_share = {by = "segment", rates = {a = 0.01, b = 0.03}}\n'
    terms.write_text(f"discount_rate = 0.15\nmargin = 0.30\n{rates}", encoding="utf-8")
    found = {}
    for kind in ("csv", "parquet"):
        options = ("--value", "amount", "--resolution", "day", "--model", "bg_nbd", "--assumptions", terms)
        options = (*options, "--method", "mle")
        more = ("--memory-gb", 1, "--spill-folder", tmp_path, "--out", tmp_path / kind)
        result = run("value", tmp_path / f"log.{kind}", *options, *more)
        assert result.code == 0, result.err
        customers = pd.read_parquet(tmp_path / kind / "customers.parquet").set_index("customer_id")
        record = json.loads((tmp_path / kind / "equity.json").read_text(encoding="utf-8"))
        found[kind] = result.out.rpartition("written:")[0].replace(kind, ""), customers, pd.Series(dict(flat(record)))
    pd.testing.assert_frame_equal(found["parquet"][1], found["csv"][1], rtol=1e-12)
    pd.testing.assert_series_equal(found["parquet"][2].drop("source"), found["csv"][2].drop("source"), rtol=1e-10)
    assert found["parquet"][0] == found["csv"][0] != ""


def flat(record: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield the numbers and words of a JSON file, with the path to each."""
    if isinstance(record, dict):
        for key, value in record.items():
            yield from flat(value, f"{name}.{key}".lstrip("."))
    elif isinstance(record, list):
        for number, value in enumerate(record):
            yield from flat(value, f"{name}[{number}]")
    else:
        yield name, record


@pytest.mark.parametrize("command", ["summarize", "fit", "value"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--memory-gb", "0.1"),
            "error: memory_gb is the memory of DuckDB in GB, at least 0.25, got 0.1; what does not",
        ),
        (("--spill-folder", "none"), "error: spill_folder 'none' is no folder; make it first"),
    ],
    ids=["memory", "folder"],
)
def test_engines_that_cannot_be_are_refused(
    run: Run, log: Path, terms: Path, command: str, options: tuple[str, str], message: str
) -> None:
    needed = ("--value", "amount", "--assumptions", terms) if command == "value" else ()
    result = run(command, log, *needed, *options)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_what_is_not_what_it_seems_is_named_with_the_options_to_write(
    run: Run, purchases: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "lines.csv"
    log = purchases.loc[purchases.index.repeat(2)].reset_index(drop=True)
    log = log.assign(price=log["amount"] / 2, qty=1, invoice=log.index // 2)
    guest = log.index % 60 < 2
    log["customer_id"] = ("c" + log["customer_id"]).mask(guest, "Guest")
    log.loc[log.index.isin([4, 5]), "date"] = pd.Timestamp("2099-01-01")
    log.to_csv(path, index=False)
    lines = ("--value", "price", "--quantity", "qty", "--order-id", "invoice", "--quiet")
    told = " ".join(run("summarize", path, *lines).out.split())
    assert "--observation-end 1998-06-30" in told
    assert "--exclude-ids Guest" in told
    found = run("summarize", path, *lines, "--observation-end", "1998-06-30", "--exclude-ids", "guest", "--clean-ids")
    assert found.code == 0
    assert "Worth a look" not in found.out
    assert f"dropped: {guest.sum()} rows, excluded ids" in " ".join(found.out.split())
    wrong = run("summarize", path, "--value", "price", "--returns", "all")
    assert wrong.code == 2
