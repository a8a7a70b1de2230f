"""The result of fitting: immutable, without customer data, asked for predictions.

Parameters carry the dimensions (chain, draw); a point estimate has one of each, so that nothing downstream asks how a
model was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from clvmodels.arguments import require_whole
from clvmodels.data.histories import Histories
from clvmodels.errors import DataError, FitError, one_of
from clvmodels.inference import describe, pointwise, storage
from clvmodels.inference.bayes import segments_of
from clvmodels.inference.fit_data import FitData
from clvmodels.inference.parameters import Parameters
from clvmodels.models.specification import Array, Model

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from arviz_stats.utils import ELPDData

__all__ = ["Fit", "kind_of"]


@dataclass(frozen=True, eq=False, repr=False)
class Fit(FitData):
    """A fitted model, asked for predictions; its data are those of `FitData`."""

    def __init_subclass__(cls, *, of: type[Model] | None = None) -> None:
        """Make a kind of fit known as that of a kind of model."""
        super().__init_subclass__()
        if of is not None:
            _KINDS[of] = cls

    def summary(self) -> pd.DataFrame:
        """Return a table by parameter: estimate, standard error, and a 95 % interval (on the log scale).

        Returns
        -------
        DataFrame
            By parameter: estimate, sd, low, high; from the draws where the fit has them, else from the covariance.

        Examples
        --------
        >>> import clvmodels as clv
        >>> truth = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> clv.BGNBD().fit(truth.simulate(2_000, "78 weeks", seed=1)).summary().round(2)
                   estimate    sd   low  high
        parameter
        r              0.24  0.01  0.22  0.26
        alpha          4.26  0.33  3.66  4.95
        a              0.91  0.13  0.68  1.22
        b              2.70  0.53  1.84  3.97
        """
        return describe.summary(self)

    def describe(self) -> str:
        """Return what the parameters say about the customers, in words.

        Examples
        --------
        >>> import clvmodels as clv
        >>> print(clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}).describe())
        Gamma-Gamma: parameters given, not fitted.
        An order is worth 35.22 on average over customers.
        A customer's orders vary around their own mean with a coefficient of variation of 0.4, and the means vary ...
        """
        return describe.in_words(self)

    def parameters(self, histories: Histories) -> Parameters:
        """Return the parameters of customers: the same for all, or those of their segments or covariates.

        By row of the histories: draws of shape (draws, parameters) that all share, or (segments, draws, parameters)
        and the segment of each; or what the covariates of each do to the draws.

        Raises
        ------
        DataError
            If this is a fit by segment and the histories do not name segments, or name one it does not know; or a fit
            with covariates, and the histories lack one, a value is missing, or a level is not known.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30.43, 0], "T": [38.86, 38.86]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}).parameters(rfm).draws
        array([[ 6.25,  3.74, 15.44]])
        """
        parameters = self._parameters(histories)
        return parameters if self.adjustment is None else self.adjustment.of_customers(parameters, histories)

    def _parameters(self, histories: Histories) -> Parameters:
        if self.covariates is not None:
            return self._by_covariates(histories)
        if self.by is None:
            return Parameters(self.draws, self.estimate)
        code, names = segments_of(histories, self.by)
        number = {name: k for k, name in enumerate(self.segments)}
        unknown = [name for name in names if name not in number]
        if unknown:
            raise DataError(one_of(f"value of {self.by}", unknown[0], self.segments))
        draws = self.segment_theta.reshape(len(self.segments), -1, len(self.model.parameters))
        return Parameters(draws, draws.mean(axis=1), np.array([number[name] for name in names], np.int64)[code])

    def of_paths(self, histories: Histories) -> Self:  # noqa: ARG002 - where a fit follows paths, they are asked
        """Return the fit of these customers on their own paths; of a fit that follows none, itself.

        Examples
        --------
        >>> transactions.of_paths(rfm) is transactions
        True
        """
        return self

    def _draws_of(self, segment: str) -> Array:
        theta: Array = self.segment_theta[self.segments.index(segment)]
        return theta.reshape(-1, len(self.model.parameters))

    def segment(self, name: str) -> Self:
        """Return the fit of one segment, of a fit by segment: a fit with the parameters of this segment for everybody.

        Raises
        ------
        FitError
            If this fit knows no such segment.

        Examples
        --------
        Here the segments are put in; ``clv.GammaGamma().fit(rfm, by="segment")`` finds them:

        >>> from dataclasses import replace
        >>> import numpy as np
        >>> import clvmodels as clv
        >>> draws = {"p": 6.25, "q": 3.74, "v": np.array([[14.0, 15.0, 16.0]])}
        >>> some = clv.GammaGamma().from_params(draws)
        >>> theta = np.stack([some.theta, some.theta * [1.0, 1.0, 2.0]])
        >>> fit = replace(some, by="segment", segments=("shop", "web"), segment_theta=theta)
        >>> fit.segment("web")
        <Gamma-Gamma (given): p 6.25, q 3.74, v 30, 3 draws>
        """
        if name not in self.segments:
            raise FitError(one_of("segment", name, self.segments))
        theta = self.segment_theta[self.segments.index(name)].copy()
        draws, size = self._draws_of(name), len(self.model.parameters)
        covariance = np.full((size, size), np.nan)
        if len(draws) > 1:
            covariance = np.cov(np.log(draws - self.model.lower), rowvar=False)
        return replace(
            self,
            theta=theta,
            estimate=draws.mean(axis=0),
            covariance=covariance,
            log_likelihood=np.nan,
            by=None,
            segments=(),
            segment_theta=np.empty((0, 0, 0, 0)),
            segment_test=None,
        )

    def thinned(self, step: int) -> Self:
        """Return the fit with every `step`-th draw of each chain.

        Examples
        --------
        >>> import numpy as np
        >>> import clvmodels as clv
        >>> drawn = {"p": np.linspace(6.0, 7.0, 100)[None], "q": 3.74, "v": 15.44}
        >>> clv.GammaGamma().from_params(drawn).thinned(10).theta.shape
        (1, 10, 3)
        """
        step = require_whole("step", step, low=1, error=FitError)
        return replace(
            self,
            theta=self.theta[:, ::step],
            stats={name: values[:, ::step] for name, values in self.stats.items()},
            segment_theta=self.segment_theta[:, :, ::step],
            covariates=None if self.covariates is None else self.covariates.thinned(step),
        )

    def to_datatree(self, histories: Histories, *, memory_gb: float = 1.0) -> xr.DataTree:
        """Return what ArviZ needs: ``az.summary``, ``az.plot_*``, ``az.loo`` and ``az.compare`` work on it.

        Parameters
        ----------
        histories
            The histories of the fit.
        memory_gb
            Refuse to hold more than this.

        Returns
        -------
        DataTree
            posterior (parameters, and the quantities that priors are stated in), sample_stats, prior, observed_data,
            and the pointwise log_likelihood of shape (chain, draw, customer_id).

        Raises
        ------
        FitError
            If the pointwise log-likelihood does not fit into `memory_gb`.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
        >>> fit = clv.BGNBD().fit(rfm, method="laplace", draws=200, seed=1)
        >>> fit.to_datatree(rfm)["log_likelihood"]["history"].shape
        (1, 200, 2357)
        """
        return pointwise.to_datatree(self, histories, memory_gb)

    def loo(self, histories: Histories) -> ELPDData:
        """Return the expected log predictive density of customers left out (PSIS-LOO), for ``az.compare``.

        It equals ``az.loo(fit.to_datatree(rfm))`` and needs little memory: equal histories are computed once.

        Parameters
        ----------
        histories
            The histories of the fit.

        Returns
        -------
        ELPDData
            ``elpd`` (greater is better) and its ``se``, ``p`` (effective number of parameters), and ``elpd_i`` and
            ``pareto_k`` by customer.

        Raises
        ------
        FitError
            If the fit has no draws, or fewer than 25.

        Examples
        --------
        Customers left out are predicted a little worse than those who were fitted:

        >>> import clvmodels as clv
        >>> truth = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> rfm = truth.simulate(500, "39 weeks", seed=1)
        >>> fit = clv.BGNBD().fit(rfm, method="laplace", draws=200, seed=1)
        >>> loo = fit.loo(rfm)
        >>> loo.n_data_points, bool(loo.elpd < fit.log_likelihood)
        (500, True)
        """
        return pointwise.loo(self, histories)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fit as a small JSON file, which holds no customer data.

        Raises
        ------
        OSError
            If the file cannot be written; an existing file is then left as it was.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import clvmodels as clv
        >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> with TemporaryDirectory() as folder:
        ...     fit.save(Path(folder, "transactions.json"))
        ...     clv.Fit.load(Path(folder, "transactions.json"))
        <BG/NBD (given): r 0.243, alpha 4.414, a 0.793, b 2.426, time in weeks>
        """
        storage.save(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a fit that `save` wrote.

        Raises
        ------
        OSError
            If the file cannot be read.
        FitError
            If the file is not one of ours, damaged, of a later version, or holds another kind of fit.

        Examples
        --------
        The draws, the diagnostics and the fingerprint of the data come back with the parameters:

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import clvmodels as clv
        >>> truth = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> fit = clv.BGNBD().fit(truth.simulate(500, "39 weeks", seed=1))
        >>> with TemporaryDirectory() as folder:
        ...     fit.save(Path(folder, "transactions.json"))
        ...     again = clv.Fit.load(Path(folder, "transactions.json"))
        >>> again.params == fit.params, again.fingerprint == fit.fingerprint, again.diagnostics.status
        (True, True, 'converged')
        """
        content = storage.load(path)
        kind = kind_of(content["model"])
        if not issubclass(kind, cls):
            raise FitError(f"{path} holds a {kind.__name__}, not a {cls.__name__}; write clv.Fit.load(path)")
        return kind(**content)

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.params.items())
        time = f", time in {self.unit}s" if self.unit else ""
        draws = f", {len(self.draws):,} draws" if len(self.draws) > 1 else ""
        likelihood = "" if np.isnan(self.log_likelihood) else f", log-likelihood {self.log_likelihood:,.2f}"
        covariates = "" if self.covariates is None else f", {self.covariates.words}"
        return f"<{self.model.name} ({self.method}): {values}{covariates}{time}{likelihood}{draws}>"


_KINDS: Final[dict[type[Model], type[Fit]]] = {}
"""The kind of fit by kind of model. Each enters itself, so that `Fit`, which stands below them, can build them."""


def kind_of(model: Model) -> type[Fit]:
    """Return the kind of fit that suits a model: of several, the last one known, which is the most special."""
    return next(kind for kind_of_model, kind in reversed(_KINDS.items()) if isinstance(model, kind_of_model))
