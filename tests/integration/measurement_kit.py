"""What tests of metadata stores share: a store of some tests, and metadata that ask for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest

from aggregator.measurement.building import FromDatabase, build
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.metadata_store import MetadataStore
from aggregator.measurement.stored import StoredMetadata
from aggregator.measurement.xmldb_store import XmldbStore
from aggregator.store.measured_values import Kind, MeasuredTest
from aggregator.wire.nmwg_names import IPERF, NMWG, NMWGT, OWAMP, SELECT
from aggregator.wire.parse import Element, parse

#: Both kinds of metadata store.
KINDS = ("file", "xmldb")
UTILIZATION = "http://ggf.org/ns/nmwg/characteristic/utilization/2.0"
_NAMESPACES = {
    "nmwg": NMWG,
    "iperf": IPERF,
    "owamp": OWAMP,
    "nmwgt": NMWGT,
    "select": SELECT,
    "netutil": f"{UTILIZATION}/",
}
DECLARED = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in _NAMESPACES.items())


def measured(
    kind: Kind, source: str, destination: str, *numbers: int, **parameters: str
) -> FromDatabase:
    """A test, as a database has it."""
    test = MeasuredTest(kind, source, destination, tuple(parameters.items()), numbers or (1,))
    return FromDatabase(test, "mysql", "DBI:mysql:bwctl:localhost")


#: What the store of most tests is built from; `parts` says which metadata each becomes.
TESTS = (
    measured("bwctl", "10.0.0.1", "10.0.0.2", 7, 8, timeDuration="20", protocol="TCP"),
    measured("bwctl", "10.0.0.1", "10.0.0.12", timeDuration="20", protocol="UDP"),
    measured("bwctl", "10.0.0.2", "10.0.0.1", timeDuration="10", protocol="TCP"),
    measured("owamp", "10.0.0.1", "10.0.0.2", schedule='<interval type="exp">0.1</interval>'),
    measured("owamp", "10.0.0.1", "10.0.0.2", schedule='<interval type="exp">0.2</interval>'),
    measured("bwctl", "2001:db8::1", "host.example.org", timeDuration="20"),
)
#: By hand: text around comments and spaces, values as attributes, event types as parameters.
BY_HAND = f"""<nmwg:store {DECLARED}>
  <nmwg:metadata id="interface">
    <netutil:subject id="s1">
      <nmwgt:interface>
        <nmwgt:hostName>router<!-- the old one --></nmwgt:hostName>
        <nmwgt:ifName> eth0  1 </nmwgt:ifName>
        <nmwgt:ifAddress type="ipv4" port="80">192.0.2.1</nmwgt:ifAddress>
      </nmwgt:interface>
    </netutil:subject>
    <nmwg:parameters id="p1">
      <nmwg:parameter name="supportedEventType" value="{UTILIZATION}"/>
      <nmwg:parameter name="direction" value="in"/>
      <nmwg:parameter name="schedule">
        <interval type="exp">0.1</interval>
      </nmwg:parameter>
      <nmwg:parameter name="unset"/>
    </nmwg:parameters>
  </nmwg:metadata>
  <nmwg:data id="data-a" metadataIdRef="interface">{{}}</nmwg:data>
  <nmwg:data id="data-b" metadataIdRef="interface">{{}}</nmwg:data>
</nmwg:store>"""
_KEY = (
    '<nmwg:key id="k"><nmwg:parameters id="pk"><nmwg:parameter name="type">rrd</nmwg:parameter>'
    '<nmwg:parameter name="file">{}</nmwg:parameter></nmwg:parameters></nmwg:key>'
)
ALL = [*(f"metadata-{number}" for number in range(8)), "interface"]


def content(*more: FromDatabase) -> Element:
    """An nmwg:store with all of `TESTS`, and what was written by hand."""
    root = build((*TESTS, *more))
    by_hand = BY_HAND.format(_KEY.format("a.rrd"), _KEY.format("b.rrd"))
    root.extend(parse(by_hand.encode()).iterchildren("*"))
    return root


def made_store(kind: str, request: pytest.FixtureRequest, folder: Path) -> MetadataStore:
    """An empty metadata store of a kind, alone for a test."""
    if kind == "file":
        return FileStore(folder / "store.xml")
    server = request.getfixturevalue("basex").server
    return XmldbStore(server, f"m{uuid.uuid4().hex[:12]}")


def found(store: MetadataStore, metadata: Element) -> list[StoredMetadata]:
    """What a search brings."""
    with store.opened() as opened:
        return opened.search(metadata)


def ids(store: MetadataStore, metadata: Element) -> list[str]:
    """The ids of what a search brings, in its order."""
    return [one.id for one in found(store, metadata)]


def asked(inner: str) -> Element:
    """A request's metadata with this in it."""
    return parse(f'<nmwg:metadata {DECLARED} id="m1">{inner}</nmwg:metadata>'.encode())


def subject(inner: str, *, prefix: str = "nmwg") -> str:
    """A subject with this in it."""
    return f'<{prefix}:subject id="asked">{inner}</{prefix}:subject>'


def pair(**ends: str | Mapping[str, str]) -> str:
    """An endPointPair; an end is its value, or its attributes."""
    shown = ""
    for name, end in ends.items():
        attributes = {"value": end} if isinstance(end, str) else end
        written = "".join(f" {one}={quoteattr(value)}" for one, value in attributes.items())
        shown += f"<nmwgt:{name}{written}/>"
    return f"<nmwgt:endPointPair>{shown}</nmwgt:endPointPair>"


def parameters(*pairs: tuple[str, str], prefix: str = "nmwg") -> str:
    """Parameters of these names and values."""
    inner = "".join(
        f"<nmwg:parameter name={quoteattr(name)}>{escape(value)}</nmwg:parameter>"
        for name, value in pairs
    )
    return f'<{prefix}:parameters id="p">{inner}</{prefix}:parameters>'


def types(names: Iterable[str]) -> str:
    """Event types."""
    return "".join(f"<nmwg:eventType>{escape(one)}</nmwg:eventType>" for one in names)
