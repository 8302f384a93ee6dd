"""Which source collects by an AggregatorConfig, and what is said where none does."""

from __future__ import annotations

from collections.abc import Collection

from aggregator.config import closest
from aggregator.contract import SourceType
from aggregator.errors import ConfigError
from aggregator.registry.plugins import Plugins
from aggregator.wire.namespaces import AGG, TRIGGER, XSI, clark
from aggregator.wire.parse import Element

_TYPE = clark(XSI, "type")
#: Characters of what a client sent, in a message.
_MOST_TOLD = 500


def select_source(
    config: Element,
    plugins: Plugins,
    *,
    allowed: Collection[str] = (),
    sinks: Collection[str] = (),
) -> tuple[SourceType, Element] | None:
    """The source that collects by an AggregatorConfig, and the block that selects it.

    None where no source claims a block. `allowed` holds the names of the sources that the group
    takes, all where it is empty, `sinks` those of the sinks that it has. Raises ConfigError for a
    second block that a source claims, for a source that is not allowed, for a block of a sink that
    the group does not have, for one whose xsi:type says something else than its name, and for one
    in MDS4's own namespaces that nothing here can work with; what else nobody claims is the
    client's own.
    """
    selected: tuple[SourceType, Element] | None = None
    for block in config.iterchildren(tag="*"):
        source = plugins.sources.get(str(block.tag))
        if source is None:
            if not _is_for_sinks(block, plugins, sinks):
                _refuse_type_of_mds4(block, plugins, allowed)
            continue
        local = _local(block)
        _refuse_other_type(block)
        if selected is not None:
            raise ConfigError(
                f"the AggregatorConfig selects a source by {_local(selected[1])} already; "
                "register the member once for each source",
                element=local,
            )
        if allowed and source.name not in allowed:
            raise ConfigError(
                f"this group does not take {source.name}; it takes {', '.join(sorted(allowed))}",
                element=local,
            )
        selected = source, block
    return selected


def why_none(config: Element, plugins: Plugins, *, allowed: Collection[str] = ()) -> str:
    """What an AggregatorConfig holds, what is claimed, and which name was likely meant."""
    names = [str(child.tag) for child in config.iterchildren(tag="*")]
    held = ", ".join(names)[:_MOST_TOLD] or "no element"
    told = f"the AggregatorConfig holds {held}; {_claimed(plugins, allowed)}"
    meant = (_meant(name, plugins, allowed) for name in names)
    return told + next((f"; did you mean {name}?" for name in meant if name), "")


def _is_for_sinks(block: Element, plugins: Plugins, sinks: Collection[str]) -> bool:
    """Whether sinks read a block; ConfigError where none of those is among the group's."""
    readers = sorted(sink.name for sink in plugins.sinks.values() if block.tag in sink.elements)
    if readers and not set(readers) & set(sinks):
        raise ConfigError(
            f"it is for the sink {' or '.join(readers)}, which this group does not have; register "
            "the member with a group that does",
            element=_local(block),
        )
    return bool(readers)


def _refuse_type_of_mds4(block: Element, plugins: Plugins, allowed: Collection[str]) -> None:
    """Refuse what is named as a block of MDS4: silence would let the client wait for ever."""
    name, local = str(block.tag), _local(block)
    namespace = name[1:].partition("}")[0]
    if namespace in (AGG, TRIGGER) and local.endswith("Type"):
        meant = _meant(name, plugins, allowed)
        told = f"did you mean {_local_of(meant)}?" if meant else _claimed(plugins, allowed)
        raise ConfigError(f"no source claims it; {told}", element=local)


def _refuse_other_type(block: Element) -> None:
    """Refuse an xsi:type of another name than the block's: nobody knows which one is meant.

    Prefixes are not looked at; clients write them as they like.
    """
    given = block.get(_TYPE, "").strip()
    named = given.rpartition(":")[2]
    if given and named not in (_local(block), "anyType"):
        raise ConfigError(
            f"its xsi:type {given[:200]!r} contradicts its name; leave xsi:type out, or name the "
            f"element {named[:200]}",
            element=_local(block),
        )


def _claims(plugins: Plugins, allowed: Collection[str]) -> list[str]:
    found = plugins.sources.items()
    return sorted(name for name, source in found if not allowed or source.name in allowed)


def _claimed(plugins: Plugins, allowed: Collection[str]) -> str:
    claims = ", ".join(_claims(plugins, allowed)) or "nothing"
    return f"the sources of this group claim {claims}"


def _meant(name: str, plugins: Plugins, allowed: Collection[str]) -> str:
    """The claimed element whose name is nearest, whatever its namespace; empty where none is."""
    claims = {_local_of(claim): claim for claim in _claims(plugins, allowed)}
    near = closest(_local_of(name), claims)
    return claims[near] if near else ""


def _local(element: Element) -> str:
    return _local_of(str(element.tag))


def _local_of(name: str) -> str:
    return name.rpartition("}")[2]
