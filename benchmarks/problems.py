"""The problems, each one task on one input.

Kept free of heavy imports: the process that starts the others must stay small, so that their peak memory is their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CONTESTANTS = ("clvmodels", "lifetimes", "pymc_marketing", "clvkit")
OURS = ("clvmodels",)

PEERS = ("lifetimes", "pymc_marketing")
"""The peers whose models are fitted to ten million customers; a million was too much for clvkit's."""

Kind = Literal["call", "files", "process"]


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
        ``"files"``: a call on a folder of Parquet files, after a warm-up on a small one.
        ``"process"``: a whole process from start to end, timed from outside after one such process.
    task
        The contestant's function. A contestant without it does not take part.
    data
        The name of the input, see `benchmarks.inputs`.
    only
        Contestants that take part in an ordinary run; the others do with ``--all``.
    runs
        How often the task is timed; a short one is timed more often.
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
    Problem("bg-1e7", "Fit BG/NBD, 10,000,000 customers", "call", "fit_bg_nbd", "bg-1e7", (*OURS, *PEERS), 3),
    Problem("map-bg-1e6", "Posterior mode of BG/NBD, 1,000,000 customers", "call", "map_bg_nbd", "bg-1e6"),
    Problem("pareto-cdnow", "Fit Pareto/NBD, CDNOW sample (2,357)", "call", "fit_pareto_nbd", "cdnow-sample", runs=9),
    Problem("pareto-1e5", "Fit Pareto/NBD, 100,000 customers", "call", "fit_pareto_nbd", "pareto-1e5", runs=2),
    Problem(
        "expected-1e6",
        "Expected purchases, 1,000,000 histories at hand",
        "call",
        "expected_purchases",
        "bg-1e6",
        runs=9,
    ),
    Problem("expected-1e7", "Expected purchases, 10,000,000 histories at hand", "call", "expected_purchases", "bg-1e7"),
    Problem(
        "customers-1e6",
        "Value of 1,000,000 customers over 12 months, fitted models and histories at hand",
        "call",
        "customer_values",
        "rfm-1e6",
    ),
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
    Problem("histories-1e6", "Parquet to histories, 1,000,000 customers", "files", "read_histories", "log-1e6"),
    Problem("histories-1e7", "Parquet to histories, 10,000,000 customers", "files", "read_histories", "log-1e7"),
    Problem("import", "import the package", "process", "import_package", runs=3),
    Problem("clv-sample", "Fresh process to total CLV, CDNOW sample log", "process", "total_clv", "cdnow-sample-log"),
    Problem("clv-full", "Fresh process to total CLV, CDNOW full log", "process", "total_clv", "cdnow-log", runs=3),
    Problem("value-1e6", "clvmodels value, 1,000,000 customers", "process", "value_command", "log-4e6", runs=3),
    Problem(
        "value-1e7", "clvmodels value, 10,000,000 customers", "process", "value_command", "log-1e7", OURS, 3, 1800.0
    ),
    Problem(
        "value-1e7-2gb",
        "The same, the engine limited to 2 GB",
        "process",
        "value_command_2gb",
        "log-1e7",
        OURS,
        1,
        1800.0,
    ),
)

PARAMS = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
"""BG/NBD parameters of the CDNOW sample (Fader, Hardie & Lee 2005): what predictions are made with."""

SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
"""Gamma-Gamma parameters of the same sample (Fader, Hardie & Lee 2005, RFM and CLV)."""

WEEKS = 39
"""Horizon of the expected purchases."""

DRAWS, CHAINS = 1_000, 4
"""Of a posterior: draws of each chain kept, and chains."""

SMALL_LOG = "log-2.5e3"
"""What a call on files is warmed up on."""

MEMORY_LIMIT = 20
"""GiB of address space that a process may have (on Linux): one that asks for more fails, and the machine lives on."""

DATA_END = "2024-12-29"
"""Last day of the simulated transaction log."""
