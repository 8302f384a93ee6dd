"""What was registered against what is read: the same elements, texts and namespaces."""

from __future__ import annotations

from lxml import etree

from tests.soap import AGG, NS, Family

_CONFIG = f"{{{AGG}}}AggregatorConfig"
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_CONTAINERS = ("ReferenceProperties", "ReferenceParameters")

Form = tuple[object, ...]


def read_message(content: bytes) -> etree._Element:
    """The root of a message of ours, in which an xml:id may come twice."""
    return etree.fromstring(content, etree.XMLParser(collect_ids=False))


def form(element: etree._Element) -> Form:
    """All that an element says, in a form that can be compared; without xml:id, as documented."""
    if not isinstance(element.tag, str):
        return (type(element).__name__, getattr(element, "target", ""), element.text or "")
    attributes = {name: value for name, value in element.attrib.items() if name != _XML_ID}
    inside = [(form(child), child.tail or "") for child in element]
    return (element.tag, sorted(attributes.items()), element.text or "", inside)


def keeps_scope(sent: etree._Element, read: etree._Element) -> bool:
    """Whether every prefix that meant something still means it, at each element."""
    for before, after in zip(sent.iter("*"), read.iter("*"), strict=True):
        known = after.nsmap
        if any(known.get(prefix) != uri for prefix, uri in before.nsmap.items()):
            return False
        if before.nsmap.get(None) != known.get(None):
            return False
    return True


class Sent:
    """The parts of an Add as they were sent; `content` is well-formed."""

    def __init__(self, content: bytes) -> None:
        root = read_message(content)
        adds = [element for element in root.iter("{*}Add") if element.tag[1:-4] in _GROUP_SPACES]
        self._add = adds[0]

    def trouble(self, member: etree._Element, content: etree._Element, family: Family) -> str:
        """What MemberEPR and Content of the entry don't tell as it was sent; empty where all is."""
        return self._address(member, family) or self._references(member) or self._config(content)

    def _address(self, member: etree._Element, family: Family) -> str:
        texts = {_text(found) for found in self._add.iterfind("{*}MemberEPR//{*}Address")}
        (read,) = (_text(found) for found in member.iterfind(f"{{{NS[family]['wsa']}}}Address"))
        return "" if read in texts else f"the address {read!r} is none of {texts}"

    def _references(self, member: etree._Element) -> str:
        sent = [form(found) for found in self._add.iterfind("{*}MemberEPR//*")]
        for name in _CONTAINERS:
            for read in member.iterfind(f"{{*}}{name}/*"):
                if form(read) not in sent:
                    return f"{etree.tostring(read)!r} was not sent"
        return ""

    def _config(self, content: etree._Element) -> str:
        sent = self._add.find(f"{{*}}Content/{_CONFIG}")
        read = content.find(_CONFIG)
        if sent is None or read is None:
            return "" if sent is read else f"AggregatorConfig: sent {sent}, read {read}"
        if form(sent) != form(read):
            return f"sent {etree.tostring(sent)!r}, read {etree.tostring(read)!r}"
        return "" if keeps_scope(sent, read) else f"prefixes are lost in {etree.tostring(read)!r}"


_GROUP_SPACES = frozenset(names["sg"] for names in NS.values())


def _text(element: etree._Element) -> str:
    return ("".join(element.xpath("text()"))).strip(" \t\r\n")  # type: ignore[arg-type]
