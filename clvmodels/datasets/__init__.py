"""The bundled data sets: real purchase histories with published results, and a simulated company with known truth.

Sources and terms of every file are in ``data/README.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from clvmodels.datasets.company import TABLES, Company, Truth, simulate_company
from clvmodels.errors import DataError, one_of

__all__ = [
    "COMPANY_FILES",
    "FILES",
    "Company",
    "Truth",
    "load_cdnow",
    "load_company",
    "load_donations",
    "path",
    "simulate_company",
]

FILES: Final[tuple[str, ...]] = (
    "cdnow.parquet",
    "cdnow.toml",
    "cdnow_sample_customers.csv",
    "donations.csv",
    "README.md",
)
"""Names of the bundled files."""
COMPANY_FILES: Final[tuple[str, ...]] = (*(f"company/{name}.csv" for name in TABLES), "company/assumptions.toml")
"""Names of the files of the simulated company."""

_PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the data inside the package; a source tree (editable install) has them beside it.
_FOLDERS = (_PACKAGE / "_data", _PACKAGE.parent / "data")


def path(name: str) -> Path:
    """Return where a bundled file lies on disk.

    Parameters
    ----------
    name
        One of `FILES`, such as ``"cdnow.toml"``: the assumptions of the published valuation; or of `COMPANY_FILES`.

    Raises
    ------
    DataError
        If there is no such file.

    Examples
    --------
    >>> path("cdnow.toml").read_text(encoding="utf-8").count("discount_rate")
    1
    """
    if name not in FILES + COMPANY_FILES:
        raise DataError(one_of("bundled file", name, FILES + COMPANY_FILES))
    file = next((folder / name for folder in _FOLDERS if (folder / name).is_file()), None)
    if file is None:
        raise DataError(f"the bundled file {name!r} is missing from this installation; install clvmodels again")
    return file


def load_cdnow(*, sample: bool = False) -> pd.DataFrame:
    """Load the purchases of the CDNOW cohort, 1 January 1997 to 30 June 1998.

    The 23,570 customers made their first purchase at the online music shop in the first quarter of 1997; the
    log is complete for 78 weeks from the first day.

    Parameters
    ----------
    sample
        Only the published 1/10 sample: the 2,357 customers of Fader, Hardie & Lee (2005).

    Returns
    -------
    DataFrame
        One row a purchase, 69,659 in all and 6,919 of the sample, sorted by customer and date:
        ``customer_id`` (text, leading zeros kept), ``date``, ``quantity`` (CDs bought), ``amount`` (US dollars).
        80 purchases have an amount of zero (promotions); several purchases on one day are rows of their own.

    References
    ----------
    Fader, P. S. & Hardie, B. G. S. (2001). Forecasting Repeat Sales at CDNOW: A Case Study. Interfaces 31(3),
    S94-S107. On the sample: Fader & Hardie (2013), Notes on the CDNOW Master Data Set, note 026.

    Examples
    --------
    >>> log = load_cdnow(sample=True)
    >>> len(log), log["customer_id"].nunique()
    (6919, 2357)
    >>> log.head(2)
      customer_id       date  quantity  amount
    0       00004 1997-01-01         2   29.33
    1       00004 1997-01-18         2   29.73
    """
    log = pd.read_parquet(path("cdnow.parquet"), engine="pyarrow")
    if not sample:
        return log
    customers = pd.read_csv(path("cdnow_sample_customers.csv"), dtype="str")["customer_id"]
    return log[log["customer_id"].isin(customers)].reset_index(drop=True)


def load_donations() -> pd.DataFrame:
    """Load the donation histories of 11,104 supporters of a charity, as counts of distinct histories.

    Each supporter first gave in 1995 and had one opportunity to give in each of the six years 1996 to 2001.

    Returns
    -------
    DataFrame
        One row a distinct history, 22 in all: ``frequency`` (years with a gift), ``recency`` (the last such year,
        0 if none), ``periods`` (opportunities, 6), ``weights`` (supporters with this history).

    References
    ----------
    Fader, P. S., Hardie, B. G. S. & Shang, J. (2010). Customer-Base Analysis in a Discrete-Time Noncontractual
    Setting. Marketing Science 29(6), 1086-1108.

    Examples
    --------
    >>> donations = load_donations()
    >>> len(donations), int(donations["weights"].sum())
    (22, 11104)
    """
    return pd.read_csv(path("donations.csv"))


def load_company() -> Company:
    """Load the bundled company: 1,500 simulated customers with all relationship ledgers, 2022 to June 2024.

    Returns
    -------
    Company
        Its tables, read from the files; ``clv.datasets.path("company/assumptions.toml")`` are its assumptions.
        Without the truth, which is that of ``simulate_company(1, customers=1_500)``: the same tables, simulated again.

    Examples
    --------
    >>> company = load_company()
    >>> len(company.acquisition), sorted(company.transactions["segment"].unique())
    (1500, ['business', 'family', 'private'])
    """
    return Company.read({name: path(f"company/{name}.csv") for name in TABLES})
