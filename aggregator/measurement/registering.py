"""Registering an archive where it is looked for: again and again, until it ends."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Protocol

from lxml import etree

from aggregator.client.replies import describe
from aggregator.errors import AggregatorException, RemoteError
from aggregator.measurement.lookup_service import (
    TIMEOUT,
    LookupRefused,
    LookupService,
    Service,
    chunks,
)
from aggregator.measurement.registered_keys import RegisteredKey, RegisteredKeys
from aggregator.wire.parse import Element

logger = logging.getLogger(__name__)

#: Seconds that the end of one registration may take.
END_WITHIN = 5.0


class Registration(Protocol):
    """A place where an archive is registered. Nothing raises: what fails is logged, and is tried
    again by the next round."""

    def begin(self) -> None:
        """The first round."""

    def keep(self) -> None:
        """A later round."""

    def end(self) -> None:
        """End what is registered, in order."""


class Registrations:
    """All places of one archive. One thread at a time may use it."""

    def __init__(self, registrations: Sequence[Registration]) -> None:
        self._registrations = registrations
        self._begun = False

    def round(self) -> None:
        """Register everywhere, or say that we are still there."""
        for one in self._registrations:
            if self._begun:
                one.keep()
            else:
                one.begin()
        self._begun = True

    def end(self) -> None:
        """End what is registered."""
        for one in self._registrations:
            one.end()


class LookupRegistration:
    """An archive and its metadata in a lookup service of perfSONAR.

    `metadata` is asked in each round for the stored metadata, since a rebuild may change them.
    Without any nothing is sent. A key that was kept goes on, over restarts too; what was registered
    before by who kept no key is ended first, under the access point, as perfSONAR's archives do.
    """

    def __init__(
        self,
        service: Service,
        lookup: LookupService,
        *,
        metadata: Callable[[], Iterable[Element]],
        keys: RegisteredKeys,
    ) -> None:
        self._service = service
        self._lookup = lookup
        self._metadata = metadata
        self._keys = keys
        self._is_first = True

    def begin(self) -> None:
        """The first round."""
        with logged_trouble("registered with", self._lookup.url):
            self._round()

    def keep(self) -> None:
        """A later round: a keepalive, where nothing changed."""
        with logged_trouble("registered with", self._lookup.url):
            self._round()

    def end(self) -> None:
        """Deregister; a key that could not be is kept for the next start."""
        kept = self._kept()
        if kept is None:
            return
        with logged_trouble("deregistered from", self._lookup.url):
            self._deregister(kept.key, timeout=END_WITHIN)
            self._forget()

    def _round(self) -> None:
        metadata = list(self._metadata())
        if not metadata:
            logger.warning("No data to register with LS %s", self._lookup.url)
            return
        checksum = checksum_of(self._service, metadata)
        kept = self._kept()
        if kept is not None and kept.checksum == checksum:
            if self._is_alive(kept.key):
                return
            self._forget()
        elif kept is not None or self._is_first:
            self._deregister(self._service.access_point if kept is None else kept.key)
            self._forget()
        self._is_first = False
        self._register(metadata, checksum)

    def _is_alive(self, key: str) -> bool:
        try:
            self._lookup.keep_alive(key)
        except LookupRefused as refused:
            logger.info("%s; registering anew", refused)
            return False
        return True

    def _deregister(self, key: str, *, timeout: float = TIMEOUT) -> None:
        try:
            self._lookup.deregister(key, timeout=timeout)
        except LookupRefused as refused:
            # Most often there is nothing.
            logger.debug("%s", refused)

    def _register(self, metadata: Sequence[Element], checksum: str) -> None:
        key = ""
        for chunk in chunks(metadata):
            key = self._lookup.register(self._service, chunk)
            # Of what is there in part no checksum is known, so that the next round makes it anew.
            self._keep(RegisteredKey(key, ""))
        self._keep(RegisteredKey(key, checksum))
        logger.info("registered %d metadata with %s", len(metadata), self._lookup.url)

    def _kept(self) -> RegisteredKey | None:
        return self._keys.find(self._lookup.url, self._service.access_point)

    def _keep(self, key: RegisteredKey) -> None:
        self._keys.keep(self._lookup.url, self._service.access_point, key)

    def _forget(self) -> None:
        self._keys.forget(self._lookup.url, self._service.access_point)


def checksum_of(service: Service, metadata: Iterable[Element]) -> str:
    """Whether the same is registered, in short: ids, order and layout make no difference."""
    told = sorted(_canonical(element) for element in metadata)
    digest = hashlib.sha256(repr(service).encode())
    for one in told:
        digest.update(hashlib.sha256(one).digest())
    return digest.hexdigest()


def _canonical(element: Element) -> bytes:
    alone = deepcopy(element)
    alone.tail = None
    for node in alone.iter("*"):
        for name in list(node.attrib):
            if str(name) == "id" or str(name).endswith("IdRef"):
                del node.attrib[name]
        node.text = (node.text or "").strip() or None
        node.tail = (node.tail or "").strip() or None
    return etree.tostring(alone, method="c14n", exclusive=True, with_comments=False)


@contextmanager
def logged_trouble(done: str, where: str) -> Iterator[None]:
    """Log what goes wrong in this block, and go on."""
    try:
        yield
    except RemoteError as error:
        logger.error("the measurement archive was not %s %s: %s", done, where, describe(error))
    except AggregatorException as error:
        logger.error("the measurement archive was not %s %s: %s", done, where, error)
    except Exception:
        # A mistake of ours; the other places go on.
        logger.exception("the measurement archive was not %s %s", done, where)
