"""The action ``webhook`` against real HTTP servers."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aggregator.config import Settings
from aggregator.config.actions import ActionSettings
from tests.integration.action_kit import FIRE, FIRED, ID, RECOVERED, Ended, given_by, run
from tests.integration.authority import Authority
from tests.service import free_port

SECRET_PATH = "/services/T0/s3cr3t?key=k3y"


@dataclass
class Receiver:
    """What was posted, and how that is answered: by `answers` in turn, the last one for ever.

    `dawdles` are the seconds that it takes from its status to the end of its answer.
    """

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(
        default_factory=lambda: [(204, {}, b"")]
    )
    dawdles: float = 0.0
    posted: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Take what is posted, and answer."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        turn = min(len(self.posted), len(self.answers) - 1)
        self.posted.append((request.path, dict(request.headers.items()), body))
        status, headers, answer = self.answers[turn]
        request.send_response(status)
        length = len(answer) + (1 if self.dawdles else 0)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            request.send_header(name, value)
        request.end_headers()
        with contextlib.suppress(OSError):
            request.wfile.write(answer)
            request.wfile.flush()
            time.sleep(self.dawdles)


@contextlib.contextmanager
def receiver(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver that runs as long as the block."""
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.answer(self)

        def do_GET(self) -> None:
            made.posted.append(("GET " + self.path, {}, b""))

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    scheme = "http" if context is None else "https"
    made.url = f"{scheme}://127.0.0.1:{server.server_port}{SECRET_PATH}"
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with receiver() as made:
        yield made


def post(
    url: str, folder: Path, stdin: bytes = FIRED, *, within: float = 60, **more: object
) -> Ended:
    wanted: dict[str, object] = {"webhook_url": url, **more}
    settings = Settings(actions=ActionSettings(**wanted))  # type: ignore[arg-type]
    done = run("webhook", given_by(settings, "webhook"), folder, stdin=stdin, within=within)
    assert "s3cr3t" not in done.err
    assert "k3y" not in done.err
    return done


def test_an_alert_is_posted_as_json(hook: Receiver, tmp_path: Path) -> None:
    done = post(hook.url, tmp_path)
    assert dict(done.published.attrib) == {"status": "204", "tries": "1"}
    ((path, headers, body),) = hook.posted
    assert path == SECRET_PATH
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == ID
    assert "Authorization" not in headers
    told = json.loads(body)
    assert told.pop("data").startswith("<inputMessage>")
    assert told == {
        "id": ID,
        "state": "fired",
        "rule": "1",
        "trigger": None,
        "group": "DefaultTriggerService",
        "entry": "0643a1f08b5b0d2e",
        "member": "https://ce1.example.org:8443/wsrf/services/HostService",
        "matching_rule": "//glue:ProcessorLoad[@glue:Last1Min > 900]",
        "since": "2026-01-31T11:50:00.000Z",
        "at": "2026-01-31T12:00:00.250Z",
        "attempt": 1,
        "result": '<glue:ProcessorLoad xmlns:glue="http://mds.globus.org/glue/ce/1.1"'
        ' glue:Last1Min="980"/>',
        "result_bytes": told["result_bytes"],
        "data_bytes": told["data_bytes"],
    }


def test_a_repeated_alert_has_its_key_and_its_end_another(hook: Receiver, tmp_path: Path) -> None:
    for stdin in (FIRED, FIRED.replace(b'attempt="1"', b'attempt="2"'), RECOVERED):
        assert post(hook.url, tmp_path, stdin).status == 0
    keys = [headers["Idempotency-Key"] for _, headers, _ in hook.posted]
    assert keys == [ID, ID, f"{ID}.recovered"]
    assert [json.loads(body)["attempt"] for _, _, body in hook.posted] == [1, 2, 1]


@pytest.mark.parametrize("stdin", [FIRED, FIRE])
def test_the_document_may_be_posted_as_it_came(
    hook: Receiver, tmp_path: Path, stdin: bytes
) -> None:
    assert post(hook.url, tmp_path, stdin, webhook_format="xml").status == 0
    ((_, headers, body),) = hook.posted
    assert (headers["Content-Type"], body) == ("application/xml", stdin)


