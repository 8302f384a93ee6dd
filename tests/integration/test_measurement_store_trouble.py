"""Metadata stores that can't be read: what is told, and that they recover."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from aggregator.measurement.archive import MeasurementArchive
from aggregator.measurement.basex import BasexServer
from aggregator.measurement.building import build
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.handling import RequestHandler
from aggregator.measurement.message import read_message
from aggregator.measurement.metadata_store import MetadataStore, StoreUnreadable
from aggregator.measurement.output import Output
from aggregator.measurement.xmldb_store import XmldbStore
from aggregator.wire.parse import DEFAULT_LIMITS
from tests.integration.measurement_kit import ALL, DECLARED, TESTS, asked, content, ids
from tests.integration.own_basex import PASSWORD, USER, OwnBasex, basex, own_basex  # noqa: F401
from tests.service import free_port


def problem(store: MetadataStore) -> str:
    """What is told of a store that can't be opened."""
    with pytest.raises(StoreUnreadable) as caught, store.opened():
        pass
    text = str(caught.value)
    assert PASSWORD not in text
    assert USER not in text
    return text


def test_a_file_is_read_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.xml"
    reads: list[Path] = []
    original = Path.read_bytes
    store = FileStore(path)
    store.replace(content())
    monkeypatch.setattr(Path, "read_bytes", lambda self: (reads.append(self), original(self))[1])
    elements = []
    for _ in range(3):
        with store.opened() as opened:
            elements.append(opened.all()[0].element)
    assert reads == [path]
    assert elements[0] is elements[1] is elements[2]
    os.utime(path, ns=(1, 1))
    assert ids(store, asked("")) == ALL
    assert reads == [path, path]


def test_a_file_that_is_broken_is_not_read_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.xml"
    store = FileStore(path)
    store.replace(content())
    assert ids(store, asked("")) == ALL
    reads: list[Path] = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: (reads.append(self), original(self))[1])
    for text in ("<x", "", "<other/>", '<!DOCTYPE x [<!ENTITY e "f">]><x>&e;</x>'):
        caplog.clear()
        reads.clear()
        path.write_text(text)
        for _ in range(3):
            assert f"the metadata store {path} can't be read: " in problem(store)
        assert reads == [path]
        assert [one.levelno for one in caplog.records] == [logging.ERROR]
    store.replace(content())
    assert ids(store, asked("")) == ALL


def test_a_file_that_is_missing_or_closed_is_told_and_read_when_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "store.xml"
    store = FileStore(path)
    assert "No such file" in problem(store)
    store.replace(content())
    assert ids(store, asked("")) == ALL
    aside = path.rename(path.with_name("aside"))
    assert "No such file" in problem(store)
    aside.rename(path)
    assert ids(store, asked("")) == ALL
    path.unlink()
    path.mkdir()
    assert "can't be read" in problem(store)
    with pytest.raises(StoreUnreadable, match="can't be written"):
        store.replace(content())


def test_a_file_that_could_not_be_read_for_a_moment_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = FileStore(tmp_path / "store.xml")
    store.replace(content())

    def full(_: Path) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", full)
        assert "Too many open files" in problem(store)
        assert "Too many open files" in problem(store)
    assert len(caplog.records) == 1
    assert ids(store, asked("")) == ALL


def test_a_file_is_written_beside_and_moved(tmp_path: Path) -> None:
    path = tmp_path / "store.xml"
    store = FileStore(path)
    store.replace(content())
    first = path.stat()
    store.replace(content())
    assert path.stat() == first
    (tmp_path / "store.xml.tmp").write_text("of a process that was killed")
    with path.open() as held:
        store.replace(build(TESTS))
        assert path.stat().st_ino != first.st_ino
        assert "interface" in held.read()
    assert [one.name for one in tmp_path.iterdir()] == ["store.xml"]


def test_many_may_write_a_file_at_once(tmp_path: Path) -> None:
    stores = [FileStore(tmp_path / "store.xml") for _ in range(4)]
    wrong: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(20):
                stores[number].replace(build(TESTS[: 1 + (number + turn) % 4] * 30))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert ids(stores[0], asked(""))
    assert [one.name for one in tmp_path.iterdir()] == ["store.xml"]


def test_nobody_answers() -> None:
    store = XmldbStore(BasexServer(port=free_port(), user=USER, password=PASSWORD), "m")
    assert "no BaseX answers at 127.0.0.1:" in problem(store)
    assert "start basexserver" in problem(store)
    with pytest.raises(StoreUnreadable, match="start basexserver"):
        store.replace(content())
    unknown = XmldbStore(BasexServer(host="no.such.host.invalid"), "m")
    assert "no BaseX answers" in problem(unknown)


