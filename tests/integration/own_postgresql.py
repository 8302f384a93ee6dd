"""A PostgreSQL server of a test's own, to be stopped and started under load."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest


class OwnPostgresql:
    """A fresh server on a free port; `url` is what the setting ``store.url`` takes."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = {**os.environ, **(environ or {})}
        self._programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="aggregator-postgresql-"))
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self._folder, self._user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"postgresql+psycopg://{self._user}@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--no-sync", str(self._data))

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; ``immediate`` is what a crash looks like."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def remove(self) -> None:
        """Stop the server, where it runs, and remove all that it wrote."""
        if (self._data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            ids = [f"--re{kind}={self._user}" for kind in ("uid", "gid")]
            command = ["setpriv", *ids, "--clear-groups", *command]
        subprocess.run(
            command,
            check=True,
            env=self._environ,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )


@contextmanager
def started(environ: Mapping[str, str] | None = None) -> Iterator[OwnPostgresql]:
    """A server that runs, and is gone at the end."""
    own = OwnPostgresql(environ)
    try:
        own.start()
        yield own
    finally:
        own.remove()


@pytest.fixture
def server() -> Iterator[OwnPostgresql]:
    """A server of the test's own, started."""
    with started() as own:
        yield own


def _programs() -> Path:
    """Where the server's programs are; Debian keeps them off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if which := shutil.which("initdb"):
        found.append(Path(which))
    if not found:
        message = "no PostgreSQL server is installed here that could be restarted"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found[-1].resolve().parent
