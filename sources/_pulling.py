"""A subscription that is fetched from, in ONVIF's form or in that of WS-BaseNotification."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from aggregator.contract import Context
from aggregator.errors import CollectError
from aggregator.wire.dialects import CREATE_PULL_POINT, DESTROY_PULL_POINT, GET_MESSAGES, OASIS
from aggregator.wire.epr import EndpointReference
from aggregator.wire.pulling import write_get_messages
from aggregator.wire.times import SECOND

from ._onvif import Pulled, create, is_refused, messages_of, pull, skew_of_clock, way_to
from ._producer import Way, call, reference_of, referred, renew, subscribe, unsubscribe
from ._pull import Pull
from ._reply import MemberFault, NotSpoken
from ._subscription import times

T = TypeVar("T")
Memory = Mapping[str, str]

ONVIF, WSN = "onvif", "wsn"
TOGETHER = 100
"""Messages that are fetched at once."""

_UNKNOWN = "ResourceUnknownFault"
#: What is said by devices that have no Renew.
_NO_ACTION = frozenset({"ActionNotSupported", "OptionalActionNotImplemented"})
#: Turns until a Renew that failed is tried again, where messages come all the same.
_PATIENCE = 10
#: Seconds that a subscription which does not work has, before another is asked for.
_FRESH = 30


@dataclass(frozen=True, slots=True)
class Pulling:
    """What is asked for, for whom, and the seconds from one turn to the next.

    What is remembered of a subscription: ``form``, ``manager`` and ``point`` (EPRs), ``skew`` of
    the member's clock, ``renews``, ``ends`` and ``renew_at``; ``fresh``, when it was made, until
    it works.
    """

    asked: Pull
    turn: float
    context: Context

    async def begin(self) -> dict[str, str]:
        """Subscribe in whichever way the member has; what to remember."""
        if self.asked.factory:
            return await self._at_pull_point()
        try:
            return await self._at_device()
        except NotSpoken as error:
            with suppress(CollectError):
                return await self._at_pull_point()
            raise error

    async def begin_again(self) -> dict[str, str]:
        """The same where there was one, which may be there still, and in the way."""
        with suppress(CollectError):
            await self.end()
        return await self.begin()

    def is_over(self) -> bool:
        """Whether its time has passed, as far as is known."""
        memory = self.context.memory
        return self.context.now >= int(memory["ends"] or memory["renew_at"])

    def is_lost(self, error: CollectError) -> bool:
        """Whether a subscription is to be made again, for what was said when it was asked.

        One that has not worked yet is not so soon: whoever takes it and knows nothing of it
        afterwards would be asked for ever more. Neither is one whose messages may still wait for
        who comes a little later.
        """
        if error.code not in ("fault", "http-status"):
            return False
        memory = self.context.memory
        if self.is_over():
            return True
        name = error.name if isinstance(error, MemberFault) else ""
        if is_refused(error) or name == "ResourceUnavailableFault":
            return False
        if fresh := memory.get("fresh"):
            return self.context.now - int(fresh) > _FRESH * SECOND
        return name == _UNKNOWN or (memory["form"] == ONVIF and isinstance(error, MemberFault))

    async def fetch(self) -> tuple[Pulled, dict[str, str]]:
        """What there is, with what to remember."""
        memory = self.context.memory
        remember = {"fresh": ""} if memory.get("fresh") else {}
        if memory["form"] == ONVIF:
            ask = partial(
                pull,
                memory["manager"].encode(),
                wait=self.asked.wait,
                most=TOGETHER,
                context=self.context,
            )
            found, skew = await self._by_its_clock(lambda skew: ask(skew=int(skew)))
            if skew != memory["skew"]:
                remember["skew"] = skew
        else:
            to, body = reference_of(memory["point"].encode()), write_get_messages(TOGETHER)
            answer = await call(GET_MESSAGES, body, to=to, dialect=OASIS, context=self.context)
            found = Pulled(messages_of(answer), None)
        if found.lifetime is not None:
            remember |= times(found.lifetime, self.context.now)
        return found, remember

    async def renewed(self, remember: Memory) -> dict[str, str]:
        """Renew when it is time, or when it would be over soon; what to remember.

        Some devices have no Renew, since PullMessages is enough: whether the subscription is there
        is seen when it is asked. A pull point is there without its subscription.
        """
        memory = {**self.context.memory, **remember}
        at = int(memory["renew_at"])
        if memory["ends"]:
            soon = 2 * (self.turn + self.asked.wait)
            at = min(at, int(memory["ends"]) - round(soon * SECOND))
        if memory["renews"] != "yes" or self.context.now < at:
            return {}
        seconds = self.asked.lifetime(self.turn, self.context)
        manager = memory["manager"].encode()
        try:
            lifetime = await renew(
                manager,
                until=self.context.now + round(seconds * SECOND),
                lifetime=seconds,
                dialect=OASIS,
                context=self.context,
                way=self._way(manager, memory["form"], memory.get("skew", "0")),
            )
        except CollectError as error:
            return await self._not_renewed(error, memory)
        return times(lifetime, self.context.now)

    async def _not_renewed(self, error: CollectError, memory: Memory) -> dict[str, str]:
        name = error.name if isinstance(error, MemberFault) else ""
        if memory["form"] == WSN:
            if name != _UNKNOWN:
                raise error
            self.context.log.info("the subscription is made again: %s", error)
            return await self.begin_again()
        if error.code not in ("fault", "http-status"):
            raise error
        self.context.log.info("the subscription is not renewed: %s", error)
        if name in _NO_ACTION:
            return {"renews": "no"}
        later = self.context.now + round(_PATIENCE * self.turn * SECOND)
        return {"renew_at": str(later)}

    async def end(self) -> None:
        """Unsubscribe, and destroy the pull point; each is tried whatever becomes of the other."""
        memory = self.context.memory
        trouble: CollectError | None = None
        for undo in (self._destroy, self._unsubscribe):
            try:
                await undo(memory)
            except CollectError as error:
                if not (isinstance(error, MemberFault) and error.name == _UNKNOWN):
                    trouble = trouble or error
        if trouble is not None:
            raise trouble

    async def _destroy(self, memory: Memory) -> None:
        if point := memory.get("point"):
            await self._destroy_pull_point(point.encode())

    async def _destroy_pull_point(self, point: bytes) -> None:
        body = f'<n:DestroyPullPoint xmlns:n="{OASIS.nt}"/>'.encode()
        to = reference_of(point)
        await call(DESTROY_PULL_POINT, body, to=to, dialect=OASIS, context=self.context)

    async def _unsubscribe(self, memory: Memory) -> None:
        manager, form = memory.get("manager", "").encode(), memory.get("form", "")
        if manager:
            ask = partial(unsubscribe, manager, dialect=OASIS, context=self.context)
            await self._by_its_clock(lambda skew: ask(way=self._way(manager, form, skew)))

    async def _at_device(self) -> dict[str, str]:
        asked = self.asked.request(self.turn, self.context)
        granted, skew = await self._by_its_clock(
            lambda skew: create(asked, skew=int(skew), context=self.context)
        )
        return {
            "form": ONVIF,
            "manager": granted.manager.decode(),
            "point": "",
            "producer": granted.address,
            "skew": skew,
            **self._begun(granted.lifetime),
        }

    async def _at_pull_point(self) -> dict[str, str]:
        context = self.context
        factory = EndpointReference(self.asked.factory)
        if not self.asked.factory:
            factory = context.member.epr
        body = f'<n:CreatePullPoint xmlns:n="{OASIS.nt}"/>'.encode()
        made = await call(CREATE_PULL_POINT, body, to=factory, dialect=OASIS, context=context)
        point, _ = referred(made, "PullPoint")
        try:
            granted = await subscribe(
                self.asked.request(self.turn, context),
                producer=context.member.epr,
                consumer=reference_of(point),
                policy=self.asked.policy,
                dialect=OASIS,
                context=context,
            )
        except BaseException:
            with suppress(CollectError):
                await self._destroy_pull_point(point)
            raise
        return {
            "form": WSN,
            "manager": granted.manager.decode(),
            "point": point.decode(),
            "producer": granted.address,
            "tells": "changes" if granted.tells_changes else "values",
            **self._begun(granted.lifetime),
        }

    def _begun(self, lifetime: int | None) -> dict[str, str]:
        if lifetime is not None and lifetime < (self.turn + self.asked.wait) * SECOND:
            self.context.log.warning(
                "the subscription lasts %g s, less than a turn: messages will be lost",
                lifetime / SECOND,
            )
        now = self.context.now
        return {"renews": "yes", "fresh": str(now), **times(lifetime, now)}

    async def _by_its_clock(self, ask: Callable[[str], Awaitable[T]]) -> tuple[T, str]:
        """What a device answers to who has its time, and how far that is ahead of ours.

        A token that is too old or too new by its clock, it refuses.
        """
        skew = self.context.memory.get("skew", "0")
        try:
            return await ask(skew), skew
        except CollectError as error:
            if not is_refused(error):
                raise
            told = await skew_of_clock(self.context)
            if told is None:
                raise
        return await ask(str(told)), str(told)

    def _way(self, manager: bytes, form: str, skew: str) -> Way:
        if form != ONVIF:
            return Way()
        return way_to(reference_of(manager).address, skew=int(skew), context=self.context)
