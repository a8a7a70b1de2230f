"""The equity report as one web page that needs no network: tables and charts as they stand, sliders that recompute."""

from __future__ import annotations

from clvmodels.reporting.page.document import write_page

__all__ = ["write_page"]
