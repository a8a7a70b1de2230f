"""A user's own model in periods, in one file: BG/BB.

Story: in each period customers who are still there leave with their own probability q ~ Beta(gamma, delta), and if they
stay they buy with their own probability p ~ Beta(alpha, beta). A history is (x, t_x, n): x of n periods with a
purchase, the last of them the t_x-th.

Source: Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing
Science 29(6), equations (4), (7) to (10).
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln, gammaln, logsumexp

from clvmodels.models.differences import by_differences, no_terms
from clvmodels.models.specification import Events, Parameter, TransactionModel

__all__ = ["BG_BB"]


def _alive(theta, x, n):
    """Return the log of the probability of staying through n periods and buying in x given ones of them."""
    a, b, g, d = np.moveaxis(theta, -1, 0)
    return betaln(a + x, b + n - x) - betaln(a, b) + betaln(g, d + n) - betaln(g, d)


def _left(theta, x, last, n):
    """Return the log of the probability of the same x purchases and of leaving after `last`, ..., n - 1 periods."""
    a, b, g, d = (part[..., None] for part in np.moveaxis(theta, -1, 0))
    x, last, n = (np.asarray(part, float)[..., None] for part in np.broadcast_arrays(x, last, n))
    after = last + np.arange(max(float(np.max(n - last, initial=0.0)), 1.0))
    terms = betaln(a + x, b + after - x) - betaln(a, b) + betaln(g + 1.0, d + after) - betaln(g, d)
    return logsumexp(np.where(after < n, terms, -np.inf), axis=-1)


def log_likelihood(theta, x, t_x, n):
    return np.logaddexp(_alive(theta, x, n), _left(theta, x, t_x, n))


def p_alive(theta, x, t_x, n):
    return np.exp(_alive(theta, x, n) - log_likelihood(theta, x, t_x, n))


def future(theta, x, n, t):
    a, b, g, d = np.moveaxis(theta, -1, 0)
    survival = np.exp(betaln(g, d + n + t) - betaln(g, d + n))
    return survival, (a + x) / (a + b + n) * survival


def expected_purchases(theta, x, n, t):
    """Return the sum of the intensities: it telescopes (equation 8)."""
    a, b, g, d = np.moveaxis(theta, -1, 0)
    stays = np.exp(betaln(g - 1.0, d + n + t + 1.0) - betaln(g - 1.0, d + n + 1.0)) if np.all(g > 1.0) else None
    if stays is not None:
        return (a + x) / (a + b + n) * (d + n) / (g - 1.0) * (1.0 - stays)
    ends = np.arange(1.0, float(np.max(t, initial=0.0)) + 1.0)
    theta, x, n = theta[..., None, :], np.asarray(x)[..., None], np.asarray(n)[..., None]
    return np.where(ends <= np.asarray(t)[..., None], future(theta, x, n, ends)[1], 0.0).sum(axis=-1)


def pmf(theta, x, n, t, k):
    """Return P(k purchases in the next t periods): who stays through them, or leaves after at least k of them."""
    a, b, g, d = np.moveaxis(theta, -1, 0)
    now = np.stack(np.broadcast_arrays(a + x, b + n - x, g, d + n), axis=-1)
    t, k = np.asarray(t, float), np.asarray(k, float)
    possible, chosen = k <= t, np.minimum(k, t)
    stays = _binomial(t, chosen) + _alive(now, chosen, t)
    after = np.arange(max(float(np.max(t)), 1.0))
    each = now[..., None, :]
    chosen = np.asarray(chosen)[..., None]
    reached = np.maximum(after, chosen)
    a, b, g, d = np.moveaxis(each, -1, 0)
    leaves = _binomial(reached, chosen) + betaln(a + chosen, b + reached - chosen) - betaln(a, b)
    leaves = leaves + betaln(g + 1.0, d + reached) - betaln(g, d)
    leaves = np.where((after >= chosen) & (after < t[..., None]), leaves, -np.inf)
    return np.where(possible, np.exp(np.logaddexp(stays, logsumexp(leaves, axis=-1))), 0.0)


def _binomial(n, k):
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


def simulate(theta, x, n, duration, generator):
    a, b, g, d = theta.T
    buys, leaves = generator.beta(a + x, b + n - x), generator.beta(g, d + n)
    stayed = np.minimum(generator.geometric(leaves) - 1.0, np.floor(duration))
    customer = np.repeat(np.arange(len(x)), stayed.astype(int))
    time = np.arange(len(customer)) - np.repeat(np.cumsum(stayed) - stayed, stayed.astype(int)) + 1.0
    bought = generator.random(len(customer)) < buys[customer]
    return Events(customer[bought], time[bought], stayed, stayed >= np.floor(duration))


BG_BB = TransactionModel(
    key="own_bg_bb",
    name="BG/BB",
    public_name="OwnBGBB",
    source="Fader, Hardie & Shang (2010), Marketing Science 29(6)",
    parameters=(Parameter("alpha"), Parameter("beta"), Parameter("gamma"), Parameter("delta")),
    example={"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783},
    starts=((1.0, 1.0, 1.0, 1.0), (0.5, 1.0, 0.5, 3.0), (2.0, 1.0, 1.0, 8.0)),
    statistics=("x", "t_x", "n"),
    time="periods",
    count_terms=no_terms,
    history_terms=by_differences(log_likelihood),
    p_alive=p_alive,
    future=future,
    expected_purchases=expected_purchases,
    pmf=pmf,
    simulate=simulate,
    mean_purchase_rate=lambda theta: theta[..., 0] / (theta[..., 0] + theta[..., 1]),
    tail="gamma",
)
