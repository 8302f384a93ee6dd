"""wrk as the client: so many connections that ask one after the other, as fast as they are served.

While it measures, wrk counts replies, their statuses and their bytes; a run of its own before that
compares every byte of every reply, which costs too much to do it all the while.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.processes import program

PACKAGE = "wrk"
_LUA = """
local function read(name)
   local file = assert(io.open(name, "rb"))
   local content = file:read("*a")
   file:close()
   return content
end
if BODY ~= "" then
   wrk.method = "POST"
   wrk.body = read(BODY)
   wrk.headers["Content-Type"] = "text/xml; charset=utf-8"
   wrk.headers["SOAPAction"] = '""'
end
wrong = 0
if EXPECTED ~= "" then
   local expected = read(EXPECTED)
   function response(status, headers, body)
      if body ~= expected then wrong = wrong + 1 end
   end
end
local threads = {}
function setup(thread) table.insert(threads, thread) end
function done(summary, latency, requests)
   local all = 0
   for _, thread in ipairs(threads) do all = all + thread:get("wrong") end
   local e = summary.errors
   io.write(string.format(
      '\\nFOUND {"seconds": %f, "replies": %d, "bytes": %d, "wrong": %d, "failed": %d, '
      .. '"p50": %f, "p99": %f}\\n',
      summary.duration / 1e6, summary.requests, summary.bytes, all,
      e.connect + e.read + e.write + e.status + e.timeout,
      latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: times in seconds; `failed` are replies with a status but 200 too."""

    seconds: float
    replies: int
    bytes: int
    wrong: int
    failed: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Replies a second."""
        return self.replies / self.seconds


def load(
    url: str,
    folder: Path,
    *,
    clients: int,
    seconds: float,
    body: bytes = b"",
    expected: bytes | None = None,
    lua: str = "",
) -> Load:
    """Ask `url` for some seconds: POST `body`, or GET where there is none.

    With `expected` every reply is compared with it. `lua` may define ``request`` for bodies and
    paths that differ, and has ``BODY`` read as ``wrk.body``. Raises Missing without wrk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"BODY": body, "EXPECTED": expected or b""}
    names = {name: folder / name.lower() if content else "" for name, content in files.items()}
    for name, content in files.items():
        if content:
            (folder / name.lower()).write_bytes(content)
    script = folder / "load.lua"
    script.write_text("".join(f'{name} = "{path}"\n' for name, path in names.items()) + _LUA + lua)
    command = [program("wrk", package=PACKAGE), "--threads", "1", "--connections", str(clients)]
    command += ["--duration", f"{max(1, round(seconds))}s", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "--script", str(script), url], capture_output=True, text=True, check=False
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    if not found:
        raise RuntimeError(f"wrk failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return Load(**json.loads(found[0].removeprefix("FOUND ")))