@contextmanager
def talking(say: Callable[[socket.socket], None]) -> Iterator[BasexServer]:
    """Something that is no BaseX."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    say(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        yield BasexServer(port=port, user=USER, password=PASSWORD, timeout=0.5, most=10_000)
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def drip(connection: socket.socket) -> None:
    """A byte now and then, without an end."""
    try:
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)
    except OSError:
        pass


def pour(connection: socket.socket) -> None:
    """Without an end as well, and fast."""
    try:
        for _ in range(1000):
            connection.sendall(b"x" * 65536)
    except OSError:
        pass


@pytest.mark.parametrize(
    "say",
    [
        lambda connection: time.sleep(1),
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda connection: connection.sendall(b"no nonce\0"),
        lambda connection: connection.sendall(b"\xff\xff\xff:\xff\0\0\0\0"),
        lambda connection: connection.sendall(b"BaseX:17\0\0"),
        drip,
        pour,
    ],
    ids=["silent", "http", "old", "odd", "half", "drip", "pour"],
)
def test_something_else_answers(say: Callable[[socket.socket], None]) -> None:
    with talking(say) as server:
        began = time.monotonic()
        assert "no BaseX answers at 127.0.0.1:" in problem(XmldbStore(server, "m"))
        assert time.monotonic() - began < 3


def test_the_login_is_refused(basex: OwnBasex) -> None:  # noqa: F811
    for server in (
        replace(basex.server, password=f"{PASSWORD}x"),
        replace(basex.server, user=f"{USER}x"),
    ):
        assert "refused the user or the password" in problem(XmldbStore(server, "m"))
        assert PASSWORD not in repr(server)


def test_the_database_is_missing_or_empty_until_it_is_built(basex: OwnBasex) -> None:  # noqa: F811
    store = XmldbStore(basex.server, "late")
    assert 'has no database "late"' in problem(store)
    basex.command("CREATE DB late")
    assert 'the database "late" holds none yet' in problem(store)
    store.replace(content())
    assert ids(store, asked("")) == ALL


def test_rights_are_told_and_those_on_one_database_suffice(basex: OwnBasex) -> None:  # noqa: F811
    basex.command("CREATE USER narrow narrow")
    basex.command("CREATE DB narrow")
    store = XmldbStore(replace(basex.admin, user="narrow", password="narrow"), "narrow")
    with pytest.raises(StoreUnreadable, match="GRANT write ON narrow"), store.opened():
        pass
    with pytest.raises(StoreUnreadable, match="GRANT write ON narrow"):
        store.replace(content())
    basex.command("GRANT write ON narrow TO narrow")
    assert store.replace(content())
    assert not store.replace(content())
    assert ids(store, asked("")) == ALL


def test_a_server_that_is_started_again_is_used_again(tmp_path: Path) -> None:
    with own_basex(tmp_path) as server:
        store = XmldbStore(server.server, "m")
        store.replace(content())
        server.stop(kill=True)
        assert "no BaseX answers" in problem(store)
        # As a server leaves it that is killed while it writes.
        (tmp_path / "data" / "m" / "upd.basex").touch()
        server.start()
        assert 'has no database "m"' in problem(store)
        assert store.replace(content())
        assert ids(store, asked("")) == ALL


def test_a_store_that_goes_away_within_a_request_is_an_error_of_storage(tmp_path: Path) -> None:
    request = (
        f'<nmwg:message {DECLARED} type="MetadataKeyRequest" id="q"><nmwg:metadata id="m"/>'
        '<nmwg:data id="d" metadataIdRef="m"/></nmwg:message>'
    )
    with own_basex(tmp_path) as server:
        store = XmldbStore(replace(server.server, timeout=5), "m")
        store.replace(content())
        archive = MeasurementArchive(store, {})
        handler = RequestHandler()
        archive.init(handler)

        class Going(XmldbStore):
            @contextmanager
            def opened(self) -> Iterator[object]:  # type: ignore[override]
                with store.opened() as opened:
                    server.stop(kill=True)
                    yield opened

        archive.store = Going(server.server, "m")
        output = Output()
        handler.handle(read_message(request.encode(), limits=DEFAULT_LIMITS), output)
    text = b"".join(output.pieces).decode()
    assert "<nmwg:eventType>error.ma.storage</nmwg:eventType>" in text
    assert "no BaseX answers" in text
