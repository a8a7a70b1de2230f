"""Draw ``docs/priors.png``: what the default priors say before any data are seen. Run ``python docs/priors.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
import pymc as pm

from clvmodels.inference.priors import create_variable, default_priors
from clvmodels.models.registry import MODELS

DRAWS = 4_000
YEAR = 365.25 / 7
BLUE = "#2f6f9f"


def drawn(key: str) -> dict[str, np.ndarray]:
    """Draw quantities from the default priors of a model."""
    with pm.Model():
        variables = {name: create_variable(name, prior) for name, prior in default_priors(MODELS[key]).items()}
        values = pm.draw(list(variables.values()), DRAWS, random_seed=1, mode="FAST_COMPILE")
    return dict(zip(variables, values, strict=True))


def first_year(key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return expected repeat purchases of a new customer in a year, and the share that makes none."""
    model, quantities = MODELS[key], drawn(key)
    params = model.from_quantities(quantities, YEAR)
    theta = np.stack([params[name] for name in model.names], axis=-1)
    nothing, year = np.zeros(DRAWS), np.full(DRAWS, YEAR)
    born = model.p_alive(theta, nothing, nothing, nothing)
    with np.errstate(all="ignore"):
        mean = born * model.expected_purchases(theta, nothing, nothing, year)
        none = 1.0 - born + born * model.pmf(theta, nothing, nothing, year, nothing)
    return mean, none


def show(axes: plt.Axes, values: np.ndarray, title: str, *, log: bool) -> None:
    """Draw one histogram with its middle 90 %."""
    values = values[np.isfinite(values) & (values > 0)]
    edges = np.geomspace(*np.quantile(values, [0.005, 0.995]), 50) if log else np.linspace(0, 1, 40)
    axes.hist(values, edges, color=BLUE, alpha=0.8)
    low, high = np.quantile(values, [0.05, 0.95])
    axes.axvspan(low, high, color=BLUE, alpha=0.12)
    axes.set_title(f"{title}\n90 %: {low:.3g} to {high:.3g}", fontsize=9)
    axes.set_xscale("log" if log else "linear")
    axes.set_yticks([])
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)


def main() -> None:
    """Draw the picture."""
    figure, rows = plt.subplots(3, 3, figsize=(10, 7.5), constrained_layout=True)
    for row, key in zip(rows[:2], ("bg_nbd", "pareto_nbd"), strict=True):
        name, quantities, (mean, none) = MODELS[key].name, drawn(key), first_year(key)
        show(row[0], quantities["purchase_rate"], f"{name}: purchases a year while alive", log=True)
        show(row[1], mean, f"{name}: repeat purchases in the first year", log=True)
        show(row[2], none, f"{name}: share without a repeat purchase in it", log=False)
    spend = drawn("gamma_gamma")
    show(rows[2][0], spend["mean_spend"], "Gamma-Gamma: mean value of an order", log=True)
    show(rows[2][1], spend["order_cv"], "Gamma-Gamma: variation of a customer's orders", log=True)
    show(rows[2][2], spend["spend_spread"], "Gamma-Gamma: variety of customers, 1 / q", log=False)
    figure.suptitle("What the default priors say before any data are seen (shaded: the middle 90 %)", fontsize=11)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
