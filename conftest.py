"""What all tests and examples share."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_FILES = ("elementary", "power_integral", "special")
_SOURCES = zlib.crc32(b"".join((_HERE / f"clvmodels/numerics/{name}.py").read_bytes() for name in _FILES))
# Numba compiles a function anew when its file has changed, but not when one that it draws on has.
os.environ.setdefault("NUMBA_CACHE_DIR", str(_HERE / ".pytest_cache" / f"numba-{_SOURCES:08x}"))


@pytest.fixture(autouse=True)
def _pictures_are_closed() -> Iterator[None]:
    """Close what an example or a test has drawn."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
