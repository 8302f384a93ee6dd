"""Topics and topic expressions (WS-Topics 1.3, sections 7 and 8; the draft of 2004/06 likewise).

A topic is a path: the Clark name of its root, then the names of its children, without a namespace
where they have none of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import quoteattr

from aggregator.errors import InvalidTopicExpression, TopicDialectUnknown
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, Dialect, spec_of
from aggregator.wire.parse import Element, text_of
from aggregator.wire.qnames import NCNAME

Topic = tuple[str, ...]
Kind = Literal["Simple", "Concrete", "Full"]

#: The addresses of the dialects; that of ONVIF is a subset of Full (ONVIF Core, on topic filters).
DIALECTS: Mapping[str, Kind] = {
    **{base + kind: kind for base in ns.TOPIC_DIALECTS for kind in ("Simple", "Concrete", "Full")},
    ns.ONVIF_CONCRETE_SET: "Full",
}
#: Bytes, alternatives and steps of an expression; what is longer no real topic needs.
_LONGEST, _MOST_PATHS, _MOST_STEPS = 4096, 64, 32
_DIALECT = "Dialect"
_ROOT = re.compile(rf"(?:(?P<prefix>{NCNAME}):)?(?P<axis>//)?(?P<name>{NCNAME}|\*)")
_CHILD = re.compile(
    rf"(?P<axis>//?)(?:(?:(?P<prefix>{NCNAME}):)?(?P<name>{NCNAME}|\*)|(?P<dot>\.))"
)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step: `name` is a local name, ``*`` or ``.``; `namespace` None where any will do."""

    name: str
    namespace: str | None
    is_deep: bool

    def fits(self, namespace: str, name: str) -> bool:
        if self.namespace is not None and self.namespace != namespace:
            return False
        return self.name in ("*", name)


@dataclass(frozen=True, slots=True)
class TopicExpression:
    """What selects topics: the expression as it was written, and what it means.

    ``dialect`` is the address of the expression's dialect, ``scope`` its prefixes.
    """

    text: str
    dialect: str
    scope: Mapping[str, str]
    paths: tuple[tuple[_Step, ...], ...]

    def selects(self, topic: Topic) -> bool:
        """Whether a topic is among those meant; its root in whatever dialect of WSRF."""
        named = list(_names(topic))
        return any(_leads_to(path, names) for path in self.paths for names in named)


def read_topic_expression(element: Element, *, default: str = "") -> TopicExpression:
    """The expression that an element holds.

    `default` is the address of the dialect where the element names none. The attribute may be
    qualified, as MDS4's own example writes it. Raises TopicDialectUnknown and
    InvalidTopicExpression.
    """
    dialect = default
    for name, value in element.attrib.items():
        if str(name).rpartition("}")[2] == _DIALECT:
            dialect = str(value).strip()
    scope = {prefix or "": str(uri) for prefix, uri in element.nsmap.items()}
    return parse_topic_expression(text_of(element), dialect=dialect, scope=scope)


def parse_topic_expression(text: str, *, dialect: str, scope: Mapping[str, str]) -> TopicExpression:
    """The expression that is written as `text`, with the prefixes of `scope`."""
    kind = DIALECTS.get(dialect)
    if kind is None:
        given = f"{dialect[:200]!r}" if dialect else "none"
        raise TopicDialectUnknown(
            f"the topic expression's dialect is {given}; spoken are {', '.join(DIALECTS)}"
        )
    if not text or len(text) > _LONGEST:
        raise InvalidTopicExpression(
            f"the topic expression has {len(text)} characters; 1 to {_LONGEST} are taken"
        )
    written = [path.strip() for path in text.split("|")]
    if kind != "Full" and len(written) > 1:
        raise InvalidTopicExpression(f"{text[:200]!r} names several topics, which {kind} has not")
    if len(written) > _MOST_PATHS:
        raise InvalidTopicExpression(f"more than {_MOST_PATHS} paths in one topic expression")
    paths = tuple(_path(path, kind, scope) for path in written)
    used = {prefix: uri for prefix, uri in scope.items() if not prefix or f"{prefix}:" in text}
    return TopicExpression(text, dialect, used, paths)


