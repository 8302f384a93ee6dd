"""Stored pairs written by hand: what is wrong is named, what is right is taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aggregator.measurement.archive import MeasurementArchive
from aggregator.measurement.building import build
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.handling import RequestHandler
from aggregator.measurement.message import read_message
from aggregator.measurement.metadata_store import contents
from aggregator.measurement.output import Output
from aggregator.measurement.rrd_origin import RrdOrigin
from aggregator.measurement.static_store import StaticStore, StaticStoreWrong
from aggregator.wire.parse import DEFAULT_LIMITS, Element
from tests.integration.measurement_kit import DECLARED, TESTS, UTILIZATION, asked, ids
from tests.integration.origin_kit import rrdtool
from tests.pages import Page
from tests.sources_read import ROOT

TYPES = ("rrd", "series", "mysql")
TYPE = f"<nmwg:eventType>{UTILIZATION}</nmwg:eventType>"
METADATA = f'<nmwg:metadata id="m">{TYPE}</nmwg:metadata>'


def key(**parameters: str) -> str:
    """A key of these parameters."""
    inner = "".join(
        f'<nmwg:parameter name="{n}">{v}</nmwg:parameter>' for n, v in parameters.items()
    )
    return f"<nmwg:key><nmwg:parameters>{inner}</nmwg:parameters></nmwg:key>"


def data(id: str = "d", of: str = "m", **parameters: str) -> str:
    """A data element; by default of an RRD file."""
    return f'<nmwg:data id="{id}" metadataIdRef="{of}">{key(**parameters or RRD)}</nmwg:data>'


RRD = {"type": "rrd", "file": "x.rrd"}


def written(folder: Path, *elements: str) -> StaticStore:
    """A file with an element on each line from the second one on."""
    path = folder / "static.xml"
    path.write_text("\n".join([f"<nmwg:store {DECLARED}>", *elements, "</nmwg:store>"]))
    return StaticStore(path, TYPES)


def example(folder: Path) -> StaticStore:
    """The file that the page shows."""
    [block] = Page(ROOT / "docs" / "measurement-stores.md").fenced("xml")
    path = folder / "static.xml"
    path.write_text(block)
    return StaticStore(path, ("rrd", "series"))


def test_the_example_of_the_page_is_taken(tmp_path: Path) -> None:
    store = example(tmp_path)
    assert store.problems() == []
    found = [(one.get("id"), one.get("metadataIdRef")) for one in store()]
    assert found == [
        ("static-uplink-in", None),
        ("static-uplink-in-data", "static-uplink-in"),
        ("static-free-cpus", None),
        ("static-free-cpus-data", "static-free-cpus"),
    ]


def test_a_request_for_the_example_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "rrd" / "router" / "uplink.rrd"
    path.parent.mkdir(parents=True)
    rrdtool("create", path, "-b", 999_999_960, "-s", 60, "DS:in:GAUGE:120:U:U", "RRA:LAST:0:1:9")
    rrdtool("update", path, "1000000020:17.5")
    store = FileStore(tmp_path / "store.xml")
    origins = {"rrd": RrdOrigin(tmp_path / "rrd")}
    archive = MeasurementArchive(store, origins, static=example(tmp_path))
    archive.create_storage()
    handler = RequestHandler()
    archive.init(handler)
    wanted = "<nmwgt:hostName>router.example.org</nmwgt:hostName>"
    request = (
        f'<nmwg:message {DECLARED} type="SetupDataRequest"><nmwg:metadata id="m"><netutil:subject>'
        f"<nmwgt:interface>{wanted}</nmwgt:interface></netutil:subject></nmwg:metadata>"
        '<nmwg:data id="d" metadataIdRef="m"/></nmwg:message>'
    )
    output = Output()
    handler.handle(read_message(request.encode(), limits=DEFAULT_LIMITS), output)
    text = b"".join(output.pieces).decode()
    assert 'timeValue="Sun Sep 9 01:47:00.0 UTC 2001" value="17.5" valueUnits="Bps"/>' in text


def test_it_comes_after_what_is_built_and_collides_with_nothing(tmp_path: Path) -> None:
    numbered = METADATA.replace('"m"', '"metadata-0"'), data("data-0", "metadata-0")
    static = written(tmp_path, *numbered)
    store = FileStore(tmp_path / "store.xml")
    archive = MeasurementArchive(store, {}, tests=lambda: TESTS[:2], static=static)
    assert archive.create_storage()
    assert not archive.create_storage()
    assert ids(store, asked("")) == ["metadata-0", "metadata-1", "static-metadata-0"]
    written(tmp_path, METADATA, data())
    assert archive.create_storage()
    assert ids(store, asked("")) == ["metadata-0", "metadata-1", "static-m"]


def test_a_file_that_gets_wrong_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    static = written(tmp_path, METADATA, data())
    store = FileStore(tmp_path / "store.xml")
    archive = MeasurementArchive(store, {}, static=static)
    archive.create_storage()
    written(tmp_path, METADATA)
    with pytest.raises(StaticStoreWrong, match='line 2: metadata "m" has no data'):
        archive.create_storage()
    assert ids(store, asked("")) == ["static-m"]


def test_keys_stay_with_what_they_stand_for(tmp_path: Path) -> None:
    def keys(*elements: str) -> list[str]:
        root: Element = build(())
        root.extend(written(tmp_path, *elements)())
        return [one.ma_key for each in contents(root).values() for one in each.data]

    [first] = keys(METADATA, data())
    other = METADATA.replace('"m"', '"n"')
    assert keys(other, data("e", "n")) == [first]
    assert keys(METADATA, data(type="rrd", file="y.rrd")) != [first]


def test_ids_within_are_prefixed_too_and_event_types_may_be_parameters(tmp_path: Path) -> None:
    inner = (
        '<netutil:subject id="s"/><nmwg:parameters id="p">'
        f'<nmwg:parameter name="supportedEventType" value="{UTILIZATION}"/></nmwg:parameters>'
    )
    [metadata, _] = written(tmp_path, f'<nmwg:metadata id="m">{inner}</nmwg:metadata>', data())()
    assert [one.get("id") for one in metadata.iter("*") if one.get("id")] == [
        "static-m",
        "static-s",
        "static-p",
    ]


@pytest.mark.parametrize(
    ("elements", "problem"),
    [
        ([METADATA], 'line 2: metadata "m" has no data'),
        ([METADATA, data(), METADATA], 'line 4: metadata "m": its id is that of line 2 too'),
        ([METADATA, data("m")], 'line 3: data "m": its id is that of line 2 too'),
        ([METADATA, data(""), data("e", type="rrd", file="y")], 'line 3: data "" has no id'),
        ([METADATA.replace(' id="m"', "")], 'line 2: metadata "" has no id'),
        (
            [METADATA, data(), data("e", "n")],
            'line 4: data "e": its metadataIdRef "n" names no metadata of the file',
        ),
        (['<nmwg:metadata id="m"/>', data()], 'line 2: metadata "m" has no eventType'),
        (
            [METADATA.replace(TYPE, f"<nmwg:subject/><netutil:subject/>{TYPE}"), data()],
            'line 2: metadata "m" has more than one subject',
        ),
        (
            [METADATA, data(type="csv", file="x")],
            'line 3: data "d": its key\'s type "csv" is none of mysql, rrd, series',
        ),
        (
            [METADATA, '<nmwg:data id="d" metadataIdRef="m"/>'],
            'line 3: data "d": its key\'s type "" is none of mysql, rrd, series',
        ),
        ([METADATA, data(type="rrd")], 'line 3: data "d": its key has no parameter file'),
        (
            [METADATA, data(type="series", group="A", series="s")],
            'line 3: data "d": its key has no parameter entry or address',
        ),
        (
            [METADATA, data(**RRD, resolution="1h")],
            'line 3: data "d": its key\'s resolution "1h" is no number of seconds',
        ),
        (
            [METADATA, data(**RRD, consolidationFunction="SUM")],
            'line 3: data "d": its key\'s consolidationFunction "SUM" is none of AVERAGE, MIN, MAX,'
            " LAST",
        ),
        ([METADATA, data(), data("e")], 'line 4: data "e" stands for the same as that of line 3'),
        ([METADATA, data(), "<x/>"], 'line 4: x "" is neither a metadata nor a data of NMWG'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, elements: list[str], problem: str) -> None:
    store = written(tmp_path, *elements)
    assert problem in store.problems()
    with pytest.raises(StaticStoreWrong) as caught:
        store()
    assert problem in str(caught.value)


def test_all_that_is_wrong_is_told_but_not_without_end(tmp_path: Path) -> None:
    store = written(tmp_path, *(f'<nmwg:metadata id="m{n}"/>' for n in range(100)))
    assert len(store.problems()) == 200
    with pytest.raises(StaticStoreWrong, match="; and 180 more"):
        store()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not well-formed"),
        ("<x", "not well-formed"),
        ("<store/>", "its root is store"),
        ("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>", "DOCTYPE"),
        ("<x>" * 100 + "</x>" * 100, "nested"),
    ],
)
def test_a_file_that_is_no_store_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "static.xml"
    path.write_text(text)
    store = StaticStore(path, TYPES)
    assert problem in str(store.problems())
    with pytest.raises(StaticStoreWrong, match=problem):
        store()


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(StaticStoreWrong, match="no such file"):
            StaticStore(path, TYPES)()
