"""The action ``mail``: a message to the people on call for each alert."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from aggregator.actions.alert import Alert
from aggregator.actions.given import Given
from aggregator.actions.message import Envelope, message_of
from aggregator.actions.running import note, outcome, within
from aggregator.actions.wording import one_line
from aggregator.config.actions import MAIL_PORTS
from aggregator.errors import ActionError, ActionPostponed, ActionUnconfigured

#: Replies from here on are for good (RFC 5321, section 4.2.1).
_FOR_GOOD = 500
_LONGEST_REPLY = 160
#: Seconds to wait for a server to say good-bye.
_FAREWELL = 2.0


@dataclass(frozen=True, slots=True)
class Server:
    """An SMTP server and how to speak to it; ``context`` is that of TLS, None for none."""

    host: str
    port: int
    security: str
    context: ssl.SSLContext | None
    user: str
    password: str
    timeout: float


def act(alert: Alert, given: Given) -> str:
    """Send the message; the server has taken it for one recipient at least when this returns."""
    server = server_of(given)
    envelope = Envelope(
        sender=given.needed("mail_from"),
        recipients=tuple(given.texts("mail_to")),
        subject=given.text("mail_subject"),
        most=given.whole("max_data", 0),
    )
    message = message_of(alert, envelope)
    try:
        with within(server.timeout), _connected(server) as smtp:
            refused = smtp.send_message(message, envelope.sender, envelope.recipients)
    except smtplib.SMTPException as error:
        raise _told(error, server) from error
    except OSError as error:
        raise ActionPostponed(f"{_name(server)} can't be reached: {_reason(error)}") from error
    for reply in refused.values():
        note(f"{_name(server)} refused a recipient: {_reply(*reply)}")
    taken = len(envelope.recipients) - len(refused)
    return outcome("mailSent", to=taken, refused=len(refused))


def server_of(given: Given) -> Server:
    """The server that the settings name; ActionUnconfigured where they can't be used."""
    host = given.needed("mail_server")
    security = given.text("mail_security", "starttls")
    if security not in MAIL_PORTS:
        raise ActionUnconfigured(f"actions.mail_security is none of {', '.join(MAIL_PORTS)}")
    context = None
    if security != "none":
        try:
            context = ssl.create_default_context(cafile=given.text("mail_ca_file") or None)
        except OSError as error:
            raise ActionUnconfigured(f"actions.mail_ca_file can't be used: {error}") from error
        # Sites' own authorities are older than what Python 3.13 demands of them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    user, password = given.text("mail_user"), given.secret("mail_password_file")
    if not (user + password).isascii():
        raise ActionUnconfigured("actions.mail_user or its password is not ASCII, as SMTP has them")
    return Server(
        host=host,
        port=given.whole("mail_port", 0) or MAIL_PORTS[security],
        security=security,
        context=context,
        user=user,
        password=password,
        timeout=given.seconds("mail_timeout", 20.0),
    )


@contextlib.contextmanager
def _connected(server: Server) -> Iterator[smtplib.SMTP]:
    """A connection that is encrypted and logged in as the settings want it."""
    smtp = _opened(server)
    try:
        if server.security == "starttls":
            smtp.starttls(context=server.context)
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
        # Nothing that is said from here on makes a message untaken.
        with contextlib.suppress(OSError):
            if smtp.sock is not None:
                smtp.sock.settimeout(_FAREWELL)
            smtp.quit()
    finally:
        smtp.close()


def _opened(server: Server) -> smtplib.SMTP:
    if server.security == "tls":
        assert server.context is not None
        return smtplib.SMTP_SSL(
            server.host, server.port, timeout=server.timeout, context=server.context
        )
    return smtplib.SMTP(server.host, server.port, timeout=server.timeout)


def _told(error: smtplib.SMTPException, server: Server) -> ActionError:
    """What an error of SMTP means: for good only where the server says so."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        replies = list(error.recipients.values())
        told = f"{_name(server)} refused all recipients: {_reply(*replies[0])}"
        for_good = all(code >= _FOR_GOOD for code, _ in replies)
        return ActionError(told) if for_good else ActionPostponed(told)
    if isinstance(error, smtplib.SMTPResponseException):
        told = f"{_name(server)} answered {_reply(error.smtp_code, error.smtp_error)}"
        return ActionError(told) if error.smtp_code >= _FOR_GOOD else ActionPostponed(told)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        # It may be back: a server in trouble, or somebody on the way, takes it away as well.
        told = f"{_name(server)} offers too little for actions.mail_security and mail_user"
        return ActionPostponed(f"{told}: {one_line(str(error), _LONGEST_REPLY)}")
    return ActionPostponed(f"{_name(server)}: {one_line(str(error), _LONGEST_REPLY)}")


def _reply(code: int, text: bytes | str) -> str:
    said = text if isinstance(text, str) else text.decode(errors="replace")
    return f"{code} {one_line(said, _LONGEST_REPLY)}"


def _reason(error: OSError) -> str:
    return one_line(error.strerror or str(error), _LONGEST_REPLY)


def _name(server: Server) -> str:
    return f"the mail server {server.host}:{server.port}"
