"""Models tried on the past: fitted up to a cut-off, asked for what came after, at one cut-off after another."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.reading import Day, LogFormat, log_of
from clvmodels.data.transactions import split
from clvmodels.errors import DataWarning, FitWarning
from clvmodels.evaluation.candidates import (
    Candidates,
    Models,
    named_candidates,
    of_regressor,
    spend_candidate,
    training_pair,
)
from clvmodels.evaluation.drift import drift
from clvmodels.evaluation.forecasts import naive_forecasts, of_fit
from clvmodels.evaluation.reliability import reliability
from clvmodels.evaluation.scores import scores
from clvmodels.evaluation.verdict import Outcome, Verdict, verdict_of_backtest
from clvmodels.evaluation.windows import Trial, inner_cutoff, last_period, trial_windows
from clvmodels.pictures import picture
from clvmodels.units import Duration

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.build import Returns
    from clvmodels.data.log import Log
    from clvmodels.inference.estimator import SpendEstimator
    from clvmodels.inference.protocols import FitMethod
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.style import Axes, Drawn

__all__ = ["Backtest", "Models", "backtest", "backtest_of"]

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
    outcomes
        Of each cut-off, the holdout and what was predicted of each customer.
    seed
        Of the simulation behind the interval of `verdict`.
    """

    table: pd.DataFrame
    parameters: pd.DataFrame
    calibration: pd.DataFrame
    fits: Mapping[tuple[str, pd.Timestamp], TransactionFit]
    outcomes: tuple[Outcome, ...]
    seed: int | None

    @cached_property
    def verdict(self) -> Verdict:
        """The best model, whether it beats the rules of thumb, and whether the total was right; `str` is in words.

        It is computed when it is first asked for: the interval of the total is simulated.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> tried = clv.backtest(log, fit, cutoffs="1997-09-30", horizon="26 weeks", resolution="day", seed=1,
        ...                      progress=False)
        >>> tried.verdict.best, tried.verdict.beaten
        ('BG/NBD', ('history rate', 'last period', 'zero'))
        """
        return verdict_of_backtest(self.outcomes, self.seed)

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


def backtest(
    log: object,
    models: Models,
    *,
    cutoffs: Day | Sequence[Day] | None = None,
    horizon: Duration | None = None,
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
        A model such as ``clv.BGNBD()``, several, or a mapping from names of your own; a `Fit` is taken as it is. A
        regressor, anything with ``fit(X, y)`` and ``predict(X)`` such as scikit-learn's, is taken beside them.
    cutoffs
        The last day of training, or several. None: the one that leaves the horizon at the end of the log.
    horizon
        Length of the time predicted, such as ``"39 weeks"``; after a cut-off that is a day, of whole days, and months
        and years are those of the calendar. None: what remains after the last cut-off; without one, the last third of
        the log.
    spend
        The model of order values; Gamma-Gamma if `value` is given.
    method, seed
        How to fit, as in ``fit``; the seed is that of the interval in the verdict, too.
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
          the top 20 % of customers by predicted revenue make; ``revenue_gini``: how well customers are ranked by
          revenue. Purchases of unknown value count with the mean of the customer's others in the holdout or, if there
          is none, of all customers'.

    Notes
    -----
    A regressor sees the training window alone. The window is split: X is the table of histories up to an inner cut-off,
    and y what the same customers bought from there to the end of training, as long as the horizon, or half of the
    window if that is shorter. A copy of the regressor learns from them and predicts from the table of the full training
    histories; its numbers are scaled to the horizon where the time it learnt from was shorter, and none is below zero.
    Columns of X: ``frequency``, ``recency``, ``T``, ``time_since_last``; ``monetary_value`` where there are values; and
    the numeric `attributes`, such as ``first_value``. An unknown number is replaced by the mean of those known.

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
    candidates = Candidates(*named_candidates(models), spend_candidate(spend, value), method, seed)
    return backtest_of(candidates, reading, log, cutoffs, horizon, observation_end, progress=progress)


def backtest_of(
    candidates: Candidates,
    reading: LogFormat,
    log: object,
    cutoffs: Day | Sequence[Day] | None,
    horizon: Duration | None,
    observation_end: Day | None,
    *,
    progress: bool,
) -> Backtest:
    """Try candidates on a log of a known format, as `backtest` does; warnings are those of the caller."""
    opened = log_of(reading, log)
    notes: dict[str, None] = {}
    outcomes = []
    for window in _shown(trial_windows(reading, opened, cutoffs, horizon, observation_end), progress=progress):
        outcome, window_notes = _outcome(candidates, reading, opened, window)
        notes |= dict.fromkeys(window_notes)
        outcomes.append(outcome)
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=3)
    parameters = _parameters(outcomes)
    _warn_of_drift(parameters)
    fits = {(name, outcome.cutoff): fit for outcome in outcomes for name, fit in outcome.fits.items()}
    return Backtest(_table(outcomes), parameters, _calibration(outcomes), fits, tuple(outcomes), candidates.seed)


