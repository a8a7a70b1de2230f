"""How much to sample, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
