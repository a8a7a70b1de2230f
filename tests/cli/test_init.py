"""A file of assumptions to fill in, and the two rates that stand for one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from clvmodels.reporting.template import TEMPLATE
from clvmodels.valuation.assumptions import Assumptions

if TYPE_CHECKING:
    from tests.cli.conftest import Run

QUICK = ("--value", "amount", "--resolution", "day", "--model", "bg_nbd", "--spend", "gamma_gamma", "--method", "mle")


def test_the_template_is_valid_as_it_stands_and_with_every_line_in_use(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "assumptions.toml"
    assert run("init", file).code == 0
    assert Assumptions.from_file(file) == Assumptions(discount_rate=0.12, margin=0.30)
    used = re.sub(r"^# (?=\w+ = )", "", TEMPLATE, flags=re.MULTILINE)
    assert "# order_cost" not in used
    assert Assumptions.from_toml(used.encode()).order_cost == 4.50


def test_a_file_that_exists_is_left_as_it_is(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "assumptions.toml"
    file.write_text("mine", encoding="utf-8")
    result = run("init", file)
    assert (result.code, file.read_text(encoding="utf-8")) == (2, "mine")
    assert "exists and is left as it is" in result.err


def test_two_rates_stand_for_a_file(run: Run, log: Path, tmp_path: Path) -> None:
    file = tmp_path / "assumptions.toml"
    file.write_text("discount_rate = 0.15\nmargin = 0.3\n", encoding="utf-8")
    equities = []
    for given in (["--assumptions", file], ["--margin", 0.3, "--discount-rate", 0.15]):
        out = tmp_path / f"equity{len(given)}"
        assert run("value", log, *QUICK, *given, "--out", out).code == 0
        equities.append(json.loads((out / "equity.json").read_text(encoding="utf-8")))
        assert (out / "assumptions.toml").read_text(encoding="utf-8") == file.read_text(encoding="utf-8")
    assert equities[0] == equities[1]


def test_rates_are_given_once(run: Run, log: Path, terms: Path) -> None:
    twice = run("value", log, *QUICK, "--assumptions", terms, "--margin", 0.3)
    assert (twice.code, "write margin there" in twice.err) == (2, True)
    missing = run("value", log, *QUICK, "--margin", 0.3)
    assert (missing.code, "--margin 0.3 --discount-rate 0.12" in missing.err) == (2, True)
