"""A fit as a small JSON file: versioned, readable, without customer data, never executed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from typing import Any, Final, TypedDict, TypeGuard, get_args

import numpy as np

from clvmodels.arguments import require_path
from clvmodels.errors import FitError, one_of
from clvmodels.files import whole_file
from clvmodels.inference.calendars import FittedCalendar, plain_calendar, read_calendar
from clvmodels.inference.coefficients import Coefficients
from clvmodels.inference.design import Design, ProcessDesign
from clvmodels.inference.diagnostics import Diagnostics, Status
from clvmodels.inference.formulas import Columns, variables_of
from clvmodels.inference.processes import process_names
from clvmodels.inference.protocols import Fitted, Method
from clvmodels.inference.purchase_rates import PurchaseRates
from clvmodels.inference.regularity import Regularity
from clvmodels.inference.segment_test import SegmentTest
from clvmodels.models.registry import CONTRACT_MODELS, MODELS, PERIOD_MODELS, known_model
from clvmodels.models.specification import LARGEST, Array, Model, TransactionModel
from clvmodels.units import Unit, parse_unit

__all__ = ["Content", "load", "save"]

FORMAT: Final = "clvmodels fit"
VERSION_OF_PLAIN, VERSION_OF_COVARIATES, VERSION = 2, 3, 4
"""Of files; earlier versions of the package read fits without covariates and calendar, and refuse others."""
_ARRAYS: Final = ("draws", "estimate", "covariance", "likelihood_ratio")
"""Of coefficients."""
INFINITE: Final = {"Infinity": math.inf, "-Infinity": -math.inf}
"""JSON has no number for these; NaN, a number that is not known, is null."""


class Content(TypedDict):
    """The content of a file, checked: the fields of `Fit`."""

    model: Model
    theta: Array
    method: Method
    unit: Unit | None
    log_likelihood: float
    estimate: Array
    covariance: Array
    customers: int
    fingerprint: str
    diagnostics: Diagnostics
    priors: Mapping[str, Mapping[str, object]]
    stats: Mapping[str, Array]
    by: str | None
    segments: tuple[str, ...]
    segment_theta: Array
    segment_test: SegmentTest | None
    covariates: Coefficients | None
    calendar: FittedCalendar | None
    regularity: Regularity | None


def save(fit: Fitted[Model], path: str | PathLike[str]) -> None:
    """Write a fit; the file appears whole or not at all."""
    if fit.adjustment is not None:
        raise FitError("an adjusted fit is an answer to a question, and is not saved; save the fit that was adjusted")
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": _version(fit),
        "model": fit.model.key,
        "parameters": list(fit.model.names),
        "unit": fit.unit,
        "method": fit.method,
        "estimate": fit.estimate.tolist(),
        "theta": fit.theta.tolist(),
        "covariance": fit.covariance.tolist(),
        "log_likelihood": float(fit.log_likelihood),
        "customers": fit.customers,
        "fingerprint": fit.fingerprint,
        "diagnostics": asdict(fit.diagnostics),
        "priors": fit.priors,
        "stats": {name: values.tolist() for name, values in fit.stats.items()},
        "by": fit.by,
        "segments": list(fit.segments),
        "segment_theta": fit.segment_theta.tolist(),
        "segment_test": None if fit.segment_test is None else asdict(fit.segment_test),
    }
    if fit.covariates is not None:
        content["covariates"] = _of_covariates(fit.covariates)
    if fit.calendar is not None:
        content["calendar"] = plain_calendar(fit.model, fit.calendar)
    if fit.regularity is not None:
        content["regularity"] = asdict(fit.regularity)
    with whole_file(require_path(path, "a fit", FitError)) as part:
        part.write_text(json.dumps(_in_json(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _version(fit: Fitted[Model]) -> int:
    """Return the version of the format, as early as it can hold the fit: what reads it must know what is in it."""
    if fit.covariates is not None and fit.covariates.design.paths:
        return VERSION
    return VERSION_OF_PLAIN if fit.calendar is None and fit.covariates is None else VERSION_OF_COVARIATES


def _in_json(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return the same with null for NaN and words for infinity."""
    if isinstance(value, Mapping):
        return {name: _in_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_in_json(item) for item in value]
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return None if math.isnan(value) else next(word for word, infinity in INFINITE.items() if infinity == value)


