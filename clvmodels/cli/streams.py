"""Standard output and error, which may be closed."""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["print_text", "silence"]


def print_text(shown: str) -> None:
    """Print a text, as far as somebody reads it: whoever has closed standard output has read enough."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(shown)
        sys.stdout.flush()
    except OSError as error:
        silence(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise


def silence(stream: TextIO) -> None:
    """Let a stream write to nowhere, or the interpreter would fail with it once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
