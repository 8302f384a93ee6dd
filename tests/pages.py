"""The project's pages, read for the tests that hold them to the code."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.sources_read import ROOT

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARKED = re.compile(r"<!-- example: ([\w-]+) -->\n```xml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NO_PART_OF_AN_ANCHOR = re.compile(r"[^\w\- ]")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Page:
    """A page in Markdown."""

    path: Path

    @property
    def name(self) -> str:
        """Its place, from the root of the checkout."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """What is not in a fence."""
        return _FENCED.sub("", self.text)

    def fenced(self, language: str) -> list[str]:
        """What stands in its fences of a language."""
        return [text for found, text in _FENCED.findall(self.text) if found == language]

    def examples(self) -> dict[str, str]:
        """The XML that is marked as an example, by its name."""
        return dict(_MARKED.findall(self.text))

    def links(self) -> list[str]:
        """Where its links lead."""
        return _LINK.findall(self.prose)

    def anchors(self) -> set[str]:
        """What may stand after a ``#``, made of the headings as the usual viewers do."""
        return {
            _NO_PART_OF_AN_ANCHOR.sub("", heading.lower()).replace(" ", "-")
            for heading in _HEADING.findall(self.prose)
        }


@cache
def pages() -> tuple[Page, ...]:
    """Every page of the checkout: those that are kept, or would be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        found = {ROOT / name for name in listed.stdout.decode().split("\0") if name}
    else:
        found = {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")}
    return tuple(Page(path) for path in sorted(found) if path.exists())
