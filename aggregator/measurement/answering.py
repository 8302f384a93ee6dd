"""A request's body, and the reply to it: always a message, whatever came."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from aggregator.errors import NmwgError
from aggregator.measurement import metrics
from aggregator.measurement.handling import INTERNAL, RequestHandler
from aggregator.measurement.message import read_message
from aggregator.measurement.output import Output, TimeIsUp, error_message, message
from aggregator.wire.parse import Limits

log = logging.getLogger(__name__)

#: Characters of an error's text in the log; it may repeat what came, which may be megabytes.
_LOGGED = 500


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Services, and what one message may cost: seconds, and bytes of its reply."""

    handler: RequestHandler
    limits: Limits
    lifetime: float
    most: int

    def answer(
        self,
        body: bytes,
        *,
        charset: str = "",
        began: float | None = None,
        may_store: bool = False,
    ) -> bytes:
        """The whole reply, a SOAP envelope: an error is a message too.

        `began` is when the message came, by the monotonic clock.
        """
        began = time.monotonic() if began is None else began
        asked = None
        outcome = "answered"
        try:
            asked = read_message(body, limits=self.limits, charset=charset)
            output = Output(most=self.most, deadline=began + self.lifetime)
            self.handler.handle(asked, output, may_store=may_store)
            return message(output, type=asked.reply_type, reference=asked.id)
        except NmwgError as error:
            log.info("refused: %s", str(error)[:_LOGGED], extra={"outcome": error.event_type})
            outcome, found = "refused", error
        except TimeIsUp:
            outcome, found = "timeout", self.timeout()
        except Exception:
            log.exception("bug in answering a message of measurements")
            outcome, found = "bug", NmwgError(INTERNAL, "An internal error occurred")
        finally:
            metrics.observe(asked.type if asked else "", outcome, time.monotonic() - began)
        return error_message(found, reference=asked.id if asked else "")

    def timeout(self) -> NmwgError:
        """What is told where an answer takes too long."""
        return NmwgError(
            "error.common.timeout",
            f"Timeout occurred, current limit is {self.lifetime:g} seconds. Try decreasing the"
            " breadth of your search if possible.",
        )


def transport_error(text: str) -> bytes:
    """The reply to what came by HTTP in a way that is not answered here."""
    return error_message(NmwgError("error.common.transport", text))
