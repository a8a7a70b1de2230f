"""Rebuild the bundled data from the raw files that the lifetimes 0.11.3 wheel ships.

Run ``python data/build.py`` in an environment where lifetimes 0.11.3 is installed; the files it writes are byte
for byte the committed ones when the version of pyarrow is the one in the lock.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
COLUMNS = ["customer_id", "date", "quantity", "amount"]
SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("date", pa.timestamp("us")),
        ("quantity", pa.int64()),
        ("amount", pa.float64()),
    ]
)


def raw_folder() -> Path:
    """Return the folder of raw files inside the installed lifetimes, without importing it."""
    spec = find_spec("lifetimes")
    if spec is None or spec.origin is None:
        raise SystemExit("lifetimes is not installed; write: pip install lifetimes==0.11.3")
    return Path(spec.origin).parent / "datasets"


def read_master(folder: Path) -> pd.DataFrame:
    """Read the full purchase log, ids as text so that leading zeros stay."""
    log = pd.read_csv(folder / "CDNOW_master.txt", sep=r"\s+", header=0, names=COLUMNS, dtype={0: "str", 1: "str"})
    log["date"] = pd.to_datetime(log["date"], format="%Y%m%d").astype("datetime64[us]")
    return log


def read_sample(folder: Path) -> pd.DataFrame:
    """Read the published 1/10 sample: id in the master file, id in the sample, then the purchase."""
    names = ["customer_id", "sample_id", *COLUMNS[1:]]
    log = pd.read_csv(folder / "CDNOW_sample.txt", sep=r"\s+", names=names, dtype={0: "str", 1: "str", 2: "str"})
    log["date"] = pd.to_datetime(log["date"], format="%Y%m%d").astype("datetime64[us]")
    return log


def build(folder: Path, out: Path) -> None:
    """Write ``cdnow.parquet``, ``cdnow_sample_customers.csv`` and ``donations.csv`` to `out`."""
    table = pa.Table.from_pandas(read_master(folder), schema=SCHEMA, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, out / "cdnow.parquet", compression="zstd", compression_level=19)
    customers = read_sample(folder)[["customer_id", "sample_id"]].drop_duplicates().sort_values("customer_id")
    customers.to_csv(out / "cdnow_sample_customers.csv", index=False, lineterminator="\n")
    shutil.copyfile(folder / "donations.csv", out / "donations.csv")


if __name__ == "__main__":
    build(raw_folder(), HERE)
