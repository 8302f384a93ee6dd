"""The entries of a group in order, in chunks, so that a change costs one chunk, not the group."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from aggregator.view.fragments import EntryFrame, Published, entry_pieces

SIZE = 64
#: Bytes of a chunk that are copied into one, and of a piece that is not.
_MOST_JOINED, _LARGE = 2**20, 65536


class Chunk:
    """Entries in a row; it never changes, so that a reader may take its time with it."""

    __slots__ = ("_joined", "_sizes", "entries")

    def __init__(self, entries: tuple[Published, ...]) -> None:
        self.entries = entries
        self._joined: dict[str, bytes] = {}
        self._sizes: dict[str, int] = {}

    def size(self, frame: EntryFrame) -> int:
        """How many bytes `join` gives."""
        size = self._sizes.get(frame.family)
        if size is None:
            size = sum(sum(map(len, entry_pieces(entry, frame))) for entry in self.entries)
            self._sizes[frame.family] = size
        return size

    def blocks(self, frame: EntryFrame, *, keep: bool) -> Iterator[bytes]:
        """The entries' fragments, as one where they are not large."""
        if self.size(frame) <= _MOST_JOINED:
            yield self.join(frame, keep=keep)
            return
        waiting: list[bytes] = []
        size = 0
        for piece in (piece for entry in self.entries for piece in entry_pieces(entry, frame)):
            if len(piece) < _LARGE:
                waiting.append(piece)
                size += len(piece)
                if size < _LARGE:
                    continue
            if waiting:
                yield b"".join(waiting)
                waiting, size = [], 0
            if len(piece) >= _LARGE:
                yield piece
        if waiting:
            yield b"".join(waiting)

    def join(self, frame: EntryFrame, *, keep: bool) -> bytes:
        """The entries' fragments as one; kept for the next reader where `keep` says so."""
        joined = self._joined.get(frame.family)
        if joined is None:
            pieces: list[bytes] = []
            for entry in self.entries:
                pieces += entry_pieces(entry, frame)
            joined = b"".join(pieces)
            if keep:
                self._joined[frame.family] = joined
        return joined


@dataclass(frozen=True, slots=True)
class Fragments:
    """The Entry elements of a group at one moment: iterate for blocks of bytes.

    `size` is the sum of their lengths. No lock is held while one iterates. What is large is never
    copied, and blocks that are not kept are made one at a time, so that a slow reader holds little.
    """

    size: int
    chunks: tuple[Chunk, ...]
    frame: EntryFrame
    keep: bool

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            yield from chunk.blocks(self.frame, keep=self.keep)


class Chunks:
    """All chunks of a group, ordered by entry id."""

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []
        self._firsts: list[int] = []

    def snapshot(self) -> tuple[Chunk, ...]:
        """The chunks as they are now."""
        return tuple(self._chunks)

    def apply(self, upserts: Mapping[int, Published], removed: Collection[int]) -> None:
        """Put entries in place, over those of the same id, and take others out."""
        touched: dict[int, list[int]] = {}
        for entry in (*upserts, *removed):
            index = max(0, bisect_right(self._firsts, entry) - 1)
            touched.setdefault(index, []).append(entry)
        # From the end, so that the indexes before keep their meaning.
        for index in sorted(touched, reverse=True):
            self._rewrite(index, touched[index], upserts)

    def _rewrite(self, index: int, ids: list[int], upserts: Mapping[int, Published]) -> None:
        changed = set(ids)
        old = self._chunks[index].entries if self._chunks else ()
        entries = [entry for entry in old if entry.id not in changed]
        added = [upserts[entry] for entry in changed if entry in upserts]
        if added:
            entries = sorted(entries + added, key=lambda entry: entry.id)
        end = index + 1
        if len(entries) < SIZE // 4 and end < len(self._chunks):
            # Mass expiry would else leave as many chunks as there ever were.
            neighbour = self._chunks[end].entries
            if len(entries) + len(neighbour) <= SIZE:
                entries += neighbour
                end += 1
        # A chunk grows to twice its size before it is cut, so that a cut is rare.
        step = len(entries) if len(entries) <= 2 * SIZE else SIZE
        parts = [tuple(entries[at : at + step]) for at in range(0, len(entries), step or 1)]
        self._chunks[index:end] = [Chunk(part) for part in parts]
        self._firsts[index:end] = [part[0].id for part in parts]
