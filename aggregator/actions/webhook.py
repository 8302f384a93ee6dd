"""The action ``webhook``: each alert posted to an address."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pycurl

from aggregator.actions.alert import Alert
from aggregator.actions.given import Given
from aggregator.actions.running import outcome
from aggregator.actions.wording import facts, one_line
from aggregator.errors import ActionError, ActionPostponed, ActionUnconfigured

#: Seconds before each further try.
_PAUSES = (0.3, 1.0)
#: Answers that may be another one soon: too slow, too early, too often.
_LATER = frozenset({408, 425, 429})
#: Bytes of an answer that are read, characters of it that are logged.
_READ, _LONGEST_ANSWER = 4096, 160
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Hook:
    """Where to post, what to show there, and how long all of it may take, in seconds."""

    url: str
    token: str
    ca_file: str
    proxy: str
    timeout: float

    @property
    def name(self) -> str:
        """What may be told of it: the rest of the address is as good as a password to many."""
        parts = urlsplit(self.url)
        return f"the webhook at {parts.hostname}:{parts.port or parts.scheme}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status and the beginning of a body, or why nothing did.

    ``asks_to_wait`` is whether it says when to come back (Retry-After).
    """

    status: int = 0
    beginning: str = ""
    trouble: str = ""
    asks_to_wait: bool = False

    @property
    def may_change(self) -> bool:
        """Whether another one may come at another time."""
        return self.status in _LATER or self.status >= 500 or self.status < 200


def act(alert: Alert, given: Given) -> str:
    """Post the alert; the receiver has answered that it has it when this returns."""
    hook = hook_of(given)
    body, headers = posted(alert, given)
    deadline = time.monotonic() + hook.timeout
    answer = _post(hook, body, headers, within=hook.timeout)
    tries = 1
    for pause in _PAUSES:
        left = deadline - time.monotonic() - pause
        if not answer.may_change or answer.asks_to_wait or left <= 0:
            break
        time.sleep(pause)
        answer = _post(hook, body, headers, within=left)
        tries += 1
    if 200 <= answer.status < 300:
        return outcome("webhookAnswered", status=answer.status, tries=tries)
    raise _told(answer, hook)


def hook_of(given: Given) -> Hook:
    """The hook that the settings name; ActionUnconfigured where they can't be used."""
    token = given.secret("webhook_token_file")
    if token and not _TOKEN.fullmatch(token):
        raise ActionUnconfigured("actions.webhook_token_file holds no token of ASCII characters")
    return Hook(
        url=given.needed("webhook_url"),
        token=token,
        ca_file=given.text("webhook_ca_file") or ssl.get_default_verify_paths().cafile or "",
        proxy=given.text("webhook_proxy"),
        timeout=given.seconds("webhook_timeout", 10.0),
    )


def posted(alert: Alert, given: Given) -> tuple[bytes, dict[str, str]]:
    """What is posted, and the headers that say what it is; the same at every attempt but for its
    number."""
    if given.text("webhook_format", "json") == "xml":
        body, kind = alert.document, "application/xml"
    else:
        told = facts(alert, most=given.whole("max_data", 0))
        body, kind = json.dumps(told).encode(), "application/json"
    return body, {"Content-Type": kind, "Idempotency-Key": alert.key}


def _post(hook: Hook, body: bytes, headers: Mapping[str, str], *, within: float) -> Answer:
    """Post once. No redirect is followed: it would take the token along."""
    read = bytearray()
    waits: list[bytes] = []

    def take(piece: bytes) -> int:
        read.extend(piece[: _READ - len(read)])
        # Less than there was ends the exchange: enough was read.
        return len(piece) if len(read) < _READ else 0

    def take_header(line: bytes) -> None:
        if line.lower().startswith(b"retry-after:"):
            waits.append(line)

    curl = pycurl.Curl()
    try:
        for option, value in _options(hook, body, headers, within=within).items():
            curl.setopt(option, value)
        curl.setopt(pycurl.WRITEFUNCTION, take)
        curl.setopt(pycurl.HEADERFUNCTION, take_header)
        trouble = ""
        try:
            curl.perform()
        except pycurl.error as error:
            trouble = one_line(str(error.args[1]), _LONGEST_ANSWER)
        # Whoever answers and then dawdles has answered.
        status = curl.getinfo(pycurl.RESPONSE_CODE)
    finally:
        curl.close()
    beginning = one_line(bytes(read).decode(errors="replace"), _LONGEST_ANSWER)
    return Answer(status, beginning, trouble, bool(waits))


def _options(
    hook: Hook, body: bytes, headers: Mapping[str, str], *, within: float
) -> dict[int, object]:
    # libcurl would wait for a "100 Continue" before a larger body.
    lines = ["Expect:", *(f"{name}: {value}" for name, value in headers.items())]
    if hook.token:
        lines.append(f"Authorization: Bearer {hook.token}")
    options: dict[int, object] = {
        pycurl.URL: hook.url.encode(),
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.FOLLOWLOCATION: 0,
        # An empty one is none, whatever the environment says.
        pycurl.PROXY: hook.proxy,
        pycurl.NOSIGNAL: 1,
        pycurl.TIMEOUT_MS: max(1, int(within * 1000)),
        pycurl.POST: 1,
        pycurl.POSTFIELDS: body,
        pycurl.HTTPHEADER: [line.encode("ascii") for line in lines],
        pycurl.USERAGENT: "mds-aggregator",
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
    }
    if hook.ca_file:
        options[pycurl.CAINFO] = hook.ca_file
    return options


def _told(answer: Answer, hook: Hook) -> ActionError:
    if answer.status < 200:
        return ActionPostponed(f"{hook.name} did not answer: {answer.trouble}")
    said = f": {answer.beginning}" if answer.beginning else ""
    told = f"{hook.name} answered with status {answer.status}{said}"
    if answer.may_change:
        return ActionPostponed(told)
    if 300 <= answer.status < 400:
        return ActionError(f"{told}; redirects are not followed, name the address where it is")
    return ActionError(told)
