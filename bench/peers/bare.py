"""A bare gunicorn application that parses the request and sends bytes that are ready.

What a service in this language on this server could do at best: no checks, no store, no dialects.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lxml import etree

from bench.processes import running
from tests.service import free_port

_FOLDER = "BENCH_BARE_FOLDER"
ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def bare(folder: Path, files: Mapping[str, bytes], *, threads: int) -> Iterator[str]:
    """gunicorn, with two workers of so many threads, answering with `files` by path; its URL."""
    port = free_port()
    (folder / "replies").mkdir(parents=True)
    for name, content in files.items():
        (folder / "replies" / name).write_bytes(content)
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--worker-class", "gthread", "--threads", str(threads)]
    command += ["--worker-connections", "2000", "--backlog", "4096", "--keep-alive", "60"]
    command += ["--no-control-socket", "--chdir", str(ROOT), "bench.peers.bare:application()"]
    with running(command, folder=folder, port=port, environ={_FOLDER: str(folder / "replies")}):
        yield f"http://127.0.0.1:{port}"


def application() -> Callable[[Mapping[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The WSGI application."""
    replies = {
        f"/{file.name}": (file.read_bytes(), str(file.stat().st_size))
        for file in Path(os.environ[_FOLDER]).iterdir()
    }

    def answer(environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        root = etree.fromstring(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        assert root[-1][0].tag.endswith("}GetResourceProperty")
        reply, length = replies[environ["PATH_INFO"]]
        start("200 OK", [("Content-Type", "text/xml"), ("Content-Length", length)])
        return [reply]

    return answer
