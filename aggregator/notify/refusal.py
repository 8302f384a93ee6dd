"""Whether a consumer's answer says that the message itself is wrong, so that it stays refused."""

from __future__ import annotations

from aggregator.contract import HttpReply
from aggregator.errors import RequestError
from aggregator.wire.envelope import read_envelope
from aggregator.wire.parse import Limits, parse

#: Bad Request, Payload Too Large, Unprocessable Content.
_STATUSES = frozenset({400, 413, 422})
_LIMITS = Limits(size=2**18, depth=64, nodes=10_000, namespaces=200)


def is_refusal(reply: HttpReply) -> bool:
    """Whether the sender is to blame: by the HTTP status, or by the code of a SOAP fault, Client
    in SOAP 1.1 (section 4.4.1) and Sender in SOAP 1.2 (part 1, section 5.4.6)."""
    if reply.status in _STATUSES:
        return True
    try:
        envelope = read_envelope(parse(reply.body, limits=_LIMITS))
    except RequestError:
        return False
    code = envelope.body.findtext("faultcode") or envelope.body.findtext("{*}Code/{*}Value") or ""
    return code.strip().rpartition(":")[2].partition(".")[0] in ("Client", "Sender")
