"""Waiting for what other processes do: polls until it is so, with a bound that fails the test."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T], *, within: float = 40, what: str = "", every: float = 0.05
) -> T:
    """The first truthy value of `condition`; fails after `within` seconds, telling the last."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or condition}; last {value!r}")
        time.sleep(every)
