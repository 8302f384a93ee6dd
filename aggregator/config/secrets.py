"""What may be shown of a text that holds a password by mistake or of necessity."""

from __future__ import annotations

import re

#: From the user's name to the last @: a password may have an @ of its own that was not escaped.
_PASSWORD = re.compile(r"(//[^:@\s]*:)[^\n]*@")
#: Drivers take it as a parameter as well.
_PARAMETER = re.compile(r"([?&]password=)[^&\s]*")


def without_passwords(text: str) -> str:
    """The text with ``***`` for the passwords of the URLs in it."""
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))
