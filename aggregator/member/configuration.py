"""A member's settings out of its files and options."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from aggregator.config.errors import ConfigurationError, Problem
from aggregator.config.kinds import Refused
from aggregator.member.findings import Findings, raise_all
from aggregator.member.keys import MEMBER_KEYS
from aggregator.member.rpprovider import RpproviderReader
from aggregator.member.settings import HOST_PRODUCERS, MemberSettings
from aggregator.member.toml import Given, TomlReader


def load_member(
    files: Sequence[Path] = (), *, options: Mapping[str, object] | None = None
) -> MemberSettings:
    """The settings out of TOML and rpprovider files, overridden by options that are not None.

    The properties of all files are published together; without any, the host's own facts are.
    Raises ConfigurationError with everything that is wrong, not the first thing alone.
    """
    gathered: list[Findings] = []
    given = Given()
    for file in files:
        one = _read_file(file, gathered)
        given.member |= one.member
        given.producers += one.producers
        for further in one.rpprovider:
            given.producers += _read_file(further, gathered, only_xml=True).producers
    raise_all(gathered)
    producers = tuple(given.producers) or HOST_PRODUCERS
    return MemberSettings(**{**given.member, **_options(options or {})}, producers=producers)


def _read_file(file: Path, gathered: list[Findings], *, only_xml: bool = False) -> Given:
    findings = Findings(file)
    gathered.append(findings)
    try:
        content = file.read_bytes()
    except OSError as error:
        findings.add(f"can't be read: {os.strerror(error.errno or 0)}")
        return Given()
    if only_xml or content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return Given(producers=RpproviderReader(findings).read(content))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        findings.add("is neither UTF-8, which TOML demands, nor an rpprovider file in XML")
        return Given()
    findings.text = text
    return TomlReader(findings).read(text)


def _options(options: Mapping[str, object]) -> dict[str, object]:
    problems: list[Problem] = []
    taken: dict[str, object] = {}
    for name, value in options.items():
        if value is None:
            continue
        try:
            taken[name] = MEMBER_KEYS[name].read(value)
        except Refused as refused:
            source = f"--{name.replace('_', '-')}"
            problems += (Problem(fault.text, source=source) for fault in refused.faults)
    if problems:
        raise ConfigurationError(tuple(problems))
    return taken
