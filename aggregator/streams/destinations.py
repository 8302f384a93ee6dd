"""Where messages go: nodes, groups and docks, as whoever streams names them.

A message is routed by node and by group; a dock is a port on a node, behind which an agent is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from aggregator.errors import StreamRefused
from aggregator.store.stream_columns import shown

#: One name or several, with commas between them; a list, a tuple or a set of names; or nobody.
Names = str | Collection[str] | None

#: Names of one kind, and characters of one.
_MOST, _LONGEST = 10_000, 1000
#: Bytes of all names of a stream, percent-encoded: so much may stand in the head of a request.
_MOST_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Destinations:
    """To whom a stream goes, each as it was given."""

    nodes: Names = None
    groups: Names = None
    docks: Names = None


def destinations(nodes: Names, groups: Names, docks: Names) -> Destinations:
    """Destinations that don't change when what was given does; raises StreamRefused."""
    found = Destinations(
        _kept(nodes, "dstnodes"), _kept(groups, "dstgroups"), _kept(docks, "dstdocks")
    )
    size = sum(map(_size, (*split(found.nodes), *split(found.groups), *split(found.docks))))
    if size > _MOST_BYTES:
        raise StreamRefused(
            f"the names of nodes, groups and docks have {size} bytes, percent-encoded;"
            f" {_MOST_BYTES} may be"
        )
    return found


def _size(name: str) -> int:
    """Bytes of a name in a header, with the comma behind it."""
    return 1 + (len(name) if name.isascii() else 3 * len(name.encode()))


def _kept(names: Names, what: str) -> Names:
    if names is None or isinstance(names, str):
        found: Collection[str] = split(names)
    elif isinstance(names, list | tuple | set | frozenset):
        found = names
    else:
        raise StreamRefused(
            f"{what} must be a text, a list or a set of texts, or None; given was {shown(names)}"
        )
    if len(found) > _MOST:
        raise StreamRefused(f"{what} has {len(found)} names; {_MOST} may be")
    for name in found:
        if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST:
            raise StreamRefused(
                f"{what} holds {shown(name)}; expected are texts, none of them empty, of"
                f" {_LONGEST} characters at most"
            )
        # What no header, no XML or no UTF-8 can hold would hold up the stream for ever.
        if not name.strip().isprintable():
            raise StreamRefused(
                f"{what} holds {shown(name)}; expected are characters that can be printed"
            )
    return names if names is None or isinstance(names, str) else type(names)(names)


def split(names: Names) -> tuple[str, ...]:
    """The names one by one, whichever way they were given: ``"n1, n2"`` are two.

    Those of a list keep their order, those of a set are sorted; each comes once.
    """
    if names is None:
        return ()
    if isinstance(names, str):
        given = names.split(",")
    elif isinstance(names, set | frozenset):
        given = sorted(names)
    else:
        given = list(names)
    return tuple(dict.fromkeys(name.strip() for name in given if name.strip()))
