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
from clvmodels.errors import DataError
from clvmodels.inference.model_average import ModelAverage, Transactions
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.valuation.book import Book

__all__ = ["Content", "FileRecord", "audit", "file_record", "hash_of_files"]

_RESTS_ON: Final = ("clvmodels", "numpy", "scipy", "pandas", "duckdb")
_BYTES_AT_A_TIME: Final = 1 << 24


class Content(NamedTuple):
    """What was read of a file, which may have changed since."""

    file: str
    content: bytes


class FileRecord(NamedTuple):
    """Files as they were before they were read.

    Attributes
    ----------
    files
        Their path or pattern.
    stamps
        Name, size and time of the last change of each.
    """

    files: str | Path
    stamps: tuple[tuple[str, int, int], ...]


def file_record(files: str | Path) -> FileRecord:
    """Return files as they are now, to be hashed when all has been read."""
    paths = _named(files)
    states = [Path(path).stat() for path in paths]
    return FileRecord(
        files, tuple((path, state.st_size, state.st_mtime_ns) for path, state in zip(paths, states, strict=True))
    )


def hash_of_files(pattern: str | Path) -> str:
    """Return the SHA-256 of the content of the files that are read, in order; of a text that names none, of itself.

    Examples
    --------
    >>> hash_of_files("no such file")[:8]
    'e34cb9e3'
    """
    digest = hashlib.sha256()
    paths = _named(pattern)
    if not paths:
        digest.update(str(pattern).encode())
    for path in paths:
        with Path(path).open("rb") as file:
            while block := file.read(_BYTES_AT_A_TIME):
                digest.update(block)
    return digest.hexdigest()


def _named(files: str | Path) -> list[str]:
    return named(Path(files).expanduser())


def _hash_of(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _transactions(fitted: Transactions) -> dict[str, Any]:
    """Return what the fit of transactions was; of models averaged, their weights and fits."""
    if isinstance(fitted, ModelAverage):
        weighed = zip(fitted.fits, fitted.weights, strict=True)
        return {"average": fitted.basis, **{fit.model.key: {"weight": weight} | _fit(fit) for fit, weight in weighed}}
    return _fit(fitted)


def _fit(fit: TransactionFit | SpendFit) -> dict[str, Any]:
    params = {name: float(value) for name, value in fit.params.items()}
    content, covariates = [fit.model.key, params, fit.theta.tolist()], fit.covariates
    if covariates is not None:
        params |= dict(zip(covariates.design.names, covariates.estimate.tolist(), strict=True))
        content.append(covariates.draws.tolist())
    return {
        "model": fit.model.key,
        "method": fit.method,
        "params": params,
        "priors": fit.priors,
        "data": fit.fingerprint,
        "sha256": _hash_of(content),
    }


def _input(given: FileRecord | Content) -> dict[str, str]:
    if isinstance(given, Content):
        return {"file": given.file, "sha256": hashlib.sha256(given.content).hexdigest()}
    entry = {"file": Path(given.files).name, "sha256": hash_of_files(given.files)}
    if file_record(given.files) != given:
        raise DataError(f"{str(given.files)!r} has changed while it was read; run again when it is complete")
    return entry


def audit(
    books: Mapping[str, Book], inputs: Mapping[str, FileRecord | Content], seeds: Sequence[int] = ()
) -> dict[str, Any]:
    """Return hashes of the inputs, the histories, the fits and the assumptions of each closing, and the versions.

    Parameters
    ----------
    books
        By closing.
    inputs
        Files by what they are, the log, ledgers, assumptions: as they were before, or what has been read of them.
    seeds
        Of what was drawn at random.

    Returns
    -------
    dict
        Plain data for JSON; the same for the same inputs.

    Raises
    ------
    DataError
        If a file has changed since it was seen: what was read is then unknown.
    """
    closings = {
        closing: {
            "customers": len(book.histories),
            "histories": book.histories.distinct().fingerprint,
            "notes": [] if book.histories.report is None else list(book.histories.report.notes),
            "orders": _transactions(book.transactions),
            "spend": _fit(book.spend),
            "assumptions": _hash_of(book.assumptions.to_dict()),
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