def _from_json(value: Any) -> Any:  # noqa: ANN401 - as above
    """Return the same with infinity for its words; what null means depends on the place."""
    if isinstance(value, dict):
        return {name: _from_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    return INFINITE.get(value, value) if isinstance(value, str) else value


def load(path: str | PathLike[str]) -> Content:
    """Read what `save` wrote."""
    file = require_path(path, "a fit", FitError)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FitError(f"cannot read the fit in {str(path)!r}: {error.strerror or error}") from error
    except (RecursionError, ValueError) as error:
        raise FitError(f"{path} is not a fit saved by this package: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FitError(f'{path} is not a fit saved by this package; write one with fit.save("transactions.json")')
    version = content.get("version")
    if _is_whole(version) and version > VERSION:
        raise FitError(f"{path} was written by a later version (format {version}, known {VERSION}); update clvmodels")
    key = content.get("model")
    if not isinstance(key, str) or known_model(key) is None:
        hint = "clv.models.register(MY_MODEL) makes a model of your own known before its fits are loaded"
        raise FitError(f"{path}: {one_of('model', key, [*MODELS, *PERIOD_MODELS, *CONTRACT_MODELS])}; {hint}")
    try:
        return _checked(content)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise FitError(f"{path} is damaged ({type(error).__name__}: {error}); fit and save again") from error


def _checked(content: dict[str, Any]) -> Content:
    """Return the fields of a fit; raise ValueError, or whatever a damaged file leads to, unless they are in order."""
    _require_words(content)
    model, calendar = _model(content)
    if content["parameters"] != list(model.names):
        raise ValueError(f"parameters {content['parameters']}, but {model.name} has {list(model.names)}")
    theta = _parameters(model, content, "theta", axes=3)
    return Content(
        model=model,
        theta=theta,
        method=content["method"],
        unit=parse_unit(content["unit"]) if isinstance(model, TransactionModel) else None,
        log_likelihood=float(_numbers(content["log_likelihood"], "log_likelihood", ())),
        estimate=_parameters(model, content, "estimate", axes=1),
        covariance=_numbers(content["covariance"], "covariance", (len(model.names),) * 2),
        customers=content["customers"],
        fingerprint=content["fingerprint"],
        diagnostics=_diagnostics(content["diagnostics"]),
        priors={name: dict(prior) for name, prior in _from_json(content["priors"]).items()},
        stats={name: _stat(values, name, theta.shape[:2]) for name, values in content["stats"].items()},
        by=content["by"],
        segments=tuple(content["segments"]),
        segment_theta=_segment_theta(model, content, theta),
        segment_test=_segment_test(content.get("segment_test")),  # files of before have none
        covariates=_covariates(model, content.get("covariates"), theta.shape[:2]),
        calendar=calendar,
        regularity=_regularity(content.get("regularity")),
    )


def _model(content: dict[str, Any]) -> tuple[Model, FittedCalendar | None]:
    """Return the model, and the calendar on whose clock it runs, if there is one."""
    model, calendar = known_model(content["model"]), content.get("calendar")
    assert model is not None
    if calendar is None:
        return model, None
    if not isinstance(model, TransactionModel):
        raise ValueError(f"calendar goes with a model of transactions, not with {model.name}")  # noqa: TRY004
    return read_calendar(model, calendar, parse_unit(content["unit"]))


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _require_words(content: dict[str, Any]) -> None:
    """Raise ValueError unless what is neither an array nor a table is of its kind."""
    methods = get_args(Method)
    by, segments = content["by"], content["segments"]
    for name, wanted, good in (
        ("version", "a whole number from 1 up", _is_whole(content["version"]) and content["version"] > 0),
        ("method", f"one of {', '.join(methods)}", content["method"] in methods),
        ("customers", "a number of customers", _is_whole(content["customers"]) and content["customers"] >= 0),
        ("fingerprint", "text", isinstance(content["fingerprint"], str)),
        (
            "segments",
            "a list of names",
            isinstance(segments, list) and all(isinstance(segment, str) for segment in segments),
        ),
        ("by", "the name of an attribute where there are segments", isinstance(by, str) if segments else by is None),
    ):
        if not good:
            raise ValueError(f"{name} is {wanted}, got {content[name]!r}")


def _numbers(values: object, name: str, shape: tuple[int, ...] | None = None) -> Array:
    """Return numbers, NaN where the file has null; raise ValueError unless they have the shape, if one is known."""
    array = np.array(_from_json(values), dtype=float)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has the shape {shape}, got {array.shape}")
    return array


def _parameters(model: Model, content: dict[str, Any], name: str, *, axes: int) -> Array:
    """Return parameters, in the last of some axes; raise ValueError unless there are some, in their range."""
    theta = _numbers(content[name], name)
    if theta.ndim != axes or theta.shape[-1] != len(model.names) or not theta.size:
        raise ValueError(f"{name} has {axes} axes, the last of {len(model.names)} parameters, got {theta.shape}")
    largest = np.array([LARGEST[parameter.dimension] for parameter in model.parameters])
    if not np.all((theta > model.lower) & (theta <= largest)):
        raise ValueError(f"{name} is not of numbers above {model.lower.tolist()} and up to {largest.tolist()}")
    return theta


def _segment_theta(model: Model, content: dict[str, Any], theta: Array) -> Array:
    """Return the parameters of the segments, as many draws of each as of the population."""
    segments = content["segments"]
    if not segments and content["segment_theta"] == []:
        return np.empty((0, 0, 0, 0))
    segment_theta = _parameters(model, content, "segment_theta", axes=4)
    if segment_theta.shape != (len(segments), *theta.shape):
        raise ValueError(f"segment_theta has the shape {(len(segments), *theta.shape)}, got {segment_theta.shape}")
    return segment_theta


def _segment_test(content: dict[str, Any] | None) -> SegmentTest | None:
    if content is None:
        return None
    evidence, pooled = (float(_numbers(content[name], name, ())) for name in ("evidence", "pooled"))
    return SegmentTest(evidence, pooled, {name: float(sd) for name, sd in content["spread"].items()})


def _regularity(content: dict[str, Any] | None) -> Regularity | None:
    if content is None:
        return None
    k, sd, log_likelihood = (float(_numbers(content[name], name, ())) for name in ("k", "sd", "log_likelihood"))
    return Regularity(k, sd, log_likelihood, {int(whole): float(value) for whole, value in content["by_k"].items()})


def _of_covariates(covariates: Coefficients) -> dict[str, Any]:
    arrays = {name: getattr(covariates, name).tolist() for name in _ARRAYS}
    return asdict(covariates.design) | arrays | {
        "unbounded": list(covariates.unbounded), "priors": covariates.priors, "rates": _of_rates(covariates.rates)
    }  # fmt: skip


def _of_rates(rates: PurchaseRates | None) -> dict[str, Any] | None:
    return None if rates is None else {"model": rates.model.key, "theta": rates.theta.tolist(), "unit": rates.unit}


def _rates(content: dict[str, Any] | None) -> PurchaseRates | None:
    """Return the purchase rates that order values depend on; raise ValueError unless they are those of a model."""
    if content is None:
        return None
    model = known_model(content["model"])
    if not isinstance(model, TransactionModel):
        raise ValueError(f"purchase rates are those of a model of transactions, got {content['model']!r}")  # noqa: TRY004
    theta = _numbers(content["theta"], "theta", (len(model.names),))
    if not (theta > model.lower).all():
        raise ValueError(f"purchase rates of {model.name} have parameters out of their range")
    return PurchaseRates(model, theta, parse_unit(content["unit"]))


def _covariates(model: Model, content: dict[str, Any] | None, chains: tuple[int, ...]) -> Coefficients | None:
    """Return the coefficients; raise ValueError unless they are numbers, as many as there are terms."""
    if content is None:
        return None
    paths = tuple(map(str, content.get("paths", ())))  # files of before have none
    design = Design(tuple(_process(model, part) for part in content["processes"]), paths)
    if not set(paths) <= set(design.variables):
        raise ValueError(f"paths {paths} are none of the covariates {design.variables}")
    number = len(design.terms)
    joint = number + len(model.parameters)
    shapes = {
        "draws": (*chains, number),
        "estimate": (number,),
        "covariance": (joint, joint),
        "likelihood_ratio": (number,),
    }
    arrays = {name: _numbers(content[name], name, shape) for name, shape in shapes.items()}
    if not (np.isfinite(arrays["draws"]).all() and np.isfinite(arrays["estimate"]).all()):
        raise ValueError("coefficients are finite numbers")
    unbounded = tuple(bool(value) for value in content["unbounded"])
    if len(unbounded) != number:
        raise ValueError(f"unbounded has {number} values, got {len(unbounded)}")
    priors = {name: dict(prior) for name, prior in _from_json(content["priors"]).items()}
    return Coefficients(design=design, unbounded=unbounded, priors=priors, rates=_rates(content.get("rates")), **arrays)


def _process(model: Model, content: dict[str, Any]) -> ProcessDesign:
    columns = content["columns"]
    if content["process"] not in process_names(model) or variables_of(columns["formula"]) != tuple(
        columns["variables"]
    ):
        raise ValueError(f"covariates of {content['process']!r} by {columns['formula']!r} are none of {model.name}")
    terms = tuple(map(str, columns["terms"]))
    centre, scale = (tuple(_numbers(content[name], name, (len(terms),)).tolist()) for name in ("centre", "scale"))
    made = Columns(columns["formula"], tuple(columns["variables"]), terms, columns["state"])
    return ProcessDesign(content["process"], made, centre, scale)


def _stat(values: object, name: str, shape: tuple[int, ...]) -> Array:
    """Return a statistic of the sampler by draw: true or false, whole numbers, or numbers."""
    array = np.array(_from_json(values))
    return array if array.shape == shape and array.dtype.kind in "biu" else _numbers(values, name, shape)


def _diagnostics(content: dict[str, Any]) -> Diagnostics:
    plain = _from_json(content)
    diagnostics = Diagnostics(**plain | {"limits": tuple(plain.get("limits", ()))})
    if diagnostics.status not in get_args(Status) or not isinstance(diagnostics.message, str):
        raise ValueError(f"diagnostics of status {diagnostics.status!r} with the message {diagnostics.message!r}")
    return diagnostics
