"""The problems, each one task on one input.

Kept free of heavy imports: the process that starts the others must stay small, so that their peak memory is their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CONTESTANTS = ("clvmodels", "lifetimes", "pymc_marketing", "clvkit")
OURS = ("clvmodels",)

Kind = Literal["call", "process"]


@dataclass(frozen=True)
class Problem:
    """One task on one input.

    Attributes
    ----------
    name
        What ``--problem`` takes.
    title
        What the table shows.
    kind
        ``"call"``: a function call, timed inside a process of its own after a warm-up on the first rows.
        ``"process"``: a whole process from start to end, timed from outside after one such process.
    task
        The contestant's function. A contestant without it does not take part.
    data
        The name of the input, see `benchmarks.inputs`.
    only
        Contestants that take part in an ordinary run; the others do with ``--all``.
    runs
        How often the task is timed.
    limit
        Seconds a contestant may take in all.
    """

    name: str
    title: str
    kind: Kind
    task: str
    data: str = ""
    only: tuple[str, ...] = CONTESTANTS
    runs: int = 5
    limit: float = 600.0


CDNOW = "cdnow-sample"

PROBLEMS: tuple[Problem, ...] = (
    Problem("bg-cdnow", "Fit BG/NBD, CDNOW sample (2,357)", "call", "fit_bg_nbd", "cdnow-sample", runs=9),
    Problem("bg-1e6", "Fit BG/NBD, 1,000,000 customers", "call", "fit_bg_nbd", "bg-1e6", runs=7, limit=150.0),
    Problem("bg-1e7", "Fit BG/NBD, 10,000,000 customers", "call", "fit_bg_nbd", "bg-1e7", OURS, 3, 1800.0),
    Problem("pareto-cdnow", "Fit Pareto/NBD, CDNOW sample (2,357)", "call", "fit_pareto_nbd", "cdnow-sample", runs=9),
    Problem("pareto-1e5", "Fit Pareto/NBD, 100,000 customers", "call", "fit_pareto_nbd", "pareto-1e5", runs=2),
    Problem("expected-1e6", "Expected purchases, 1,000,000 histories at hand", "call", "expected_purchases", "bg-1e6"),
    Problem("nuts-bg-cdnow", "Posterior of BG/NBD, CDNOW sample", "call", "nuts_bg_nbd", CDNOW, runs=3),
    Problem(
        "nuts-pareto-cdnow",
        "Posterior of Pareto/NBD, CDNOW sample",
        "call",
        "nuts_pareto_nbd",
        CDNOW,
        runs=1,
        limit=1800.0,
    ),
    Problem("nuts-bg-1e5", "Posterior of BG/NBD, 100,000 customers", "call", "nuts_bg_nbd", "bg-1e5", runs=1),
    Problem("nuts-bg-1e6", "Posterior of BG/NBD, 1,000,000 customers", "call", "nuts_bg_nbd_large", "bg-1e6", OURS, 1),
    Problem("drawn-1e6", "The same, 1,000 draws", "call", "expected_purchases_drawn", "bg-1e6", OURS, 1),
    Problem("rfm-4e6", "rfm_summary, 4,000,000 transactions", "call", "rfm_summary", "log-4e6"),
    Problem("import", "import the package", "process", "import_package", runs=3),
    Problem("clv-sample", "Fresh process to total CLV, CDNOW sample log", "process", "total_clv", "cdnow-sample-log"),
    Problem("clv-full", "Fresh process to total CLV, CDNOW full log", "process", "total_clv", "cdnow-log", runs=3),
    Problem("value-1e6", "clvmodels value, 1,000,000 customers", "process", "value_command", "log-4e6", runs=3),
)

PARAMS = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
"""BG/NBD parameters of the CDNOW sample (Fader, Hardie & Lee 2005): what predictions are made with."""

WEEKS = 39
"""Horizon of the expected purchases."""

DRAWS, CHAINS = 1_000, 4
"""Of a posterior: draws of each chain kept, and chains."""

DATA_END = "2024-12-29"
"""Last day of the simulated transaction log."""
