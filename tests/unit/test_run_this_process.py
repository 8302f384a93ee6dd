"""The number of a process, and the date of its replies."""

from __future__ import annotations

import os
from email.utils import parsedate_to_datetime

import pytest

from aggregator.run import http_dates
from aggregator.run.this_process import this_process


def test_the_number_is_right_after_a_fork_too() -> None:
    assert this_process() == os.getpid()
    child = os.fork()
    if child == 0:
        os._exit(this_process() != os.getpid())
    assert os.waitpid(child, 0)[1] == 0


def test_the_date_follows_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for instant in (1_800_000_000.2, 1_800_000_000.9, 1_800_000_001.0, 1_700_000_000.0):
        monkeypatch.setattr(http_dates.time, "time", lambda now=instant: now)
        assert parsedate_to_datetime(http_dates.date_now()).timestamp() == int(instant)
        assert http_dates.date_now().endswith(" GMT")
