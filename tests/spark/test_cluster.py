"""Executors that are processes of their own, as on a cluster."""

from __future__ import annotations

from typing import Any


def test_two_executors_compute_apart_from_the_driver(clustered: dict[str, Any]) -> None:
    processes = {clustered["python"], clustered["driver"], *clustered["executors"]}
    assert len(clustered["executors"]) == 2
    assert len(processes) == 4
