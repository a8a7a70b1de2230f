"""Companies with a campaign whose effect is known: Pareto/NBD or BG/NBD customers, simulated with and without it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

import clvmodels as clv

PARETO = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
DELTA, MARGIN, WINDOW, UNTIL = np.log(1.15) / 52, 0.30, 4.0, 26.0
WORLDS = {
    "none": "one-off",
    "coupon": "one-off",
    "pulled forward": "one-off",
    "won back": "won back",
    "saved": "saved",
    "lasting": "lasting",
}
"""What happens, and the mechanism that matches it."""
COUPON, MORE, BACK, SAVED, PULLED = 0.15, 0.15, 0.05, 0.80, 0.30


@dataclass
class World:
    """Customers, what they did before the opening, the arms, and what they did after it.

    `purchases` are owner, time from the first purchase, amount; `truth` the effect per customer within the evaluation
    and after it, discounted to the opening.
    """

    opening: float
    T: np.ndarray
    arm: np.ndarray
    purchases: pd.DataFrame
    truth: tuple[float, float]

    def histories(self, after: float) -> clv.Histories:
        T = self.T + after
        table = self.purchases[self.purchases["time"].to_numpy() <= T[self.purchases["owner"]]]
        groups = table.groupby("owner")
        columns = {
            "frequency": groups.size(),
            "recency": groups["time"].max(),
            "monetary_value": groups["amount"].mean(),
        }
        frame = pd.DataFrame(columns).reindex(range(len(T)))
        frame = frame.fillna({"frequency": 0.0, "recency": 0.0}).assign(T=T, customer_id=range(len(T)))
        return clv.Histories.from_frame(frame, unit="week")

    @cached_property
    def closings(self) -> tuple[clv.Histories, ...]:
        return tuple(self.histories(after) for after in (0.0, WINDOW, UNTIL))


def bought(rate: np.ndarray, start: np.ndarray, end: np.ndarray, rng: np.random.Generator):
    span = np.maximum(end - start, 0.0)
    owner = np.repeat(np.arange(len(rate)), rng.poisson(rate * span))
    return owner, start[owner] + rng.random(len(owner)) * span[owner]


def simulate(world: str, seed: int, customers: int) -> World:
    """Simulate a company of Pareto/NBD customers, half of whom are treated in four weeks after the opening."""
    rng, n = np.random.default_rng(seed), customers
    rate, mu = rng.gamma(PARETO["r"], size=n) / PARETO["alpha"], rng.gamma(PARETO["s"], size=n) / PARETO["beta"]
    life, mean = rng.exponential(size=n) / mu, SPEND["p"] / (rng.gamma(SPEND["q"], size=n) / SPEND["v"])
    T = 52.0 - rng.uniform(0.0, 12.0, n)
    before = bought(rate, np.zeros(n), np.minimum(life, T), rng)
    treated = np.zeros(n, bool)
    treated[rng.permutation(n)[: n // 2]] = True
    living, left = life > T, np.where(life > T, life - T, 0.0)
    owner, when = treated_purchases(world, rng, rate, mu, left, treated)
    owner, when = np.concatenate([before[0], owner]), np.concatenate([before[1], T[owner] + when])
    amount = rng.gamma(SPEND["p"], size=len(owner)) * mean[owner] / SPEND["p"]
    purchases = pd.DataFrame({"owner": owner, "time": when, "amount": amount})
    within, after = truth(world, rate, mu, living.astype(float), MARGIN * mean)
    return World(52.0, T, treated.astype(np.int64), purchases, (within.mean(), after.mean()))


def treated_purchases(world, rng, rate, mu, left, treated):
    """Return owners and times of the purchases within the evaluation, from the opening."""
    n, start, end = len(rate), np.zeros(len(rate)), left.copy()
    if world == "lasting":
        rate = np.where(treated, rate * (1.0 + MORE), rate)
    if world == "saved":
        rows = treated & (left > 0.0) & (left < WINDOW) & (rng.random(n) < SAVED)
        end[rows] = left[rows] + rng.exponential(size=rows.sum()) / mu[rows]
    if world == "won back":
        rows = treated & (left == 0.0) & (rng.random(n) < BACK)
        start[rows] = rng.random(rows.sum()) * WINDOW
        end[rows] = start[rows] + rng.exponential(size=rows.sum()) / mu[rows]
    owner, when = bought(rate, start, np.minimum(end, UNTIL), rng)
    if world == "coupon":
        at = rng.random(n) * WINDOW
        rows = np.flatnonzero(treated & (at < end) & (rng.random(n) < COUPON))
        owner, when = np.concatenate([owner, rows]), np.concatenate([when, at[rows]])
    if world == "pulled forward":
        late = np.flatnonzero(when > WINDOW)
        first = pd.Series(when[late], index=late).groupby(owner[late]).idxmin().to_numpy()
        moved = first[treated[owner[first]] & (rng.random(len(first)) < PULLED)]
        when[moved] = rng.random(len(moved)) * WINDOW
    return owner, when


def truth(world, rate, mu, living, margin):
    """Return the expected effect by customer, within the evaluation and after it, discounted to the opening."""
    k = mu + DELTA
    whole, nothing = margin * rate / k, np.zeros(len(rate))
    if world == "lasting":
        return MORE * whole * living * -np.expm1(-k * UNTIL), MORE * whole * living * np.exp(-k * UNTIL)
    if world == "coupon":
        return margin * living * COUPON * -np.expm1(-k * WINDOW) / (k * WINDOW), nothing
    if world == "saved":
        total = SAVED * whole * living * mu * -np.expm1(-k * WINDOW) / k
        after = SAVED * mu * WINDOW * np.exp(-k * UNTIL) * whole * living
        return total - after, after
    if world == "won back":
        total = (1.0 - living) * BACK * -np.expm1(-DELTA * WINDOW) / (DELTA * WINDOW) * whole
        after = (1.0 - living) * BACK * np.exp(-k * UNTIL) * np.expm1(mu * WINDOW) / (mu * WINDOW) * whole
        return total - after, after
    return nothing, nothing


def evaluated(world: World, mechanism: str, *, fit: bool = False) -> clv.CampaignEffect:
    """Evaluate a simulated campaign through the public functions, with the arms that the simulation drew."""
    opening, during, closing = world.closings
    transactions = clv.ParetoNBD().fit(opening) if fit else clv.ParetoNBD().from_params(PARETO, unit="week")
    book = clv.value(transactions, clv.GammaGamma().from_params(SPEND), opening, ASSUMPTIONS)
    plan = clv.plan_campaign(
        book, "spring", arms={"holdout": 0.5, "mail": 0.5}, window="4 weeks", until="26 weeks", mechanism=mechanism
    )
    return clv.evaluate_campaign(*with_arms(plan, world), book, during, closing)


def with_arms(plan: clv.Plan, world: World) -> tuple[clv.Plan, pd.DataFrame]:
    """Return the plan with the arms that the simulation drew, and its assignments."""
    table = plan.assignments.assign(arm=np.where(world.arm == 1, "mail", "holdout"))
    return replace(plan, assignments=table), table
