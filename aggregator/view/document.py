"""A property document to evaluate on, and the bytes that stand for its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from aggregator.view.properties import document_tags
from aggregator.view.trees import parse_stored
from aggregator.wire.parse import Element, serialise


class Document:
    """The root element with its parts, each of which is answered by the bytes it was made from.

    `entries` are the Entry elements' bytes, between `before` and `after`; they are in `tree`
    already, the others are put in by `open`, which therefore belongs into the child.
    """

    def __init__(
        self,
        root: str,
        *,
        tree: Element | None = None,
        before: Iterable[bytes],
        entries: Callable[[], Iterable[bytes]] = tuple,
        entry_fragment: Callable[[str], bytes | None] = lambda key: None,
        after: Iterable[bytes] = (),
    ) -> None:
        self._opening, self._closing = document_tags(root)
        self._tree = tree
        self._before = tuple(before)
        self._entries = entries
        self._entry_fragment = entry_fragment
        self._after = tuple(after)
        self._parts: dict[Element, bytes] = {}

    def open(self) -> Element:
        """The root element, complete."""
        root = self._tree
        if root is None:
            root = parse_stored(self._opening + self._closing)
        for index, part in enumerate(self._before):
            element = parse_stored(part)
            root.insert(index, element)
            self._parts[element] = part
        for part in self._after:
            element = parse_stored(part)
            root.append(element)
            self._parts[element] = part
        return root

    def whole(self) -> Iterator[bytes]:
        """The bytes of the whole document."""
        yield self._opening
        yield from self._before
        yield from self._entries()
        yield from self._after
        yield self._closing

    def fragment(self, part: Element) -> bytes:
        """The bytes of a child of the root."""
        found = self._parts.get(part)
        if found is None:
            found = self._entry_fragment(_key(part))
        # What is no part of ours can't be in the tree; its own bytes are better than none.
        return serialise(part) if found is None else found


def _key(entry: Element) -> str:
    # Entry / ServiceGroupEntryEPR / reference properties / ServiceGroupEntryKey / EntryKey
    return entry[0][1][0][1].text or ""
