"""Registrations are the same exactly when they say the same, however they are written."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest

from aggregator.registry.fingerprint import fingerprint
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import AGG, XSI

MEMBER = EndpointReference("http://site/service")
SAME = [
    '<agg:AggregatorConfig xmlns:agg="{agg}" xmlns:w="urn:w"><agg:P a="1" b="2">'
    "<agg:ResourcePropertyName>w:foo</agg:ResourcePropertyName><agg:I>5</agg:I></agg:P>"
    "</agg:AggregatorConfig>",
    '<AggregatorConfig xmlns="{agg}"><P b="2" a="1">\n  <ResourcePropertyName xmlns:v="urn:w">'
    " v:foo </ResourcePropertyName>\n<!-- c --><I><!-- c -->5</I></P><?pi x?></AggregatorConfig>",
    "<x:AggregatorConfig xmlns:x='{agg}' xmlns='urn:w'><x:P a='1' b='2'><x:ResourcePropertyName>"
    "fo<!-- c -->o</x:ResourcePropertyName><x:I>&#53;</x:I></x:P></x:AggregatorConfig>",
]
DIFFERENT = [
    "<Other/>",
    '<AggregatorConfig xmlns="{agg}"/>',
    '<AggregatorConfig xmlns="{agg}"><a/></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><a xmlns=""/></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><a/><b/></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><b/><a/></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><a><b/></a></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><a>b</a></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><a b=""/></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><a c=""/></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><a>["b"]</a></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><a>x y</a></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}"><a>x  y</a></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}" xmlns:p="urn:1"><a>//p:x</a></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}" xmlns:p="urn:2"><a>//p:x</a></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}" xmlns:p="urn:1"><a b="//p:x"/></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}" xmlns:p="urn:2"><a b="//p:x"/></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}" xmlns:p="urn:1"><ProbeName>p:x</ProbeName></AggregatorConfig>',
    '<AggregatorConfig xmlns="{agg}" xmlns:p="urn:2"><ProbeName>p:x</ProbeName></AggregatorConfig>',
]


def of(config: str, member: EndpointReference = MEMBER) -> str:
    return fingerprint(member, config.replace("{agg}", AGG).encode())


@pytest.mark.parametrize(("one", "other"), list(combinations(SAME, 2)))
def test_spelling_does_not_matter(one: str, other: str) -> None:
    assert of(one) == of(other)


def test_every_difference_in_meaning_matters() -> None:
    found = {of(config) for config in (*DIFFERENT, SAME[0])}
    found.add(fingerprint(MEMBER, b""))
    assert len(found) == len(DIFFERENT) + 2


def test_types_are_compared_by_namespace() -> None:
    config = '<c xmlns:xsi="{xsi}" xmlns:{p}="{uri}" xsi:type="{p}:T"/>'
    one, same, other = (
        of(config.replace("{xsi}", XSI).replace("{p}", prefix).replace("{uri}", uri))
        for prefix, uri in (("a", "urn:1"), ("b", "urn:1"), ("a", "urn:2"))
    )
    assert one == same != other


def test_prefixes_that_text_does_not_use_do_not_matter() -> None:
    assert of('<c xmlns:http="urn:1">http://a/b</c>') != of("<c>http://a/b</c>")
    assert of('<c xmlns:p="urn:1">child::x</c>') == of("<c>child::x</c>")
    assert of('<c xmlns:child="urn:1">child::x</c>') == of("<c>child::x</c>")


def test_member_matters() -> None:
    def with_(address: str = "http://site/service", *references: bytes) -> str:
        return of(SAME[0], EndpointReference(address, properties=references))

    one, two = b'<k xmlns="urn:k">1</k>', b'<k xmlns="urn:k">2</k>'
    assert with_("http://site/service") == with_(" http://site/service ")
    assert with_("http://site/service", b'<p:k xmlns:p="urn:k"> 1 </p:k>') == with_(
        "http://site/service", one
    )
    different = [
        with_(),
        with_("http://site/other"),
        with_("http://site/service", one),
        with_("http://site/service", two),
        with_("http://site/service", one, one),
        with_("http://site/service", one, two),
    ]
    assert len(set(different)) == len(different)


def test_references_have_no_order_and_no_dialect() -> None:
    pieces = tuple(f'<k xmlns="urn:k">{n}</k>'.encode() for n in range(3))
    found = {
        of(SAME[0], EndpointReference("urn:a", properties=some[:split], parameters=some[split:]))
        for some in permutations(pieces)
        for split in range(4)
    }
    assert len(found) == 1


def test_config_of_any_size_has_one() -> None:
    """What was accepted under wider limits than the default ones is no stranger."""
    large = f"<c>{'<a/>' * 300_000}</c>"
    assert len(fingerprint(MEMBER, large.encode())) == 64
