"""Messages of the NMWG protocol: found, wrapped, and what they say."""

from __future__ import annotations

import pytest

from aggregator.errors import MalformedRequest
from aggregator.wire import nmwg
from aggregator.wire.envelope import read_envelope
from aggregator.wire.parse import Element, parse

N = f'xmlns:nmwg="{nmwg.NMWG}"'


def message(inside: str) -> Element:
    return parse(f'<nmwg:message {N} xmlns:r="{nmwg.NMWGR}">{inside}</nmwg:message>'.encode())


def pair(event_type: str, datum: str, id: str = "a", ref: str = "a") -> str:
    return (
        f'<nmwg:metadata id="{id}"><nmwg:eventType> {event_type}\n</nmwg:eventType></nmwg:metadata>'
        f'<nmwg:data metadataIdRef="{ref}">{datum}</nmwg:data>'
    )


def test_the_message_is_found_at_any_depth_under_any_prefix() -> None:
    root = parse(f'<a><b><message xmlns="{nmwg.NMWG}" id="x"/></b></a>'.encode())
    assert nmwg.find_message(root).get("id") == "x"
    assert nmwg.find_message(message("")).tag == nmwg.MESSAGE


@pytest.mark.parametrize("inside", ["", f"<m {N}><nmwg:message/><nmwg:message/></m>", "<message/>"])
def test_none_and_several_are_refused(inside: str) -> None:
    with pytest.raises(MalformedRequest, match="nmwg:message"):
        nmwg.find_message(parse(f"<a>{inside}</a>".encode()))


def test_an_envelope_is_put_around_what_is_none() -> None:
    wrapped = parse(nmwg.wrapped(message("")))
    assert read_envelope(wrapped).body.tag == nmwg.MESSAGE
    assert nmwg.wrapped(wrapped).count(b"Envelope") == 2


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        (
            pair("error.ma.storage", "<r:datum>no  such\n test</r:datum>"),
            "error.ma.storage: no such test",
        ),
        (pair("error.ls.key", '<nmwg:datum value="gone"/>'), "error.ls.key: gone"),
        (pair("error", ""), "error"),
        (pair("error.a", "<r:datum>other</r:datum>", ref="b"), "error.a"),
    ],
)
def test_errors_are_told_with_their_text(inside: str, told: str) -> None:
    assert [str(one) for one in nmwg.errors_of(message(inside))] == [told]


@pytest.mark.parametrize(
    "inside",
    [
        "",
        pair("success.echo", "<r:datum>passed</r:datum>"),
        pair(
            "http://ggf.org/ns/nmwg/tools/owamp/2.0", "<r:datum>Query returned 0 results</r:datum>"
        ),
        "<nmwg:data><nmwg:metadata><nmwg:eventType>error.x</nmwg:eventType></nmwg:metadata>"
        "</nmwg:data>",
        '<metadata xmlns="urn:x"><eventType>error.x</eventType></metadata>',
    ],
)
def test_all_else_is_no_error(inside: str) -> None:
    assert nmwg.errors_of(message(inside)) == ()


def test_long_texts_are_cut() -> None:
    found = nmwg.errors_of(message(pair("error." + "x" * 9999, f"<r:datum>{'y' * 9999}</r:datum>")))
    assert (len(found[0].event_type), len(found[0].text)) == (500, 500)


def test_the_first_result_counts() -> None:
    first = nmwg.first_result(
        message(pair("success.ls.register", "") + pair("error.x", "<r:datum>y</r:datum>", "b", "b"))
    )
    assert first == nmwg.Result("success.ls.register", "")
    assert nmwg.first_result(message("")) == nmwg.Result("", "")


def test_parameters_of_keys_are_read() -> None:
    key = (
        "<nmwg:metadata><nmwg:key><nmwg:parameters>{}</nmwg:parameters></nmwg:key></nmwg:metadata>"
    )
    as_text = key.format('<nmwg:parameter name="lsKey"> k1 </nmwg:parameter>')
    assert nmwg.key_parameter(message(as_text), "lsKey") == "k1"
    as_value = key.format('<nmwg:parameter name="lsKey" value="k2"/>')
    assert nmwg.key_parameter(message(as_value), "lsKey") == "k2"
    assert nmwg.key_parameter(message(as_value), "maKey") == ""
