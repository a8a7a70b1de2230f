"""MBG/NBD: a customer may leave after each purchase, the first one included.

Story: as BG/NBD, but the chance to leave comes at the first purchase too, so that a customer without a repeat
purchase may have left. Everywhere k = x + 1 opportunities stand for k = x.

Source: Batislam, Denizel & Filiztekin (2007), Empirical validation and comparison of models for customer base
analysis, International Journal of Research in Marketing 24(3), 201-209.
"""

from __future__ import annotations

from clvmodels.models import beta_geometric as shared
from clvmodels.models.counts import GAMMA_RATES
from clvmodels.models.departures import Departures
from clvmodels.models.kernel import CompiledSums, Kernel
from clvmodels.models.specification import Array, Parameter, TransactionModel

__all__ = ["MBG_NBD"]


def count_terms(theta: Array, x: Array) -> tuple[Array, Array]:
    """Return the part of the log-likelihood that depends on x alone, and its gradient."""
    return shared.count_terms(theta, x, x + 1.0)


def history_terms(theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
    """Return the rest, and its gradient."""
    return shared.history_terms(theta, x, x + 1.0, t_x, T)


def history_expansion(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array, Array]:
    """Return the weighted sums of `history_terms` and of its second derivatives."""
    return shared.history_expansion(theta, weight, x, x + 1.0, t_x, T)


def future(theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
    """Return P(alive at T+t) and E[rate at T+t] of a customer alive at T."""
    return shared.future(theta, x, x + 1.0, T, t)


def compiled_future(theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
    """Return the same, compiled."""
    return shared.future(theta, x, x + 1.0, T, t, compiled=True)


def compiled_sums() -> CompiledSums:
    """Return the functions of the kernel."""
    from clvmodels.models.kernels import beta_geometric as kernel
    from clvmodels.models.kernels import beta_geometric_rows as by_row

    return CompiledSums(
        kernel.mbg_count_sums, kernel.mbg_history_sums, kernel.mbg_history_expansion, by_row.mbg_row_sums
    )


MBG_NBD = TransactionModel(
    key="mbg_nbd",
    name="MBG/NBD",
    public_name="MBGNBD",
    source="Batislam, Denizel & Filiztekin (2007), International Journal of Research in Marketing 24(3)",
    parameters=(Parameter("r"), Parameter("alpha", "time"), Parameter("a"), Parameter("b")),
    example={"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    starts=(
        (0.3, 0.2, 0.8, 2.5),
        (1.0, 1.0, 0.3, 3.0),
        (0.1, 0.1, 2.0, 2.0),
        (3.0, 1.0, 1.0, 10.0),
        (0.5, 5.0, 1.0, 1.0),
    ),
    count_terms=count_terms,
    history_terms=history_terms,
    p_alive=lambda theta, x, t_x, T: shared.p_alive(theta, x, x + 1.0, t_x, T),
    future=future,
    expected_purchases=lambda theta, x, T, t: shared.expected_purchases(theta, x, x + 1.0, T, t),
    pmf=lambda theta, x, T, t, n: shared.pmf(theta, x, x + 1.0, T, t, n),
    draw_traits=lambda theta, x, T, generator: shared.draw_traits(theta, x, x + 1.0, T, generator),
    mean_purchase_rate=shared.mean_purchase_rate,
    tail="a",
    clocks={"purchase": "alpha"},
    quantities=shared.QUANTITIES,
    from_quantities=shared.from_quantities,
    to_quantities=shared.to_quantities,
    limits=shared.LIMITS,
    story=__doc__ or "",
    effects={"purchase": (("alpha", -1),), "dropout": (("a", 1),)},
    own_rates=GAMMA_RATES,
    as_new=shared.as_new,
    departures=Departures(None, shared.state_of_leaver),
    history_sums=lambda theta, weight, x, t_x, T: shared.history_sums(theta, weight, x, x + 1.0, t_x, T),
    count_curvature=lambda theta, weight, x: shared.count_curvature(theta, weight, x, x + 1.0),
    history_expansion=history_expansion,
    kernel=Kernel(count_terms, history_terms, compiled_sums, history_expansion, future, compiled_future),
)
