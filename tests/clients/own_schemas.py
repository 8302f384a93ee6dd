"""The project's own schemas, compiled a dialect at a time to check messages with."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lxml import etree

XSD = "http://www.w3.org/2001/XMLSchema"


@cache
def dialect_schema(dialect: str) -> etree.XMLSchema:
    """Every schema of one dialect as one set, with those that both dialects have."""
    root = etree.Element(f"{{{XSD}}}schema")
    folder = files("aggregator.schemas")
    found = (*folder.joinpath(dialect).iterdir(), *folder.iterdir())
    for item in sorted(found, key=str):
        if item.name.endswith(".xsd"):
            namespace = etree.fromstring(item.read_bytes()).get("targetNamespace")
            etree.SubElement(
                root, f"{{{XSD}}}import", namespace=namespace, schemaLocation=str(item)
            )
    return etree.XMLSchema(root)


def check_against_ours(element: etree._Element) -> None:
    """Fail where a message, or a fault's detail, does not follow the schemas of its dialect."""
    if etree.QName(element).localname == "Fault":
        ((element,),) = (c for c in element if etree.QName(c).localname.lower() == "detail")
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    drafts = any("/2004/06/" in str(one.tag) for one in alone.iter("{*}*"))
    dialect_schema("gt4" if drafts else "oasis").assertValid(alone)
