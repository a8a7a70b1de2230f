"""The Python examples of the pages run as they stand, one after another; ``make docs`` executes all other pages."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import matplotlib as mpl
import pytest

import clvmodels as clv

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(?:python|\{code-cell\} python)\n(?::.*\n)*(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def run(page, capsys):
    """Run the blocks of a page in one namespace."""
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    assert capsys.readouterr().out


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_the_examples_of_the_readme_run_on_a_tenth_of_the_customers(capsys, monkeypatch):
    monkeypatch.setattr(clv.datasets, "load_cdnow", partial(clv.datasets.load_cdnow, sample=True))
    run("README.md", capsys)


@pytest.mark.slow  # samples posteriors of 23,570 customers
def test_the_examples_of_the_readme_run(capsys):
    run("README.md", capsys)


def test_the_examples_of_the_finance_page_run(capsys):
    run("docs/finance.md", capsys)


def test_the_examples_of_the_page_of_opportunities_run(capsys):
    mpl.use("Agg")
    run("docs/models/bg_bb.md", capsys)


def test_the_examples_of_the_page_of_contracts_run(capsys):
    run("docs/models/contracts.md", capsys)


@pytest.mark.slow  # samples posteriors
def test_the_examples_of_the_page_of_posteriors_run(capsys):
    run("docs/posteriors.md", capsys)


def test_the_examples_of_the_page_of_paths_run(capsys):
    run("docs/guide/paths.md", capsys)


@pytest.mark.slow  # draws a posterior: 15 s
def test_the_examples_of_the_page_of_questions_run(capsys):
    mpl.use("Agg")
    run("docs/guide/questions.md", capsys)


def test_the_examples_of_the_page_of_a_seasonal_shop_run(capsys):
    mpl.use("Agg")
    run("docs/notebooks/seasonal_shop.md", capsys)


def test_the_examples_of_the_page_of_growth_drivers_run(capsys):
    run("docs/guide/drivers.md", capsys)
