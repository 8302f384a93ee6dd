"""A running service with archives, whose members say what a test writes into their files."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from tests import soap
from tests.migrated import with_tables
from tests.service import RunningService, running_service
from tests.soap import NS, EntryReference, Family, execution_config
from tests.waiting import until

ARCHIVE = "http://mds.globus.org/archive/2006/08"
XINDICE = "http://xml.apache.org/xindice/Query"
OURS = "urn:mds-aggregator:archive"
#: A busy machine is no gap.
CONFIG = """
[collect]
stale_intervals = 100
[probes]
folder = "{folder}"
timeout = "5s"
[query]
timeout = "1500ms"
[groups.ArchiveService]
min_interval_millis = 50
[groups.ArchiveService.series]
load = {{ xpath = "/agg:AggregatorData/x:said/@load", namespaces = {{ x = "urn:x", agg = \
"http://mds.globus.org/aggregator/types" }} }}
slow = {{ xpath = "count(//*[count(//*) > 0][count(.//*) = 0][count(preceding::*) > 0])" }}
[groups.Both]
sinks = ["index", "archive"]
min_interval_millis = 50
"""
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")


@dataclass(slots=True)
class Scene:
    """A service whose members say what is in their files."""

    service: RunningService
    said: Path
    options: list[str]

    @property
    def group(self) -> str:
        return f"{self.service.url}/wsrf/services/ArchiveService"

    def says(self, member: str, text: str) -> None:
        """Have a member say something, from one moment to the next."""
        new = self.said / f"{uuid.uuid4().hex}.new"
        new.write_text(text)
        new.rename(self.said / member.rpartition("/")[2])

    def add(self, member: str, text: str, *, group: str = "") -> EntryReference:
        """Register a member that says something."""
        self.says(member, text)
        return soap.add(group or self.group, member, execution_config("say", millis=100))

    def kept(self, member: str, expression: str = "//*[local-name()='said']") -> list[Any]:
        """What is kept of a member."""
        return list(ask(self.group, expression, member=member).body)

    def until_kept(self, member: str, text: str) -> etree._Element:
        def found() -> list[etree._Element]:
            return [node for node in self.kept(member) if node.text == text]

        return until(found, what=f"{text} is not kept")[-1]


def member() -> str:
    """The address of a member of its own."""
    return f"http://127.0.0.1:1/{uuid.uuid4().hex}"


def said(text: str, load: str = "1") -> str:
    return f'<x:said xmlns:x="urn:x" load="{load}">{text}</x:said>'


def ask(
    url: str,
    expression: str,
    *,
    family: Family = "oasis",
    member: str = "",
    more: str = "",
    declare: str = "",
) -> soap.Answer:
    """QueryArchive, in the WS-Addressing of a dialect."""
    wsa = NS[family]["wsa"]
    of = f'<MemberEPR xmlns:w="{wsa}"><w:Address>{member}</w:Address></MemberEPR>' if member else ""
    return soap.call(
        url,
        f'<QueryArchive xmlns="{ARCHIVE}"><QueryExpression {declare}>{escape(expression)}'
        f"</QueryExpression>{of if not more.startswith('<From') else ''}{more}"
        f"{of if more.startswith('<From') else ''}</QueryArchive>",
        header=f'<a:To xmlns:a="{wsa}">{url}</a:To>',
    )


@contextlib.contextmanager
def scene_on(kind: str, folder: Path) -> Iterator[Scene]:
    """A service with archives on a kind of database, as long as the block."""
    probes, words = folder / "probes", folder / "said"
    for made in (probes, words):
        made.mkdir(mode=0o755)
    probe = probes / "say"
    probe.write_text(f'#!/bin/sh\nexec cat "{words}/${{1##*/}}"\n')
    probe.chmod(0o755)
    with (
        with_tables(kind, folder) as url,
        running_service(
            folder / "data",
            config=CONFIG.format(folder=probes),
            options=["--database", url],
        ) as running,
    ):
        yield Scene(running, words, ["--data-dir", str(folder / "data"), "--database", url])
