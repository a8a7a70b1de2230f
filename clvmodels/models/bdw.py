"""BdW: customers under contract whose own chance to leave rises or falls with each renewal.

Story: as sBG, but a customer renews at least n times with probability (1 - theta)^(n^c). With c > 1 they are ever more
likely to leave, with c < 1 ever less; c = 1 is sBG. A cohort's retention rate rises as those who leave easily have left
and falls as those who stay tire: few renewals show either alone. Whether a customer has left is observed. In full:
beta-discrete-Weibull.

Source: Fader, Hardie, Liu, Davis & Steenburgh (2018), "How to project customer retention" revisited: the role of
duration dependence, Journal of Interactive Marketing 43.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from clvmodels.models import contract as shared
from clvmodels.models.sbg import SBG
from clvmodels.models.specification import Parameter, Quantity

__all__ = ["BDW"]


def from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:
    """Return gamma, delta and c."""
    return {**shared.from_quantities(quantities, year), "c": quantities["churn_shape"]}


def to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:
    """Return the quantities."""
    return {**shared.to_quantities(params, year), "churn_shape": params["c"]}


def in_words(params: Mapping[str, float]) -> Sequence[str]:
    """Return what c says."""
    c = params["c"]
    if abs(c - 1.0) < 0.01:
        return ("A customer's own chance to leave stays the same from renewal to renewal.",)
    return (f"A customer's own chance to leave {'rises' if c > 1.0 else 'falls'} from renewal to renewal (c {c:.3g}).",)


BDW = replace(
    SBG,
    key="bdw",
    name="BdW",
    public_name="BDW",
    source="Fader, Hardie, Liu, Davis & Steenburgh (2018), Journal of Interactive Marketing 43",
    parameters=(*SBG.parameters, Parameter("c")),
    example={"gamma": 0.2593, "delta": 1.7226, "c": 1.5844},
    starts=((1.0, 3.0, 1.0), (0.5, 0.5, 1.0), (0.3, 2.0, 1.5), (1.0, 5.0, 0.7), (5.0, 20.0, 1.2)),
    tail="gamma c",
    quantities=(
        *SBG.quantities,
        Quantity(
            "churn_shape",
            "how a customer's own chance to leave changes: above one it rises with each renewal, below it falls",
            ("LogNormal", {"mu": 0.0, "sigma": 0.5}),
            leaving=True,
        ),
    ),
    from_quantities=from_quantities,
    to_quantities=to_quantities,
    in_words=in_words,
    story=__doc__ or "",
)
