"""Who may join a group: rules of content and interfaces, and never the group itself."""

from __future__ import annotations

import pytest

from aggregator.config import MembershipRule
from aggregator.errors import AddRefused, ContentRefused, MemberInterfaceUnsupported
from aggregator.registry.membership import check_not_self, check_rules
from aggregator.wire.namespaces import AGG
from aggregator.wire.parse import parse

OWN = "http://index.example.org:8080/wsrf/services/DefaultIndexService"
PATH = "/wsrf/services/DefaultIndexService"


class TestNotSelf:
    @pytest.mark.parametrize(
        "address",
        [
            OWN,
            f"{OWN}/",
            OWN.upper().replace("HTTP:", "http:"),
            OWN.replace("http:", "HTTP:"),
            f"http://INDEX.Example.ORG:8080{PATH}",
            f"http://index.example.org.:8080{PATH}",
            f"http://user:secret@index.example.org:8080{PATH}",
            f"http://%69ndex.example.org:8080{PATH}",
            f"{OWN}?wsdl",
            f"{OWN}#top",
            "http://index.example.org:8080/wsrf/services/%44efaultIndexService",
            "http://index.example.org:8080/wsrf/./services/../services/DefaultIndexService",
            "http://index.example.org:8080//wsrf//services/DefaultIndexService",
        ],
    )
    def test_own_host_in_any_spelling_is_refused(self, address: str) -> None:
        with pytest.raises(AddRefused, match="Loopback or duplicate registrant address submitted"):
            check_not_self(address, own=(OWN,))

    @pytest.mark.parametrize(
        "host",
        [
            *("localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain"),
            *("ip6-localhost", "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433"),
            *("0x7f.1", "0x7F000001", "0177.0.0.1", "017700000001", "0.0.0.0", "0"),
            *("[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
            *("[::1%25lo]", "x@localhost", "loc%61lhost", "127%2e0%2e0%2e1"),
            *("\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "\uff2cocalhost"),
        ],
    )
    def test_loopback_with_the_same_port_and_path_is_refused(self, host: str) -> None:
        with pytest.raises(AddRefused, match="Loopback or duplicate"):
            check_not_self(f"http://{host}:8080{PATH}", own=(OWN,))

    @pytest.mark.parametrize(
        "address",
        [
            f"http://index.example.org:8081{PATH}",
            f"http://index.example.org{PATH}",
            f"https://index.example.org:8080{PATH}",
            f"http://other.example.org:8080{PATH}",
            f"http://notlocalhost:8080{PATH}",
            f"http://localhost.example.org:8080{PATH}",
            f"http://126.0.0.1:8080{PATH}",
            f"http://128.1:8080{PATH}",
            f"http://[::2]:8080{PATH}",
            f"http://[::ffff:10.0.0.1]:8080{PATH}",
            f"http://localhost:8081{PATH}",
            f"http://localhost:8080{PATH}2",
            "http://localhost:8080/",
            "http://localhost:8080",
            f"{OWN}Entry/1",
            "urn:uuid:1",
            "mailto:localhost",
            "no address at all",
            f"http://a..b:8080{PATH}",
            f"http://{'x' * 70}.example:8080{PATH}",
            f"http://[vf.1]:8080{PATH}",
        ],
    )
    def test_everybody_else_may_join(self, address: str) -> None:
        check_not_self(address, own=(OWN,))

    @pytest.mark.parametrize(
        ("own", "address"),
        [
            ("http://index.example.org/x", "http://localhost:80/X"),
            ("http://index.example.org:80/x", "http://index.example.org/x"),
            ("https://index.example.org/x", "https://127.0.0.1:443/x"),
            ("http://10.0.0.5:1/x", "http://10.5:1/x"),
            ("http://[2001:db8::1]:1/x", "http://[2001:0DB8:0::0001]:1/x"),
            ("http://[::ffff:10.0.0.5]:1/x", "http://167772165:1/x"),
            ("http://bücher.example:1/x", "http://xn--bcher-kva.example:1/x"),
            ("http://127.0.0.1:1/x", "http://[::1]:1/x"),
        ],
    )
    def test_default_ports_and_numeric_hosts_are_compared_by_value(
        self, own: str, address: str
    ) -> None:
        with pytest.raises(AddRefused, match="Loopback or duplicate"):
            check_not_self(address, own=(own,))

    def test_every_address_of_the_group_counts(self) -> None:
        behind = f"http://127.0.0.1:9999{PATH}"
        check_not_self(behind, own=(OWN,))
        with pytest.raises(AddRefused):
            check_not_self(behind, own=(OWN, behind.replace("127.0.0.1", "10.0.0.1")))

    @pytest.mark.parametrize("address", ["http://[::1", "http://a:99999/", "http://a:b/"])
    def test_broken_addresses_are_told(self, address: str) -> None:
        with pytest.raises(AddRefused, match="is no URL"):
            check_not_self(address, own=(OWN,))


WIDGET, GADGET = "{urn:w}Widget", "{urn:w}Gadget"
EXTENSION = (
    b'<m:Metadata xmlns:m="http://www.w3.org/2005/08/addressing"><w:InterfaceName '
    b'xmlns:w="http://www.w3.org/2006/05/addressing/wsdl" xmlns:p="urn:w">p:Widget<!-- c -->'
    b"</w:InterfaceName></m:Metadata>"
)
PORT_TYPE = (
    b'<a:PortType xmlns:a="http://schemas.xmlsoap.org/ws/2004/03/addressing" xmlns="urn:w">'
    b" Widget</a:PortType>"
)


def check(
    *rules: MembershipRule, content: str | None = None, extensions: tuple[bytes, ...] = ()
) -> None:
    element = None
    if content is not None:
        element = parse(f'<c xmlns:w="urn:w" xmlns:agg="{AGG}">{content}</c>'.encode())
    check_rules(rules, content=element, extensions=extensions)


class TestContent:
    RULE = MembershipRule(content_elements=(WIDGET, GADGET))

    @pytest.mark.parametrize(
        "content",
        [
            "<w:Widget/><w:Gadget/><w:More/>",
            "<agg:AggregatorConfig><w:Widget/></agg:AggregatorConfig><w:Gadget/>",
            "<agg:AggregatorData><w:Gadget/><!-- c --><w:Widget/></agg:AggregatorData>",
        ],
    )
    def test_that_holds_all_elements_is_taken(self, content: str) -> None:
        check(self.RULE, content=content)

    @pytest.mark.parametrize(
        "content",
        [
            None,
            "",
            "<w:Widget/>",
            "<w:Widget><w:Gadget/></w:Widget>",
            "<Widget/><Gadget/>",
            '<x:AggregatorData xmlns:x="urn:x"><w:Widget/><w:Gadget/></x:AggregatorData>',
        ],
    )
    def test_that_lacks_one_is_refused(self, content: str | None) -> None:
        with pytest.raises(ContentRefused, match=r"must hold the elements .*Widget.*Gadget"):
            check(self.RULE, content=content)

    def test_one_rule_of_several_is_enough(self) -> None:
        rules = (MembershipRule(content_elements=(WIDGET,)), MembershipRule((GADGET,)))
        check(*rules, content="<w:Gadget/>")
        with pytest.raises(ContentRefused, match=" or "):
            check(*rules, content="<w:Other/>")

    def test_without_rules_anything_may_join(self) -> None:
        check(content=None, extensions=(b"<PortType>no qname!</PortType>",))


class TestInterface:
    RULE = MembershipRule(member_interfaces=("{urn:w}Other", WIDGET))

    @pytest.mark.parametrize("extension", [EXTENSION, PORT_TYPE])
    def test_that_the_reference_names_is_taken(self, extension: bytes) -> None:
        check(self.RULE, extensions=(b"<x/>", extension))

    @pytest.mark.parametrize("extensions", [(), (b"<x/>",), (b"<PortType>Widget</PortType>",)])
    def test_that_it_does_not_name_is_refused(self, extensions: tuple[bytes, ...]) -> None:
        with pytest.raises(MemberInterfaceUnsupported, match="Widget"):
            check(self.RULE, extensions=extensions)

    def test_and_content_go_together(self) -> None:
        rule = MembershipRule(content_elements=(GADGET,), member_interfaces=(WIDGET,))
        check(rule, content="<w:Gadget/>", extensions=(PORT_TYPE,))
        with pytest.raises(ContentRefused):
            check(rule, content="<w:Other/>", extensions=(PORT_TYPE,))
        with pytest.raises(MemberInterfaceUnsupported):
            check(rule, content="<w:Gadget/>")

    def test_is_not_looked_at_where_no_rule_asks(self) -> None:
        check(
            MembershipRule(content_elements=(GADGET,)),
            content="<w:Gadget/>",
            extensions=(b"<PortType>no qname!</PortType>",),
        )
