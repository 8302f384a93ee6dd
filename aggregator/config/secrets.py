"""Secrets: files that hold one, and what may be shown of a text that does."""

from __future__ import annotations

import os
import re
import stat

#: Bytes of a file that holds a password or a token.
_LONGEST = 4096

#: From the user's name to the last @: a password may have an @ of its own that was not escaped.
_PASSWORD = re.compile(r"(//[^:@\s]*:)[^\n]*@")
#: Drivers take it as a parameter as well.
_PARAMETER = re.compile(r"([?&]password=)[^&\s]*")


def without_passwords(text: str) -> str:
    """The text with ``***`` for the passwords of the URLs in it."""
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))


def require_private(facts: os.stat_result, name: str) -> None:
    """ValueError where `name` is no file, or others than its owner may read or write it."""
    if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"others may read or write {name}, which holds passwords; chmod go= it")
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError(f"{name} is no file")


def read_secret(name: str) -> str:
    """The one line of a file that only its owner may read; raises ValueError, which tells none
    of it."""
    try:
        # A pipe would be waited for.
        number = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(number, "rb") as file:
            require_private(os.fstat(number), name)
            secret = file.read(_LONGEST + 1).decode().rstrip("\r\n")
    except UnicodeError:
        raise ValueError(f"{name} can't be read: no text") from None
    except OSError as error:
        raise ValueError(f"{name} can't be read: {os.strerror(error.errno or 0)}") from None
    if not secret or len(secret) > _LONGEST or not secret.isprintable():
        raise ValueError(f"{name} holds no single line with a password or token")
    return secret
