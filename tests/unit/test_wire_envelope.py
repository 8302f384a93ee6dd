"""Envelopes of both SOAP versions: read with their headers, refused by name, and written."""

from __future__ import annotations

import pytest

from aggregator.errors import MalformedRequest, NotUnderstood, VersionMismatch
from aggregator.wire import namespaces as ns
from aggregator.wire.envelope import (
    SOAP11,
    SOAP12,
    VERSIONS,
    Addressing,
    Envelope,
    SoapVersion,
    addressing_headers,
    check_understood,
    read_envelope,
    reply_headers,
    write_envelope,
)
from aggregator.wire.epr import entry_key
from aggregator.wire.parse import parse

BOTH = pytest.mark.parametrize("version", [SOAP11, SOAP12], ids=lambda version: version.name)
NEXT = {
    SOAP11.name: "http://schemas.xmlsoap.org/soap/actor/next",
    SOAP12.name: "http://www.w3.org/2003/05/soap-envelope/role/next",
}
FINAL = "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver"
NOBODY = "http://www.w3.org/2003/05/soap-envelope/role/none"


def read(document: str) -> Envelope:
    return read_envelope(parse(document.encode()))


def message(header: str, version: SoapVersion = SOAP11, body: str = "<b/>") -> Envelope:
    return read(
        f'<s:Envelope xmlns:s="{version.namespace}" xmlns:a4="{ns.WSA_2004_03}" '
        f'xmlns:a5="{ns.WSA_2005_08}"><s:Header>{header}</s:Header><s:Body>{body}</s:Body>'
        "</s:Envelope>"
    )


class TestRead:
    @BOTH
    def test_body_and_headers_among_comments(self, version: SoapVersion) -> None:
        envelope = read(
            f'<!-- c --><Envelope xmlns="{version.namespace}"><!-- c --><Header><!-- c -->'
            '<h xmlns="urn:h"/>text<?p?></Header><!-- c --><Body>\n <!-- c --><?p?>'
            '<op xmlns="urn:o"/><more xmlns="urn:o"/></Body></Envelope>'
        )
        assert envelope.version is version
        assert [header.tag for header in envelope.headers] == ["{urn:h}h"]
        assert envelope.body.tag == "{urn:o}op"
        assert envelope.addressing == Addressing()
        assert envelope.entry_key() is None

    @BOTH
    @pytest.mark.parametrize("header", ["", "<s:Header/>", "<s:Header>  </s:Header>"])
    def test_header_may_be_missing_or_empty(self, version: SoapVersion, header: str) -> None:
        envelope = read(
            f'<s:Envelope xmlns:s="{version.namespace}" s:encodingStyle="urn:x">{header}'
            "<s:Body><b/></s:Body></s:Envelope>"
        )
        assert envelope.headers == ()

    @pytest.mark.parametrize(
        "root",
        [
            "<Envelope/>",
            "<html/>",
            '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope"/>',
            '<Envelope xmlns="http://www.w3.org/2001/12/soap-envelope"><Body><b/></Body></Envelope>',
            f'<Body xmlns="{ns.SOAP11}"><b/></Body>',
            f'<NotEnvelope xmlns="{ns.SOAP12}"/>',
        ],
    )
    def test_other_roots_are_of_no_version(self, root: str) -> None:
        with pytest.raises(VersionMismatch, match=r"not an Envelope of SOAP 1\.1 .* or 1\.2"):
            read(root)

    @BOTH
    @pytest.mark.parametrize(
        ("inner", "said"),
        [
            ("", "no Body"),
            ("<Body/>", "no Body"),
            ("<s:Header/>", "no Body"),
            ("<s:Body/>", "Body is empty"),
            ("<s:Body>text<!-- c --></s:Body>", "Body is empty"),
        ],
    )
    def test_without_an_operation_is_malformed(
        self, version: SoapVersion, inner: str, said: str
    ) -> None:
        with pytest.raises(MalformedRequest, match=said):
            read(f'<s:Envelope xmlns:s="{version.namespace}">{inner}</s:Envelope>')


class TestAddressing:
    @pytest.mark.parametrize("wsa", ns.WSA_ALL)
    @BOTH
    def test_of_every_version(self, version: SoapVersion, wsa: str) -> None:
        envelope = message(
            f'<w:MessageID xmlns:w="{wsa}"> uuid:<!-- c -->1\n</w:MessageID>'
            f'<w:Action xmlns:w="{wsa}">urn:act</w:Action><w:To xmlns:w="{wsa}">urn:to</w:To>',
            version,
        )
        assert envelope.addressing == Addressing(wsa, "uuid:1", "urn:act", "urn:to")

    def test_quotes_around_an_action_are_dropped(self) -> None:
        envelope = message(
            '<a5:Action>"http://docs.oasis-open.org/wsrf/sg-2#Add"</a5:Action>'
            '<a5:MessageID>"1"</a5:MessageID>'
        )
        assert envelope.addressing.action == "http://docs.oasis-open.org/wsrf/sg-2#Add"
        assert envelope.addressing.message_id == '"1"'

    def test_first_of_several_counts(self) -> None:
        found = message("<a4:To>1</a4:To><a4:To>2</a4:To><a5:To>3</a5:To>").addressing
        assert found == Addressing(ns.WSA_2004_03, to="1")

    def test_reply_is_in_the_version_of_the_request(self) -> None:
        request = Addressing(ns.WSA_2004_08, message_id="uuid:<1>&", action="urn:a")
        reply = message(reply_headers(request, "urn:b").decode())
        assert reply.addressing.namespace == ns.WSA_2004_08
        assert reply.addressing.action == "urn:b"
        assert reply.addressing.message_id.startswith("urn:uuid:")
        related = [h.text for h in reply.headers if h.tag == ns.clark(ns.WSA_2004_08, "RelatesTo")]
        assert related == ["uuid:<1>&"]

    def test_without_a_message_id_nothing_is_related(self) -> None:
        assert b"RelatesTo" not in reply_headers(Addressing(ns.WSA_2005_08), "urn:b")

    def test_request_without_addressing_gets_none(self) -> None:
        assert reply_headers(Addressing(), "urn:b") == b""

    def test_message_ids_differ(self) -> None:
        request = Addressing(ns.WSA_2005_08)
        assert reply_headers(request, "urn:b") != reply_headers(request, "urn:b")


