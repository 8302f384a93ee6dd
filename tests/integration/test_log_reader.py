"""A reader of the log that stops reading brings nothing down."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

from aggregator.run.log_handler import PatientHandler
from tests import soap
from tests.service import RunningService, free_port, wait_until_ready

MANY = 600


def test_lines_that_nobody_reads_are_left_out_and_counted() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        handler = PatientHandler(stream)
        logger = logging.Logger("test")
        logger.addHandler(handler)
        began = time.monotonic()
        for number in range(2000):
            logger.info("line %d %s", number, "x" * 100)
        assert time.monotonic() - began < 5
        assert handler.lost > 1000
        written = 2000 - handler.lost
        taken = os.read(reading, 2**20).decode().splitlines()
        assert len(taken) == written
        lost = handler.lost
        logger.info("read again")
        assert os.read(reading, 2**20).decode().splitlines() == [
            f"{lost} lines of the log are missing here: nobody read them",
            "read again",
        ]
        assert handler.lost == 0
    os.close(reading)


def test_a_service_whose_log_nobody_reads_goes_on(tmp_path: Path) -> None:
    config = tmp_path / "aggregator.toml"
    config.write_text("[groups.Plain]\nrequire_source = false\n")
    port = free_port()
    command = [sys.executable, "-m", "aggregator", "serve", "--port", str(port)]
    command += ["--data-dir", str(tmp_path / "data"), "--config", str(config)]
    reading, writing = os.pipe()
    process = subprocess.Popen(command, stderr=writing, stdout=subprocess.DEVNULL)
    os.close(writing)
    service = RunningService(f"http://127.0.0.1:{port}", tmp_path, process, tmp_path / "no.log")
    try:
        wait_until_ready(service)
        group = f"{service.url}/wsrf/services/Plain"
        for number in range(MANY):
            body = soap.add_body(f"http://127.0.0.1:1/{number}", "<x:a xmlns:x='urn:x'/>")
            assert soap.call(group, body, timeout=10).status == 200
        assert len(soap.entries(group)) == MANY
        os.set_blocking(reading, False)
        held = b""
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(reading, 2**16):
                held += piece
        assert held.count(b'"added"') < MANY
        assert soap.call(group, soap.add_body("http://127.0.0.1:1/x", "<x:a xmlns:x='urn:x'/>"))
        os.set_blocking(reading, True)
        assert b"nobody read them" in os.read(reading, 2**20)
        assert service.stop() == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(reading)
