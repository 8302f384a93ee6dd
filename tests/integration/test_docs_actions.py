"""docs/actions.md: what it shows is so, and the actions that it shows are run."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from pathlib import Path

from lxml import etree

from aggregator.actions.alert import read_alert
from aggregator.actions.log import line_of
from aggregator.actions.message import Envelope, message_of
from aggregator.actions.running import BUG, FAILED, POSTPONED, UNCONFIGURED, UNREADABLE
from aggregator.actions.wording import facts
from aggregator.config.actions import ActionSettings
from tests.integration.action_kit import FIRED, FOLDER, ID, Ended, run
from tests.pages import Page
from tests.sources_read import ROOT

PAGE = Page(ROOT / "docs" / "actions.md")
ALERT = read_alert(FIRED)
MOST = ActionSettings().max_data


def saved(text: str, folder: Path) -> Path:
    """An example as an executable file."""
    action = folder / "action"
    action.write_text(text)
    action.chmod(stat.S_IRWXU)
    return action


def test_the_input_that_is_shown_is_read() -> None:
    assert PAGE.fenced("xml") == [FIRED.decode()]


def test_what_receivers_are_told_is_as_the_page_says() -> None:
    told = facts(ALERT, most=MOST)
    assert PAGE.fenced("json") == [json.dumps(told, indent=2) + "\n"]
    table = PAGE.text.partition("| field | is |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if "`" in line]
    assert re.findall(r"`(\w+)`", " ".join(cells)) == list(told)


def test_the_line_and_the_subject_are_as_the_page_says() -> None:
    line, subject = PAGE.fenced("text")
    written = json.loads(line_of(ALERT, now=1))
    assert {**json.loads(line), "time": written["time"]} == written
    assert list(json.loads(line)) == list(written)
    envelope = Envelope("a@b", ("c@d",), ActionSettings().mail_subject, MOST)
    assert subject == str(message_of(ALERT, envelope)["Subject"]) + "\n"


def test_every_attribute_and_every_exit_code_is_told() -> None:
    element = etree.fromstring(FIRED).find("{urn:mds-aggregator:trigger}alert")
    told = PAGE.text.partition("| attribute | is |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", told)) >= {*element.attrib, "trigger"}
    codes = PAGE.text.partition("| exit code | means |")[2].partition("\n\n")[0]
    told_codes = set(map(int, re.findall(r"\b\d+\b", codes)))
    assert told_codes == {0, FAILED, UNREADABLE, BUG, POSTPONED, UNCONFIGURED}


def test_every_action_that_ships_is_told() -> None:
    shipped = {path.name for path in FOLDER.iterdir() if path.is_file() and not path.suffix}
    table = PAGE.text.partition("| action | does | needs |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| \[?([\w-]+)\]?", table, re.MULTILINE)) == shipped


def test_the_action_in_shell_works(tmp_path: Path) -> None:
    (text,) = PAGE.fenced("sh")
    spool = tmp_path / "alerts"
    action = saved(text.replace("/var/spool/alerts", str(spool)), tmp_path)
    early = run(action, {}, tmp_path)
    assert (early.status, early.out, early.err) == (75, b"", f"{spool} is not there\n")
    spool.mkdir()
    for _ in range(2):
        assert run(action, {}, tmp_path).published.tag == "{http://example.org/site}alertKept"
    name = hashlib.sha256(ID.encode()).hexdigest()[:32]
    assert {path.name: path.read_bytes() for path in spool.iterdir()} == {f"{name}.xml": FIRED}


def test_the_action_in_python_works(tmp_path: Path) -> None:
    (text,) = PAGE.fenced("python")
    pager, pages = tmp_path / "page", tmp_path / "pages"
    action = saved(text.replace("/usr/local/bin/page", str(pager)), tmp_path)
    early: Ended = run(action, {}, tmp_path)
    assert (early.status, early.out) == (75, b"")
    assert early.err.startswith("the pager failed: ")
    pager.write_text(f'#!/bin/sh\nshift\necho "$@" >>{pages}\n')
    pager.chmod(stat.S_IRWXU)
    hostile = FIRED.replace(b'rule="1"', b'rule="$(touch x)&#10;; touch y"')
    assert run(action, {}, tmp_path, stdin=hostile).published.get("id") == ID
    assert pages.read_text().startswith("FIRED: $(touch x) ; touch y of https://ce1.example.org")
    assert run(action, {}, tmp_path, stdin=b"").status == 65
