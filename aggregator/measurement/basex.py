"""BaseX asked over its client/server protocol: a session, and queries whose values are bound.

The server (org.basex.BaseXServer) is the one that distributions ship; its HTTP services are not.
Texts go as UTF-8 and end with a zero byte; in results a byte 0xFF stands before 0x00 and 0xFF.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

#: Commands of queries by their first byte.
_QUERY, _BIND, _EXECUTE = b"\x00", b"\x03", b"\x05"
#: What separates texts and the items of a sequence: no character of XML.
_SEPARATORS = frozenset("\0\1\2")
_CODE = re.compile(r"\[([A-Za-z0-9:_-]+)\]")
_PIECE = 2**16


class BasexTrouble(Exception):
    """Raised where a server can't be asked."""


class BasexUnreachable(BasexTrouble):
    """Raised where nobody answers at the address, or not in time, or something else than BaseX."""


class BasexLoginRefused(BasexTrouble):
    """Raised where user and password are not those of the server."""


class BasexRefused(BasexTrouble):
    """Raised where the server does not do what it was asked for; `code` is that of XQuery."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        found = _CODE.search(text)
        self.code = found[1].rpartition(":")[2] if found else ""


@dataclass(frozen=True, slots=True)
class BasexServer:
    """Where a server is, and as whom it is asked; `timeout` is for a whole session, in seconds."""

    host: str = "127.0.0.1"
    port: int = 1984
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    timeout: float = 30.0
    #: Bytes of one answer at most.
    most: int = 2**30

    @property
    def shown(self) -> str:
        """The address, as errors tell it."""
        return f"{self.host}:{self.port}"

    @contextlib.contextmanager
    def session(self) -> Iterator[BasexSession]:
        """Log in, and close the connection in the end; raises BasexTrouble."""
        deadline = time.monotonic() + self.timeout
        try:
            connection = socket.create_connection((self.host, self.port), timeout=self.timeout)
        except (OSError, UnicodeError) as error:
            raise BasexUnreachable(str(error)) from error
        with connection:
            found = BasexSession(connection, deadline=deadline, most=self.most)
            found.log_in(self.user, self.password)
            yield found
            found.end()


class BasexSession:
    """A connection that is logged in; for one thread."""

    def __init__(self, connection: socket.socket, *, deadline: float, most: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._most = most
        self._read = b""
        self._at = 0

    def log_in(self, user: str, password: str) -> None:
        """Answer the server's question, without telling the password."""
        realm, separator, nonce = self._text().rpartition(":")
        if not separator or len(realm) > 200:
            raise BasexUnreachable("what answers there is no BaseX of version 8 or later")
        secret = _md5(f"{user}:{realm}:{password}")
        self._send(_ended(user) + _ended(_md5(secret + nonce)))
        if self._status():
            raise BasexLoginRefused("user and password were refused")

    def command(self, text: str) -> str:
        """What a command of the database brings."""
        self._send(_ended(text))
        result = self._text()
        info = self._text()
        if self._status():
            raise BasexRefused(info)
        return result

    def query(self, text: str, values: Mapping[str, str] | None = None) -> str:
        """What an XQuery brings; `values` are texts for its external variables."""
        self._send(_QUERY + _ended(text))
        identifier = self._reply()
        head = _ended(identifier)
        # All at once: a way there and back for each of them would take longer than the search.
        binds = (
            _BIND + head + _ended(name) + _ended(value) + _ended("xs:string")
            for name, value in (values or {}).items()
        )
        self._send(b"".join(binds) + _EXECUTE + head)
        for _ in values or {}:
            self._reply()
        return self._reply()

    def end(self) -> None:
        """Tell the server that nothing more comes."""
        with contextlib.suppress(BasexTrouble):
            self._send(_ended("exit"))

    def _reply(self) -> str:
        result = self._text()
        if self._status():
            raise BasexRefused(self._text())
        return result

    def _send(self, data: bytes) -> None:
        try:
            self._connection.settimeout(self._left())
            self._connection.sendall(data)
        except OSError as error:
            self._lost(error)

    def _status(self) -> int:
        """The byte that says whether it went well: 0 where it did."""
        if self._at == len(self._read):
            self._more()
        found = self._read[self._at]
        self._at += 1
        return found

    def _text(self) -> str:
        pieces: list[bytes] = []
        size = 0
        while True:
            end, is_ended = self._text_end()
            piece = self._read[self._at : end]
            pieces.append(piece)
            size += len(piece)
            if size > self._most:
                raise BasexUnreachable(f"it answers with more than {self._most} bytes")
            self._at = end + is_ended
            if is_ended:
                return _unescaped(b"".join(pieces)).decode(errors="replace")
            self._more()

    def _text_end(self) -> tuple[int, bool]:
        """Where the text ends in what was read, or where that ends; a text keeps its escapes."""
        position = self._at
        while True:
            end = self._read.find(b"\0", position)
            if end < 0:
                cut = len(self._read)
                # Its other half is still to come.
                return (cut - 1, False) if _is_escaped(self._read, self._at, cut) else (cut, False)
            if not _is_escaped(self._read, self._at, end):
                return end, True
            position = end + 1

    def _more(self) -> None:
        rest = self._read[self._at :]
        try:
            self._connection.settimeout(self._left())
            found = self._connection.recv(_PIECE)
        except OSError as error:
            self._lost(error)
        if not found:
            raise BasexUnreachable("the connection was closed")
        self._read, self._at = rest + found, 0

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise BasexUnreachable("it did not answer in time")
        return left

    @staticmethod
    def _lost(error: OSError) -> NoReturn:
        text = "it did not answer in time" if isinstance(error, TimeoutError) else str(error)
        raise BasexUnreachable(text) from error


def _is_escaped(data: bytes, begin: int, position: int) -> bool:
    """Whether an odd number of 0xFF stands before a position."""
    count = 0
    while position - count > begin and data[position - count - 1] == 0xFF:
        count += 1
    return count % 2 == 1


def _unescaped(data: bytes) -> bytes:
    return re.sub(rb"\xff(.)", rb"\1", data, flags=re.DOTALL) if b"\xff" in data else data


def _ended(text: str) -> bytes:
    if not _SEPARATORS.isdisjoint(text):
        raise BasexRefused("a text holds a character that XML has no place for")
    return text.encode(errors="replace") + b"\0"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