def write_topic(topic: Topic, *, dialect: Dialect, name: str = "Topic") -> bytes:
    """The element `name` of WS-BaseNotification that names a topic, in a dialect of WSRF."""
    root = in_dialect(topic[0], dialect)
    namespace, _, local = root[1:].rpartition("}") if root.startswith("{") else ("", "", root)
    kind = "Simple" if len(topic) == 1 else "Concrete"
    address = ns.TOPIC_DIALECTS[0 if dialect.family == "gt4" else 1] + kind
    prefix, declared = ("t:", f" xmlns:t={quoteattr(namespace)}") if namespace else ("", "")
    path = "/".join([f"{prefix}{local}", *topic[1:]])
    return (
        f'<n:{name} xmlns:n="{dialect.nt}"{declared} Dialect="{address}">{path}</n:{name}>'
    ).encode()


def in_dialect(name: str, dialect: Dialect) -> str:
    """A Clark name of WSRF as `dialect` writes it; any other as it is."""
    namespace, _, local = name[1:].rpartition("}")
    found = spec_of(namespace)
    return ns.clark(dialect.namespace(found[1]), local) if found else name


def _path(text: str, kind: Kind, scope: Mapping[str, str]) -> tuple[_Step, ...]:
    found = _ROOT.match(text)
    if found is None:
        raise InvalidTopicExpression(f"{text[:200]!r} is no topic path of the dialect {kind}")
    # An unprefixed name is in the default namespace where there is one, as some clients write it.
    root = _step(found, scope, default=scope.get("") if found["name"] != "*" else None)
    steps = [root]
    position = found.end()
    while position < len(text):
        found = _CHILD.match(text, position)
        if found is None or len(steps) >= _MOST_STEPS:
            raise InvalidTopicExpression(f"{text[:200]!r} is no topic path of the dialect {kind}")
        steps.append(_step(found, scope, default=None))
        position = found.end()
    _check(text, kind, steps)
    return tuple(steps)


def _step(found: re.Match[str], scope: Mapping[str, str], *, default: str | None) -> _Step:
    name = found["name"] or "."
    namespace = default
    if prefix := found["prefix"]:
        namespace = scope.get(prefix)
        if namespace is None:
            raise InvalidTopicExpression(f"the prefix {prefix[:100]!r} is not declared in scope")
    return _Step(name, namespace, found["axis"] == "//")


def _check(text: str, kind: Kind, steps: list[_Step]) -> None:
    if kind == "Simple" and len(steps) > 1:
        raise InvalidTopicExpression(f"{text[:200]!r} has child topics, which Simple has not")
    if kind != "Full" and any(step.name in "*." or step.is_deep for step in steps):
        raise InvalidTopicExpression(f"{text[:200]!r} has wildcards, which {kind} has not")


def _names(topic: Topic) -> Iterable[list[tuple[str, str]]]:
    """The topic's steps as namespace and name, for each way in which its root may be written."""
    roots = {topic[0]}
    found = spec_of(topic[0][1:].partition("}")[0])
    if found is not None:
        local = topic[0].rpartition("}")[2]
        roots |= {ns.clark(dialect.namespace(found[1]), local) for dialect in FAMILIES}
    for root in roots:
        namespace = root[1:].rpartition("}")[0] if root.startswith("{") else ""
        names = [(namespace, root.rpartition("}")[2])]
        for child in topic[1:]:
            own = child[1:].rpartition("}")[0] if child.startswith("{") else namespace
            names.append((own, child.rpartition("}")[2]))
        yield names


def _leads_to(path: tuple[_Step, ...], names: list[tuple[str, str]]) -> bool:
    """Whether the steps lead over the names to the last of them.

    The places reached so far are kept, not the ways there, so that wildcards cost no more.
    """
    last = len(names)
    places = {0}
    for step in path:
        reached: set[int] = set()
        for place in places:
            within = range(place, last + 1) if step.is_deep else (place,)
            for at in within:
                if step.name == ".":
                    reached.add(at)
                elif at < last and step.fits(*names[at]):
                    reached.add(at + 1)
        places = reached
    return last in places
