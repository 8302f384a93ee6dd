"""EndpointReferences of every spelling are read, and written in either dialect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from aggregator.errors import ConfigError
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import DIALECTS, FAMILIES, GT4, OASIS, Dialect
from aggregator.wire.epr import (
    MAX_ADDRESS,
    MAX_EXTENSIONS,
    EndpointReference,
    entry_key,
    read_entry_key,
    read_epr,
    write_epr,
    write_epr_content,
)
from aggregator.wire.parse import Limits, parse

CHARACTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
ADDRESSES = st.text(CHARACTERS, min_size=1, max_size=50).filter(
    lambda text: text.isprintable() and " " not in text
)
TEXTS = st.text(CHARACTERS, max_size=20).map(str.strip)
DIALECT = st.sampled_from(list(DIALECTS.values()))


def reference(text: str, local: str = "Key", namespace: str = "urn:key") -> bytes:
    element = etree.Element(f"{{{namespace}}}{local}", nsmap={"k": namespace, "q": "urn:q"})
    element.text = text or None
    return etree.tostring(element, encoding="UTF-8")


def read(document: str) -> EndpointReference:
    return read_epr(parse(document.encode()))


def texts(pieces: tuple[bytes, ...]) -> list[str]:
    return [parse(piece).text or "" for piece in pieces]


class TestRoundTrip:
    @given(
        address=ADDRESSES,
        properties=st.lists(TEXTS, max_size=3),
        parameters=st.lists(TEXTS, max_size=3),
        path=st.lists(DIALECT, min_size=1, max_size=4),
    )
    def test_across_dialects(
        self, *, address: str, properties: list[str], parameters: list[str], path: list[Dialect]
    ) -> None:
        epr = EndpointReference(
            address, tuple(map(reference, properties)), tuple(map(reference, parameters))
        )
        for dialect in path:
            written = write_epr(epr, name="MemberEPR", namespace=dialect.sg, dialect=dialect)
            epr = read_epr(parse(written))
            assert epr.address == address
            assert epr.wsa == dialect.wsa
            held = epr.properties if dialect.family == "gt4" else epr.parameters
            assert epr.references == held
            assert texts(held) == properties + parameters
            assert all(parse(piece).nsmap["q"] == "urn:q" for piece in held)

    @pytest.mark.parametrize("dialect", FAMILIES, ids=lambda dialect: dialect.name)
    def test_further_children_stay_in_their_version_of_addressing(self, dialect: Dialect) -> None:
        other = OASIS if dialect is GT4 else GT4
        epr = read(
            f'<e xmlns:wsa="{dialect.wsa}" xmlns:w="urn:w"><wsa:Address>urn:a</wsa:Address>'
            "<wsa:PortType>w:Port</wsa:PortType><w:Extra/></e>"
        )
        assert [parse(piece).tag for piece in epr.others] == [
            ns.clark(dialect.wsa, "PortType"),
            "{urn:w}Extra",
        ]
        same = write_epr_content(epr, dialect=dialect)
        assert b"PortType" in same
        assert b'xmlns:w="urn:w"' in same
        assert b"PortType" not in write_epr_content(epr, dialect=other)


class TestSpellings:
    @pytest.mark.parametrize("wsa", ns.WSA_ALL)
    def test_every_version_is_read(self, wsa: str) -> None:
        epr = read(
            f'<e xmlns="{wsa}"><Address>\n  http://site/a  \n</Address>'
            "<ReferenceProperties><p xmlns='urn:p'/></ReferenceProperties>"
            "<ReferenceParameters><q xmlns='urn:q'>1</q><q xmlns='urn:q'>2</q>"
            "</ReferenceParameters></e>"
        )
        assert (epr.address, epr.wsa) == ("http://site/a", wsa)
        assert [parse(piece).tag for piece in epr.properties] == ["{urn:p}p"]
        assert texts(epr.parameters) == ["1", "2"]
        assert len(epr.references) == 3

    def test_nested_one_of_wsrf_lite(self) -> None:
        epr = read(
            f'<sg:MemberEPR xmlns:sg="{ns.OASIS_SG}" xmlns:wsa="{ns.WSA_2005_08}">'
            "<wsa:EndpointReference><wsa:Address>http://site/Counter/17</wsa:Address>"
            "<wsa:ReferenceParameters><k>1</k></wsa:ReferenceParameters>"
            "</wsa:EndpointReference></sg:MemberEPR>"
        )
        assert epr.address == "http://site/Counter/17"
        assert texts(epr.references) == ["1"]

    def test_own_address_goes_before_a_nested_one(self) -> None:
        epr = read(
            f'<e xmlns:wsa="{ns.WSA_2005_08}" xmlns:old="{ns.WSA_2004_03}">'
            "<old:EndpointReference><old:Address>urn:nested</old:Address></old:EndpointReference>"
            "<wsa:Address>urn:own</wsa:Address></e>"
        )
        assert epr.address == "urn:own"
        assert len(epr.others) == 1

    @pytest.mark.parametrize(
        "address",
        [
            "urn:uuid:1",
            "http://größe.example/ä?q=ü#f",
            "mailto:a@b",
            "http://[::1]:8080/x;y=1?a=b&amp;c",
            "x" * MAX_ADDRESS,
        ],
    )
    def test_any_scheme_will_do(self, address: str) -> None:
        epr = read(f'<e xmlns="{ns.WSA_2005_08}"><Address>{address}</Address></e>')
        assert epr.address == address.replace("&amp;", "&")

    def test_comments_do_not_cut_the_address(self) -> None:
        epr = read(
            f'<e xmlns="{ns.WSA_2005_08}"><!-- e --><Address><!-- a -->http://loc'
            "<!-- b -->alhost:1/x<?p?>y</Address></e>"
        )
        assert epr.address == "http://localhost:1/xy"


class TestRefused:
    @pytest.mark.parametrize(
        ("address", "said"),
        [
            ("", "has 0 characters; 1 to 4096"),
            (" \n ", "has 0 characters"),
            ("x" * (MAX_ADDRESS + 1), "has 4097 characters"),
            ("http://a/ b", "white space or control"),
            ("http://a/&#10;b", "white space or control"),
            ("http://a/&#9;b", "white space or control"),
            ("http://a/\u0085b", "white space or control"),
            ("http://a/\u00a0b", "white space or control"),
            ("http://a/\u200bb", "white space or control"),
            ("http://a/\u202eb", "white space or control"),
        ],
    )
    def test_address_that_is_none(self, address: str, said: str) -> None:
        document = f'<o:MemberEPR xmlns:o="o" xmlns="{ns.WSA_2004_03}"><Address>{address}</Address>'
        with pytest.raises(ConfigError, match=said) as refused:
            read(f"{document}</o:MemberEPR>")
        assert refused.value.element == "MemberEPR"

    @pytest.mark.parametrize(
        "document",
        [
            "<MemberEPR/>",
            "<MemberEPR><Address>http://a/</Address></MemberEPR>",
            '<MemberEPR xmlns:x="urn:x"><x:Address>http://a/</x:Address></MemberEPR>',
            f'<MemberEPR><a xmlns="{ns.WSA_2004_03}"><Address>http://a/</Address></a></MemberEPR>',
            f'<MemberEPR><EndpointReference xmlns="{ns.WSA_2004_03}"/></MemberEPR>',
        ],
    )
    def test_without_an_address_of_addressing(self, document: str) -> None:
        with pytest.raises(ConfigError, match="no Address of a WS-Addressing version") as refused:
            read(document)
        assert refused.value.element == "MemberEPR"

    @pytest.mark.parametrize("container", ["ReferenceProperties", "ReferenceParameters", ""])
    def test_more_of_it_than_anybody_needs(self, container: str) -> None:
        """A small document whose many pieces would each repeat a long namespace."""
        pieces = "<k/>" * 2000
        if container:
            pieces = f"<{container}>{pieces}</{container}>"
        document = (
            f'<e xmlns="{ns.WSA_2005_08}" xmlns:long="urn:{"x" * 600}">'
            f"<Address>urn:a</Address>{pieces}</e>"
        )
        assert len(document) < MAX_EXTENSIONS / 50
        with pytest.raises(ConfigError, match="the endpoint reference is too large") as refused:
            read(document)
        assert refused.value.element == "e"


class TestEntryKey:
    @given(group=TEXTS, key=TEXTS)
    def test_round_trip(self, group: str, key: str) -> None:
        assert read_entry_key(parse(entry_key(group, key))) == (group, key)

    @pytest.mark.parametrize(
        "header",
        [
            '<x:AnyName xmlns:x="urn:any" xmlns:t="{agg}"><t:GroupKey>g</t:GroupKey>'
            "<t:EntryKey>k</t:EntryKey></x:AnyName>",
            '<t:EntryKeys xmlns:t="{agg}"><t:EntryKey>\n k <!-- mine --></t:EntryKey>'
            "<!-- c --><t:GroupKey> g</t:GroupKey></t:EntryKeys>",
            '<Bare><EntryKey xmlns="{agg}"><!-- c -->k</EntryKey>'
            '<GroupKey xmlns="{agg}">g</GroupKey></Bare>',
        ],
    )
    def test_name_of_the_wrapper_does_not_matter(self, header: str) -> None:
        assert read_entry_key(parse(header.format(agg=ns.AGG).encode())) == ("g", "k")

    def test_group_may_be_missing(self) -> None:
        found = read_entry_key(parse(f'<w><EntryKey xmlns="{ns.AGG}">k</EntryKey></w>'.encode()))
        assert found == ("", "k")

    @pytest.mark.parametrize("name", ["ServiceGroupEntryKey", "ServiceGroupEntryKey xmlns='urn:x'"])
    def test_plain_text_is_the_key_where_the_name_says_so(self, name: str) -> None:
        header = f"<{name}>\n k<!-- c -->1 </ServiceGroupEntryKey>"
        assert read_entry_key(parse(header.encode())) == ("", "k1")

    @pytest.mark.parametrize(
        "header",
        [
            "<w/>",
            "<w>k</w>",
            "<ServiceGroupEntryKey> </ServiceGroupEntryKey>",
            "<ServiceGroupEntryKey>k<EntryKey/></ServiceGroupEntryKey>",
            "<w><EntryKey>k</EntryKey></w>",
            '<w><GroupKey xmlns="{agg}">g</GroupKey></w>',
            '<w><v><EntryKey xmlns="{agg}">k</EntryKey></v></w>',
        ],
    )
    def test_other_headers_hold_none(self, header: str) -> None:
        assert read_entry_key(parse(header.format(agg=ns.AGG).encode())) is None

    def test_prefixes_are_its_own(self) -> None:
        """Clients lose outer prefixes when they send the key back as a header."""
        assert parse(entry_key("g", "k")).nsmap == {"i": ns.INDEX, "agg": ns.AGG}


def test_large_documents_are_read_whole() -> None:
    properties = "".join(f"<k>{n}</k>" for n in range(5000))
    document = (
        f'<e xmlns:w="{ns.WSA_2004_03}"><w:Address>urn:a</w:Address>'
        f"<w:ReferenceProperties>{properties}</w:ReferenceProperties></e>"
    )
    epr = read_epr(parse(document.encode(), limits=Limits(nodes=10_000)))
    assert len(epr.properties) == 5000
