"""BG/NBD: a customer may leave after each repeat purchase.

Story: while alive, customers buy at random at their own rate (gamma across customers); after each repeat purchase they
leave with their own probability (beta across customers). A customer without a repeat purchase has had no
opportunity to leave: P(alive) = 1 for all of them, a property of the model and not of the customers.

Source: Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2), 275-284.
"""

from __future__ import annotations

from typing import Final

from clvmodels.models import beta_geometric as shared
from clvmodels.models.counts import GAMMA_RATES
from clvmodels.models.departures import Departures
from clvmodels.models.kernel import CompiledSums, Kernel
from clvmodels.models.specification import Array, Parameter, TransactionModel

__all__ = ["BG_NBD"]

IN_WORDS: Final = (
    "Under BG/NBD customers can leave only after a repeat purchase, so that everyone who bought once only counts as"
    " alive. Where this matters, use MBG/NBD, Pareto/NBD, or the probability of no purchase in a time."
)


def count_terms(theta: Array, x: Array) -> tuple[Array, Array]:
    """Return the part of the log-likelihood that depends on x alone, and its gradient."""
    return shared.count_terms(theta, x, x)


def history_terms(theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
    """Return the rest, and its gradient."""
    return shared.history_terms(theta, x, x, t_x, T)


def history_expansion(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array, Array]:
    """Return the weighted sums of `history_terms` and of its second derivatives."""
    return shared.history_expansion(theta, weight, x, x, t_x, T)


def future(theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
    """Return P(alive at T+t) and E[rate at T+t] of a customer alive at T."""
    return shared.future(theta, x, x, T, t)


def compiled_future(theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
    """Return the same, compiled."""
    return shared.future(theta, x, x, T, t, compiled=True)


def compiled_sums() -> CompiledSums:
    """Return the functions of the kernel."""
    from clvmodels.models.kernels import beta_geometric as kernel
    from clvmodels.models.kernels import beta_geometric_rows as by_row

    return CompiledSums(kernel.bg_count_sums, kernel.bg_history_sums, kernel.bg_history_expansion, by_row.bg_row_sums)


BG_NBD = TransactionModel(
    key="bg_nbd",
    name="BG/NBD",
    public_name="BGNBD",
    source="Fader, Hardie & Lee (2005), Marketing Science 24(2)",
    parameters=(Parameter("r"), Parameter("alpha", "time"), Parameter("a"), Parameter("b")),
    example={"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    starts=(
        (0.3, 0.2, 0.8, 2.5),
        (1.0, 1.0, 0.3, 3.0),
        (0.1, 0.1, 2.0, 2.0),
        (3.0, 1.0, 1.0, 10.0),
        (0.5, 5.0, 1.0, 1.0),
    ),
    count_terms=count_terms,
    history_terms=history_terms,
    p_alive=lambda theta, x, t_x, T: shared.p_alive(theta, x, x, t_x, T),
    future=future,
    expected_purchases=lambda theta, x, T, t: shared.expected_purchases(theta, x, x, T, t),
    pmf=lambda theta, x, T, t, n: shared.pmf(theta, x, x, T, t, n),
    draw_traits=lambda theta, x, T, generator: shared.draw_traits(theta, x, x, T, generator),
    mean_purchase_rate=shared.mean_purchase_rate,
    tail="a",
    clocks={"purchase": "alpha"},
    quantities=shared.QUANTITIES,
    from_quantities=shared.from_quantities,
    to_quantities=shared.to_quantities,
    limits=shared.LIMITS,
    in_words=lambda _: (IN_WORDS,),
    story=__doc__ or "",
    effects={"purchase": (("alpha", -1),), "dropout": (("a", 1),)},
    own_rates=GAMMA_RATES,
    as_new=shared.as_new,
    departures=Departures(None, shared.state_of_leaver, from_purchase=1),
    history_sums=lambda theta, weight, x, t_x, T: shared.history_sums(theta, weight, x, x, t_x, T),
    count_curvature=lambda theta, weight, x: shared.count_curvature(theta, weight, x, x),
    history_expansion=history_expansion,
    kernel=Kernel(count_terms, history_terms, compiled_sums, history_expansion, future, compiled_future),
)
