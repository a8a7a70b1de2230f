"""One module a contestant, with one signature per problem.

- ``fit_bg_nbd``, ``fit_pareto_nbd``, ``expected_purchases`` and ``rfm_summary`` take a table, do what a user would
  have done before, and return the call to time. The call returns a few numbers, so that answers can be compared.
- ``map_bg_nbd`` is the posterior mode, and ``customer_values`` the value of every customer as in ``total_clv``, under
  known parameters.
- ``read_histories`` takes the folder of a log in Parquet files; reading them is part of the call.
- ``nuts_bg_nbd`` and ``nuts_pareto_nbd`` draw from a posterior: the same numbers of draws and chains for all.
- ``total_clv`` takes a purchase log on disk and returns the total value of the next twelve months at 1 % a month,
  before costs. Each module, run as a script, prints it.
- ``import_package``, ``value_command``, ``value_command_2gb`` and ``histories_command`` name processes, as arguments
  after the Python interpreter.

A contestant without a function does not have what the problem asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Call = Callable[[], Mapping[str, float]]


def quality(draws: Mapping[str, NDArray[np.float64]], divergences: int | None) -> dict[str, float]:
    """Return the least effective number of draws (bulk), the largest R-hat, and the number of divergences.

    Parameters
    ----------
    draws
        Of each parameter, shape (chain, draw).
    divergences
        As the sampler counted them.
    """
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    ess = min(float(array_stats.ess(one, method="bulk")) for one in draws.values())
    r_hat = max(float(array_stats.rhat(one)) for one in draws.values())
    return {"ess": ess, "r_hat": r_hat, "divergences": float(divergences or 0)}
