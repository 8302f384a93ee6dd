"""Members that are polled and targets that are scraped: one nginx, at an address for each.

A reply costs it a few microseconds, so that who asks is what is measured. Each reply bears a mark
that no other does, and the log tells which member was asked when and what mark it gave.
"""

from __future__ import annotations

import contextlib
import re
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from bench import entries
from bench.peers.nginx import PACKAGE
from bench.processes import program, running
from bench.stock import Kind
from tests import soap
from tests.service import free_port

#: What members show instead of a mark while they are still.
STILL = "7"
#: Seconds until what was served is in the log.
_WRITTEN = 1.0
_SAMPLES = 30
_CONFIG = """
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections {files}; }}
http {{
    log_format served '$msec $number $mark';
    access_log {folder}/served.log served buffer=64k flush=500ms;
    keepalive_timeout 120;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        {listen}
        set $mark "${{connection}}0${{connection_requests}}";
        if (-f {folder}/still) {{ set $mark {still}; }}
        location ~ ^/member/(?<number>[0-9]+)$ {{
            default_type "text/xml; charset=utf-8";
            return 200 '{property}';
        }}
        location ~ ^/metrics/(?<number>[0-9]+)$ {{
            default_type "text/plain; version=0.0.4";
            return 200 '{samples}';
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A reply: when, in seconds since 1970, by the member of which number, with what mark."""

    at: float
    number: int
    mark: str


@dataclass(frozen=True, slots=True)
class Members:
    """Members by number, all on one port of addresses of their own in 127.0.0.0/8."""

    folder: Path
    port: int
    count: int

    def target(self, number: int) -> str:
        """Host and port of a member."""
        return f"{_address(number)}:{self.port}"

    def path(self, number: int) -> str:
        """Where a member shows its samples."""
        return f"/metrics/{number:06d}"

    def kind(self, *, millis: int) -> Kind:
        """The entries of members that are asked for one property every so often."""
        config = soap.get_property_config(
            "glue:Cluster", millis=millis, declare=f'xmlns:glue="{entries.GLUE}"'
        )
        return Kind(
            lambda number: soap.add_body(self._url(number), config),
            lambda number: (self._url(number),),
        )

    def be_still(self, still: bool) -> None:
        """Say the same from now on, or what differs each time."""
        flag = self.folder / "still"
        if still:
            flag.touch()
        else:
            flag.unlink(missing_ok=True)

    def served(self, *, since: float = 0.0, until: float | None = None) -> list[Served]:
        """What was served from `since` until `until`, which is now where it is not given."""
        end = time.time() if until is None else until
        time.sleep(max(0.0, end + _WRITTEN - time.time()))
        found = []
        with (self.folder / "served.log").open() as log:
            for line in log:
                at, number, mark = line.split()
                if since <= float(at) < end:
                    found.append(Served(float(at), int(number), mark))
        return found

    def _url(self, number: int) -> str:
        return f"http://{self.target(number)}/member/{number:06d}"


def marks_in(body: etree._Element) -> dict[int, str]:
    """By number, the mark of each member whose property is somewhere in a reply."""
    return {
        int(found.get(f"{{{entries.GLUE}}}Name", "").rpartition("-")[2]): found[0][1].get(
            f"{{{entries.GLUE}}}FreeCPUs", ""
        )
        for found in body.iter(f"{{{entries.GLUE}}}Cluster")
    }


@contextlib.contextmanager
def members(folder: Path, count: int, *, port: int = 0) -> Iterator[Members]:
    """So many members, for as long as the block."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config = _CONFIG.format(
        folder=folder,
        files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        listen="\n        ".join(f"listen {_address(n)}:{port};" for n in range(count)),
        still=STILL,
        property=_property(),
        samples=_samples(),
    )
    (folder / "nginx.conf").write_text(config)
    command = [program("nginx", package=PACKAGE), "-c", str(folder / "nginx.conf")]
    with running(command, folder=folder, port=port, host=_address(count - 1)):
        yield Members(folder, port, count)


def _address(number: int) -> str:
    """The address of a member, as long as that of every other."""
    return f"127.1.{100 + number // 100}.{100 + number % 100}"


def _property() -> str:
    """A reply of 1.5 KB, of which a part is another one each time, as MDS4's are."""
    content = entries.content(0)
    begin, end = content.index("<glue:ComputingElement"), content.index("<glue:Description>")
    # Two queues make 1.5 KB.
    content = content[:end] + content[begin:end] + content[end:]
    for name in ("FreeCPUs", "RunningJobs", "TotalJobs", "WaitingJobs"):
        content = re.sub(f'glue:{name}="[0-9]*"', f'glue:{name}="$mark"', content)
    for name in ("cluster", "queue", "head"):
        content = content.replace(f"{name}-000000", f"{name}-$number")
    body = (
        f'<rp:GetResourcePropertyResponse xmlns:rp="{soap.NS["oasis"]["rp"]}">{content}'
        "</rp:GetResourcePropertyResponse>"
    )
    return soap.envelope(body).decode()


def _samples() -> str:
    """Thirty samples, all of them other ones each time."""
    lines = []
    for kind in ("cpu", "disk", "queue"):
        lines.append(f"# HELP node_{kind}_total What the member counts of {kind}.\n")
        lines.append(f"# TYPE node_{kind}_total gauge\n")
        for number in range(_SAMPLES // 3):
            value = "$mark" if number % 2 else "$mark.25"
            lines.append(f'node_{kind}_total{{part="{kind}-{number}",site="site-00"}} {value}\n')
    return "".join(lines)
