"""A fit as a small JSON file: versioned, readable, without customer data, never executed."""

from __future__ import annotations

import json
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.errors import FitError, one_of
from clvmodels.files import whole_file
from clvmodels.inference.diagnostics import Diagnostics
from clvmodels.models.registry import MODELS
from clvmodels.models.specification import Array, TransactionModel
from clvmodels.units import parse_unit

if TYPE_CHECKING:
    from clvmodels.inference.fit import Fit
    from clvmodels.inference.orders_fit import OrdersFit
    from clvmodels.inference.spend_fit import SpendFit

__all__ = ["load", "save"]

FORMAT: Final = "clvmodels fit"
VERSION: Final = 2


def save(fit: Fit, path: str | PathLike[str]) -> None:
    """Write a fit; the file appears whole or not at all."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": fit.model.key,
        "parameters": list(fit.model.names),
        "unit": fit.unit,
        "method": fit.method,
        "estimate": fit.estimate.tolist(),
        "theta": fit.theta.tolist(),
        "covariance": _null_for_nan(fit.covariance),
        "log_likelihood": _null_for_nan(np.asarray(fit.log_likelihood)),
        "customers": fit.customers,
        "fingerprint": fit.fingerprint,
        "diagnostics": asdict(fit.diagnostics),
        "priors": {name: dict(prior) for name, prior in fit.priors.items()},
        "stats": {name: values.tolist() for name, values in fit.stats.items()},
        "by": fit.by,
        "segments": list(fit.segments),
        "segment_theta": fit.segment_theta.tolist(),
    }
    with whole_file(Path(path)) as part:
        part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _null_for_nan(values: Array) -> object:
    cells = values.astype(object)
    cells[np.isnan(values)] = None
    return cells.tolist()


def load(path: str | PathLike[str]) -> OrdersFit | SpendFit:
    """Read a fit."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FitError(f"{path} is not a fit saved by this package: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FitError(f'{path} is not a fit saved by this package; write one with fit.save("orders.json")')
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise FitError(f"{path} was written by a later version (format {version}, known {VERSION}); update clvmodels")
    key = content.get("model")
    if key not in MODELS:
        hint = "clv.models.register(MY_MODEL) makes a model of your own known before its fits are loaded"
        raise FitError(f"{path}: {one_of('model', key, MODELS)}; {hint}")
    try:
        return _rebuild(content)
    except (KeyError, TypeError, ValueError) as error:
        raise FitError(f"{path} is damaged ({type(error).__name__}: {error}); fit and save again") from error


def _rebuild(content: dict[str, Any]) -> OrdersFit | SpendFit:
    from clvmodels.inference.estimator import build

    model = MODELS[content["model"]]
    if content["parameters"] != list(model.names):
        raise ValueError(f"parameters {content['parameters']}, but {model.name} has {list(model.names)}")
    theta = np.array(content["theta"], dtype=float)
    if theta.ndim != 3 or not np.all(theta > model.lower):
        raise ValueError(f"theta is no array (chain, draw, parameter) of numbers above {model.lower.tolist()}")
    return build(
        model,
        theta=theta,
        method=content["method"],
        unit=parse_unit(content["unit"]) if isinstance(model, TransactionModel) else None,
        log_likelihood=np.nan if content["log_likelihood"] is None else content["log_likelihood"],
        estimate=np.array(content["estimate"], dtype=float),
        covariance=np.array(content["covariance"], dtype=float),
        customers=content["customers"],
        fingerprint=content["fingerprint"],
        diagnostics=Diagnostics(**content["diagnostics"]),
        priors=content["priors"],
        stats={name: np.array(values) for name, values in content["stats"].items()},
        by=content["by"],
        segments=tuple(content["segments"]),
        segment_theta=np.array(content["segment_theta"], dtype=float) if content["segments"] else None,
    )
