"""The equity report as an Excel workbook, whose totals and lines are formulas on the assumptions."""

from __future__ import annotations

from clvmodels.reporting.workbook.document import write_workbook

__all__ = ["write_workbook"]
