"""Models tried on the past: fitted up to a cut-off, asked for what came after, at one cut-off after another."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.data.reading import Day, LogFormat, log_of
from clvmodels.data.transactions import split
from clvmodels.errors import DataWarning, FitError, FitWarning
from clvmodels.evaluation.drift import drift
from clvmodels.evaluation.forecasts import NAIVE, Forecast, naive_forecasts, of_fit
from clvmodels.evaluation.reliability import reliability
from clvmodels.evaluation.scores import scores
from clvmodels.evaluation.windows import Trial, last_period, trial_windows
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.one_or_many import named
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import SPEND_MODELS
from clvmodels.pictures import picture
from clvmodels.units import Duration

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.build import Returns
    from clvmodels.data.histories import Histories
    from clvmodels.data.holdout import Holdout
    from clvmodels.inference.protocols import FitMethod
    from clvmodels.models.specification import Array
    from clvmodels.style import Axes, Drawn

__all__ = ["Backtest", "Models", "backtest"]

type Model = TransactionEstimator | TransactionFit
type Models = Model | Sequence[Model] | Mapping[str, Model]

SIGNIFICANT: Final = 1e-3
"""A change in parameters that chance makes less often than this is reported as drift."""


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """What `backtest` found.

    Attributes
    ----------
    table
        Scores by model and cut-off, the rules of thumb included; `backtest` says what the columns are.
    parameters
        Estimate and standard error (on the log scale) of every parameter by model and cut-off, and the p-value of the
        change since the cut-off before.
    calibration
        By model, cut-off and bin of P(any purchase), as of `reliability`: customers, the ``expected`` probability, and
        the ``actual`` share who bought.
    fits
        The fits of transactions by model and cut-off.
    """

    table: pd.DataFrame
    parameters: pd.DataFrame
    calibration: pd.DataFrame
    fits: Mapping[tuple[str, pd.Timestamp], TransactionFit]

    def plot(self, score: str = "predicted_over_actual", *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
        """Draw one score of all models, one mark per cut-off: ``clv.plots.backtest_scores``.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> tried = clv.backtest(log, fit, cutoffs="1997-09-30", horizon="26 weeks", resolution="day", progress=False)
        >>> ax, table = tried.plot("rmse", return_data=True)
        >>> table.set_index("model")["value"].round(2).to_dict()
        {'BG/NBD': 1.24, 'history rate': 1.55, 'last period': 1.4, 'zero': 1.68}
        """
        return picture("backtest_scores")(self, score, ax=ax, return_data=return_data)

    def __repr__(self) -> str:
        return self.table.T.to_string(float_format=lambda number: f"{number:,.4g}")

    def _repr_html_(self) -> str:
        return str(self.table.T.style.format(lambda number: f"{number:,.4g}").to_html())


@dataclass(frozen=True, eq=False)
class _Tried:
    """One cut-off: the holdout, the fits, and what they and the rules of thumb predicted."""

    cutoff: pd.Timestamp
    holdout: Holdout
    fits: Mapping[str, TransactionFit]
    forecasts: Mapping[str, Forecast]


def backtest(
    log: object,
    models: Models,
    *,
    cutoffs: Day | Sequence[Day],
    horizon: Duration,
    spend: SpendEstimator | SpendFit | None = None,
    method: FitMethod = "mle",
    seed: int | None = None,
    progress: bool = True,
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    unit: str = "week",
    resolution: str | None = None,
    observation_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    attributes: Sequence[str] = (),
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
) -> Backtest:
    """Fit models to the purchases up to each cut-off and score what they predict of the time after it.

    Every cut-off splits the log by the one path of `rfm_train_test_split`; the models see the training histories
    alone. Four rules of thumb stand in the same table: a model that does not beat them is not worth its trouble.

    Parameters
    ----------
    log
        The purchase log, as for `rfm_summary`.
    models
        A model such as ``clv.BGNBD()``, several, or a mapping from names of your own; a `Fit` is taken as it is.
    cutoffs
        The last day of training, or several.
    horizon
        Length of the time predicted, such as ``"39 weeks"``; after a cut-off that is a day, of whole days, and months
        and years are those of the calendar.
    spend
        The model of order values; Gamma-Gamma if `value` is given.
    method, seed
        How to fit, as in ``fit``.
    progress
        Whether to show a progress bar.
    customer_id, time, value, unit, resolution, returns, time_zone, time_format, attributes, order_id, quantity,
    exclude_ids, clean_ids
        The format of the log, as in `LogFormat`.
    observation_end
        Up to when the log is complete, if that is later than its last transaction.

    Returns
    -------
    Backtest
        Its ``table`` has, by model and cut-off:

        - ``customers`` with a training history; ``late_joiners`` and ``late_revenue``: who first bought afterwards,
          whom no model of histories can foresee; they are in none of the other figures;
        - ``purchases``, ``predicted``, ``predicted_over_actual``: of all customers together;
        - ``mae``, ``rmse``: of purchases by customer;
        - ``log_score`` (greater is better) and ``crps`` (smaller is better): of the distributions of purchases,
          means over customers; the CRPS of one number is its absolute error;
        - ``brier``, ``calibration_error``: of P(any purchase); the latter the mean distance of forecast and share in
          ten bins of customers;
        - ``coverage``: share of customers within their 90 % interval, which as an interval of counts should hold
          ``coverage_stated`` of them;
        - ``top_decile_lift``: purchases of the top tenth of customers, relative to the average;
        - ``gini``: how well customers are ranked by purchases, 1 as if foreseen, 0 as if at random;
        - ``revenue``, ``revenue_predicted``, ``revenue_over_actual``; ``top_20_revenue``: the share of revenue that
          the top 20 % of customers by predicted revenue make. Purchases of unknown value count with the mean of the
          customer's others in the holdout or, if there is none, of all customers'.

    Raises
    ------
    DataError
        If the log ends before a cut-off's horizon does, or as for `rfm_train_test_split`.

    Warns
    -----
    DataWarning
        As for `rfm_train_test_split`.
    FitWarning
        If the parameters of a model move between cut-offs by more than chance explains.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> tried = backtest(log, [clv.BGNBD(), clv.ParetoNBD()], cutoffs="1997-09-30", horizon="39 weeks",
    ...                  value="amount", resolution="day", progress=False)
    >>> tried.table["predicted_over_actual"].round(2).droplevel("cutoff").to_dict()
    {'BG/NBD': 0.88, 'Pareto/NBD': 0.88, 'history rate': 1.56, 'last period': 1.31, 'past spend': nan, 'zero': 0.0}
    """
    reading = LogFormat(
        customer_id, time, value, unit, resolution, returns, time_zone, time_format,
        attributes, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    opened = log_of(reading, log)
    how = _How(_models(models), _spend(spend, value), method, seed)
    notes: dict[str, None] = {}
    tried = []
    for window in _shown(trial_windows(reading, opened, cutoffs, horizon, observation_end), progress=progress):
        histories, holdout, window_notes = split(reading, opened, window.train_end, window.test_end, "observation_end")
        notes |= dict.fromkeys(window_notes)
        tried.append(_tried(how, holdout, last_period(reading, opened, window, histories)))
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    parameters = _parameters(tried)
    _warn_of_drift(parameters)
    fits = {(name, result.cutoff): fit for result in tried for name, fit in result.fits.items()}
    return Backtest(_table(tried), parameters, _calibration(tried), fits)


@dataclass(frozen=True, eq=False)
class _How:
    """What is fitted at each cut-off, and how."""

    models: Mapping[str, Model]
    spend: SpendEstimator | SpendFit | None
    method: FitMethod
    seed: int | None

    def fitted(self, model: Any, histories: Histories) -> Any:  # noqa: ANN401 - an estimator's fit is of its own kind
        """Return the fit to histories of an estimator; a fit is taken as it is."""
        if isinstance(model, TransactionFit | SpendFit):
            return model
        return model.fit(histories, method=self.method, seed=self.seed, progress=False)


def _models(models: Models) -> dict[str, Model]:
    """Return models by name.

    Raises
    ------
    FitError
        If one of them is no model of orders, two have one name, or a name is that of a rule of thumb.
    """
    by_name = named(models)
    for name, model in by_name.items():
        if not isinstance(model, TransactionEstimator | TransactionFit):
            raise FitError(f"a backtest takes models of orders, such as clv.BGNBD(), or their fits; got {model!r}")
        if name in NAIVE:
            raise FitError(f"{name!r} is the name of a rule of thumb, which is in the table by itself; choose another")
    return by_name


def _spend(given: SpendEstimator | SpendFit | None, value: str | None) -> SpendEstimator | SpendFit | None:
    if value is None or given is not None:
        return given
    return SpendEstimator(next(iter(SPEND_MODELS.values())))


def _shown(windows: Sequence[Trial], *, progress: bool) -> Iterator[Trial]:
    """Go through the windows, with a progress bar."""
    from rich.progress import track

    yield from track(windows, "Cut-offs", disable=not progress, transient=True)


def _tried(how: _How, holdout: Holdout, last: Array) -> _Tried:
    spend = None if how.spend is None else how.fitted(how.spend, holdout.histories)
    fits = {name: how.fitted(model, holdout.histories) for name, model in how.models.items()}
    forecasts = {name: of_fit(fit, spend, holdout) for name, fit in fits.items()}
    return _Tried(holdout.start, holdout, fits, {**forecasts, **naive_forecasts(holdout, last)})


def _table(tried: Iterable[_Tried]) -> pd.DataFrame:
    """Return the scores by model and cut-off."""
    import pandas as pd

    rows = {
        (name, result.cutoff): {
            "customers": len(result.holdout),
            "late_joiners": result.holdout.late_joiners,
            "late_revenue": result.holdout.late_revenue,
            **scores(forecast, result.holdout),
        }
        for result in tried
        for name, forecast in result.forecasts.items()
    }
    return _by(pd.DataFrame.from_dict(rows, orient="index"), "model", "cutoff")


def _calibration(tried: Iterable[_Tried]) -> pd.DataFrame:
    """Return P(any purchase) and the share who bought, by model, cut-off and bin."""
    import pandas as pd

    tables = {
        (name, result.cutoff): reliability(forecast.distributions.any_purchase, result.holdout.frequency > 0)
        for result in tried
        for name, forecast in result.forecasts.items()
        if forecast.distributions is not None
    }
    return _by(pd.concat(tables), "model", "cutoff", "bin")


def _parameters(tried: Sequence[_Tried]) -> pd.DataFrame:
    """Return estimates by model, cut-off and parameter, and the p-value of their change."""
    import pandas as pd

    p_value = {(result.cutoff, name): np.nan for result in tried[:1] for name in result.fits}
    for before, after in pairwise(tried):
        p_value |= {
            (after.cutoff, name): drift(before.fits[name], fit, before.holdout.histories)
            for name, fit in after.fits.items()
        }
    rows = {
        (name, result.cutoff, parameter): {
            "estimate": estimate,
            "sd_of_log": sd,
            "p_value_of_change": p_value[result.cutoff, name],
        }
        for result in tried
        for name, fit in result.fits.items()
        for parameter, estimate, sd in zip(fit.model.names, fit.estimate, np.sqrt(np.diag(fit.covariance)), strict=True)
    }
    return _by(pd.DataFrame.from_dict(rows, orient="index"), "model", "cutoff", "parameter")


def _by(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return a table with its index named, and sorted within models by the rest, models in their order."""
    table.index = table.index.set_names(list(names))
    order = table.index.get_level_values("model").unique()
    return table.reindex(order, level="model")


def _warn_of_drift(parameters: pd.DataFrame) -> None:
    """Warn of models whose parameters move."""
    moved = parameters.loc[parameters["p_value_of_change"] < SIGNIFICANT, "p_value_of_change"]
    for name, p_values in moved.groupby(level="model"):
        days = ", ".join(str(day.date()) for day in p_values.index.get_level_values("cutoff").unique())
        warnings.warn(
            f"{name}: the parameters at {days} differ from those of the cut-off before by more than chance explains "
            f"(p = {p_values.min():.1g}): customers or seasons change, or the model does not fit. A forecast takes the "
            "last parameters to hold for good: look at .parameters, at cohorts, and at the rules of thumb",
            FitWarning,
            stacklevel=3,
        )