def _shown(windows: Sequence[Trial], *, progress: bool) -> Iterator[Trial]:
    """Go through the windows, with a progress bar."""
    from rich.progress import track

    yield from track(windows, "Cut-offs", disable=not progress, transient=True)


def _outcome(candidates: Candidates, reading: LogFormat, log: Log, window: Trial) -> tuple[Outcome, list[str]]:
    """Return what is predicted at a cut-off, and notes to warn with."""
    histories, holdout, notes = split(reading, log, window.train_end, window.test_end, "observation_end")
    spend, fits = candidates.spend_fit(histories), candidates.fits(histories)
    forecasts = {name: of_fit(fit, spend, holdout) for name, fit in fits.items()}
    if candidates.regressors:
        pair = training_pair(reading, log, inner_cutoff(reading, window, histories), window.train_end)
        for name, regressor in candidates.regressors.items():
            forecasts[name] = of_regressor(name, regressor, pair, spend, holdout)
    rules = naive_forecasts(holdout, last_period(reading, log, window, histories))
    return Outcome(holdout, fits, spend, {**forecasts, **rules}), notes


def _table(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """Return the scores by model and cut-off."""
    import pandas as pd

    rows = {
        (name, outcome.cutoff): {
            "customers": len(outcome.holdout),
            "late_joiners": outcome.holdout.late_joiners,
            "late_revenue": outcome.holdout.late_revenue,
            **scores(forecast, outcome.holdout),
        }
        for outcome in outcomes
        for name, forecast in outcome.forecasts.items()
    }
    return _by(pd.DataFrame.from_dict(rows, orient="index"), "model", "cutoff")


def _calibration(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """Return P(any purchase) and the share who bought, by model, cut-off and bin."""
    import pandas as pd

    tables = {
        (name, outcome.cutoff): reliability(forecast.distributions.any_purchase, outcome.holdout.frequency > 0)
        for outcome in outcomes
        for name, forecast in outcome.forecasts.items()
        if forecast.distributions is not None
    }
    if not tables:  # of regressors alone
        return _empty_table("model", "cutoff", "bin", columns=("customers", "expected", "actual"))
    return _by(pd.concat(tables), "model", "cutoff", "bin")


def _parameters(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return estimates by model, cut-off and parameter, and the p-value of their change."""
    import pandas as pd

    p_value = {(outcome.cutoff, name): np.nan for outcome in outcomes[:1] for name in outcome.fits}
    for before, after in pairwise(outcomes):
        p_value |= {
            (after.cutoff, name): drift(before.fits[name], fit, before.holdout.histories)
            for name, fit in after.fits.items()
        }
    rows = {
        (name, outcome.cutoff, parameter): {
            "estimate": estimate,
            "sd_of_log": sd,
            "p_value_of_change": p_value[outcome.cutoff, name],
        }
        for outcome in outcomes
        for name, fit in outcome.fits.items()
        for parameter, estimate, sd in zip(fit.model.names, fit.estimate, np.sqrt(np.diag(fit.covariance)), strict=True)
    }
    if not rows:
        return _empty_table("model", "cutoff", "parameter", columns=("estimate", "sd_of_log", "p_value_of_change"))
    return _by(pd.DataFrame.from_dict(rows, orient="index"), "model", "cutoff", "parameter")


def _empty_table(*names: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return a table without rows."""
    import pandas as pd

    index = pd.MultiIndex.from_arrays([[] for _ in names], names=names)
    return pd.DataFrame({name: np.empty(0) for name in columns}, index=index)


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
            stacklevel=4,
        )
