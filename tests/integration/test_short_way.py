"""The hot operations are answered the same on both ways: directly, and through all of Spyne."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from aggregator import waiting
from aggregator.server import short_way
from aggregator.server.wsgi import WsgiService
from aggregator.waiting import AT_ONCE, Later, Pending, but_here
from tests import soap
from tests.databases import DATABASES
from tests.integration.in_process import GROUP, POLL, environ_of_post, in_process
from tests.integration.in_process import asked as in_process_asked
from tests.migrated import with_tables
from tests.waiting import until

MEMBER = "http://127.0.0.1:1/member"
#: What differs from one answer to the next: keys, ids of messages, and instants.
VARIES = re.compile(rb"[0-9a-f]{46}|uuid:[0-9a-f-]{36}|\d{4}-\d\d-\d\dT[\d:.]+Z")


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WsgiService]:
    folder = tmp_path_factory.mktemp("short")
    with with_tables(request.param, folder) as url, in_process(folder, url) as made:
        yield made


def asked(service: WsgiService, body: str, **how: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and content of an answer."""
    return in_process_asked(service, environ(body, **how))


def environ(
    body: str, *, family: soap.Family, version: str, path: str = GROUP, **more: Any
) -> dict[str, Any]:
    wsa = soap.NS[family]["wsa"]
    addressing = (
        f'<wsa:MessageID xmlns:wsa="{wsa}">urn:message</wsa:MessageID>'
        f'<wsa:Action xmlns:wsa="{wsa}">urn:action</wsa:Action>'
    )
    content = soap.envelope(body, header=addressing, soap=version)
    return {**environ_of_post(content, path=path, soap12=version == soap.SOAP12), **more}


def read(name: str, family: soap.Family) -> str:
    ns = soap.NS[family]
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in ns.items())
    return f"<rp:GetResourceProperty {declared}>{name}</rp:GetResourceProperty>"


def renewal(time: str, family: soap.Family) -> str:
    rl = soap.NS[family]["rl"]
    return (
        f'<rl:SetTerminationTime xmlns:rl="{rl}"><rl:RequestedTerminationTime>{time}'
        "</rl:RequestedTerminationTime></rl:SetTerminationTime>"
    )


def questions(family: soap.Family, entry: str) -> list[tuple[str, str]]:
    """Path and body of what is answered, and of what is refused, by each hot operation."""
    return [
        (GROUP, read("sg:Entry", family)),
        (GROUP, read("sg:Nothing", family)),
        (GROUP, read("nowhere:Entry", family)),
        (entry, read("rl:TerminationTime", family)),
        (f"{GROUP}Entry/{'0' * 46}", read("rl:TerminationTime", family)),
        (entry, renewal("2098-01-01T00:00:00Z", family)),
        (entry, renewal("soon", family)),
        (f"{GROUP}Entry/{'0' * 46}", renewal("2098-01-01T00:00:00Z", family)),
        (GROUP, soap.add_body("http://127.0.0.1:1/member", family=family)),
        (GROUP, soap.add_body("mailto:nobody", family=family)),
        (entry, soap.add_body("http://127.0.0.1:1/member", family=family)),
    ]


@pytest.mark.parametrize("accepts", ["", "gzip"])
@pytest.mark.parametrize("version", [soap.SOAP11, soap.SOAP12])
@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_both_ways_give_the_same(
    service: WsgiService,
    monkeypatch: pytest.MonkeyPatch,
    family: soap.Family,
    version: str,
    accepts: str,
) -> None:
    body = soap.add_body("http://127.0.0.1:1/member", family=family)
    _, _, added = asked(service, body, family=family, version=version)
    entry = re.search(rb"http://index:8080(/[^<]*Entry/[0-9a-f]+)", added)
    assert entry
    statuses = set()
    for path, question in questions(family, entry[1].decode()):
        answers = []
        for way in (short_way.ShortWay.takes, lambda self, request: False):
            monkeypatch.setattr(short_way.ShortWay, "takes", way)
            answers.append(
                asked(
                    service,
                    question,
                    family=family,
                    version=version,
                    path=path,
                    HTTP_ACCEPT_ENCODING=accepts,
                )
            )
            monkeypatch.undo()
        (status, headers, content), (other_status, other_headers, other_content) = answers
        assert status == other_status
        assert dict(headers).keys() == dict(other_headers).keys()
        if ("Content-Encoding", "gzip") not in headers:
            assert VARIES.sub(b"", content) == VARIES.sub(b"", other_content)
        statuses.add(status)
    assert len(statuses) > 1