class TestEntryKey:
    @BOTH
    def test_is_found_among_other_headers(self, version: SoapVersion) -> None:
        key = entry_key("g", "k").decode().replace("ServiceGroupEntryKey", "TheirOwnKey")
        other = entry_key("g", "second").decode()
        assert message(f"<x/><a4:To>u</a4:To>{key}{other}", version).entry_key() == ("g", "k")


class TestMustUnderstand:
    @BOTH
    @pytest.mark.parametrize("value", ["1", "true", " 1 "])
    @pytest.mark.parametrize("role", ["", "next", "final"])
    def test_strange_header_is_named(self, version: SoapVersion, value: str, role: str) -> None:
        uri = {"": "", "next": NEXT[version.name], "final": FINAL}[role]
        role_attribute = f's:{version.role}="{uri}"' if role else ""
        envelope = message(
            f'<x:Security xmlns:x="urn:x" s:mustUnderstand="{value}" {role_attribute}/><y/>',
            version,
        )
        with pytest.raises(NotUnderstood, match=r"\{urn:x\}Security") as refused:
            check_understood(envelope)
        assert refused.value.headers == ("{urn:x}Security",)

    @BOTH
    @pytest.mark.parametrize(
        "header",
        [
            "<x/>",
            '<x s:mustUnderstand="0"/>',
            '<x s:mustUnderstand="false"/>',
            '<x mustUnderstand="1"/>',
            '<a4:To s:mustUnderstand="1">urn:a</a4:To>',
            '<a5:ReplyTo s:mustUnderstand="1"><a5:Address>urn:a</a5:Address></a5:ReplyTo>',
            '<x s:mustUnderstand="1" a5:IsReferenceParameter="true"/>',
            entry_key("g", "k").decode().replace(" ", ' s:mustUnderstand="1" ', 1),
        ],
    )
    def test_what_is_understood_or_need_not_be_passes(
        self, version: SoapVersion, header: str
    ) -> None:
        check_understood(message(header, version))

    @BOTH
    @pytest.mark.parametrize("role", ["urn:somebody-else", NOBODY])
    def test_header_for_somebody_else_is_none_of_ours(
        self, version: SoapVersion, role: str
    ) -> None:
        check_understood(message(f'<x s:mustUnderstand="1" s:{version.role}="{role}"/>', version))

    def test_actor_is_no_role_in_the_other_version(self) -> None:
        with pytest.raises(NotUnderstood):
            check_understood(message('<x s:mustUnderstand="1" s:actor="urn:other"/>', SOAP12))

    @pytest.mark.parametrize(
        "header",
        [
            '<a5:Unheard s:mustUnderstand="1"/>',
            '<x s:mustUnderstand="1" a5:IsReferenceParameter="false"/>',
        ],
    )
    def test_half_known_is_strange(self, header: str) -> None:
        with pytest.raises(NotUnderstood):
            check_understood(message(header))

    def test_many_are_told_within_measure(self) -> None:
        flood = "".join(f'<x{n} s:mustUnderstand="1"/>' for n in range(1000))
        with pytest.raises(NotUnderstood) as refused:
            check_understood(message(flood))
        assert len(refused.value.message) < 1500
        assert len(refused.value.headers) == 5


class TestWritten:
    @BOTH
    def test_reads_back(self, version: SoapVersion) -> None:
        headers = addressing_headers(ns.WSA_2005_08, Action="a&b", To="")
        body = b'<p:op xmlns:p="urn:p" xmlns:q="urn:q">q:name</p:op>'
        root = parse(write_envelope(version, body, headers=headers))
        envelope = read_envelope(root)
        assert envelope.version is version is VERSIONS[version.namespace]
        assert envelope.addressing == Addressing(ns.WSA_2005_08, action="a&b")
        assert len(envelope.headers) == 1
        assert envelope.body.nsmap["q"] == "urn:q"
        assert None not in root.nsmap

    @BOTH
    def test_has_no_header_without_one(self, version: SoapVersion) -> None:
        assert b"Header" not in write_envelope(version, b"<b/>")
