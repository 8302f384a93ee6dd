"""Processes that publish and receive events, for tests that need real ones.

A last argument ``durable`` is said of the exchange.

``publish SYSTEM BROKER ORIGIN NUMBER`` publishes so many events, described 0, 1, 2... in order.
``receive SYSTEM BROKER QUEUE`` says ``ready`` and then the description of each event.
``hang SYSTEM BROKER QUEUE`` says the description of the first event and never is done with it.
``schedule SYSTEM BROKER STORE FOLDER`` says ``ready`` and takes turns of tasks until it is killed.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from aggregator.events import (
    EventData,
    EventSubscriber,
    ResourceLifecycleEventPublisher,
    Scheduler,
    configure,
)
from aggregator.events.stored_tasks import StoreTasks
from tests.stores import opened


def started(*arguments: str) -> subprocess.Popen[str]:
    """A process of this module; the caller waits for it or kills it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.events_process", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def _publish(origin: str, number: str) -> None:
    publisher = ResourceLifecycleEventPublisher(origin=origin)
    for count in range(int(number)):
        publisher.create_and_publish_event(state="ACTIVE", description=str(count))


def _receive(queue: str) -> None:
    subscriber = EventSubscriber(queue_name=queue or None)
    subscriber.on_data = lambda data: print(data.content.description, flush=True)
    subscriber.activate()
    print("ready", flush=True)
    threading.Event().wait()


def _hang(queue: str) -> None:
    subscriber = EventSubscriber(queue_name=queue)

    def handler(data: EventData) -> None:
        print(data.content.description, flush=True)
        threading.Event().wait()

    subscriber.on_data = handler
    subscriber.activate()
    print("ready", flush=True)
    threading.Event().wait()


def _schedule(store: str, folder: str) -> None:
    Scheduler(tasks=StoreTasks(opened(store, Path(folder))), look_every=0.2).activate()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    what, system, broker, *rest = sys.argv[1:]
    if is_durable := rest[-1:] == ["durable"]:
        rest.pop()
    configure(sys_name=system, broker=broker, durable=is_durable)
    todo = {"publish": _publish, "receive": _receive, "hang": _hang, "schedule": _schedule}
    todo[what](*rest)