def test_who_must_not_wait_is_given_what_is_ready_and_the_rest_for_later(
    service: WsgiService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that looks after all connections is never the one that waits."""
    entries = read("sg:Entry", "oasis")
    monkeypatch.setattr(waiting, "_announce", but_here(nullcontext))

    def first(body: str) -> Any:
        return service(
            environ(body, family="oasis", version=soap.SOAP11, **{AT_ONCE: True}), lambda *a: None
        )

    def is_ready() -> bool:
        monkeypatch.setattr(waiting, "_announce", nullcontext)
        asked(service, entries, family="oasis", version=soap.SOAP11)
        monkeypatch.setattr(waiting, "_announce", but_here(nullcontext))
        return type(first(entries)) is not Later

    if service._site.registry.store.is_sqlite:
        # What was refused before is counted a moment later, which is a write.
        assert until(is_ready)
    else:
        # Other hosts write too, and the server has to be asked.
        assert not is_ready()
    counts = read("i:RegistrationCount", "oasis").replace(
        " ", ' xmlns:i="http://mds.globus.org/aggregator/types" ', 1
    )
    for body in (
        # A probe is looked for in a folder, which may be on a file system that hangs.
        soap.add_body("http://127.0.0.1:1/member"),
        counts,
        "<no:operation xmlns:no='urn:no'/>",
    ):
        assert type(first(body)) is Later, body


@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_who_must_not_wait_leaves_what_is_being_written_and_comes_back(
    service: WsgiService, monkeypatch: pytest.MonkeyPatch, family: soap.Family
) -> None:
    added, content = left_and_gone_on_with(
        service, soap.add_body(MEMBER, POLL, family=family), family
    )
    assert added == "200 OK"
    entry = re.search(rb"http://index:8080(/[^<]*Entry/[0-9a-f]+)", content)
    assert entry
    path = entry[1].decode()
    renewed = renewal("2098-01-01T00:00:00Z", family)
    status, content = left_and_gone_on_with(service, renewed, family, path=path)
    assert status == "200 OK"
    assert b"2098-01-01T00:00:00" in content
    unknown = f"{GROUP}Entry/{'0' * 46}"
    status, content = left_and_gone_on_with(service, renewed, family, path=unknown)
    assert status == "500 Internal Server Error"
    assert b"ResourceUnknownFault" in content


def left_and_gone_on_with(
    service: WsgiService, body: str, family: soap.Family, *, path: str = GROUP
) -> tuple[str, bytes]:
    """Status and content of the answer to a write, asked for as the front of a worker does."""
    told: list[Any] = []
    done = threading.Event()
    asked_for = environ(body, family=family, version=soap.SOAP11, path=path, **{AT_ONCE: True})
    pending = service(asked_for, lambda *a: told.extend(a))
    assert isinstance(pending, Pending)
    assert told == []
    pending.when_done(done.set)
    assert done.wait(10)
    content = b"".join(pending.answer())
    return told[0], content


def test_a_write_that_does_not_become_durable_in_time_is_given_up(
    service: WsgiService, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = service._site.registry.store
    held, free = threading.Event(), threading.Event()

    def hold(write: object) -> None:
        held.set()
        free.wait(10)

    blocking = store.writer.submit(hold)
    assert held.wait(10)
    try:
        told: list[Any] = []
        body = soap.add_body("http://127.0.0.1:1/never", POLL)
        pending = service(
            environ(body, family="oasis", version=soap.SOAP11, **{AT_ONCE: True}),
            lambda *a: told.extend(a),
        )
        assert isinstance(pending, Pending)
        content = b"".join(pending.answer())
        assert told[0] == "500 Internal Server Error"
        assert b"nothing changed" in content
    finally:
        free.set()
        blocking.result(10)
    _, _, content = asked(service, read("sg:Entry", "oasis"), family="oasis", version=soap.SOAP11)
    assert b"http://127.0.0.1:1/never" not in content
