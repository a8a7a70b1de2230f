"""sBG: customers under contract leave at each renewal with a probability of their own.

Story: a contract is renewed at the end of each period, or ends. Each customer leaves at a renewal with a probability
theta of their own, the same at every renewal; theta is beta distributed across customers. Nobody changes, and yet the
retention rate of a cohort rises: those who leave easily have left. Whether a customer has left is observed. In full:
shifted-beta-geometric.

Source: Fader & Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21(1); (2010),
Customer-base valuation in a contractual setting: the perils of ignoring heterogeneity, Marketing Science 29(1).
"""

from __future__ import annotations

from clvmodels.models import contract as shared
from clvmodels.models.differences import no_terms
from clvmodels.models.specification import ContractModel, Parameter

__all__ = ["SBG"]

SBG = ContractModel(
    key="sbg",
    name="sBG",
    public_name="SBG",
    source="Fader & Hardie (2007), Journal of Interactive Marketing 21(1)",
    parameters=(Parameter("gamma"), Parameter("delta")),
    example={"gamma": 0.764, "delta": 1.296},
    starts=((1.0, 3.0), (0.5, 0.5), (0.3, 5.0), (5.0, 20.0)),
    count_terms=no_terms,
    history_terms=shared.history_terms,
    p_alive=shared.p_alive,
    future=shared.future,
    expected_purchases=shared.expected_renewals,
    pmf=shared.pmf,
    simulate=shared.simulate,
    mean_purchase_rate=shared.rate,
    tail="gamma",
    quantities=shared.QUANTITIES,
    from_quantities=shared.from_quantities,
    to_quantities=shared.to_quantities,
    limits=shared.LIMITS,
    kernel=shared.KERNEL,
    story=__doc__ or "",
    effects={"dropout": (("gamma", 1),)},
)
