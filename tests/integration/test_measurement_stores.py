"""Searches of metadata stores: what matches, the same whether the store is a file or a database."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from aggregator.measurement.metadata_store import MetadataStore
from aggregator.measurement.searching import MOST_VALUES
from aggregator.measurement.stored import StoredMetadata
from aggregator.wire.nmwg_names import (
    ACHIEVABLE_EVENT,
    BUCKETS_EVENT,
    IPERF_EVENT,
    OWAMP_EVENT,
    SUMMARY_EVENT,
)
from tests.integration.measurement_kit import (
    ALL,
    KINDS,
    UTILIZATION,
    asked,
    content,
    found,
    ids,
    made_store,
    measured,
    pair,
    parameters,
    subject,
    types,
)
from tests.integration.own_basex import basex  # noqa: F401

BWCTL = ["metadata-0", "metadata-1", "metadata-2", "metadata-7"]
OWAMP = ["metadata-3", "metadata-4", "metadata-5", "metadata-6"]
ENDED = ALL[:-1]
#: What would end a text, a predicate or an expression, or begin one, where it is pasted.
HOSTILE = [
    "'",
    '"',
    "' or '1'='1",
    '" or "1"="1',
    "10.0.0.1'] | //*['",
    '10.0.0.1"] | //*["',
    "]",
    "$v0",
    "{db:drop('x')}",
    "&lt;",
    "<x/>",
    "(: :)",
    "true()",
    "*",
    "\\",
    "%",
    "å\N{SNOWMAN}\U0001f600",
    "",
    " ",
    "x" * 10_000,
]


@pytest.fixture(params=KINDS, scope="module")
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> MetadataStore:
    """A store with all that the kit has, of each kind."""
    made = made_store(request.param, request, tmp_path_factory.mktemp("store"))
    assert made.replace(content())
    return made


def test_nothing_in_particular_matches_everything_in_the_order_of_the_store(
    store: MetadataStore,
) -> None:
    assert ids(store, asked("")) == ALL
    with store.opened() as opened:
        assert [one.id for one in opened.all()] == ALL


def test_a_general_subject_matches_any_namespace(store: MetadataStore) -> None:
    ends = pair(src="10.0.0.1", dst="10.0.0.2")
    assert ids(store, asked(subject(ends))) == ["metadata-0", *OWAMP]


@pytest.mark.parametrize(
    ("prefix", "expected"), [("iperf", BWCTL), ("owamp", OWAMP), ("netutil", ["interface"])]
)
def test_another_subject_matches_only_itself(
    store: MetadataStore, prefix: str, expected: list[str]
) -> None:
    assert ids(store, asked(subject("", prefix=prefix))) == expected


def test_an_empty_pair_of_ends_matches_all_pairs(store: MetadataStore) -> None:
    assert ids(store, asked(subject(pair()))) == ENDED


def test_attributes_match_exactly(store: MetadataStore) -> None:
    assert ids(store, asked(subject(pair(dst="10.0.0.1")))) == ["metadata-2"]
    assert ids(store, asked(subject(pair(dst="10.0.0.12")))) == ["metadata-1"]
    assert ids(store, asked(subject(pair(dst="10.0.0.")))) == []
    assert ids(store, asked(subject(pair(dst=" 10.0.0.1")))) == []
    assert ids(store, asked(subject(pair(src="10.0.0.1")))) == ["metadata-0", "metadata-1", *OWAMP]


def test_a_type_that_is_not_asked_for_is_any(store: MetadataStore) -> None:
    for type, expected in (("ipv6", ["metadata-7"]), ("hostname", []), ("IPV6", [])):
        assert ids(store, asked(subject(pair(src={"type": type})))) == expected
    both = pair(src={"value": "2001:db8::1", "type": "ipv6"}, dst={"type": "hostname"})
    assert ids(store, asked(subject(both))) == ["metadata-7"]


def test_any_other_attribute_counts_too(store: MetadataStore) -> None:
    for inner, expected in (
        ('port="80"', ["interface"]),
        ('port="81"', []),
        ('nmwgt:port="80"', []),
        ('other="80"', []),
    ):
        address = f"<nmwgt:interface><nmwgt:ifAddress {inner}/></nmwgt:interface>"
        assert ids(store, asked(subject(address))) == expected


def test_ids_and_references_are_ignored(store: MetadataStore) -> None:
    inner = '<nmwgt:endPointPair id="x" nodeIdRef="y"><nmwgt:src id="z"/></nmwgt:endPointPair>'
    text = f'<nmwg:subject id="unknown" metadataIdRef="m7">{inner}</nmwg:subject>'
    assert ids(store, asked(text)) == ENDED


def test_text_is_compared_around_comments_and_without_outer_space(store: MetadataStore) -> None:
    for name, text, expected in (
        ("hostName", "router", ["interface"]),
        ("hostName", "\n router ", ["interface"]),
        ("hostName", "rou<!-- -->ter", ["interface"]),
        ("hostName", "rout", []),
        ("ifName", "eth0 1", ["interface"]),
    ):
        one = f"<nmwgt:interface><nmwgt:{name}>{text}</nmwgt:{name}></nmwgt:interface>"
        assert ids(store, asked(subject(one))) == expected, text


def test_parameters_of_different_names_are_all_wanted(store: MetadataStore) -> None:
    both = parameters(("timeDuration", "20"), ("protocol", "TCP"))
    assert ids(store, asked(both)) == ["metadata-0"]
    apart = parameters(("timeDuration", "20")) + parameters(("protocol", "TCP"))
    assert ids(store, asked(apart)) == ["metadata-0"]
    assert ids(store, asked(parameters(("noSuchThing", "20")))) == []


def test_of_one_name_any_value_matches(store: MetadataStore) -> None:
    assert ids(store, asked(parameters(("protocol", "UDP"), ("protocol", "TCP")))) == BWCTL[:3]
    wanted = parameters(("timeDuration", "10"), ("timeDuration", "20"), ("protocol", "UDP"))
    assert ids(store, asked(wanted)) == ["metadata-1"]


def test_a_value_is_text_or_attribute_on_both_sides(store: MetadataStore) -> None:
    assert ids(store, asked(parameters(("direction", "in")))) == ["interface"]
    attribute = '<nmwg:parameters><nmwg:parameter name="protocol" value="UDP"/></nmwg:parameters>'
    assert ids(store, asked(attribute)) == ["metadata-1"]


def test_a_value_of_elements_matches_the_same_elements(store: MetadataStore) -> None:
    schedule = (
        '<nmwg:parameter name="schedule">\n<interval type="exp">{}</interval></nmwg:parameter>'
    )
    for value, expected in (("0.1", ["metadata-3", "metadata-4", "interface"]), ("0.3", [])):
        inner = f"<nmwg:parameters>{schedule.format(value)}</nmwg:parameters>"
        assert ids(store, asked(inner)) == expected


def test_no_value_matches_no_value(store: MetadataStore) -> None:
    assert ids(store, asked(parameters(("unset", "")))) == ["interface"]
    assert ids(store, asked(parameters(("protocol", ""), ("direction", "")))) == []


@pytest.mark.parametrize(
    "name", ["startTime", "endTime", "time", "resolution", "consolidationFunction"]
)
def test_what_says_nothing_of_the_stored_is_ignored(store: MetadataStore, name: str) -> None:
    assert ids(store, asked(parameters((name, "7"), ("protocol", "UDP")))) == ["metadata-1"]


def test_parameters_of_select_are_no_part_of_a_search(store: MetadataStore) -> None:
    selected = parameters(("protocol", "UDP"), prefix="select")
    assert ids(store, asked(parameters(("protocol", "TCP")) + selected)) == [BWCTL[0], BWCTL[2]]


def test_any_event_type_matches(store: MetadataStore) -> None:
    for names, expected in (
        ([IPERF_EVENT], BWCTL),
        ([ACHIEVABLE_EVENT, BUCKETS_EVENT], [*BWCTL[:3], "metadata-4", "metadata-6", BWCTL[3]]),
        ([OWAMP_EVENT, "http://no.such/type"], ["metadata-3", "metadata-5"]),
        ([f"{IPERF_EVENT}/"], []),
        ([UTILIZATION], ["interface"]),
    ):
        assert ids(store, asked(types(names))) == expected


@pytest.mark.parametrize("name", ["eventType", "supportedEventType"])
def test_event_types_are_among_the_parameters_too(store: MetadataStore, name: str) -> None:
    wanted = parameters((name, SUMMARY_EVENT), (name, UTILIZATION))
    assert ids(store, asked(wanted)) == ["metadata-3", "metadata-5", "interface"]
    assert ids(store, asked(types([IPERF_EVENT]) + parameters((name, OWAMP_EVENT)))) == sorted(
        [*BWCTL, "metadata-3", "metadata-5"]
    )


def test_what_is_stored_asked_again_finds_itself_alone(store: MetadataStore) -> None:
    for one in found(store, asked("")):
        request = deepcopy(one.element)
        request.set("id", "of-the-client")
        matching = ids(store, request)
        assert one.id in matching
        # Delays are stored twice; either has event types of its own.
        assert len(matching) == 1


def test_data_come_with_their_metadata_in_order(store: MetadataStore) -> None:
    [one] = found(store, asked(subject("", prefix="netutil")))
    assert [data.id for data in one.data] == ["data-a", "data-b"]
    assert [data.one("file") for data in one.data] == ["a.rrd", "b.rrd"]
    [of_tcp] = found(store, asked(parameters(("protocol", "TCP"), ("timeDuration", "20"))))
    assert of_tcp.data[0].parameters["testspec"] == ("7", "8")


@pytest.mark.parametrize("text", HOSTILE)
def test_values_are_values_wherever_they_stand(store: MetadataStore, text: str) -> None:
    shown = text.replace("&", "&amp;").replace("<", "&lt;")
    end = pair(src=text)
    for request, expected in (
        (subject(end), []),
        (subject(pair(src={"type": text})), []),
        (subject(f"<nmwgt:endPointPair><nmwgt:src>x{shown}</nmwgt:src></nmwgt:endPointPair>"), []),
        (subject('<x xmlns="urn:x\')or(true()"/>'), []),
        (parameters(("protocol", f"x{text}")), []),
        (parameters((f"x{text}", "TCP")), []),
        (parameters((f"x{text}", text)), []),
        (types([f"x{text}"]), []),
        (parameters(("eventType", f"x{text}")), []),
        (types([f"x{text}", IPERF_EVENT]), BWCTL),
        (parameters(("protocol", f"x{text}"), ("protocol", "UDP")), ["metadata-1"]),
    ):
        assert ids(store, asked(request)) == expected, request[:200]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE)
def test_such_values_are_found_where_they_are_stored(
    kind: str, text: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    store = made_store(kind, request, tmp_path)
    store.replace(content(measured("bwctl", f"x{text}", "b", tos=f"x{text}")))
    for one in (subject(pair(src=f"x{text}")), parameters(("tos", f"x{text}"))):
        matching: list[StoredMetadata] = found(store, asked(one))
        assert [each.id for each in matching] == ["metadata-8"]
        with store.opened() as opened:
            again = opened.by_key(matching[0].data[0].ma_key)
        assert again is not None
        assert again.data == matching[0].data[0]


def test_who_names_more_values_than_anything_has_finds_nothing(store: MetadataStore) -> None:
    most = MOST_VALUES // 2
    inside = parameters(*(("protocol", str(number)) for number in range(most)), ("protocol", "UDP"))
    assert ids(store, asked(inside)) == ["metadata-1"]
    for beyond in (
        parameters(
            *(("protocol", str(number)) for number in range(MOST_VALUES)), ("protocol", "UDP")
        ),
        types([*map(str, range(MOST_VALUES)), IPERF_EVENT]),
        subject("<nmwgt:src/>" * MOST_VALUES),
        parameters(*((str(number), "") for number in range(5 * MOST_VALUES))),
    ):
        assert ids(store, asked(beyond)) == []


@pytest.mark.parametrize("depth", [10, 60, 99, 120])
def test_depth_is_no_trouble(store: MetadataStore, depth: int) -> None:
    inner = "<nmwgt:node>" * depth + "</nmwgt:node>" * depth
    assert ids(store, asked(subject(inner))) == []
