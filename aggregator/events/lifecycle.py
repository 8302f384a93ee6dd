"""What publishers and subscribers have in common: they are initialised, activated, terminated."""

from __future__ import annotations

import threading
from enum import Enum
from typing import Any, Self

from aggregator.errors import EventNotReady


class LifecycleState(Enum):
    """How far a publisher or subscriber has come."""

    NEW = "new"
    READY = "ready"
    ACTIVE = "active"
    TERMINATED = "terminated"


class LifecycleObject:
    """Goes from NEW to READY, to ACTIVE, to TERMINATED, each step once; repeating one is no error.

    What a class does at a step of its own it does in the `on_...` method of that step.
    """

    def __init__(self) -> None:
        self.state = LifecycleState.NEW
        self._stepping = threading.RLock()

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Get ready; the arguments go to `on_initialize`."""
        with self._stepping:
            self._not_terminated()
            if self.state is LifecycleState.NEW:
                self.on_initialize(*args, **kwargs)
                self.state = LifecycleState.READY

    def activate(self, *args: Any, **kwargs: Any) -> None:
        """Begin to work, after `initialize` where that was not done; arguments go to `on_activate`.

        What fails leaves it READY, so that it may be tried again.
        """
        with self._stepping:
            self._not_terminated()
            if self.state is LifecycleState.NEW:
                self.initialize()
            if self.state is LifecycleState.READY:
                self.on_activate(*args, **kwargs)
                self._begin()
                self.state = LifecycleState.ACTIVE

    def terminate(self, *args: Any, **kwargs: Any) -> None:
        """End for good; the arguments go to `on_terminate`."""
        with self._stepping:
            if self.state is LifecycleState.TERMINATED:
                return
            self.state = LifecycleState.TERMINATED
        # Not under the lock: it may wait for a handler, which may terminate its own subscriber.
        self.on_terminate(*args, **kwargs)

    def on_initialize(self, *args: Any, **kwargs: Any) -> None:
        """For derived classes: called by `initialize`."""

    def on_activate(self, *args: Any, **kwargs: Any) -> None:
        """For derived classes: called by `activate`."""

    def on_terminate(self, *args: Any, **kwargs: Any) -> None:
        """For derived classes: called by `terminate`."""

    def __enter__(self) -> Self:
        self.activate()
        return self

    def __exit__(self, *raised: object) -> None:
        self.terminate()

    def _begin(self) -> None:
        """What activating comes to, if `on_activate` has not done it."""

    def _not_terminated(self) -> None:
        if self.state is LifecycleState.TERMINATED:
            raise EventNotReady(f"this {type(self).__name__} was terminated; make a new one")
