"""The collector's lease on shards: held by renewal, lost by silence.

What is held is taken as lost the moment the time to live is over by this host's clock, whether or
not the store could be asked: another collector may have taken it by then.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from pathlib import Path

from aggregator.errors import StoreUnavailable

logger = logging.getLogger(__name__)

#: Asks the store to take or renew: shard to epoch for those that are held now.
Take = Callable[[], Awaitable[Mapping[int, int]]]

#: Another one after each boot of each machine.
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot_time() -> float:
    """Seconds that also pass while the machine sleeps or this process is stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """Which shards this collector holds, and with what epochs.

    `ttl` is in seconds. `on_change` is called with the epochs whenever they differ from before,
    with none when the lease was lost.
    """

    def __init__(
        self,
        take: Take,
        *,
        ttl: float,
        on_change: Callable[[Mapping[int, int]], None] = lambda epochs: None,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self.on_change = on_change
        self._take = take
        self._ttl = ttl
        self._clock = clock
        self._epochs: Mapping[int, int] = {}
        self._until = 0.0

    @property
    def epochs(self) -> Mapping[int, int]:
        """Shard to epoch for what is held at this instant."""
        if self._epochs and self._clock() >= self._until:
            logger.warning("the lease was not renewed in %.1f s and is lost", self._ttl)
            self._set({})
        return self._epochs

    async def renew(self) -> None:
        """Take or renew once; a store that does not answer leaves what is held as it is."""
        asked = self._clock()
        try:
            async with asyncio.timeout(self._ttl):
                held = await self._take()
        except (StoreUnavailable, TimeoutError) as error:
            logger.warning("the lease could not be renewed: %s", error)
            return
        # Counted from before the question, so that it ends here before it ends in the store.
        self._until = asked + self._ttl
        self._set(held)

    async def keep(self) -> None:
        """Renew for ever, every third of the time to live."""
        while True:
            await self.renew()
            await asyncio.sleep(self._ttl / 3)
            # Reading it notices the loss, even where nobody else asks.
            _ = self.epochs

    def _set(self, epochs: Mapping[int, int]) -> None:
        if epochs != self._epochs:
            self._epochs = dict(epochs)
            self.on_change(self._epochs)


class HolderFile:
    """Under what name a collector holds its lease.

    The name goes by a file that the process locks. After a collector was killed, the next one
    on the host finds the file unlocked, takes over the name, and with it the lease, at once;
    while another process is alive, stopped or not, it takes a name of its own and waits for the
    lease to run out. A copy of the file, in a data folder or a machine that was cloned, makes
    another name: two collectors of one name would both hold the lease.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.name = uuid.uuid4().hex
            return
        mark = os.read(self._file, 64)
        if len(mark) != len(uuid.uuid4().hex):
            mark = uuid.uuid4().hex.encode()
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, mark, 0)
        self.name = self._named(mark)

    def close(self) -> None:
        """Let go of the file. Safe once."""
        os.close(self._file)

    def _named(self, mark: bytes) -> str:
        facts = os.fstat(self._file)
        place = f" {facts.st_dev} {facts.st_ino} {_BOOT.read_text('ascii')}"
        return blake2b(mark + place.encode(), digest_size=16).hexdigest()
