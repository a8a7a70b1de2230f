"""The command line: it parses, calls, prints and writes."""

from clvmodels.cli.run import main

__all__ = ["main"]
