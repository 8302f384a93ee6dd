"""A BaseX server of the test's own, with a folder and users of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aggregator.measurement.basex import BasexServer, BasexTrouble
from tests.service import free_port
from tests.waiting import until

#: Where distributions put it.
JAR = Path("/usr/share/java/basex.jar")
#: Seconds that a start takes at most; one on a quiet machine.
START = 60.0
USER, PASSWORD = "measurements", "s3cret-of-ours"
_JAVA = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass
class OwnBasex:
    """A server on a free port of loopback, below `folder`."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def admin(self) -> BasexServer:
        """The server as its administrator asks it."""
        return BasexServer(port=self.port, user="admin", password="admin")

    @property
    def server(self) -> BasexServer:
        """The server as a user asks it who may make databases."""
        return replace(self.admin, user=USER, password=PASSWORD)

    def start(self) -> None:
        """Start it, with what it had before."""
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(
                ["java", *_JAVA, *self._settings(), "-cp", str(JAR), *self._server()],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
            )
        until(self._answers, within=START, what="the XML database is up")

    def stop(self, *, kill: bool = False) -> None:
        """End it: by a signal that it heeds, or by one that nobody can."""
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(START)
            self.process = None

    def command(self, text: str) -> str:
        """What a command brings its administrator."""
        with self.admin.session() as session:
            return session.command(text)

    def _settings(self) -> list[str]:
        found = {"path": self.folder, "dbpath": self.folder / "data", "parallel": 32}
        return [f"-Dorg.basex.{name}={value}" for name, value in found.items()]

    def _server(self) -> list[str]:
        return ["org.basex.BaseXServer", f"-p{self.port}", "-n127.0.0.1"]

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "out").read_text()
        with contextlib.suppress(BasexTrouble), self.admin.session():
            return True
        return False


@contextlib.contextmanager
def own_basex(folder: Path) -> Iterator[OwnBasex]:
    """A server that is started; skips the test where there is no such program."""
    if not JAR.exists() or shutil.which("java") is None:
        missing = "basex is not installed on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    found = OwnBasex(folder, free_port())
    try:
        found.start()
        found.command(f"CREATE USER {USER} {PASSWORD}")
        found.command(f"GRANT create TO {USER}")
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def basex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBasex]:
    """The server that a module's tests share; each takes a database of its own."""
    with own_basex(tmp_path_factory.mktemp("basex")) as found:
        yield found
