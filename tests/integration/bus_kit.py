"""For tests of the event bus: a process that watches it, and a member that may fail.

    python -m tests.integration.bus_kit SYSTEM BROKER QUEUE [durable]

It says ``ready``, and then a line of JSON for each event.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aggregator.events import EventData, EventSubscriber, configure
from tests.polled_members import _REPLY

#: Seconds after which what happened has certainly been told.
SOON = 30.0


class Watcher:
    """A process that is subscribed to all events of a system."""

    def __init__(self, system: str, broker: str, name: str = "", *, durable: bool = False) -> None:
        command = [sys.executable, "-m", __name__, system, broker, name]
        self.process = subprocess.Popen(
            [*command, *(["durable"] if durable else [])],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        #: All that came so far, in order.
        self.events: list[dict[str, Any]] = []
        self._arrived: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._arrived.put(json.loads(line))

    def until(self, wanted: Callable[[dict[str, Any]], bool], *, within: float = SOON) -> Any:
        """The next event that is wanted; fails where none comes."""
        while True:
            try:
                event = self._arrived.get(timeout=within)
            except queue.Empty:
                raise AssertionError(f"it did not come; there were {self.events}") from None
            self.events.append(event)
            if wanted(event):
                return event

    def what(self, name: str, **facts: object) -> Any:
        """The next event by that name, with these facts."""
        return self.until(
            lambda e: e["what"] == name and all(e["facts"].get(k) == v for k, v in facts.items())
        )

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self._thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def watching(
    system: str, broker: str, name: str = "", *, durable: bool = False
) -> Iterator[Watcher]:
    """A process that watches as long as the block."""
    watcher = Watcher(system, broker, name, durable=durable)
    try:
        yield watcher
    finally:
        watcher.end()


class Failing:
    """A member that answers a poll, or with an error while `fails` is set."""

    def __init__(self) -> None:
        self.fails = False
        member = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                body = b"<html/>" if member.fails else _REPLY
                self.send_response(503 if member.fails else 200)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/member"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def failing_member() -> Iterator[Failing]:
    """A member that may fail, as long as the block."""
    member = Failing()
    try:
        yield member
    finally:
        member.close()


def _tell(data: EventData) -> None:
    content = data.content
    additional = content.additional_data
    told = {
        "topic": data.routing_key,
        "what": content.name,
        "key": data.headers.get("event-key"),
        "status": content.status and content.status.name,
        "state": getattr(getattr(additional, "state", None), "name", None),
        "facts": json.loads(content.body),
        "message": type(additional).__name__,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    system, broker, name, *rest = sys.argv[1:]
    configure(sys_name=system, broker=broker, durable=bool(rest))
    subscriber = EventSubscriber(queue_name=name or None, durable=bool(rest), auto_delete=not rest)
    subscriber.on_data = _tell
    subscriber.activate()
    print("ready", flush=True)
    threading.Event().wait()
