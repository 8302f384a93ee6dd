"""A real SMTP server for tests, which answers as it is told and keeps what it took."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


@dataclass
class Mailbox:
    """What came, and what is answered to recipients and to data; set while it runs.

    `answers` are by recipient, `data` is the answer to a message. With `hang_up` the connection
    ends without one, after the message was taken; `lingers` are seconds until it says good-bye.
    """

    port: int = 0
    user: str = ""
    password: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    data: str = "250 OK"
    hang_up: bool = False
    lingers: float = 0.0
    messages: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    #: Sender, recipients, whether it was encrypted, and as whom it logged in.
    envelopes: list[tuple[str, list[str], bool, bool]] = field(default_factory=list)

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        """Take a recipient or not."""
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        """Take a message or not."""
        if self.data.startswith("250"):
            found = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(found, EmailMessage)
            self.messages.append(found)
            self.raw.append(envelope.content)
            encrypted = server.transport.get_extra_info("ssl_object") is not None
            said = encrypted, bool(session.authenticated)
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, *said))
        if self.hang_up:
            server.transport.abort()
        return self.data

    async def handle_QUIT(self, server: SMTP, session: Any, envelope: Any) -> str:
        """Say good-bye."""
        await asyncio.sleep(self.lingers)
        return "221 Bye"

    def authenticate(
        self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        """Whether it is the user with the password."""
        wanted = LoginPassword(self.user.encode(), self.password.encode())
        return AuthResult(success=data == wanted, handled=False)


@contextlib.contextmanager
def smtp_server(
    box: Mailbox,
    *,
    context: ssl.SSLContext | None = None,
    starttls: bool = False,
    **options: Any,
) -> Iterator[Mailbox]:
    """The server of a mailbox, on a free port: in TLS with a context, or from STARTTLS on."""
    loop = asyncio.new_event_loop()
    if box.user:
        # To its mind, TLS begins with STARTTLS; who logs in within TLS is not made to.
        options |= {"authenticator": box.authenticate, "auth_require_tls": starttls}
        options["auth_required"] = starttls
    if starttls:
        options |= {"tls_context": context, "require_starttls": True}

    def protocol() -> SMTP:
        return SMTP(box, hostname="mail.test", loop=loop, **options)

    async def begin() -> asyncio.Server:
        within = None if starttls else context
        return await loop.create_server(protocol, "127.0.0.1", 0, ssl=within)

    server = loop.run_until_complete(begin())
    box.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield box
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.05)
