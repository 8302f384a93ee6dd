"""A member as a process for tests, and raw HTTP to it."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from lxml import etree

from tests import soap
from tests.clients.own_schemas import check_against_ours
from tests.shared import SHARED, published_schemas
from tests.waiting import until

GLUE = "http://mds.globus.org/glue/ce/1.1"
SITE = "http://example.org/site"
PROGRAM = "#!/bin/sh\n"


@dataclass(slots=True)
class RunningMember:
    """A member that runs; `url` is that of its service."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        parts = urlsplit(self.url)
        assert parts.hostname
        assert parts.port
        return parts.hostname, parts.port

    @property
    def base(self) -> str:
        """The URL of its root."""
        return self.url.partition("/wsrf/")[0]

    def logs(self) -> str:
        """All that it wrote."""
        return self.log.read_text(errors="replace")

    def family(self) -> list[psutil.Process]:
        """Its process and everything beneath it."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def named(self, *names: str) -> list[psutil.Process]:
        """Those of its family that bear one of the names and live."""
        found = []
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() in names and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def stop(self, *, within: float = 10) -> int:
        """End it as an operator would; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)


@contextlib.contextmanager
def member(
    folder: Path, config: str = "", *options: str, under: Sequence[str] = ()
) -> Iterator[RunningMember]:
    """A member with a TOML configuration, as long as the block; `under` runs the command."""
    folder.mkdir(exist_ok=True)
    arguments = list(options)
    if config:
        file = folder / "member.toml"
        file.write_text(config)
        arguments += ["--config", str(file)]
    log = folder / "member.log"
    command = [*under, sys.executable, "-m", "aggregator", "member", "--port", "0", *arguments]
    with log.open("wb") as stream:
        process = subprocess.Popen([*command, "--log-format", "text"], stdout=stream, stderr=stream)
    running = RunningMember(process, log)
    try:
        running.url = until(lambda: _announced(running), within=30, what="the member listens")
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()


def _announced(running: RunningMember) -> str:
    assert running.process.poll() is None, running.logs()
    for line in running.logs().splitlines():
        if line.startswith("listening on "):
            return line.removeprefix("listening on ")
    return ""


def program(folder: Path, name: str, text: str) -> str:
    """An executable shell script; its path."""
    path = folder / name
    path.write_text(PROGRAM + text)
    path.chmod(0o755)
    return str(path)


def raw(running: RunningMember, content: bytes, *, half_close: bool = False) -> bytes:
    """All that the member answers to some bytes until it closes, or falls silent for a second."""
    with socket.create_connection(running.address, timeout=10) as link:
        with contextlib.suppress(ConnectionError):
            link.sendall(content)
        if half_close:
            link.shutdown(socket.SHUT_WR)
        return receive(link)


def receive(link: socket.socket, *, silence: float = 1.0) -> bytes:
    """What comes until the end, or until nothing comes."""
    link.settimeout(silence)
    pieces = []
    with contextlib.suppress(TimeoutError, ConnectionError):
        while piece := link.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def ask(running: RunningMember, name: str, *, family: soap.Family = "oasis") -> soap.Answer:
    """GetResourceProperty of a Clark name."""
    namespace, _, local = name[1:].partition("}")
    rp = soap.NS[family]["rp"]
    return soap.call(
        running.url,
        f'<rp:GetResourceProperty xmlns:rp="{rp}" xmlns:x="{namespace}">x:{local}'
        "</rp:GetResourceProperty>",
    )


def values(running: RunningMember, name: str) -> list[etree._Element]:
    """The elements of a property."""
    answer = ask(running, name)
    assert answer.status == 200, answer.content
    return list(answer.body)


def health(running: RunningMember) -> list[dict[str, str]]:
    """What the member tells of its producers, by the local names of HealthType's children."""
    (told,) = values(running, "{urn:mds-aggregator:member}Producers")
    return [
        {etree.QName(line).localname: line.text or "" for line in producer[1]} for producer in told
    ]


def check_schemas(element: etree._Element) -> None:
    """Hold a message against our own schemas, and the published ones where they are at hand."""
    check_against_ours(element)
    if (SHARED / "schemas" / "load.py").exists():
        published_schemas().validate(element)
