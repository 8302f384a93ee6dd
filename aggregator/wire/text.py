"""Text on its way into XML: escaped, and rid of what XML 1.0 has no place for."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

#: Whatever is no Char (XML 1.0, section 2.2): control characters, surrogates, U+FFFE and U+FFFF.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: A carriage return would be read back as a line feed.
_CARRIAGE_RETURN = {"\r": "&#13;"}


def xml_text(text: str) -> str:
    """`text` as the content of an element; what XML can't hold becomes U+FFFD.

    For text that somebody else chose. What was read from XML needs `escape` alone.
    """
    return escape(plain_text(text), _CARRIAGE_RETURN)


def plain_text(text: str) -> str:
    """`text` with U+FFFD for what neither XML nor every database can hold; nothing is escaped."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
