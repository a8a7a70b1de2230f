"""Records of forecasts on the bundled data: models, rules of thumb and a regressor, on what was held back.

``python -m benchmarks.records`` prints the tables; ``--write`` writes them into ``docs/background/records.md``.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sklearn.ensemble import HistGradientBoostingRegressor

import clvmodels as clv

if TYPE_CHECKING:
    import pandas as pd

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "background" / "records.md"
START, END = "<!-- records: written by make records -->", "<!-- end of records -->"
REGRESSOR: Final = "gradient boosting"
COLUMNS: Final[dict[str, tuple[str, str, int]]] = {
    "predicted_over_actual": ("bias of the total", "ratio", 0),
    "mae": ("MAE", "number", -1),
    "rmse": ("RMSE", "number", -1),
    "gini": ("Gini, orders", "number", 1),
    "revenue_over_actual": ("bias of revenue", "ratio", 0),
    "revenue_gini": ("Gini, revenue", "number", 1),
    "top_20_revenue": ("revenue of the top 20 %", "share", 1),
}
"""Of the table of a backtest: title, how it is written, and whether small (-1) or large (1) is good; 0: near none."""


@dataclass(frozen=True)
class Record:
    """What is predicted: a log, the last day of training, and how long is predicted."""

    title: str
    log: pd.DataFrame
    cutoff: str
    horizon: str


def records() -> tuple[Record, ...]:
    """Return the forecasts that are tried."""
    company = clv.datasets.load_company().transactions
    return (
        Record("CDNOW, all 23,570 customers", clv.datasets.load_cdnow(), "1997-09-30", "39 weeks"),
        Record("CDNOW, the published sample", clv.datasets.load_cdnow(sample=True), "1997-09-30", "39 weeks"),
        Record("The simulated company", company, "2023-12-31", "26 weeks"),
    )


def scored(record: Record) -> pd.DataFrame:
    """Return the scores by model."""
    models = {each().model.name: each() for each in (clv.BGNBD, clv.MBGNBD, clv.ParetoNBD)}
    models[REGRESSOR] = HistGradientBoostingRegressor(random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of days as times, and of what the logs hold
        trial = clv.backtest(
            record.log,
            models,
            cutoffs=record.cutoff,
            horizon=record.horizon,
            value="amount",
            resolution="day",
            progress=False,
        )
    return trial.table.droplevel("cutoff").drop(index="zero")


def written(value: float, kind: str) -> str:
    """Write a score."""
    if value != value:  # not known of this rule
        return ""
    if kind == "ratio":
        return f"{value - 1.0:+.1%}".replace("%", " %")
    return f"{value:.1%}".replace("%", " %") if kind == "share" else f"{value:.4f}"


def table(scores: pd.DataFrame) -> str:
    """Return the scores in Markdown, the best of each column in bold."""
    best = {}
    for column, (_, _, good) in COLUMNS.items():
        values = scores[column].dropna()
        distance = (values - 1.0).abs() if good == 0 else -good * values
        best[column] = distance.idxmin()
    lines = ["| | " + " | ".join(title for title, _, _ in COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in scores.iterrows():
        cells = [written(float(row[column]), kind) for column, (_, kind, _) in COLUMNS.items()]
        bold = [f"**{cell}**" if best[column] == name else cell for column, cell in zip(COLUMNS, cells, strict=True)]
        lines.append(f"| {name} | " + " | ".join(bold) + " |")
    return "\n".join(lines)


def page() -> str:
    """Return all tables."""
    parts = []
    for record in records():
        scores = scored(record)
        orders = f"{scores['purchases'].iloc[0]:,.0f} purchases"
        intro = f"Trained until {record.cutoff}; {record.horizon} predicted, in which {orders} came."
        parts.append(f"## {record.title}\n\n{intro}\n\n{table(scores)}\n")
    return "\n".join(parts)


def main() -> None:
    """Print the tables, or write them."""
    text = page()
    if "--write" not in sys.argv:
        print(text)
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(f"{before}{START}\n\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
