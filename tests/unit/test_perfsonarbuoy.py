"""The methods of perfSONAR's module under their names: a test for each, named after it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from aggregator.errors import NmwgError
from aggregator.measurement import perfSONARBUOY
from aggregator.measurement.handling import RequestHandler
from aggregator.measurement.keying import key_of
from aggregator.measurement.output import Output
from aggregator.measurement.registering import Registrations
from tests.measured import (
    UNIX,
    Measured,
    archive_of,
    find,
    minutes,
    samples,
    select,
)
from tests.unit.buoy_kit import (
    AFTER,
    asked_for,
    by_key,
    chain,
    told,
)


@pytest.fixture
def measured() -> Measured:
    return Measured({201: minutes(3), 203: minutes(1)}, {401: samples(2)})


@pytest.fixture
def archive(measured: Measured, tmp_path: Path) -> perfSONARBUOY:
    return archive_of(measured, tmp_path)


def test_init(archive: perfSONARBUOY) -> None:
    handler = RequestHandler()
    archive.init(handler)
    for type in ("MetadataKeyRequest", "SetupDataRequest"):
        # A second handler of the same type is not taken.
        assert not handler.register_message(type, archive_like())
    assert handler.register_message("MetadataStorageRequest", archive_like())


def archive_like() -> Any:
    return object()


def test_createStorage(archive: perfSONARBUOY, measured: Measured) -> None:
    assert archive.createStorage() is False
    measured.known = [one._replace(source="192.0.2.50") for one in measured.known]
    assert archive.createStorage() is True
    with archive.store.opened() as store:
        found = store.all()
    assert [one.id for one in found] == ["metadata-0", "metadata-1", "metadata-2", "metadata-3"]
    # Delays are there twice: as summaries and as histograms.
    assert [len(one.event_types) for one in found] == [2, 2, 2, 1]


def test_prepareDatabases(archive: perfSONARBUOY, tmp_path: Path) -> None:
    opened = archive.prepareDatabases()
    assert opened is not None
    with opened as store:
        assert len(store.all()) == 4
    (tmp_path / "store.xml").write_text("<broken")
    output = Output()
    assert archive.prepareDatabases(doc=output) is None
    [type] = find(told(output), "nmwg:metadata/nmwg:eventType")
    assert type.text == "error.ma.storage"
    [text] = find(told(output), "nmwg:data/nmwgr:datum")
    assert "can't be read" in (text.text or "")
    assert archive.prepareDatabases() is None
    # The service goes on.
    archive.createStorage()
    assert archive.prepareDatabases() is not None


@pytest.mark.parametrize(("configured", "expected"), [(True, "yes"), (False, "no")])
def test_needLS(archive: perfSONARBUOY, configured: bool, expected: str) -> None:
    archive.registers = configured
    assert archive.needLS() == expected


class Place:
    """Counts its rounds."""

    def __init__(self) -> None:
        self.rounds: list[str] = []

    def begin(self) -> None:
        self.rounds.append("begin")

    def keep(self) -> None:
        self.rounds.append("keep")

    def end(self) -> None:
        self.rounds.append("end")


def test_registerLS(archive: perfSONARBUOY, measured: Measured, tmp_path: Path) -> None:
    # It can't choose a lookup service: told in the log.
    assert archive.registerLS() == 0
    place = Place()
    archive.registrations = Registrations([place])
    assert archive.registerLS(0.01) == 0
    assert archive.registerLS() == 0
    assert place.rounds == ["begin", "keep"]
    measured.known = []
    archive.createStorage()
    assert archive.registerLS() == -1
    (tmp_path / "store.xml").unlink()
    assert archive.registerLS() == -1
    assert len(place.rounds) == 2


def test_maMetadataKeyRequest(archive: perfSONARBUOY) -> None:
    output = Output()
    archive.maMetadataKeyRequest(output=output, metadata=chain(asked_for()).metadata)
    assert len(find(told(output), "nmwg:data/nmwg:key")) == 2
    asked, output = by_key(archive), Output()
    archive.maMetadataKeyRequest(output=output, metadata=asked.metadata, filters=asked.filters)
    assert len(find(told(output), "nmwg:data/nmwg:key")) == 1


def test_metadataKeyRetrieveKey(archive: perfSONARBUOY) -> None:
    asked, output = by_key(archive), Output()
    sent = key_of(asked.metadata)
    assert sent is not None
    with archive.store.opened() as store:
        archive.metadataKeyRetrieveKey(
            metadatadb=store,
            key=sent,
            metadata=asked.metadata,
            filters=asked.filters,
            request_namespaces=None,
            output=output,
        )
    cooked = find(told(output), "nmwg:data/nmwg:key/nmwg:parameters/*")
    assert [one.get("name") for one in cooked] == ["maKey", "startTime"]


def test_metadataKeyRetrieveMetadataData(archive: perfSONARBUOY) -> None:
    asked, output = chain(asked_for() + select("f", "m1", AFTER), ref="f"), Output()
    with archive.store.opened() as store:
        archive.metadataKeyRetrieveMetadataData(
            store, asked.metadata, asked.filters, "m1", None, output
        )
    found = find(told(output), "nmwg:data/nmwg:key/nmwg:parameters")
    assert [[one.get("name") for one in block] for block in found] == 2 * [["maKey", "startTime"]]


def test_maSetupDataRequest(archive: perfSONARBUOY) -> None:
    output = Output()
    archive.maSetupDataRequest(output, chain(asked_for()).metadata)
    assert len(find(told(output), "nmwg:data/iperf:datum")) == 4
    asked, output = by_key(archive), Output()
    archive.maSetupDataRequest(output, asked.metadata, filters=asked.filters)
    assert len(find(told(output), "nmwg:data/iperf:datum")) == 2


def test_setupDataRetrieveKey(archive: perfSONARBUOY) -> None:
    asked, output = by_key(archive), Output()
    with archive.store.opened() as store:
        archive.setupDataRetrieveKey(
            store, asked.metadata, asked.filters, "f", {"timeType": "unix"}, None, output
        )
    rows = find(told(output), "nmwg:data/iperf:datum")
    assert [row.get("timeValue") for row in rows] == [f"{UNIX + 60}.0", f"{UNIX + 120}.0"]
    with archive.store.opened() as store, pytest.raises(NmwgError, match="cannot find 'maKey'"):
        archive.setupDataRetrieveKey(
            store, chain(asked_for()).metadata, (), "m1", None, None, Output()
        )


def test_setupDataRetrieveMetadataData(archive: perfSONARBUOY) -> None:
    output = Output()
    with archive.store.opened() as store:
        archive.setupDataRetrieveMetadataData(
            store, chain(asked_for()).metadata, "m1", {"timeType": "iso"}, output
        )
    assert len(find(told(output), "nmwg:metadata")) == 2
    assert len(find(told(output), "nmwg:data/iperf:datum")) == 4


def test_handleData(archive: perfSONARBUOY) -> None:
    with archive.store.opened() as store:
        [first, *_] = store.all()
    output = Output()
    archive.handleData("metadata.1", (first, first.data[0]), output)
    [found] = find(told(output), "nmwg:data")
    assert found.get("metadataIdRef") == "metadata.1"
    assert len(find(found, "iperf:datum")) == 3
    unknown = first.data[0]._replace(parameters={"type": ("tape",)})
    output = Output()
    archive.handleData("metadata.1", (first, unknown), output)
    [text] = find(told(output), "nmwg:data/nmwgr:datum")
    assert text.text == 'Database "tape" is not yet supported'


def test_retrieveSQL(archive: perfSONARBUOY, measured: Measured) -> None:
    with archive.store.opened() as store:
        *_, summaries, _histograms = store.all()
    output = Output()
    archive.retrieveSQL(d=(summaries, summaries.data[0]), mid="metadata.1", output=output, et=None)
    assert len(find(told(output), "nmwg:data/summary:datum")) == 2
    assert [test.numbers for test, _ in measured.asked] == [(401,)]
    with pytest.raises(NmwgError, match=r"^No data element found\.$"):
        archive.retrieveSQL(None, "metadata.1", output)


def test_addSelectParameters(archive: perfSONARBUOY) -> None:
    asked = by_key(archive)
    [block] = find(asked.metadata, "nmwg:key/nmwg:parameters")
    archive.addSelectParameters(parameter_block=block, filters=asked.filters)
    assert [one.get("name") for one in block] == ["maKey", "startTime"]
    archive.addSelectParameters(block, asked.filters)
    assert [one.get("name") for one in block] == ["maKey", "startTime"]


def test_every_method_of_the_original_is_there() -> None:
    names = (
        *("init", "createStorage", "prepareDatabases", "needLS", "registerLS"),
        *("handleMessageBegin", "handleMessageEnd", "handleEvent", "maMetadataKeyRequest"),
        *("metadataKeyRetrieveKey", "metadataKeyRetrieveMetadataData", "maSetupDataRequest"),
        *("setupDataRetrieveKey", "setupDataRetrieveMetadataData", "handleData", "retrieveSQL"),
        "addSelectParameters",
    )
    for name in names:
        assert inspect.isfunction(getattr(perfSONARBUOY, name, None)), name
