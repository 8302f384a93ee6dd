"""BaseX with a document and its indexes, over HTTP: a database that is made for XPath."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bench.processes import Missing, program, running
from tests.service import free_port

PACKAGE = "basex"
_JAR = Path("/usr/share/java/basex.jar")
_SOURCE = Path(__file__).with_name("BaseXHttp.java")


@contextlib.contextmanager
def basex(folder: Path, document: bytes) -> Iterator[str]:
    """BaseX with the document in memory, where it is faster than on its disk; its URL.

    It has a thread for each core: more than that don't make it faster.
    """
    if not _JAR.exists():
        raise Missing(f"{_JAR} is not here (Debian's package {PACKAGE})")
    # The source is compiled as it is started.
    program("javac", package="default-jdk-headless")
    java = program("java", package="default-jdk-headless")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "document.xml"
    file.write_bytes(document)
    port = free_port()
    # Without nodelay each reply on a connection that is kept waits for a delayed acknowledgement.
    command = [java, "-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-Dsun.net.httpserver.nodelay=true"]
    command += ["-cp", str(_JAR), str(_SOURCE), str(port), str(file), str(os.cpu_count() or 1)]
    with running(command, folder=folder, port=port):
        yield f"http://127.0.0.1:{port}/"
