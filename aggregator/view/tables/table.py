"""A table: a row for each node that a path selects in the Entry elements of a group."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

from aggregator.errors import AggregatorException
from aggregator.view.fragments import EntryFrame, Published, entry_fragment
from aggregator.view.group_view import GroupView
from aggregator.view.tables.conditions import as_number, values_of
from aggregator.view.tables.plan import Condition, Constant, Key, Path
from aggregator.view.tables.rows import Hit, Parsed, Reading, TooMuch, size_of
from aggregator.view.trees import parse_stored
from aggregator.wire.dialects import family
from aggregator.wire.namespaces import clark
from aggregator.wire.parse import serialise

log = logging.getLogger(__name__)

#: Bytes of nodes that are kept for the next who asks for them.
_MOST_KEPT = 16 * 2**20
#: Bytes that all rows and indexes of a table take, more or less, and those of a value in an index.
_MOST_IN_ALL, _OF_INDEXED = 96 * 2**20, 300

_NAN = math.nan
#: An index: entries by what their rows hold.
_Index = dict[object, dict[int, None]]


class Table:
    """Rows for `path`, with the values of `columns`, of a view in one dialect.

    Whoever calls a method holds `lock`. The rows are those of the view once nothing is `behind`.
    """

    def __init__(
        self, view: GroupView, frame: EntryFrame, *, root: str, path: Path, columns: Iterable[Path]
    ) -> None:
        self.lock = threading.RLock()
        #: Set while nobody is at work to take in what changed.
        self.filled = threading.Event()
        #: Entries that have more than a table takes.
        self._unfit: set[int] = set()
        self._size = self._comparisons = 0
        self._is_given_up = False
        #: The Clark name of an Entry.
        self.entry_name = clark(family(frame.family).sg, "Entry")
        #: Entries that have a row within another row.
        self._nested: set[int] = set()
        self._view = view
        self._frame = frame
        self._reading = Reading(frame, root=root, path=path, columns=columns)
        self._changed = view.watch()
        self._rows: dict[int, tuple[Hit, ...]] = {}
        self._entries: dict[int, Published] = {}
        self._last = 0
        self._in_order = True
        self._single = 0
        self._indexes: dict[tuple[int, bool], _Index] = {}
        self._kept: dict[int, list[bytes]] = {}
        self._kept_bytes = 0

    @property
    def behind(self) -> int:
        """How many entries have changed since their rows were made."""
        return len(self._changed)

    @property
    def documents(self) -> tuple[GroupView, str]:
        """Which documents the rows come from."""
        return self._view, self._frame.family

    @property
    def is_nested(self) -> bool:
        """Whether some row is of a node within another row's."""
        return bool(self._nested)

    @property
    def is_fit(self) -> bool:
        """Whether no entry, and not all together, has more than a table takes."""
        return not self._unfit and not self._is_given_up

    @property
    def is_of_entries(self) -> bool:
        """Whether each entry has one row."""
        return self._single == len(self._rows)

    def close(self) -> None:
        """Be told of changes no more."""
        self._view.unwatch(self._changed)

    def some_behind(self, *, most: int) -> list[int]:
        """At most so many of the entries that have changed."""
        return self._view.some_of(self._changed, most=most)

    def catch_up(self, ids: Iterable[int], *, parsed: Parsed | None = None) -> None:
        """Take in those of `ids` that have changed; `parsed` may know some of them."""
        parsed = parsed or Parsed()
        taken = self._view.take(self._changed, ids)
        try:
            for entry_id, entry in taken:
                self._take(entry_id, entry, parsed)
        except BaseException:
            # Nobody will tell of those again that were not taken in.
            self._give_up()
            raise
        if self._size + _OF_INDEXED * sum(map(len, self._indexes.values())) > _MOST_IN_ALL:
            self._give_up()

    def bytes_of(self, ids: Iterable[int]) -> int:
        """How large entries are by now."""
        found = map(self._view.entry_by_id, ids)
        return sum(len(entry.body) + len(entry.member) for entry in found if entry is not None)

    def unfit(self) -> Collection[int]:
        """The entries that have more than a table takes, as far as is known."""
        return tuple(self._unfit)

    def _take(self, entry_id: int, entry: Published | None, parsed: Parsed) -> None:
        old = self._rows.get(entry_id)
        if old is not None:
            self._forget(entry_id, old)
        if entry is None or self._is_given_up:
            self._rows.pop(entry_id, None)
            self._entries.pop(entry_id, None)
            return
        if old is None:
            self._in_order &= entry_id > self._last
            self._last = max(self._last, entry_id)
        self._entries[entry_id] = entry
        self._put(entry_id, self._read(entry, parsed))

    def _give_up(self) -> None:
        """Hold nothing, and answer nothing any more."""
        self._is_given_up = True
        self.close()
        for held in (self._rows, self._entries, self._indexes, self._kept, self._changed):
            held.clear()
        self._size = self._comparisons = self._kept_bytes = self._single = 0

    def hits(self, condition: Condition | None, constants: list[Constant]) -> Iterator[Hit]:
        """The rows that meet a condition, in the order of the document."""
        self._sort()
        if condition is None:
            return chain.from_iterable(self._rows.values())
        test = condition.with_constants(constants)
        found = self._candidates(condition.keys, constants)
        if found is None:
            return (hit for own in self._rows.values() for hit in own if test(hit[2]))
        rows = [self._rows[entry_id] for entry_id in sorted(found)]
        if condition.is_key and all(len(own) == 1 for own in rows):
            return chain.from_iterable(rows)
        return (hit for own in rows for hit in own if test(hit[2]))

    def work(self, condition: Condition | None, constants: list[Constant]) -> int:
        """How many comparisons, more or less, it takes to find the hits."""
        if condition is None:
            return self._comparisons // 8
        exact = self._exact(condition.keys)
        if not exact:
            return self._comparisons * condition.size
        fewest = min(len(self._holding(key, constants)) for key in exact)
        return fewest * condition.size * (1 + self._comparisons // (len(self._rows) or 1))

    def index_for(self, condition: Condition | None) -> None:
        """Make the indexes that lead to the rows of a condition at once.

        It costs nothing while there are no rows; later a microsecond or so for each.
        """
        for key in condition.keys if condition is not None else ():
            if key.is_equality:
                self._index(key.column, is_number=key.is_number)

    def _exact(self, keys: Iterable[Key]) -> list[Key]:
        """The keys that lead to rows at once: of an equality, whose index is made."""
        return [k for k in keys if k.is_equality and (k.column, k.is_number) in self._indexes]

    def _candidates(self, keys: Sequence[Key], constants: list[Constant]) -> Iterable[int] | None:
        """The entries that may hold a hit, None where any may."""
        usable = [key for key in keys if not (key.needs_text and constants[key.constant] == "")]
        exact = self._exact(usable) or [key for key in usable if key.is_equality]
        if exact:
            return min((self._holding(key, constants) for key in exact), key=len)
        return self._holding(usable[0], constants) if usable else None

    def _holding(self, key: Key, constants: list[Constant]) -> Collection[int]:
        """The entries with a row whose column holds a value that matches."""
        index = self._index(key.column, is_number=key.is_number)
        wanted = constants[key.constant]
        if key.is_number:
            wanted = as_number(wanted)
        if key.is_equality:
            # Nothing equals NaN, which stands in the index under itself.
            return index.get(wanted, {}) if wanted == wanted else {}  # noqa: PLR0124
        return set().union(*(held for value, held in index.items() if key.matches(value, wanted)))

    def nodes(self, entry_id: int) -> list[bytes]:
        """The bytes of the nodes of an entry's rows, each as if it stood alone."""
        kept = self._kept.get(entry_id)
        if kept is None:
            kept = self._kept[entry_id] = self._written(entry_id)
            self._kept_bytes += sum(map(len, kept))
            if self._kept_bytes > _MOST_KEPT:
                self._kept = {entry_id: kept}
                self._kept_bytes = sum(map(len, kept))
        return kept

    def has_nodes(self, entry_id: int) -> bool:
        """Whether `nodes` costs nothing."""
        return entry_id in self._kept

    def __len__(self) -> int:
        return len(self._rows)

    def _read(self, entry: Published, parsed: Parsed) -> tuple[Hit, ...]:
        try:
            rows, is_nested = self._reading.rows(entry, parsed)
        except TooMuch:
            self._unfit.add(entry.id)
            return ()
        except AggregatorException:
            log.exception(
                "An entry can't be queried by XPath",
                extra={"group": self._view.facts.name, "entry": entry.key},
            )
            return ()
        if is_nested:
            self._nested.add(entry.id)
        return rows

    def _written(self, entry_id: int) -> list[bytes]:
        # As it was when the rows were made; by now the view may know better.
        entry = self._entries[entry_id]
        document = self._reading.document(entry, Parsed())
        fragment, part = entry_fragment(entry, self._frame), document[0]
        nodes = self._reading.nodes(document)
        # Where it stands alone no element has a prefix in scope that it did not come with.
        alone = dict(zip(part.iter(), parse_stored(fragment).iter(), strict=True))
        return [fragment if node is part else serialise(alone[node]) for node in nodes]

    def _put(self, entry_id: int, rows: tuple[Hit, ...]) -> None:
        # Over an old one it stays in its place.
        self._rows[entry_id] = rows
        self._single += len(rows) == 1
        self._size += size_of(rows)
        self._comparisons += _comparisons_of(rows)
        for (column, is_number), index in self._indexes.items():
            for value in _indexed(rows, column, is_number=is_number):
                index.setdefault(value, {})[entry_id] = None

    def _forget(self, entry_id: int, rows: tuple[Hit, ...]) -> None:
        self._single -= len(rows) == 1
        self._size -= size_of(rows)
        self._comparisons -= _comparisons_of(rows)
        self._unfit.discard(entry_id)
        self._nested.discard(entry_id)
        self._kept_bytes -= sum(map(len, self._kept.pop(entry_id, ())))
        for (column, is_number), index in self._indexes.items():
            for value in _indexed(rows, column, is_number=is_number):
                held = index.get(value, {})
                held.pop(entry_id, None)
                if not held:
                    index.pop(value, None)

    def _index(self, column: int, *, is_number: bool) -> _Index:
        index = self._indexes.get((column, is_number))
        if index is None:
            index = self._indexes[column, is_number] = {}
            for entry_id, rows in self._rows.items():
                for value in _indexed(rows, column, is_number=is_number):
                    index.setdefault(value, {})[entry_id] = None
        return index

    def _sort(self) -> None:
        if not self._in_order:
            self._rows = dict(sorted(self._rows.items()))
            self._in_order = True


def _indexed(rows: Sequence[Hit], column: int, *, is_number: bool) -> set[object]:
    values = {value for _, _, row in rows for value in values_of(row[column])}
    if not is_number:
        return set(values)
    # One NaN for all, since it is not equal to itself.
    numbers = map(as_number, values)
    return {_NAN if math.isnan(number) else number for number in numbers}


def _comparisons_of(rows: Sequence[Hit]) -> int:
    """How many it takes to go through rows once: a value of each at least."""
    return 1 + sum(max((len(values_of(value)) for value in row), default=1) for _, _, row in rows)
