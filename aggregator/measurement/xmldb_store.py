"""The metadata store in an XML database (BaseX): opened for each request, closed after it.

The database has three documents: `store.xml` is the nmwg:store, `version.xml` the digest of what
the service wrote there, `keys.xml` the key hash of that. The hash is kept here too, with the
version of the content that it was made of; each request asks for that, so that a key takes no
search.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import uuid
from collections.abc import Iterator, Mapping
from copy import deepcopy
from threading import Lock
from typing import NamedTuple

from lxml import etree

from aggregator.errors import RequestError
from aggregator.measurement.basex import (
    BasexLoginRefused,
    BasexRefused,
    BasexServer,
    BasexSession,
    BasexTrouble,
)
from aggregator.measurement.metadata_store import Pair, StoreUnreadable, contents, keys_of
from aggregator.measurement.searching import search_for
from aggregator.measurement.stored import StoredData, StoredMetadata
from aggregator.wire.nmwg_metadata import DATA, METADATA
from aggregator.wire.nmwg_names import NMWG
from aggregator.wire.parse import Element, Limits, parse

log = logging.getLogger(__name__)

#: Names that BaseX takes; a name is written into queries.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
#: What the service itself wrote, and one element around it.
_LIMITS = Limits(size=2**30, nodes=2**31, depth=65)
#: How often a key is looked up where the store is written anew in between.
_TRIES = 5
_HEAD = f'declare namespace nmwg="{NMWG}"; declare option output:indent "no"; '
_EXTERNAL = "declare variable ${} external; "
# In what follows NAME stands for the database's name: braces have a meaning in XQuery. The store is
# a path each time, not a variable, so that BaseX looks ids up in its index.
_STORE = 'collection("NAME/store.xml")/nmwg:store'
_FOUND = '<found version="{collection("NAME/version.xml")/version}">{INNER}</found>'
_ALL = f"{_STORE}/*"
_PAIR = (
    f"{_STORE}/nmwg:metadata[@id = $metadata],"
    f" ({_STORE}/nmwg:data[@id = $data] | {_STORE}/nmwg:data[@metadataIdRef = $metadata])"
)
_SEARCH = (
    f"let $found := {_STORE}/nmwg:metadata[CONDITION]"
    " let $ids := map:merge($found ! map:entry(string(@id), ()))"
    f" return ($found, {_STORE}/nmwg:data[map:contains($ids, string(@metadataIdRef))])"
)
_VERSION = (
    'if (db:exists("NAME")) then collection("NAME/version.xml")/version/string()'
    ' else error(xs:QName("db:missing"), "missing")'
)
_KEYS = 'collection("NAME/keys.xml")/keys/string()'
_IS_EQUAL = (
    'deep-equal(parse-xml($content), collection("NAME/store.xml"))'
    ' and deep-equal(<keys>{$keys}</keys>, collection("NAME/keys.xml")/keys)'
)
_DOCUMENTS = (
    "(parse-xml($content), <version>{$version}</version>, <keys>{$keys}</keys>),"
    ' ("store.xml", "version.xml", "keys.xml")'
)
_WRITE = (
    'if (db:exists("NAME")) then (db:delete("NAME", "store.xml"), db:delete("NAME", "version.xml"),'
    ' db:delete("NAME", "keys.xml"), db:add("NAME", parse-xml($content), "store.xml"),'
    ' db:add("NAME", <version>{$version}</version>, "version.xml"),'
    ' db:add("NAME", <keys>{$keys}</keys>, "keys.xml"), db:optimize("NAME"))'
    f' else db:create("NAME", {_DOCUMENTS})'
)


class _Ids(NamedTuple):
    """The pair that a key stands for."""

    metadata: str
    data: str


class _Keys(NamedTuple):
    """The key hash, and the version of the content that it was made of; by maKey."""

    version: str
    pairs: Mapping[str, _Ids]


class XmldbStore:
    """A database of a BaseX server; for threads. `database` is its name there."""

    def __init__(self, server: BasexServer, database: str) -> None:
        if not _NAME.fullmatch(database):
            raise ValueError(f"{database!r} is no name of a database; letters, digits, _ and - are")
        self.name = database
        self._server = server
        self._lock = Lock()
        self._keys = _Keys("", {})

    @contextlib.contextmanager
    def opened(self) -> Iterator[_Opened]:
        """A connection of its own, until the request is answered."""
        with contextlib.ExitStack() as stack:
            with self.told():
                session = stack.enter_context(self._server.session())
                version = self._version(session)
            if not version:
                raise StoreUnreadable(
                    f'the metadata store can\'t be read: the database "{self.name}" holds none yet;'
                    " it is written when the store is built"
                )
            yield _Opened(self, session, version)

    def replace(self, store: Element) -> bool:
        """Write the content anew, unless it is just that; queries see the old one or the new."""
        content = _unrepeated(store)
        text = etree.tostring(content, encoding="unicode")
        digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        found = keys_of(contents(content)).items()
        keys = json.dumps({key: (one.metadata_id, one.id) for key, one in found})
        values = {"content": text, "keys": keys}
        with self.told(), self._server.session() as session:
            with contextlib.suppress(_Missing):
                # Others may have changed it since.
                is_ours = self._version(session).startswith(digest)
                if is_ours and self._query(session, _IS_EQUAL, values) == "true":
                    return False
            # Another one each time: what was put right is read anew.
            version = f"{digest}-{uuid.uuid4().hex}"
            self._query(session, _WRITE, {**values, "version": version})
        return True

    def _version(self, session: BasexSession) -> str:
        try:
            return self._query(session, _VERSION, {})
        except BasexRefused as error:
            if error.code == "missing":
                raise _Missing(str(error)) from error
            raise

    def _query(self, session: BasexSession, text: str, values: Mapping[str, str]) -> str:
        declared = "".join(_EXTERNAL.format(name) for name in values)
        return session.query(f"{_HEAD}{declared}{text.replace('NAME', self.name)}", values)

    def ask(self, session: BasexSession, inner: str, values: Mapping[str, str]) -> Element:
        """Elements of the store in one, with the version of the content that they are from."""
        with self.told():
            text = self._query(session, _FOUND.replace("INNER", inner), values)
            try:
                return parse(text.encode(), limits=_LIMITS)
            except RequestError as error:
                raise BasexRefused(str(error)) from error

    def keys(self, session: BasexSession, version: str) -> _Keys:
        """The key hash, made anew where it is not of this version; others wait meanwhile."""
        with self._lock:
            if self._keys.version != version:
                found = self.ask(session, _KEYS, {})
                self._keys = _Keys(found.get("version", ""), _pairs(found.text or ""))
            return self._keys

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Tell what is wrong, and what to do, without the credentials."""
        try:
            yield
        except BasexTrouble as error:
            where = self._server.shown
            log.error("the XML database at %s: %s", where, error)
            raise StoreUnreadable(
                f"the metadata store can't be opened: {self._cure(error).format(where=where)}"
            ) from error

    def _cure(self, error: BasexTrouble) -> str:
        if isinstance(error, _Missing):
            return (
                f'BaseX at {{where}} has no database "{self.name}" that the user may read; building'
                " the store makes it where the user may create databases"
            )
        if isinstance(error, BasexLoginRefused):
            return "BaseX at {where} refused the user or the password; set those of a user there"
        if isinstance(error, BasexRefused) and error.code == "permission":
            return (
                f"the user at {{where}} may not do that; GRANT write ON {self.name} lets it read"
                " and write, GRANT create make the database too"
            )
        if isinstance(error, BasexRefused):
            code = error.code or "without a code"
            return f"BaseX at {{where}} refused what was asked for ({code}); the logs say more"
        return "no BaseX answers at {where}, or not in time; start basexserver there"


