"""A member's configuration in TOML."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aggregator.config.kinds import listing
from aggregator.errors import ConfigError
from aggregator.member.findings import Findings, Key
from aggregator.member.keys import MEMBER_KEYS, ORIGIN_KEYS, PATH, PLAIN_KEYS, PROPERTY_KEYS
from aggregator.member.names import refusal_of_name
from aggregator.member.settings import (
    Executable,
    File,
    HostFacts,
    Origin,
    ProducerSettings,
    SchedulerTransform,
    Transform,
    Url,
)
from aggregator.member.stylesheet import read_stylesheet
from aggregator.wire.namespaces import GLUE, clark


@dataclass(slots=True)
class Given:
    """What one file gives: keys of [member], producers, and further files to read."""

    member: dict[str, Any] = field(default_factory=dict)
    producers: list[ProducerSettings] = field(default_factory=list)
    rpprovider: tuple[Path, ...] = ()


class TomlReader:
    """Reads one TOML file; what is wrong with it goes to `findings`."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._folder = findings.file.absolute().parent
        self._namespaces = {"glue": GLUE}

    def read(self, content: str) -> Given:
        """What the file gives; a wrong part is noted and left out."""
        try:
            tree = tomllib.loads(content)
        except tomllib.TOMLDecodeError as error:
            self._findings.add(f"not TOML: {error}")
            return Given()
        tree = self._findings.table(tree, ("member", "namespaces", "property"), key=())
        self._read_namespaces(tree.get("namespaces", {}))
        given = self._read_member(tree.get("member", {}))
        blocks = tree.get("property", [])
        if not isinstance(blocks, list):
            self._findings.add("write each property as [[property]]", key=("property",))
            blocks = []
        for position, block in enumerate(blocks):
            self._read_property(block, key=("property", position), given=given)
        return given

    def _read_member(self, value: object) -> Given:
        table = self._findings.table(value, (*MEMBER_KEYS, "rpprovider"), key=("member",))
        files = self._findings.read(
            listing(PATH), table.pop("rpprovider", []), key=("member", "rpprovider"), default=()
        )
        given = Given(rpprovider=tuple(self._folder / name for name in files))
        for name, content in table.items():
            kind = MEMBER_KEYS[name]
            read = self._findings.read(kind, content, key=("member", name), default=None)
            if read is not None:
                given.member[name] = read
        return given

    def _read_namespaces(self, value: object) -> None:
        if not isinstance(value, dict):
            self._findings.add("must be a table of prefixes", key=("namespaces",))
            return
        for prefix, namespace in value.items():
            if not isinstance(namespace, str) or not namespace:
                self._findings.add("must be a namespace's name", key=("namespaces", prefix))
            else:
                self._namespaces[prefix] = namespace

    def _read_property(self, value: object, *, key: Key, given: Given) -> None:
        before = len(self._findings.problems)
        table = self._findings.table(value, PROPERTY_KEYS, key=key)
        name = self._read_name(table.get("name"), key=(*key, "name"))
        origin = self._read_origin(table, key=key)
        transform = self._read_transform(table, key=key)
        plain = {
            word: self._findings.read(kind, table[word], key=(*key, word), default=None)
            for word, kind in PLAIN_KEYS.items()
            if word in table
        }
        if origin is not None and len(self._findings.problems) == before:
            given.producers.append(ProducerSettings(name, origin, transform=transform, **plain))

    def _read_name(self, value: object, *, key: Key) -> str:
        if not isinstance(value, str):
            self._findings.add("a property needs a name like prefix:Name or {uri}Name", key=key)
            return ""
        prefix, colon, local = value.partition(":")
        name = value
        if not value.startswith("{") and colon:
            if prefix not in self._namespaces:
                self._findings.add(f"the prefix {prefix!r} is not in [namespaces]", key=key)
                return ""
            name = clark(self._namespaces[prefix], local)
        if refusal := refusal_of_name(name):
            self._findings.add(refusal, key=key)
        return name

    def _read_origin(self, table: Mapping[str, Any], *, key: Key) -> Origin | None:
        words = [word for word in ORIGIN_KEYS if word in table]
        if len(words) != 1:
            found = " and ".join(words) or "none"
            self._findings.add(
                f"a property has exactly one of {', '.join(ORIGIN_KEYS)}; here: {found}", key=key
            )
            return None
        word = words[0]
        place = (*key, word)
        value = self._findings.read(ORIGIN_KEYS[word], table[word], key=place, default=None)
        if value is None:
            return None
        if word == "url":
            return Url(value)
        if word == "host":
            return HostFacts(value)
        if word == "file":
            return File(self._folder / value)
        return self._read_program(value, key=place)

    def _read_program(self, argv: tuple[str, ...], *, key: Key) -> Executable | None:
        program = str(self._folder / argv[0])
        if not (os.path.isfile(program) and os.access(program, os.X_OK)):
            self._findings.add(f"{program} is no file that may be executed", key=key)
            return None
        return Executable((program, *argv[1:]))

    def _read_transform(self, table: Mapping[str, Any], *, key: Key) -> Transform | None:
        if "transform" not in table:
            return SchedulerTransform() if "scheduler" in table else None
        place = (*key, "transform")
        name = self._findings.read(PATH, table["transform"], key=place, default="")
        if "scheduler" in table:
            self._findings.add("scheduler has its own transformation", key=place)
        try:
            return read_stylesheet(self._folder / name) if name else None
        except ConfigError as error:
            self._findings.add(str(error), key=place)
            return None