def test_what_is_too_large_is_counted_and_left_out(hook: Receiver, tmp_path: Path) -> None:
    large = b"<Host>" + b"x" * 100_000 + b"</Host>"
    stdin = FIRED.replace(b"<inputMessage>", b"<inputMessage>" + large)
    assert post(hook.url, tmp_path, stdin).status == 0
    told = json.loads(hook.posted[0][2])
    assert told["data"] is None
    assert told["data_bytes"] > 100_000
    assert told["result"]


@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [(200, 0, 1), (404, 1, 1), (302, 1, 1), (425, 75, 3), (429, 75, 3), (503, 75, 3)],
)
def test_the_status_says_whether_to_try_again(
    hook: Receiver, tmp_path: Path, status: int, code: int, tries: int
) -> None:
    hook.answers = [(status, {"Location": hook.url}, b"no\x1b[2J\r\nway")]
    done = post(hook.url, tmp_path)
    assert (done.status, len(hook.posted)) == (code, tries)
    assert len({headers["Idempotency-Key"] for _, headers, _ in hook.posted}) == 1
    if code:
        assert (done.out, done.err.count("\n")) == (b"", 1)
        assert f"answered with status {status}: no [2J way" in done.err


def test_who_recovers_soon_is_asked_again_at_once(hook: Receiver, tmp_path: Path) -> None:
    hook.answers = [(503, {}, b""), (204, {}, b"")]
    done = post(hook.url, tmp_path)
    assert dict(done.published.attrib) == {"status": "204", "tries": "2"}


def test_who_asks_to_wait_is_not_asked_again_at_once(hook: Receiver, tmp_path: Path) -> None:
    hook.answers = [(503, {"Retry-After": "120"}, b"")]
    assert post(hook.url, tmp_path).status == 75
    assert len(hook.posted) == 1


def test_who_answered_and_then_dawdles_has_answered(hook: Receiver, tmp_path: Path) -> None:
    hook.answers, hook.dawdles = [(200, {}, b"o")], 3.0
    assert post(hook.url, tmp_path, webhook_timeout=1.0).status == 0
    # Nor is more read of an answer than is told of it.
    hook.answers, hook.dawdles = [(200, {}, b"x" * 10_000)], 12.0
    assert post(hook.url, tmp_path, within=8).status == 0


def test_nobody_there_and_nobody_who_answers_are_tried_again(tmp_path: Path) -> None:
    done = post(f"http://127.0.0.1:{free_port()}/{SECRET_PATH}", tmp_path)
    assert done.status == 75
    assert "did not answer" in done.err
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}{SECRET_PATH}"
        done = post(url, tmp_path, webhook_timeout=0.5)
    assert done.status == 75


def test_a_proxy_is_asked_where_there_is_one(hook: Receiver, tmp_path: Path) -> None:
    proxy = hook.url.removesuffix(SECRET_PATH)
    assert post("http://hooks.example.org/alerts", tmp_path, webhook_proxy=proxy).status == 0
    assert hook.posted[0][0] == "http://hooks.example.org/alerts"
    done = post(hook.url, tmp_path, webhook_proxy=f"http://127.0.0.1:{free_port()}")
    assert (done.status, len(hook.posted)) == (75, 1)


def test_a_receiver_that_is_who_it_says_is_shown_the_token(tmp_path: Path) -> None:
    authority, strangers = Authority(tmp_path), Authority(tmp_path, "strangers")
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    token.chmod(0o600)
    shown = {"webhook_token_file": str(token), "webhook_ca_file": authority.file}
    context = authority.server_context(authority.issue("hook", address="127.0.0.1"))
    with receiver(context) as trusted:
        assert post(trusted.url, tmp_path, **shown).status == 0
        assert trusted.posted[0][1]["Authorization"] == "Bearer t0ken"
        token.write_text("t0ken\r\nX-Evil: 1\n")
        done = post(trusted.url, tmp_path, **shown)
        assert (done.status, len(trusted.posted)) == (78, 1)
        assert "webhook_token_file" in done.err
        token.write_text("t0ken")
    context = strangers.server_context(strangers.issue("hook", address="127.0.0.1"))
    with receiver(context) as pretender:
        done = post(pretender.url, tmp_path, **shown)
        assert done.status == 75
        assert "certificate" in done.err
        assert pretender.posted == []


def test_what_is_not_configured_is_named(tmp_path: Path) -> None:
    done = post("", tmp_path)
    assert (done.status, done.out, done.err) == (78, b"", "set actions.webhook_url\n")
