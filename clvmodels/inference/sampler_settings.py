"""How much to sample, and how."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from clvmodels.errors import FitError

__all__ = ["Sampler", "SamplerSettings"]

Sampler = Literal["nutpie", "pymc"]


@dataclass(frozen=True)
class SamplerSettings:
    """How much to sample, and how."""

    draws: int
    tune: int
    chains: int
    seed: int | None
    sampler: Sampler
    progress: bool

    def require_draws(self) -> None:
        """Raise FitError unless there is something to draw: two draws, as one has no spread, of a tuned chain."""
        for name, least in (("draws", 2), ("tune", 1), ("chains", 1)):
            got = getattr(self, name)
            if isinstance(got, bool) or not isinstance(got, Integral) or got < least:
                raise FitError(f"{name} is a whole number from {least} up, got {got!r}; leave it out for the default")
