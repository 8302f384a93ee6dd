"""``perfsonar-client`` and what is behind it, against real services."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from aggregator.client.nmwg import send
from aggregator.errors import RemoteError, RemoteFault
from aggregator.wire.nmwg import ACTION, errors_of
from aggregator.wire.parse import Limits, parse
from tests.integration.commands import BIN, Ended, environment, run
from tests.nmwg_peer import NMWG, SUMMARY, RunningPeer, envelope, message, nmwg_peer

ECHO = (
    f'<?xml version="1.0"?><!-- ask --><nmwg:message xmlns:nmwg="{NMWG}" type="EchoRequest" '
    'id="e1"><nmwg:metadata id="m1"><nmwg:eventType>http://schemas.perfsonar.net/tools/admin/echo/'
    '2.0</nmwg:eventType></nmwg:metadata><nmwg:data id="d1" metadataIdRef="m1"/></nmwg:message>'
)


@pytest.fixture(scope="module")
def peer() -> Iterator[RunningPeer]:
    with nmwg_peer() as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "request.xml"
    path.write_text(ECHO)
    return str(path)


def test_the_message_of_the_reply_is_shown(peer: RunningPeer, file: str) -> None:
    ended = run("perfsonar-client", f"{peer.url}/ma/pSB", file)
    assert (ended.status, ended.err) == (0, "")
    shown = etree.fromstring(ended.out)
    assert (shown.tag, shown.get("type")) == (f"{{{NMWG}}}message", "EchoResponse")
    sent = peer.ask("asked")[-1]
    assert sent["action"] == f'"{ACTION}"'
    assert sent["content_type"].startswith("text/xml")
    root = etree.fromstring(sent["body"].encode())
    assert root.tag == "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"
    assert [child.get("id") for child in root[-1]] == ["e1"]


def test_an_envelope_is_sent_as_it_is_and_shown_when_asked_for(
    peer: RunningPeer, tmp_path: Path
) -> None:
    wrapped = tmp_path / "wrapped.xml"
    wrapped.write_text(envelope(message("", "EchoRequest")))
    ended = run("perfsonar-client", "--envelope", f"{peer.url}/ma/pSB", str(wrapped))
    assert ended.status == 0
    assert etree.QName(etree.fromstring(ended.out)).localname == "Envelope"
    assert peer.ask("asked")[-1]["body"].count("Envelope>") == 1


def test_standard_input_is_read(peer: RunningPeer) -> None:
    done = subprocess.run(
        [str(BIN / "perfsonar-client"), f"{peer.url}/ma/bare", "-"],
        input=ECHO.encode("utf-16"),
        capture_output=True,
        check=False,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"SetupDataResponse" in done.stdout


@pytest.mark.parametrize(
    ("xpath", "shown"),
    [
        ("//summary:datum/@sent", "600\n"),
        ("count(//nmwg:data)", "1\n"),
        ("//nmwg:eventType/text()", "http://ggf.org/ns/nmwg/tools/owamp/2.0\n"),
        ("boolean(//nmwg:none)", "false\n"),
        ("//nmwg:none", ""),
    ],
)
def test_a_filter_shows_what_it_finds(peer: RunningPeer, file: str, xpath: str, shown: str) -> None:
    ended = run("perfsonar-client", "--filter", xpath, f"{peer.url}/ma/good", file)
    assert ended == Ended(0, shown, "")


def test_a_filter_of_elements_and_of_the_document(peer: RunningPeer, file: str) -> None:
    ended = run("perfsonar-client", "--filter=//summary:datum", f"{peer.url}/ma/good", file)
    assert etree.fromstring(ended.out).tag == f"{{{SUMMARY}}}datum"
    ended = run("perfsonar-client", "--filter=/", f"{peer.url}/ma/good", file)
    assert "Envelope" in ended.out


def test_host_port_and_path_stand_in_for_the_url_and_for_its_parts(
    peer: RunningPeer, file: str
) -> None:
    port = peer.url.rpartition(":")[2]
    given = ["--server", "127.0.0.1", "--port", port, "--endpoint", "/ma/good", file]
    assert run("perfsonar-client", *given).status == 0
    given = ["--port", port, "--endpoint", "ma/good", "http://127.0.0.1:1/ma/fault", file]
    assert run("perfsonar-client", *given).status == 0


def test_an_error_in_the_reply_is_status_1_and_told(peer: RunningPeer, file: str) -> None:
    ended = run("perfsonar-client", f"{peer.url}/ma/mixed", file)
    assert ended.status == 1
    assert ended.err == 'error: error.ma.storage: Database "store.xml" returned 0 results\n'
    assert etree.fromstring(ended.out).tag == f"{{{NMWG}}}message"
    ended = run("perfsonar-client", f"{peer.url}/ma/unread", file)
    assert (ended.status, "error.transport.parse_error: Error parsing" in ended.err) == (1, True)


def test_no_rows_are_no_error(peer: RunningPeer, file: str) -> None:
    ended = run("perfsonar-client", f"{peer.url}/ma/empty", file)
    assert (ended.status, ended.err) == (0, "")
    assert "Query returned 0 results" in ended.out


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("fault", "out of order"),
        ("several", "more than one nmwg:message"),
        ("foreign", "there is no nmwg:message"),
        ("html", "there is no nmwg:message"),
        ("text", "with text/plain, not with SOAP"),
        ("none", "without a message"),
        ("doctype", "has a DOCTYPE"),
        ("deep", "more than 64 deep"),
        ("redirect", "redirects are not followed"),
    ],
)
def test_whatever_is_no_message_is_status_2_in_a_line(
    peer: RunningPeer, file: str, path: str, told: str
) -> None:
    ended = run("perfsonar-client", f"{peer.url}/ma/{path}", file)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert told in ended.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["FILE"], "no service is named"),
        (["ftp://h/", "FILE"], "'ftp://h/' is no URL like"),
        (["http://h/", "FILE", "more"], "3 arguments; expected"),
        (["http://h/", "nowhere.xml"], "nowhere.xml can't be read: No such file"),
        (["--filter", "//[", "http://h/", "FILE"], "'//[' is no XPath 1.0"),
        (["--port", "0", "http://h/", "FILE"], "0 is not in the range"),
        (["-z", "self", "http://h/", "FILE"], "-z self compares"),
        ([], "Missing argument"),
        (["http://127.0.0.1:1/x", "FILE"], "gave no reply: Connection refused"),
    ],
)
def test_wrong_usage_and_nobody_there_are_status_2_in_a_line(
    file: str, arguments: list[str], told: str
) -> None:
    given = [file if one == "FILE" else one for one in arguments]
    ended = run("perfsonar-client", *given)
    assert (ended.status, ended.out, len(ended.err.splitlines())) == (2, "", 1)
    assert told in ended.err


@pytest.mark.parametrize("text", ["<a/>", "no XML", "", f"<!DOCTYPE a>{ECHO[21:]}"])
def test_a_file_without_a_message_is_not_sent(tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong.xml"
    file.write_text(text)
    ended = run("perfsonar-client", "http://127.0.0.1:1/x", str(file))
    assert ended.status == 2
    assert ended.err.startswith(f"error: {file}: ")


def test_one_that_hangs_is_given_up(peer: RunningPeer, file: str) -> None:
    ended = run("perfsonar-client", "-t", "0.5", f"{peer.url}/ma/hang", file, within=20)
    assert (ended.status, "did not answer within 0.5 s" in ended.err) == (2, True)


class TestSend:
    ASKED = parse(ECHO.encode())

    def test_returns_the_message(self, peer: RunningPeer) -> None:
        answered = send(f"{peer.url}/ma/error", self.ASKED, timeout=10)
        assert [str(one) for one in errors_of(answered)] == [
            'error.ma.storage: Database "store.xml" returned 0 results'
        ]

    def test_raises_what_came_instead(self, peer: RunningPeer) -> None:
        with pytest.raises(RemoteFault, match="out of order"):
            send(f"{peer.url}/ma/fault", self.ASKED)
        with pytest.raises(RemoteError, match="with no NMWG message"):
            send(f"{peer.url}/ma/html", self.ASKED)

    def test_bounds_the_reply(self, peer: RunningPeer) -> None:
        with pytest.raises(RemoteError, match="more than 10000 bytes"):
            send(f"{peer.url}/ma/huge", self.ASKED, limits=Limits(size=10_000))
