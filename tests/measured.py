"""Measurements for tests: a database of them in memory, and an endpoint that serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from aggregator.measurement import perfSONARBUOY
from aggregator.measurement.answering import Endpoint
from aggregator.measurement.building import FromDatabase
from aggregator.measurement.echo import Echo
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.handling import RequestHandler
from aggregator.measurement.origins import Databases
from aggregator.store.measured_values import Delay, MeasuredTest, Throughput, Within
from aggregator.wire.nmwg_names import PREFIXES
from aggregator.wire.parse import Element, Limits

NAME = "DBI:mysql:measured:localhost"
INTERVAL = '<interval type="exp">0.1</interval>'
UDP = MeasuredTest(
    "bwctl",
    "192.0.2.1",
    "192.0.2.2",
    (
        ("protocol", "UDP"),
        ("windowSize", "1"),
        ("bandwidthLimit", "900"),
        ("bufferLength", "8192"),
        ("timeDuration", "10"),
    ),
    (201,),
)
TCP = UDP._replace(parameters=(("protocol", "TCP"), ("timeDuration", "60")), numbers=(203,))
DELAY = MeasuredTest(
    "owamp",
    "192.0.2.1",
    "192.0.2.2",
    (("count", "600"), ("bucket_width", "0.0001"), ("schedule", INTERVAL)),
    (401,),
)
SECOND = 1 << 32
IPERF_EVENT = "http://ggf.org/ns/nmwg/tools/iperf/2.0"
OWAMP_EVENT = "http://ggf.org/ns/nmwg/tools/owamp/2.0"
BUCKETS_EVENT = "http://ggf.org/ns/nmwg/characteristic/delay/summary/20110317"
KEY_ERROR = "error.ma.storage_result"
MAKEY = "nmwg:data/nmwg:key/nmwg:parameters/nmwg:parameter[@name='maKey']"
#: 2010-08-25 14:20:00 UTC.
NOON = 14996886772305100800
UNIX = 1282746000


@dataclass(slots=True)
class Measured:
    """Rows by the numbers of their tests; what is asked of it is noted."""

    throughputs: Mapping[int, Sequence[Throughput]] = field(default_factory=dict)
    samples: Mapping[int, Sequence[Delay]] = field(default_factory=dict)
    known: Sequence[MeasuredTest] = (UDP, TCP, DELAY)
    trouble: Callable[[], None] = lambda: None
    name: str = NAME
    asked: list[tuple[MeasuredTest, Within]] = field(default_factory=list)

    def tests(self) -> Iterator[MeasuredTest]:
        return iter(self.known)

    def throughput(
        self, test: MeasuredTest, within: Within, *, timeout: float
    ) -> Iterator[Throughput]:
        self.asked.append((test, within))
        self.trouble()
        for number in test.numbers:
            for row in self.throughputs.get(number, ()):
                if _is_after(row.timestamp, within) and _is_before(row.timestamp, within):
                    yield row

    def delays(
        self, test: MeasuredTest, within: Within, *, buckets: bool, timeout: float
    ) -> Iterator[Delay]:
        self.asked.append((test, within))
        self.trouble()
        for number in test.numbers:
            for row in self.samples.get(number, ()):
                if _is_after(row.end, within) and _is_before(row.start, within):
                    yield row if buckets else row._replace(buckets=())

    def close(self) -> None:
        """Nothing is open."""


def _is_after(instant: int, within: Within) -> bool:
    start = within.start
    return start is None or instant > start or (within.includes_start and instant == start)


def _is_before(instant: int, within: Within) -> bool:
    end = within.end
    return end is None or instant < end or (within.includes_end and instant == end)


def minutes(count: int, *, begin: int = NOON) -> list[Throughput]:
    return [
        Throughput(begin + 60 * number * SECOND, 9.1e8 + number, 0.002, None, 100)
        for number in range(count)
    ]


def samples(count: int, *, begin: int = NOON) -> list[Delay]:
    return [
        Delay(
            begin + 60 * number * SECOND,
            begin + (60 * number + 59) * SECOND,
            *(0.015, 0.016, 252, 252, 600, 0, 0, 0.0003),
            buckets=((150 + number, 599), (160, 1)),
        )
        for number in range(count)
    ]


def archive_of(database: Measured, folder: Path) -> perfSONARBUOY:
    """An archive of one database, its metadata store built."""
    found = perfSONARBUOY(
        FileStore(folder / "store.xml"),
        {"mysql": Databases({database.name: database})},
        tests=lambda: [FromDatabase(test, "mysql", database.name) for test in database.tests()],
    )
    found.create_storage()
    return found


def endpoint(
    archive: perfSONARBUOY, *, lifetime: float = 30, most: int = 2**26, limits: Limits | None = None
) -> Endpoint:
    handler = RequestHandler()
    archive.init(handler)
    Echo().init(handler)
    return Endpoint(handler, limits or Limits(), lifetime, most)


def message(inner: str, *, type: str = "SetupDataRequest", id: str = "asked") -> bytes:
    declared = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in PREFIXES.items())
    return f'<nmwg:message type="{type}" id="{id}" {declared}>{inner}</nmwg:message>'.encode()


def metadata(
    id: str = "m1", *, subject: str = "", types: Sequence[str] = (), inner: str = "", ref: str = ""
) -> str:
    reference = f' metadataIdRef="{ref}"' if ref else ""
    told = "".join(f"<nmwg:eventType>{one}</nmwg:eventType>" for one in types)
    return f'<nmwg:metadata id="{id}"{reference}>{subject}{told}{inner}</nmwg:metadata>'


def pair(src: str = "192.0.2.1", dst: str = "192.0.2.2", *, prefix: str = "nmwg") -> str:
    return (
        f'<{prefix}:subject id="s"><nmwgt:endPointPair><nmwgt:src type="ipv4" value="{src}"/>'
        f'<nmwgt:dst type="ipv4" value="{dst}"/></nmwgt:endPointPair></{prefix}:subject>'
    )


def select(id: str, of: str, *parameters: str) -> str:
    return metadata(
        id,
        subject=f'<select:subject id="s{id}" metadataIdRef="{of}"/>',
        inner=f'<select:parameters id="p{id}">{"".join(parameters)}</select:parameters>',
        types=["http://ggf.org/ns/nmwg/ops/select/2.0"],
    )


def parameter(name: str, value: str, **attributes: str) -> str:
    told = "".join(f' {key}="{one}"' for key, one in attributes.items())
    return f'<nmwg:parameter name="{name}"{told}>{value}</nmwg:parameter>'


def data(ref: str = "m1", *, id: str = "d1") -> str:
    return f'<nmwg:data id="{id}" metadataIdRef="{ref}"/>'


def key(value: str, *, id: str = "") -> str:
    identifier = f' id="{id}"' if id else ""
    inner = parameter("maKey", value)
    return f'<nmwg:key{identifier}><nmwg:parameters id="k">{inner}</nmwg:parameters></nmwg:key>'


def reply(body: bytes) -> Element:
    """The message in a reply."""
    envelope = etree.fromstring(body)
    [found] = envelope.iter(f"{{{PREFIXES['nmwg']}}}message")
    return found


def find(element: Element, path: str) -> list[Element]:
    return element.findall(path, PREFIXES)


def results(element: Element) -> list[tuple[str, str]]:
    """The result codes of a reply: event type and text."""
    texts = {
        one.get("metadataIdRef"): "".join(one.itertext()).strip()
        for one in find(element, "nmwg:data")
    }
    return [
        (type.text or "", texts.get(one.get("id"), ""))
        for one in find(element, "nmwg:metadata")
        for type in find(one, "nmwg:eventType")
        if not (type.text or "").startswith("http")
    ]


def ask(served: Endpoint, inner: str, *, type: str = "SetupDataRequest") -> Element:
    return reply(served.answer(message(inner, type=type)))


def udp(*, id: str = "m1") -> str:
    block = f'<nmwg:parameters id="p">{parameter("protocol", "UDP")}</nmwg:parameters>'
    return metadata(id, subject=pair(), types=[IPERF_EVENT], inner=block)


def keys(served: Endpoint, inner: str) -> list[str]:
    found = ask(served, inner, type="MetadataKeyRequest")
    return [one.text or "" for one in find(found, MAKEY)]
