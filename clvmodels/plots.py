"""All pictures in one place: ``clv.plots.tracking(...)``. Each room draws what it computes; here they are gathered."""

from __future__ import annotations

__all__: list[str] = []
