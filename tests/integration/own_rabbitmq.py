"""A RabbitMQ of the test's own, which it may stop and start as it likes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.service import free_port
from tests.waiting import until

#: The program itself; what is on the PATH of Debian starts it as another user, with its own files.
PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/sbin/rabbitmq-server")
#: Seconds that a start takes at most; eight on two busy cores.
START = 90.0


class OwnRabbitMQ:
    """A node with a name, ports and folders of its own, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port, self._dist_port = free_port(), free_port()
        self._name = f"test_{uuid.uuid4().hex[:12]}@localhost"
        (folder / "plugins").write_text("[].")

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def start(self) -> None:
        """Start it, with what it had before; skips the test where there is no such program."""
        program = next((one for one in PROGRAMS if os.access(one, os.X_OK)), None)
        if program is None:
            missing = "rabbitmq-server is not installed on this machine"
            if os.environ.get("CI") == "true":
                pytest.fail(missing)
            pytest.skip(missing)
        with (self._folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [program],
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        until(self._answers, within=START, what="the broker is up")

    def stop(self) -> None:
        """Stop it; it writes down what it has."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(START)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "out").read_text()
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return True
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        return {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none-either"),
        }
