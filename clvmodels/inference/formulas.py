"""Formulas of covariates: which columns they make of customers' attributes, in a form that is stored without customers.

A formula is read by `formulaic`. It may name attributes, numbers and the functions below, and nothing else, so that a
file with a fit can be opened without running what somebody wrote into it.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.errors import DataError, FitError, one_of

if TYPE_CHECKING:
    import pandas as pd
    from formulaic import ModelMatrix, ModelSpec, SimpleFormula

    from clvmodels.models.specification import Array

__all__ = ["FUNCTIONS", "Columns", "Formula", "columns_of_formula", "variables_of", "with_term"]

type Formula = str | Sequence[str]
"""A formula, or the columns whose effects are added."""

FUNCTIONS: Final = (
    "log",
    "log1p",
    "log2",
    "log10",
    "sqrt",
    "exp",
    "C",
    "I",
    "center",
    "scale",
    "poly",
    "bs",
    "cr",
    "cc",
)
"""What a formula may call."""
INTERCEPT: Final = "Intercept"
EXAMPLE: Final = '"channel + log(age)" or ["channel"]'
_QUOTED: Final = re.compile(r"`[^`]*`")
_ALLOWED: Final = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop,
    ast.Compare, ast.cmpop, ast.List, ast.Tuple, ast.keyword,
)  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """The columns that a formula makes of attributes.

    Attributes
    ----------
    formula
        The formula.
    variables
        The attributes that it names, sorted.
    terms
        Names of the columns, without the constant: ``channel[T.web]`` is web against the reference level.
    state
        What else is needed to make the columns of other customers, as JSON: the levels of categories, the knots of
        splines, the centres of stateful functions.
    """

    formula: str
    variables: tuple[str, ...]
    terms: tuple[str, ...]
    state: str

    @property
    def stateful(self) -> bool:
        """Whether the columns of a customer depend on the others, as knots do."""
        return bool(json.loads(self.state)["transforms"]["pairs"])

    @property
    def references(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """By category: its name, its reference level, and the columns of the others."""
        categories = []
        for factor, (_, known) in _restored(json.loads(self.state)["encoders"]).items():
            columns = {str(level): f"{factor}[T.{level}]" for level in known.get("categories", [])}
            left = [level for level, column in columns.items() if column not in self.terms]
            if len(left) == 1 and len(columns) > 1:
                categories.append((factor, left[0], tuple(set(columns.values()) & set(self.terms))))
        return categories

    def of(self, attributes: pd.DataFrame) -> Array:
        """Return the columns of customers, shape (customers, terms).

        Raises
        ------
        DataError
            If an attribute is not there, a value is missing, or a level is one that the fit has not seen.
        """
        given = _known(attributes, self.variables)
        if not self.terms:
            return np.empty((len(given), 0))
        spec = _spec(self.formula, self.state)
        _require_known_levels(spec, given)
        return _matrix(spec.get_model_matrix, given, self.formula)[0]


def columns_of_formula(formula: Formula, attributes: pd.DataFrame) -> tuple[Columns, Array]:
    """Return the columns that a formula makes of attributes, and their values, shape (customers, terms).

    Raises
    ------
    FitError
        If the formula cannot be read, or calls something that it may not.
    DataError
        If an attribute is not there, a value is missing, or a function is not defined at a value.

    Examples
    --------
    >>> import pandas as pd
    >>> columns, values = columns_of_formula("channel", pd.DataFrame({"channel": ["web", "shop", "web"]}))
    >>> columns.terms, values.tolist()
    (('channel[T.web]',), [[1.0], [0.0], [1.0]])
    """
    text, variables = _text(formula), variables_of(formula)
    given = _known(attributes, variables)
    values, terms, spec = _matrix(_parsed(text).get_model_matrix, given, text)
    return Columns(text, variables, terms, _state_of(spec)), values


def variables_of(formula: Formula) -> tuple[str, ...]:
    """Return the attributes that a formula names, sorted.

    Raises
    ------
    FitError
        If the formula cannot be read, calls something that it may not, or names no attribute.

    Examples
    --------
    >>> variables_of("channel + log(age)")
    ('age', 'channel')
    """
    text = _text(formula)
    variables = {name for expression in _expressions(_parsed(text)) for name in _variables(expression)}
    if not variables:
        raise FitError(f"the formula {text!r} names no attribute; write it like {EXAMPLE}")
    return tuple(sorted(variables))


def with_term(formula: Formula | None, term: str) -> str:
    """Return a formula with one more term, where it does not name the attributes of this already.

    Examples
    --------
    >>> with_term(["channel"], "log(age)"), with_term("log(age)", "log(age)"), with_term(None, "log(age)")
    ('channel + log(age)', 'log(age)', 'log(age)')
    """
    if formula is None:
        return term
    known = {*variables_of(term)} <= {*variables_of(formula)}
    return _text(formula) if known else f"{_text(formula)} + {term}"


def _text(formula: Formula) -> str:
    given: object = formula
    if isinstance(given, str):
        return given
    if isinstance(given, Sequence) and given and all(isinstance(name, str) for name in given):
        return " + ".join(name if name.isidentifier() else f"`{name}`" for name in given)
    raise FitError(f"covariates are a formula or a list of attributes, such as {EXAMPLE}, got {formula!r}")


def _parsed(text: str) -> SimpleFormula:
    """Return the formula, once every call in it is allowed."""
    from formulaic import Formula as Parsed
    from formulaic import SimpleFormula
    from formulaic.errors import FormulaicError

    try:
        parsed = Parsed(text)
    except (FormulaicError, SyntaxError) as error:
        raise FitError(f"the formula {text!r} cannot be read: {_first_line(error)}; write it like {EXAMPLE}") from error
    if not isinstance(parsed, SimpleFormula):
        raise FitError(f"the formula {text!r} has two sides; name the covariates alone, like {EXAMPLE}")
    for expression in _expressions(parsed):
        _require_allowed(expression, text)
    return parsed


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _expressions(parsed: SimpleFormula) -> list[str]:
    """Return what each factor of a formula is computed by; a name alone stands in backticks."""
    expressions = {
        f"`{factor.expr}`" if factor.eval_method.value == "lookup" else factor.expr: None
        for term in parsed
        for factor in term.factors
        if factor.eval_method.value != "literal"
    }
    return list(expressions)


def _variables(expression: str) -> set[str]:
    """Return the attributes in an expression: names that it does not call, and whatever is in backticks."""
    nodes = list(ast.walk(ast.parse(_QUOTED.sub("0", expression), mode="eval")))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    named = {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called}
    return named | {quoted.strip("`") for quoted in _QUOTED.findall(expression)}


def _require_allowed(expression: str, text: str) -> None:
    for node in ast.walk(ast.parse(_QUOTED.sub("0", expression), mode="eval")):
        if not isinstance(node, _ALLOWED):
            raise FitError(f"the formula {text!r} may call {', '.join(FUNCTIONS)} and do arithmetic; not {expression}")
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
            called = ast.unparse(node.func)
            raise FitError(f"the formula {text!r}: {one_of('function', called, FUNCTIONS)}")


def _known(attributes: pd.DataFrame, variables: Sequence[str]) -> pd.DataFrame:
    """Return the attributes named, all of them there and none of them missing."""
    import pandas as pd

    present = [str(name) for name in attributes.columns]
    for name in variables:
        if name not in present:
            raise DataError(
                f"{one_of('attribute of the histories', name, present)}; keep columns of the log with "
                f"rfm_summary(..., attributes=[{name!r}]), or add a table with rfm.with_attributes(table), or, if it "
                "changes while they are customers, with rfm.with_paths(table, ...)"
            )
        missing = int(attributes[name].isna().sum())
        if missing:
            raise DataError(
                f"the covariate {name} is missing for {missing:,} of {len(attributes):,} customers; a missing value is "
                "not zero: fill it, or make it a level of its own, such as 'unknown'"
            )
    columns = {name: attributes[name].reset_index(drop=True) for name in variables}
    for name, column in columns.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            columns[name] = column.cat.remove_unused_categories()
        elif pd.api.types.is_bool_dtype(column):
            columns[name] = column.astype(float)
    return pd.DataFrame(columns)


def _matrix(make: Any, given: pd.DataFrame, text: str) -> tuple[Array, tuple[str, ...], ModelSpec]:  # noqa: ANN401
    """Return the columns without the constant, their names, and how they were made."""
    from formulaic.errors import DataMismatchWarning, FormulaicError

    context = {"sqrt": np.sqrt, "log1p": np.log1p}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # what is not finite is refused below
            warnings.simplefilter("error", DataMismatchWarning)
            made: ModelMatrix = make(given, context=context, output="pandas", na_action="ignore")
    except DataMismatchWarning as error:
        raise DataError(f"the formula {text!r} meets levels that the fit has not seen: {error}") from error
    except (FormulaicError, ValueError, TypeError) as error:
        raise DataError(
            f"the formula {text!r} cannot be computed from these attributes: {_first_line(error)}"
        ) from error
    terms = tuple(str(name) for name in made.columns if name != INTERCEPT)
    values = np.column_stack([made[name].to_numpy(float) for name in terms]) if terms else np.empty((len(given), 0))
    for name, column in zip(terms, values.T, strict=True):
        wrong = int((~np.isfinite(column)).sum())
        if wrong:
            raise DataError(f"{name} is no finite number for {wrong:,} of {len(given):,} customers")
    return values, terms, made.model_spec


def _require_known_levels(spec: ModelSpec, given: pd.DataFrame) -> None:
    """Raise DataError if an attribute has a level that the fit has not seen."""
    for factor, (kind, state) in spec.encoder_state.items():
        name = re.sub(r"^C\((\w+).*\)$", r"\1", factor).strip("`")
        if kind.value != "categorical" or name not in given.columns:
            continue
        levels = state["categories"]
        for value in given[name].unique().tolist():
            if value not in levels:
                raise DataError(f"the fit knows no such level: {one_of(f'value of {name}', value, levels)}")


def _state_of(spec: ModelSpec) -> str:
    encoders = {
        factor: [kind.value, {"categories": state["categories"]} if "categories" in state else {}]
        for factor, (kind, state) in spec.encoder_state.items()
    }
    try:
        return json.dumps({"transforms": _plain(dict(spec.transform_state)), "encoders": _plain(encoders)})
    except TypeError as error:
        raise DataError(f"levels of a covariate are text, numbers or truth values: {error}") from error


def _spec(formula: str, state: str) -> ModelSpec:
    """Return what makes the columns of other customers as those of the fit."""
    from formulaic import ModelSpec
    from formulaic.parser.types import Factor

    content = json.loads(state)
    encoders = {name: (Factor.Kind(kind), known) for name, (kind, known) in _restored(content["encoders"]).items()}
    return ModelSpec(formula=_parsed(formula), transform_state=_restored(content["transforms"]), encoder_state=encoders)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a state holds
    """Return the same as JSON has it, a mapping as pairs: its keys need not be text."""
    if isinstance(value, Mapping):
        return {"pairs": [[_plain(key), _plain(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _restored(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, dict):
        return {_restored(key): _restored(item) for key, item in value["pairs"]}
    return [_restored(item) for item in value] if isinstance(value, list) else value
