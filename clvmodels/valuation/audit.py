"""What a valuation rests on, by hashes and versions: whoever has the same inputs can tell, and gets the same report."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from clvmodels.data.scans import named
from clvmodels.inference.orders_fit import OrdersFit
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.valuation.book import Book

__all__ = ["Content", "audit", "hash_of_files"]

_RESTS_ON: Final = ("clvmodels", "numpy", "scipy", "pandas", "duckdb")
_BYTES_AT_A_TIME: Final = 1 << 24


class Content(NamedTuple):
    """What was read of a file, which may have changed since."""

    file: str
    content: bytes


def hash_of_files(pattern: str | Path) -> str:
    """Return the SHA-256 of the content of the files that are read, in order; of a text that names none, of itself.

    Examples
    --------
    >>> hash_of_files("no such file")[:8]
    'e34cb9e3'
    """
    digest = hashlib.sha256()
    paths = named(Path(pattern))
    if not paths:
        digest.update(str(pattern).encode())
    for path in paths:
        with Path(path).open("rb") as file:
            while block := file.read(_BYTES_AT_A_TIME):
                digest.update(block)
    return digest.hexdigest()


def _hash_of(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _fit(fit: OrdersFit | SpendFit) -> dict[str, Any]:
    params = {name: float(value) for name, value in fit.params.items()}
    return {
        "model": fit.model.key,
        "method": fit.method,
        "params": params,
        "data": fit.fingerprint,
        "sha256": _hash_of([fit.model.key, params, fit.theta.tolist()]),
    }


def _input(given: str | Path | Content) -> dict[str, str]:
    if isinstance(given, Content):
        return {"file": given.file, "sha256": hashlib.sha256(given.content).hexdigest()}
    return {"file": Path(given).name, "sha256": hash_of_files(given)}


def audit(
    books: Mapping[str, Book], inputs: Mapping[str, str | Path | Content], seeds: Sequence[int] = ()
) -> dict[str, Any]:
    """Return hashes of the inputs, the histories, the fits and the assumptions of each closing, and the versions.

    Parameters
    ----------
    books
        By closing.
    inputs
        Files by what they are, the log, ledgers, assumptions; or what has been read of them.
    seeds
        Of what was drawn at random.

    Returns
    -------
    dict
        Plain data for JSON; the same for the same inputs.
    """
    closings = {
        closing: {
            "customers": len(book.histories),
            "histories": book.histories.distinct.fingerprint,
            "orders": _fit(book.orders),
            "spend": _fit(book.spend),
            "assumptions": _hash_of(book.terms.to_dict()),
            "equity": book.equity,
        }
        for closing, book in books.items()
    }
    return {
        "inputs": {name: _input(given) for name, given in inputs.items()},
        "closings": closings,
        "seeds": list(seeds),
        "versions": {name: version(name) for name in _RESTS_ON} | {"python": platform.python_version()},
    }
