"""What checks find: a verdict, what was found in words, what it is worth, and what to write instead."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Checks", "Finding", "Verdict", "not_checked", "verdict_of", "worst"]

Verdict = Literal["fine", "look", "serious"]


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes
    ----------
    check
        Its name.
    verdict
        ``"fine"``, ``"look"`` (know it before you use the figures) or ``"serious"`` (do not use them as they are).
    finding
        In words.
    effect
        In money; NaN where there is no such figure.
    remedy
        What to write instead.
    figures
        The figures behind it, by name.
    """

    check: str
    verdict: Verdict
    finding: str
    effect: float
    remedy: str
    figures: Mapping[str, float]


@dataclass(frozen=True, eq=False, repr=False)
class Checks:
    """Checks of fits, made by `checks`; shown as a table in a notebook.

    Attributes
    ----------
    findings
        One per check.
    """

    findings: tuple[Finding, ...]

    @property
    def table(self) -> pd.DataFrame:
        """By check: verdict, finding, effect (money), remedy."""
        import pandas as pd

        columns = ["verdict", "finding", "effect", "remedy"]
        rows = [[getattr(finding, name) for name in columns] for finding in self.findings]
        return pd.DataFrame(
            rows, index=pd.Index([finding.check for finding in self.findings], name="check"), columns=columns
        )

    @property
    def figures(self) -> pd.Series[float]:
        """The figures behind the findings, by check and name."""
        import pandas as pd

        figures = {(finding.check, name): value for finding in self.findings for name, value in finding.figures.items()}
        return pd.Series(figures, name="value", dtype=float).rename_axis(["check", "figure"])

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        return worst(finding.verdict for finding in self.findings)

    def __repr__(self) -> str:
        lines = []
        for finding in self.findings:
            effect = "" if math.isnan(finding.effect) else f" [{finding.effect:,.2f}]"
            lines.append(f"{finding.verdict:<8} {finding.check}{effect}")
            texts = [finding.finding, *([f"-> {finding.remedy}"] if finding.verdict != "fine" else [])]
            lines += [
                line
                for text in texts
                for line in textwrap.wrap(text, 110, initial_indent=" " * 9, subsequent_indent=" " * 9)
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><th style='text-align:left'>{escape(finding.check, quote=False)}</th><td>{finding.verdict}</td>"
            f"<td>{'' if math.isnan(finding.effect) else f'{finding.effect:,.2f}'}</td>"
            f"<td style='text-align:left'>{escape(finding.finding, quote=False)}"
            f"{'' if finding.verdict == 'fine' else f'<br><em>{escape(finding.remedy, quote=False)}</em>'}</td></tr>"
            for finding in self.findings
        ]
        head = "".join(f"<th>{name}</th>" for name in ("check", "verdict", "effect", "finding, <em>remedy</em>"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the gravest of verdicts."""
    order: tuple[Verdict, ...] = ("fine", "look", "serious")
    return max(verdicts, key=order.index)


def verdict_of(size: float, limits: tuple[float, float]) -> Verdict:
    """Return the verdict on a share, from the sizes at which it is worth a look and serious."""
    look, serious = limits
    return "serious" if size >= serious else "look" if size >= look else "fine"


def not_checked(check: str, why: str) -> Finding:
    """Return the finding of a check that could not be made."""
    return Finding(check, "fine", f"not checked: {why}", math.nan, "", {})
