"""The static WSDL documents, with a service's own address filled in."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Literal
from xml.sax.saxutils import escape

Kind = Literal[
    "group", "archived", "entry", "member", "consumer", "subscription", "pullpoint", "triggers"
]
DialectName = Literal["oasis", "gt4"]

_FILES: dict[Kind, str] = {
    "group": "aggregator",
    # A group that keeps an archive has an operation more.
    "archived": "aggregator",
    "entry": "entry",
    "member": "member",
    "consumer": "consumer",
    "subscription": "subscription",
    "pullpoint": "pullpoint",
    "triggers": "triggers",
}
#: What is only in the document of a group that keeps an archive, between two marks.
_MARK = re.compile(r" *<!-- :?archive:? -->\n")
_MARKED = re.compile(r" *<!-- archive: -->\n.*?<!-- :archive -->\n", re.DOTALL)


def wsdl(kind: Kind, dialect: DialectName, *, address: str, schemas: str) -> bytes:
    """The WSDL 1.1 document of one kind of service in one dialect, UTF-8.

    ``address`` is the URL at which the service is called, ``schemas`` the URL under which the
    schemas lie (``http://host:8080/schemas``); both must be absolute, because clients resolve
    relative ones in different ways. Raises KeyError for a kind that does not exist.
    """
    text = _template(kind, dialect)
    text = text.replace("@SCHEMAS@", _attribute(schemas.rstrip("/")))
    return text.replace("@ADDRESS@", _attribute(address)).encode()


@cache
def _template(kind: Kind, dialect: DialectName) -> str:
    name = f"wsdl/{_FILES[kind]}.{dialect}.wsdl"
    text = files("aggregator.schemas").joinpath(name).read_text(encoding="utf-8")
    return (_MARK if kind == "archived" else _MARKED).sub("", text)


def _attribute(value: str) -> str:
    return escape(value, {'"': "&quot;"})
