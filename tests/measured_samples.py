"""The samples of perfSONAR-PS's own clients and replies, where they are at hand."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.measured_kit import Laid
from tests.shared import SHARED

FOLDER = SHARED / "samples" / "perfsonar"
Element = etree._Element
#: Attributes that are ids, or name some.
_IDS = frozenset({"id", "metadataIdRef", "messageIdRef"})
#: Columns of text.
_TEXTS = frozenset(
    {"description", "node_name", "longname", "host", "addr", "start_time", "end_time"}
)


def samples() -> Path:
    """The folder of the samples; skips without it."""
    if not FOLDER.is_dir():
        pytest.skip(f"the samples are not at {FOLDER}")
    return FOLDER


def request(name: str) -> bytes:
    return (samples() / "requests" / f"{name}.xml").read_bytes()


def response(name: str) -> Element:
    """The live message of a reply."""
    return etree.parse(samples() / "responses" / f"{name}.xml").getroot()


def facts(message: Element) -> list[Any]:
    """What a message says: its elements in order, without ids, spaces and the value of maKey."""
    return [_fact(child) for child in message.iterchildren("*")]


def _fact(element: Element) -> Any:
    attributes = sorted(
        (str(name), str(value)) for name, value in element.attrib.items() if name not in _IDS
    )
    text = " ".join((element.text or "").split())
    if element.get("name") == "maKey":
        text = "a key"
    if text.startswith('Database "'):
        # It names the file of the metadata store.
        text = "Database " + text.rsplit('"', 1)[1].strip()
    return str(element.tag), attributes, text, [_fact(child) for child in element.iterchildren("*")]


def fill(database: Laid) -> None:
    """The samples' rows, and rows for the two test specifications of which these have none."""
    folder = samples() / "fixture" / database.layout
    for dates in _rows(folder / "DATES.csv"):
        prefix = "".join(f"{int(value):02}" for value in dates.values())
        tables = {
            name: [*_rows(folder / f"{prefix}_{name}.csv")]
            for name in ("DATA", "DELAY")
            if (folder / f"{prefix}_{name}.csv").exists()
        }
        if database.layout == "bwctl":
            first = tables["DATA"][0]
            for number in (202, 203):
                ti = first["ti"] + number
                more = {"tspec_id": number, "ti": ti, "timestamp": ti << 32}
                tables["DATA"].append({**first, **more, "jitter": None, "sent": None})
        database.add_set(
            prefix,
            nodes={row["node_id"]: row["addr"] for row in _rows(folder / f"{prefix}_NODES.csv")},
            settings={row.pop("tspec_id"): row for row in _rows(folder / f"{prefix}_TESTSPEC.csv")},
            **tables,
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            yield {name: _value(name, value) for name, value in row.items()}


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text
    if text == "":
        return None
    return float(text) if set(text) & set(".e") else int(text)


def complaints(form: str, messages: Mapping[str, bytes], folder: Path) -> str:
    """What a published form has against messages; skips where nothing reads such forms."""
    jing = shutil.which("jing")
    if jing is None:
        pytest.skip("jing is not installed")
    files = []
    for name, text in messages.items():
        files.append(folder / f"{name}.xml")
        files[-1].write_bytes(text)
    command = [jing, "-c", str(samples() / "schema" / f"{form}.rnc"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return "\n".join(line for line in lines if not line.startswith("[warning]"))


def bare(reply: Element) -> bytes:
    """A message on its own."""
    return etree.tostring(reply)
