"""etcd with leases: keys that vanish unless they are kept alive, durable at every put."""

from __future__ import annotations

import base64
import contextlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.processes import program, running
from bench.wrk import Load, load
from tests.service import free_port

PACKAGE = "etcd-server"
#: Seconds of a lease.
LIFETIME = 3600
#: Keys are text of base 64 as they stand: a number of eight digits makes twelve characters.
_PUTS = """
local leases = {{{leases}}}
local count = 0
function request()
   count = count + 1
   return wrk.format(nil, nil, nil,
      string.format('{{"key": "key/%08d", "value": "{value}", "lease": "%s"}}',
         {number}, leases[1 + count % #leases]))
end
"""
_KEPT = """
local leases = {{{leases}}}
function request()
   return wrk.format(nil, nil, nil, '{{"ID": "' .. leases[math.random(#leases)] .. '"}}')
end
"""


@contextlib.contextmanager
def etcd(folder: Path) -> Iterator[str]:
    """One etcd on a disk, its data in `folder`; its URL."""
    port, peers = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    folder.mkdir(parents=True, exist_ok=True)
    command = [program("etcd", package=PACKAGE), "--data-dir", str(folder / "data")]
    command += ["--listen-client-urls", url, "--advertise-client-urls", url]
    command += ["--listen-peer-urls", f"http://127.0.0.1:{peers}", "--log-level", "error"]
    command += ["--initial-advertise-peer-urls", f"http://127.0.0.1:{peers}"]
    command += ["--initial-cluster", f"default=http://127.0.0.1:{peers}"]
    with running(command, folder=folder, port=port):
        yield url


def ask(url: str, path: str, **body: Any) -> dict[str, Any]:
    """A call of etcd's JSON gateway."""
    request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def grant(url: str) -> str:
    """A new lease; its number."""
    return str(ask(url, "/v3/lease/grant", TTL=LIFETIME)["ID"])


def count(url: str) -> int:
    """How many keys there are."""
    every = base64.b64encode(b"\0").decode()
    return int(ask(url, "/v3/kv/range", key=every, range_end=every, count_only=True)["count"])


def leases(url: str, number: int = 256) -> list[str]:
    """New leases. One that holds very many keys makes each put dearer, so keys are spread."""
    return [grant(url) for _ in range(number)]


def put(
    url: str, folder: Path, leases: list[str], *, number: str, clients: int, seconds: float
) -> Load:
    """Put values of 1 KB, each with one of `leases`, under keys that Lua's `number` gives."""
    value = base64.b64encode(bytes(range(256)) * 4).decode()
    return load(
        f"{url}/v3/kv/put",
        folder / "load",
        clients=clients,
        seconds=seconds,
        body=b"{}",
        lua=_PUTS.format(leases=_quoted(leases), value=value, number=number),
    )


def keep_alive(url: str, folder: Path, leases: list[str], *, clients: int, seconds: float) -> Load:
    """Keep leases alive, drawn at random."""
    return load(
        f"{url}/v3/lease/keepalive",
        folder / "load",
        clients=clients,
        seconds=seconds,
        body=b"{}",
        lua=_KEPT.format(leases=_quoted(leases)),
    )


def _quoted(leases: list[str]) -> str:
    return ", ".join(f'"{lease}"' for lease in leases)
