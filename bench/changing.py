"""Members whose content is another one at each poll: nginx, which costs next to nothing.

Each reply bears the instant at which it was given, so that a reader can tell what is newer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import entries
from bench.peers.nginx import PACKAGE
from bench.processes import program, running
from tests import soap
from tests.service import free_port

#: Before and behind the instant, seconds since 1970 with three decimals: always 14 characters.
MARK = ("<glue:Description>at ", " ")
_INSTANT = "0000000000.000"
_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location ~ /member-(?<number>[0-9]+)/ {{
            default_type "text/xml; charset=utf-8";
            return 200 '{reply}';
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Changing:
    """As many members as are asked for, by number; `pid` is the process of all of them."""

    pid: int
    port: int

    def url(self, number: int) -> str:
        """The address of a member."""
        return (
            f"http://127.0.0.1:{self.port}/member-{number:06d}/wsrf/services/"
            "ManagedJobFactoryService"
        )

    def add_body(self, number: int, *, millis: int) -> str:
        """An Add that has the member polled."""
        config = soap.get_property_config(
            "glue:Cluster", millis=millis, declare=f'xmlns:glue="{entries.GLUE}"'
        )
        return soap.add_body(self.url(number), config)


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[Changing]:
    """Members that are there as long as the block. Raises Missing without nginx."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = _CONFIG.format(folder=folder, port=port, reply=_reply())
    (folder / "nginx.conf").write_text(config)
    command = [program("nginx", package=PACKAGE), "-c", str(folder / "nginx.conf")]
    with running(command, folder=folder, port=port) as process:
        yield Changing(process.pid, port)


def _reply() -> str:
    """The content of a member as nginx writes it: as long as that of bench.entries."""
    content = entries.content(0)
    for name in ("cluster", "queue", "head"):
        content = content.replace(f"{name}-000000", f"{name}-$number")
    opening, _, filling = content.partition("<glue:Description>")
    mark = f"{MARK[0]}{_INSTANT}{MARK[1]}"
    content = opening + mark + filling[len(mark) - len("<glue:Description>") :]
    content = content.replace(_INSTANT, "$msec")
    body = (
        f'<rp:GetResourcePropertyResponse xmlns:rp="{soap.NS["oasis"]["rp"]}">{content}'
        "</rp:GetResourcePropertyResponse>"
    )
    return soap.envelope(body).decode()
