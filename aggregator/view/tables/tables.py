"""Which tables there are: made of what is asked again and again, dropped when nobody asks."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue

from aggregator.errors import StoreUnavailable
from aggregator.view.fragments import EntryFrame
from aggregator.view.garbage import set_aside
from aggregator.view.group_view import GroupView
from aggregator.view.properties import document_tags
from aggregator.view.query_messages import QueryResult
from aggregator.view.tables.answering import answer
from aggregator.view.tables.constants import cut
from aggregator.view.tables.parsing import plan_of
from aggregator.view.tables.plan import Path, Plan
from aggregator.view.tables.rows import Parsed
from aggregator.view.tables.table import Table
from aggregator.view.trees import parse_stored
from aggregator.waiting import waiting

log = logging.getLogger(__name__)

#: A table is made of what was asked so often within so many seconds.
_OFTEN, _LATELY = 3, 60.0
#: Forms that are counted before they have a table.
_MOST_COUNTED = 256
#: Entries that who asks may take in, and those, and their bytes, that who must not wait may.
_MOST_BEHIND, _FEW_BEHIND, _SMALL_BEHIND = 256, 16, 65536
#: Entries that are waited for, and how long: the evaluator would be asked by everybody meanwhile.
_MOST_AWAITED, _PATIENCE = 20_000, 3.0
#: Entries that the background takes in at a time, and how long it rests, to how long it worked.
_STEP, _REST = 64, 0.25

#: Entries that were taken in at once for the search for garbage to be told.
_VERY_MANY = 10_000

#: Group, dialect, path of the rows, columns.
_Form = tuple[str, str, Path, tuple[Path, ...]]


class Tables:
    """The tables of one process, `most` at a time. Any thread may ask."""

    def __init__(self, *, most: int, max_result: int, max_expression: int) -> None:
        self._most = most
        self._max_expression = max_expression
        self._max_result = max_result
        self._lock = threading.Lock()
        self._counts: OrderedDict[_Form, list[float]] = OrderedDict()
        #: Those that are there, least lately used first, with when they were.
        self._tables: OrderedDict[_Form, tuple[Table, float]] = OrderedDict()
        #: Forms of which no table can be made, since they lead beside the entries.
        self._elsewhere: OrderedDict[_Form, None] = OrderedDict()
        self._wanting: SimpleQueue[Table] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def answer(
        self,
        view: GroupView,
        frame: EntryFrame,
        expression: str,
        namespaces: Mapping[str, str],
        *,
        root: str,
        others: Callable[[], Iterable[bytes]],
    ) -> QueryResult | None:
        """What the evaluator would answer for a group's document, None where it must be asked.

        `root` is the document's root element, `others` are its properties beside the entries. The
        view is current, and nothing in it has expired.
        """
        if not self._most or len(expression) > self._max_expression:
            return None
        template, constants = cut(expression)
        plan = plan_of(template, namespaces)
        if plan is None:
            return None
        form = (view.facts.name, frame.family, plan.rows, plan.columns)
        table = self._table(form, view)
        if table is None:
            # The evaluator will be waited for; who must not comes again, and is counted then.
            with waiting():
                pass
            if self._is_wanted(form):
                self._make(form, plan, view, frame, root=root, others=others)
            return None
        if not self._is_nearly_current(table):
            return None
        if not table.lock.acquire(blocking=False):
            with waiting():
                table.lock.acquire()
        try:
            if not _catches_up(table):
                return None
            return answer(plan, constants, table, max_result=self._max_result)
        finally:
            table.lock.release()

    def _table(self, form: _Form, view: GroupView) -> Table | None:
        with self._lock:
            found = self._tables.get(form)
            if found is None:
                return None
            self._tables[form] = (found[0], time.monotonic())
            self._tables.move_to_end(form)
        return found[0]

    def _is_nearly_current(self, table: Table) -> bool:
        """Whether so little is missing that who asks may take it in; waits for the rest a while."""
        behind = table.behind
        if behind > _MOST_BEHIND:
            with self._lock:
                if table.filled.is_set():
                    table.filled.clear()
                    self._fill(table)
            if behind > _MOST_AWAITED:
                return False
            with waiting():
                table.filled.wait(_PATIENCE)
        return table.behind <= _MOST_BEHIND

    def _is_wanted(self, form: _Form) -> bool:
        """Whether a form that has no table was asked so often that it should have one."""
        now = time.monotonic()
        with self._lock:
            if form in self._tables or form in self._elsewhere:
                return False
            times = [t for t in self._counts.pop(form, []) if now - t < _LATELY]
            self._counts[form] = [*times, now][-_OFTEN:]
            if len(self._counts) > _MOST_COUNTED:
                self._counts.popitem(last=False)
            return len(times) + 1 >= _OFTEN

    def _make(
        self,
        form: _Form,
        plan: Plan,
        view: GroupView,
        frame: EntryFrame,
        *,
        root: str,
        others: Callable[[], Iterable[bytes]],
    ) -> None:
        try:
            leads_elsewhere = _leads_elsewhere(plan.rows, root, others())
        except StoreUnavailable:
            return
        now = time.monotonic()
        with self._lock:
            if form in self._tables:
                return
            if leads_elsewhere:
                self._elsewhere[form] = None
                if len(self._elsewhere) > _MOST_COUNTED:
                    self._elsewhere.popitem(last=False)
                return
            if len(self._tables) >= self._most:
                _, (oldest, used) = next(iter(self._tables.items()))
                if now - used < _LATELY:
                    return
                self._tables.popitem(last=False)
                oldest.close()
            self._counts.pop(form, None)
            table = Table(view, frame, root=root, path=plan.rows, columns=plan.columns)
            table.index_for(plan.condition)
            self._tables[form] = (table, now)
            self._fill(table)

    def _fill(self, table: Table) -> None:
        self._wanting.put(table)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="query-tables", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        behind: list[Table] = []
        parsed, most = Parsed(), 0
        while True:
            while not behind or not self._wanting.empty():
                behind.append(self._wanting.get())
                most = max(most, behind[-1].behind)
            began = time.monotonic()
            _take_some(behind, parsed)
            for table in [table for table in behind if not table.behind]:
                behind.remove(table)
                table.filled.set()
            if not behind:
                if most > _VERY_MANY:
                    # A search through so many rows would keep all threads waiting.
                    set_aside()
                parsed, most = Parsed(), 0
            time.sleep(_REST * (time.monotonic() - began))


def _catches_up(table: Table) -> bool:
    """Take in what changed, where that is little; whether the table may be asked then."""
    if not table.behind:
        return table.is_fit
    missing = table.some_behind(most=2 * _MOST_BEHIND)
    if not table.is_fit:
        # Nothing is worth reading before what is too much has become less.
        missing = [entry_id for entry_id in missing if entry_id in table.unfit()]
    elif len(missing) == 2 * _MOST_BEHIND:
        return False
    if len(missing) > _FEW_BEHIND or table.bytes_of(missing) > _SMALL_BEHIND:
        with waiting():
            pass
    table.catch_up(missing)
    if table.is_fit and table.behind:
        table.catch_up(table.some_behind(most=2 * _MOST_BEHIND))
    return table.is_fit


def _take_some(behind: list[Table], parsed: Parsed) -> None:
    """Take some entries in, the same for all tables that miss them: they are parsed once."""
    first = min(behind, key=lambda table: table.behind)
    ids = first.some_behind(most=_STEP)
    for table in [table for table in behind if table.documents == first.documents]:
        try:
            with table.lock:
                table.catch_up(ids if table.is_fit else table.unfit(), parsed=parsed)
                if not table.is_fit:
                    behind.remove(table)
                    table.filled.set()
        except Exception:
            log.exception("A table for queries could not be filled")
            behind.remove(table)
            table.filled.set()


def _leads_elsewhere(path: Path, root: str, others: Iterable[bytes]) -> bool:
    """Whether a path selects what is no part of an entry."""
    opening, closing = document_tags(root)
    document = parse_stored(b"".join((opening, *others, closing)))
    return bool(path.compiled()(document))
