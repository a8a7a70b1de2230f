"""One module a contestant, with one signature per problem.

- ``fit_bg_nbd``, ``fit_pareto_nbd``, ``expected_purchases`` and ``rfm_summary`` take a table, do what a user would
  have done before, and return the call to time. The call returns a few numbers, so that answers can be compared.
- ``total_clv`` takes a purchase log on disk and returns the total value of the next twelve months at 1 % a month,
  before costs. Each module, run as a script, prints it.
- ``import_package`` and ``value_command`` name processes, as arguments after the Python interpreter.

A contestant without a function does not have what the problem asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Call = Callable[[], Mapping[str, float]]