class _Missing(BasexTrouble):
    """Raised where the server has no such database."""


class _Opened:
    """The store during one request; what it reads at once is of one version."""

    def __init__(self, store: XmldbStore, session: BasexSession, version: str) -> None:
        self._store = store
        self._session = session
        self._version = version

    def by_key(self, ma_key: str) -> Pair | None:
        """What a maKey stands for; None for one that is unknown."""
        for _ in range(_TRIES):
            keys = self._store.keys(self._session, self._version)
            ids = keys.pairs.get(ma_key)
            if ids is None:
                return None
            found = self._store.ask(self._session, _PAIR, ids._asdict())
            self._version = found.get("version", "")
            if self._version == keys.version:
                return _pair(found, ma_key, ids)
        raise StoreUnreadable("the metadata store is written again and again; try later")

    def search(self, metadata: Element) -> list[StoredMetadata]:
        """What matches a request's metadata."""
        search = search_for(metadata)
        if search is None:
            return []
        inner = _SEARCH.replace("CONDITION", search.condition)
        return list(contents(self._store.ask(self._session, inner, search.values)).values())

    def all(self) -> list[StoredMetadata]:
        """Everything."""
        return list(contents(self._store.ask(self._session, _ALL, {})).values())


def _pairs(text: str) -> Mapping[str, _Ids]:
    """The key hash as it is stored; raises StoreUnreadable for whatever else somebody wrote."""
    try:
        return {key: _Ids(metadata, data) for key, (metadata, data) in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreUnreadable(
            "the metadata store has no key hash; it does once it is built anew"
        ) from error


def _pair(found: Element, ma_key: str, ids: _Ids) -> Pair:
    """A pair by its ids; what is gone, or stands for something else now, is None."""
    metadata = contents(found).get(ids.metadata)
    if metadata is not None:
        same = (one for one in metadata.data if one.ma_key == ma_key)
        return Pair(metadata, next(same, None))
    if any(one.get("id") == ids.data for one in found.iterchildren(DATA)):
        return Pair(None, StoredData(ma_key, ids.data, ids.metadata, {}))
    return Pair(None, None)


def _unrepeated(store: Element) -> Element:
    """A store without metadata whose id another one has before it."""
    seen: set[str] = set()
    kept: list[Element] = []
    for one in store.iterchildren("*"):
        identifier = one.get("id", "")
        if one.tag == METADATA and identifier in seen:
            continue
        if one.tag == METADATA:
            seen.add(identifier)
        kept.append(one)
    if len(kept) == len(store):
        return store
    found = deepcopy(store)
    found[:] = [deepcopy(one) for one in kept]
    return found
