"""QNames in text: resolved by the prefixes in scope at their element, white space tolerated."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aggregator.errors import ConfigError
from aggregator.wire.namespaces import XML, clark
from aggregator.wire.parse import Element, text_of

# NameStartChar and NameChar without the colon (XML 1.0, section 2.3; Namespaces 1.0, section 4).
_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d"
    "\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
#: A regular expression of what a name without a colon may be.
NCNAME = f"[{_START}][{_START}0-9.\u00b7\u0300-\u036f\u203f\u2040-]*"
_NCNAME = re.compile(NCNAME)


def read_qname(
    element: Element,
    *,
    text: str | None = None,
    scope: Mapping[str | None, str] | None = None,
) -> str:
    """The Clark name of the QName that `element` holds as text (XML Schema part 2, 3.2.18).

    An unprefixed name is in the default namespace at that element, or in none. `scope` are the
    namespaces there, for who knows them already. Raises ConfigError that names the element, what
    it holds and what is expected.
    """
    name = text_of(element) if text is None else text.strip()
    local = str(element.tag).rpartition("}")[2]
    prefix, colon, rest = name.partition(":")
    if not colon:
        prefix, rest = "", name
    if not _NCNAME.fullmatch(rest) or (colon and not _NCNAME.fullmatch(prefix)):
        raise ConfigError(f"{name[:100]!r} is no QName like p:name", element=local)
    if scope is None:
        scope = element.nsmap
    namespace = XML if prefix == "xml" else scope.get(prefix or None)
    if namespace is None:
        if prefix:
            raise ConfigError(
                f"the prefix {prefix[:100]!r} of {name[:100]!r} is not declared in scope",
                element=local,
            )
        return rest
    return clark(namespace, rest)
