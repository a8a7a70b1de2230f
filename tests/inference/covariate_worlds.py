"""Customers whose covariates move how they buy, leave and spend: simulated from the models' stories, in plain code."""

import numpy as np
import pandas as pd

import clvmodels as clv

PROCESSES = {
    "bg_nbd": ("purchase", "dropout"),
    "mbg_nbd": ("purchase", "dropout"),
    "pareto_nbd": ("purchase", "dropout"),
    "gamma_gamma": ("spend",),
}
TRUTH = {
    "bg_nbd": {"r": 0.6, "alpha": 8.0, "a": 0.8, "b": 3.0},
    "mbg_nbd": {"r": 0.6, "alpha": 8.0, "a": 0.8, "b": 3.0},
    "pareto_nbd": {"r": 0.8, "alpha": 8.0, "s": 0.7, "beta": 12.0},
    "gamma_gamma": {"p": 6.0, "q": 4.0, "v": 15.0},
}
COEFFICIENTS = {"purchase": 0.7, "dropout": -0.4, "spend": 0.3}
MOVES = {
    "bg_nbd": {"purchase": ("alpha", -1.0), "dropout": ("a", 1.0)},
    "mbg_nbd": {"purchase": ("alpha", -1.0), "dropout": ("a", 1.0)},
    "pareto_nbd": {"purchase": ("alpha", -1.0), "dropout": ("beta", -1.0)},
    "gamma_gamma": {"spend": ("v", 1.0)},
}
"""By the table of the design: written once more, so that the specifications are checked."""


def parameters_of_rows(key, z, coefficients=None):
    """Return the parameters of customers by name, arrays of shape (customers,)."""
    coefficients = COEFFICIENTS if coefficients is None else coefficients
    rows = {name: np.full(len(z), value) for name, value in TRUTH[key].items()}
    for process, (name, sign) in MOVES[key].items():
        rows[name] = rows[name] * np.exp(sign * coefficients[process] * z)
    return rows


def simulated(key, z, seed, low=20.0, high=80.0):
    """Return the histories of customers with one covariate z each, who first bought at times of their own."""
    rng = np.random.default_rng(seed)
    size, params = len(z), parameters_of_rows(key, z)
    T = rng.uniform(low, high, size)
    if key == "gamma_gamma":
        x = rng.poisson(1.5, size).astype(float)
        nu, orders = rng.gamma(params["q"]) / params["v"], np.maximum(x, 1.0)
        mean = rng.gamma(params["p"] * orders) / nu / orders
        return x, np.where(x > 0, T * rng.random(size), 0.0), T, np.where(x > 0, mean, np.nan)
    rate = rng.gamma(params["r"]) / params["alpha"]
    if key == "pareto_nbd":
        life = np.minimum(T, rng.exponential(1.0, size) / rng.gamma(params["s"]) * params["beta"])
        x = rng.poisson(rate * life).astype(float)
        return x, np.where(x > 0, life * rng.random(size) ** (1.0 / np.maximum(x, 1.0)), 0.0), T, np.full(size, np.nan)
    leaves = rng.beta(params["a"], params["b"])
    x, t_x, t = np.zeros(size), np.zeros(size), np.zeros(size)
    alive = rng.random(size) >= leaves if key == "mbg_nbd" else np.ones(size, bool)
    while alive.any():
        t = np.where(alive, t + rng.exponential(1.0, size) / rate, t)
        buys = alive & (t <= T)
        x[buys], t_x[buys] = x[buys] + 1.0, t[buys]
        alive = buys & (rng.random(size) >= leaves)
    return x, t_x, T, np.full(size, np.nan)


def world(key, size, seed, **attributes):
    """Return histories with the attribute `z`, 0 or 1, `channel`, which says the same, and others."""
    z = (np.random.default_rng([seed, 1]).random(size) < 0.4).astype(float)
    x, t_x, T, mean = simulated(key, z, seed)
    table = {"customer_id": np.arange(size), "frequency": x, "recency": t_x, "T": T, "monetary_value": mean, "z": z}
    table |= {"channel": np.where(z > 0, "web", "shop"), **attributes}
    return clv.Histories.from_frame(pd.DataFrame(table), unit="week")
