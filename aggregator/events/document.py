"""The page docs/events.md, written from the docstrings of the catalogue.

``python -m aggregator.events.document > docs/events.md`` renews it.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from importlib.resources import files

from lxml import etree

from aggregator.events import additional, publishers, subscribers
from aggregator.events.encoding import encode
from aggregator.events.fields import EnumField, Field
from aggregator.events.messages import EventMessage, Message, message_type
from aggregator.events.publisher import EventPublisher
from aggregator.events.subscriber import EventSubscriber
from aggregator.wire.parse import parse

_ORIGIN = "Origin: "
#: The event that the page shows as JSON and as XML.
SHOWN = EventMessage(
    origin="buoy-7",
    datetime=1769860800.25,
    additional_data=additional.ResourceLifecycleEventMessage(state="ACTIVE"),
)


def page() -> str:
    """Return the page as Markdown."""
    text = files("aggregator.events").joinpath("page.md").read_text(encoding="utf-8")
    for place, written in (
        ("JSON", _shown_json()),
        ("XML", _shown_xml()),
        ("CATALOGUE", "".join(_catalogue())),
        ("MESSAGES", "".join(_messages())),
    ):
        text = text.replace(f"@{place}@", written.strip("\n"))
    return text


def _shown_json() -> str:
    body = encode(SHOWN, encoding="json", limit=10_000).body
    return json.dumps(json.loads(body), indent=2)


def _shown_xml() -> str:
    root = parse(encode(SHOWN, encoding="xml", limit=10_000).body)
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


def meaning_of(kind: type) -> str:
    """What a class of the catalogue says that its event means."""
    return " ".join(part for part in _paragraphs(kind) if not part.startswith(_ORIGIN))


def origin_of(kind: type) -> str:
    """What a class of the catalogue says that the origin should be; empty where it does not."""
    told = [part for part in _paragraphs(kind) if part.startswith(_ORIGIN)]
    return told[0].removeprefix(_ORIGIN).rstrip(".") if told else ""


def _paragraphs(kind: type) -> list[str]:
    text = inspect.cleandoc(vars(kind).get("__doc__") or "")
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _classes(module: object, base: type) -> list[type]:
    return [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, base) and one is not base
    ]


def _catalogue() -> Iterator[str]:
    by_meaning = {meaning_of(one): one for one in _classes(publishers, EventPublisher)}
    yield "| event_id | publisher, subscriber | additional data | meaning | origin |\n"
    yield "|---|---|---|---|---|\n"
    for subscriber in _classes(subscribers, EventSubscriber):
        publisher = by_meaning.get(meaning_of(subscriber))
        yield _row(subscriber, publisher)


def _row(subscriber: type, publisher: type | None) -> str:
    names = [f"`{one.__name__}`" for one in (publisher, subscriber) if one is not None]
    if publisher is None:
        names.insert(0, "(no publisher)")
    kind = getattr(publisher, "msg_type", None)
    kind = message_type(kind) if isinstance(kind, int) else kind
    carried = f"{kind.__name__} ({kind.type_id})" if kind else "none"
    origin = origin_of(publisher or subscriber)
    event_id = getattr(subscriber, "event_id", None) or ""
    cells = (str(event_id), "<br>".join(names), carried, meaning_of(subscriber), origin)
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|\n"


def _messages() -> Iterator[str]:
    yield "| type id | message | fields |\n|---|---|---|\n"
    for kind in (EventMessage, *_classes(additional, Message)):
        assert issubclass(kind, Message)
        fields = ", ".join(f"{name}: {_held(one)}" for name, one in kind.FIELDS.items())
        yield f"| {kind.type_id} | `{kind.__name__}` | {fields or 'none'} |\n"


def _held(field: Field[object]) -> str:
    if not isinstance(field, EnumField):
        return field.holds
    return "one of " + ", ".join(f"{one.name} {one.value}" for one in field.enum)


if __name__ == "__main__":
    sys.stdout.write(page())
