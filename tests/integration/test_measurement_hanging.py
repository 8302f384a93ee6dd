"""A database of measurements that hangs while the metadata store is built: the service ends all
the same, and in order."""

from __future__ import annotations

import signal
import sqlite3
import time
from pathlib import Path

from tests.service import running_service
from tests.waiting import until

#: What is read of it first is never there.
ENDLESS = """
    CREATE VIEW "DATES" AS
    WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < 100000000000)
    SELECT max(i) AS year, 1 AS month FROM number
"""
CONFIG = """
[measurement]
metadata_db_type = "file"
databases = [{{ url = "sqlite:///{file}", layout = "bwctl" }}]
"""


def test_a_build_that_hangs_keeps_no_process_from_ending(tmp_path: Path) -> None:
    file = tmp_path / "endless.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute(ENDLESS)
    connection.close()
    config = CONFIG.format(file=file)
    with running_service(tmp_path / "data", config=config) as service:
        until(lambda: _is_read(file), within=20)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
        assert time.monotonic() - began < 10
        assert "did not end in time" not in service.log.read_text()


def _is_read(file: Path) -> bool:
    """Whether a process has the file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == file:
                return True
        except OSError:
            continue
    return False
