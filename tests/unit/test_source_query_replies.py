"""How the query source reads what members answer, and which of them it takes."""

from __future__ import annotations

import pytest

from aggregator.contract import HttpReply
from aggregator.errors import CollectError, ConfigError
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import GT4
from aggregator.wire.envelope import SOAP11, SOAP12, write_envelope
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import parse
from tests.unit.query_source_kit import ONE, XPATH, plan, poll, reply


class TestReply:
    made = plan(ONE.format(scope='xmlns:w="urn:w"', name="w:foo"))
    query = plan(
        XPATH.format(scope="", dialect="Dialect", xpath=ns.XPATH_1, expression="count(//*)")
    )

    def test_properties_keep_the_prefixes_that_were_in_scope(self) -> None:
        body = (
            f'<r:GetResourcePropertyResponse xmlns:r="{GT4.rp}" xmlns:q="urn:q">'
            '<w:a xmlns:w="urn:w" type="q:T">q:one</w:a>tail</r:GetResourcePropertyResponse>'
        )
        answer = HttpReply(200, "text/xml", write_envelope(SOAP11, body.encode()))
        content = poll(self.made, lambda asked: answer)[0]
        element = parse(content[0])
        assert (element.tag, element.text, element.tail) == ("{urn:w}a", "q:one", None)
        assert element.nsmap["q"] == "urn:q"

    def test_an_empty_answer_is_empty_content(self) -> None:
        assert poll(self.made, lambda body: reply(""))[0] == ()

    def test_soap_1_2_and_latin_1_are_read(self) -> None:
        name = "r:GetResourcePropertyResponse"
        body = f'<{name} xmlns:r="{GT4.rp}"><a>é</a></{name}>'
        envelope = write_envelope(SOAP12, body.encode()).decode().partition("\n")[2]
        answer = HttpReply(200, 'text/xml; charset="iso-8859-1"', envelope.encode("latin-1"))
        content = poll(self.made, lambda asked: answer)[0]
        assert parse(content[0]).text == "é"

    @pytest.mark.parametrize("text", ["42", "true", "a &lt; b", ""])
    def test_scalars_of_a_query_are_wrapped(self, text: str) -> None:
        content = poll(self.query, lambda body: reply(text, operation="QueryResourceProperties"))[0]
        result = parse(content[0])
        assert result.tag == ns.clark(ns.QUERY, "Result")
        assert result.text == (text.replace("&lt;", "<") or None)

    def test_elements_of_a_query_are_not(self) -> None:
        content = poll(
            self.query, lambda body: reply("<a/><b/>", operation="QueryResourceProperties")
        )[0]
        assert [parse(child).tag for child in content] == ["a", "b"]

    @pytest.mark.parametrize(
        ("answer", "code", "words"),
        [
            (HttpReply(302, "", b""), "redirect", "not followed"),
            (HttpReply(200, "text/html", b"<html/>"), "not-soap", "HTML"),
            (HttpReply(200, "", b""), "not-soap", "nothing"),
            (HttpReply(200, "image/png", b"\x89PNG"), "not-soap", "image/png"),
            (HttpReply(404, "text/html", b"<html/>"), "http-status", "404"),
            (HttpReply(503, "", b""), "http-status", "503"),
            (reply("", operation="Destroy"), "wrong-content", "DestroyResponse"),
            (HttpReply(200, "text/xml", write_envelope(SOAP11, b"")), "not-soap", "empty"),
            (
                HttpReply(200, "text/xml", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
                "not-soap",
                "DOCTYPE",
            ),
        ],
    )
    def test_each_wrong_answer_has_its_code(self, answer: HttpReply, code: str, words: str) -> None:
        with pytest.raises(CollectError) as caught:
            poll(self.made, lambda body: answer)
        assert caught.value.code == code
        assert words in caught.value.message

    def test_a_namespace_bomb_is_refused(self) -> None:
        """Many small properties, each of which repeats large declarations."""
        scope = "".join(f' xmlns:p{n}="urn:{"x" * 500}{n}"' for n in range(100))
        name = "r:GetResourcePropertyResponse"
        body = f'<{name} xmlns:r="{GT4.rp}"{scope}>{"<a/>" * 5000}</{name}>'
        answer = HttpReply(200, "text/xml", write_envelope(SOAP11, body.encode()))
        with pytest.raises(CollectError) as caught:
            poll(self.made, lambda asked: answer)
        assert caught.value.code == "too-large"


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        [
            "ftp://host/x",
            "file:///etc/passwd",
            "urn:uuid:1",
            "http://",
            "http:///path",
            "//host/x",
            "http://host:port/",
            "http://host:0/",
            "http://host:99999/",
            "http://[::1/",
            "http://host/<x>",
        ],
    )
    def test_what_can_t_be_polled_is_refused_at_the_add(self, address: str) -> None:
        epr = EndpointReference(address, wsa=ns.WSA_2004_03)
        with pytest.raises(ConfigError, match=r"^MemberEPR: the Address"):
            plan(ONE.format(scope='xmlns:w="urn:w"', name="w:foo"), epr=epr)

    @pytest.mark.parametrize(
        "address", ["https://host/", "HTTP://host", "http://[::1]:8080/x", "http://h/a?b=c#d"]
    )
    def test_http_and_https_are_taken(self, address: str) -> None:
        epr = EndpointReference(address, wsa=ns.WSA_2004_03)
        made = plan(ONE.format(scope='xmlns:w="urn:w"', name="w:foo"), epr=epr)
        assert made.data["url"] == address
