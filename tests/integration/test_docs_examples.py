"""What the pages show is done: messages are sent, commands are run, a backup is restored."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from prometheus_client.parser import text_string_to_metric_families

from tests import soap
from tests.integration.commands import environment
from tests.pages import Page, pages
from tests.service import RunningService, free_port, running_service, wait_until_ready
from tests.sources_read import ROOT
from tests.waiting import until

README = Page(ROOT / "README.md")
COMMANDS = Page(ROOT / "docs" / "commands.md")
OPERATIONS = Page(ROOT / "docs" / "operations.md")
REGISTRATION_FILE = Page(ROOT / "docs" / "registration-file.md")
INSTALLED = Path(sys.executable).parent
SHOWN_PORT = "8080"
#: The demonstration is shown by tests of its own, and this is what ``bin/test`` runs.
SHOWN_ELSEWHERE = {"bin/demo", "bin/test"}


def commands(page: Page) -> list[str]:
    """The lines of a page's shell examples, continued ones as one, without comments."""
    lines = "\n".join(page.fenced("sh")).replace("\\\n", " ").splitlines()
    return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


def run(command: str, folder: Path, port: str) -> str:
    """Run a command of a page as if the service had the port that is shown; its output."""
    words = shlex.split(command.replace(f":{SHOWN_PORT}/", f":{port}/"))
    if words[0] == "curl" and shutil.which("curl") is None and os.environ.get("CI") != "true":
        pytest.skip("curl is not on this machine")
    done = subprocess.run(
        [program(words[0]), *words[1:]],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def program(name: str) -> str:
    """The launcher of the checkout where its environment is the one that is tested."""
    if name.startswith("bin/"):
        launcher = ROOT / name
        assert os.access(launcher, os.X_OK)
        if INSTALLED == ROOT / ".venv" / "bin":
            return str(launcher)
    installed = INSTALLED / name.removeprefix("bin/")
    return str(installed) if installed.exists() else name


@pytest.fixture(scope="module")
def readme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service, started as the README does."""
    folder = tmp_path_factory.mktemp("readme")
    (serve,) = [one for one in commands(README) if one.startswith("bin/aggregator serve")]
    assert f"--port {SHOWN_PORT}" in serve
    port = free_port()
    words = shlex.split(serve.replace(f"--port {SHOWN_PORT}", f"--port {port}"))
    log = folder / "service.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [program(words[0]), *words[1:]], cwd=folder, stdout=stream, stderr=stream
        )
    service = RunningService(f"http://127.0.0.1:{port}", folder / "data", process, log)
    try:
        wait_until_ready(service)
        yield service
    finally:
        if process.poll() is None:
            service.stop()


def port_of(service: RunningService) -> str:
    return service.url.rpartition(":")[2]


def test_the_readme_works_line_by_line(readme: RunningService) -> None:
    folder, port = readme.data_dir.parent, port_of(readme)
    (request,) = README.examples().values()
    (folder / "add.xml").write_text(request.replace(f":{SHOWN_PORT}/", f":{port}/"))
    shown = [one for one in commands(README) if shlex.split(one)[0] not in SHOWN_ELSEWHERE]
    add, entries, query = [one for one in shown if not one.startswith("bin/aggregator serve")]
    replied = etree.fromstring(run(add, folder, port).encode())
    response = replied.find(f".//{{{soap.NS['oasis']['sg']}}}AddResponse")
    assert described(shown_reply(response)) == described(response, port)
    until(lambda: "Http" in collected(readme), what="what the probe found")
    assert re.search(r"/healthz +ExecutionPollType +Http ", run(entries, folder, port))
    assert run(query, folder, port).strip() == "200"


def shown_reply(like: etree._Element) -> etree._Element:
    """The reply that the README shows; what it leaves out of the tags is taken of a real one."""
    (text,) = [one for one in README.fenced("xml") if "AddResponse" in one]
    assert text.count("…>") == 3
    spaces = {prefix: uri for element in like.iter() for prefix, uri in element.nsmap.items()}
    declared = "".join(
        f' xmlns:{prefix}="{uri}"'
        for prefix, uri in spaces.items()
        if f"xmlns:{prefix}=" not in text
    )
    return etree.fromstring(text.replace(" …>", f"{declared}>", 1).replace(" …>", ">"))


def described(element: etree._Element, port: str = SHOWN_PORT) -> list[tuple[str, str, str]]:
    """Each element with its parent and its text, without what is another one each time."""
    told = []
    for one in element.iter():
        text = (one.text or "").strip().replace(f":{port}/", ":PORT/")
        text = re.sub(r"\b([0-9a-f]{16,}$|5f1c…)", "KEY", text)
        text = re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", "TIME", text)
        parent = one.getparent() if one is not element else None
        told.append(("" if parent is None else parent.tag, one.tag, text))
    return told


def collected(service: RunningService) -> list[str]:
    """Local names of the elements that were collected."""
    path = f".//{{{soap.AGG}}}AggregatorData/*"
    entries = soap.entries(service.group)
    return [etree.QName(child).localname for entry in entries for child in entry.findall(path)]


def messages() -> list[Any]:
    return [
        pytest.param(text, id=f"{page.name}:{name}")
        for page in pages()
        for name, text in page.examples().items()
    ]


@pytest.mark.parametrize("text", messages())
def test_a_message_that_is_shown_is_answered(readme: RunningService, text: str) -> None:
    entry = soap.add(readme.group, "http://127.0.0.1:1/shown")
    values = {
        "@GROUP@": readme.group,
        "@MEMBER@": "http://127.0.0.1:1/member",
        "@ENTRY@": entry.address,
        "@KEY@": entry.key,
        f":{SHOWN_PORT}/": f":{port_of(readme)}/",
    }
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    assert not re.search(r"@[A-Z]+@", text)
    root = etree.fromstring(text)
    asked = root.find(f"{{{etree.QName(root).namespace}}}Body")[0]
    lifetimes = {soap.NS[family]["rl"] for family in ("gt4", "oasis")}
    of_entry = etree.QName(asked).namespace in lifetimes
    answer = soap.post(entry.address if of_entry else readme.group, text.encode())
    assert answer.status == 200, answer.content
    assert answer.body.tag == f"{asked.tag}Response"


def configurations() -> list[Any]:
    return [
        pytest.param(text, id=f"{page.name}:{number}")
        for page in pages()
        for number, text in enumerate(page.fenced("xml"))
        if text.startswith("<agg:AggregatorConfig ")
    ]


@pytest.mark.parametrize("config", configurations())
def test_a_configuration_of_collection_that_is_shown_is_taken(
    readme: RunningService, config: str
) -> None:
    for source in ("Subscription", "PullPoint"):
        if f"Aggregator{source}Type" in config:
            # It is taken so far that the member is asked, who is not there.
            answer = soap.call(readme.group, soap.add_body("http://127.0.0.1:1/configured", config))
            assert (
                answer.fault[1]
                == f"the {source}AggregatorSource failed: no connection to the member"
            )
            return
    group = readme.group
    if "ReportType" in config:
        # The README's service takes no reports.
        answer = soap.call(group, soap.add_body("http://127.0.0.1:1/configured", config))
        assert "reports.tokens" in answer.fault[1]
        return
    if "TriggerRuleType" in config:
        group = group.replace("DefaultIndexService", "DefaultTriggerService")
    entry = soap.add(group, "http://127.0.0.1:1/configured", config)
    assert soap.destroy(entry).status == 200


def test_the_registration_file_that_is_shown_is_registered(
    readme: RunningService, tmp_path: Path
) -> None:
    (text,) = [one for one in REGISTRATION_FILE.fenced("xml") if one.startswith("<?xml")]
    group = "http://index.example.org:8080/wsrf/services/DefaultIndexService"
    assert group in text
    (tmp_path / "shown.xml").write_text(text.replace(group, readme.group))
    out = run("mds-servicegroup-add -a --once shown.xml", tmp_path, port_of(readme))
    assert out.count("Successfully registered") == text.count("<RegistrantEPR>") == 2


def test_the_commands_that_are_shown_work(readme: RunningService, tmp_path: Path) -> None:
    """In the order of the page: registered, asked, prolonged, ended."""
    (text,) = [one for one in REGISTRATION_FILE.fenced("xml") if one.startswith("<?xml")]
    block = re.search(r"\n  <!-- A resource.*?</ServiceGroupRegistrationParameters>", text, re.S)
    assert block
    group = "http://index.example.org:8080/wsrf/services/DefaultIndexService"
    one = text.replace(block[0], "").replace(group, readme.group)
    (tmp_path / "registrations.xml").write_text(one)
    shown = commands(COMMANDS)
    assert {command.split()[0] for command in shown} >= {"mds-servicegroup-add", "wsrf-destroy"}
    said = {}
    for command in shown:
        if command.startswith("mds-servicegroup-add"):
            # In the foreground until it is told to end, it would never come to the next line.
            command += " --once -o entry.xml"  # noqa: PLW2901
        command = command.replace(" ./data ", f" {readme.data_dir} ")  # noqa: PLW2901
        made = said.get("mds-trigger-create -b", "").strip()
        command = command.replace(" TRIGGERID", f" {made}")  # noqa: PLW2901
        out = run(command.replace(" URL ", f" {readme.group} "), tmp_path, port_of(readme))
        said[" ".join(command.split()[:2])] = out
    assert said["mds-trigger-edit -b"].startswith("changed MatchingRule, ActionScript")
    assert int(said["wsrf-query -s"]) >= 1
    assert "node7.example.org" in said["wsrf-get-property -s"]
    assert said["wsrf-get-properties -e"].count("Time") >= 2
    assert said["wsrf-set-termination-time -e"].strip()
    assert said["aggregator entries"].strip()
    (key,) = etree.parse(tmp_path / "entry.xml").findall(f".//{{{soap.AGG}}}EntryKey")
    assert key.text not in entry_keys(readme)


def entry_keys(service: RunningService) -> list[str | None]:
    path = f".//{{{soap.AGG}}}EntryKey"
    return [key.text for entry in soap.entries(service.group) for key in entry.findall(path)]


def test_readiness_and_metrics_are_as_the_page_says(readme: RunningService) -> None:
    with urllib.request.urlopen(f"{readme.url}/readyz", timeout=10) as answer:
        ready = json.loads(answer.read())
    assert json.loads(OPERATIONS.fenced("json")[0]).keys() == ready.keys()

    def families() -> list[Any]:
        with urllib.request.urlopen(f"{readme.url}/metrics", timeout=10) as answer:
            return list(text_string_to_metric_families(answer.read().decode()))

    told = set(re.findall(r"^\| `(aggregator_\w+)` \|", OPERATIONS.text, re.MULTILINE))
    until(lambda: len(families()) > 10, what="the collector's metrics")
    names = [f"{f.name}_total" if f.type == "counter" else f.name for f in families()]
    assert set(names) <= told
    assert len(names) == len(set(names)), "each is told once"


def test_a_backup_is_taken_and_restored_as_the_page_says(tmp_path: Path) -> None:
    (shown,) = [one for one in commands(OPERATIONS) if one.startswith("aggregator backup")]
    data, copy = tmp_path / "data", tmp_path / "copy.db"
    with running_service(data) as service:
        kept = soap.add(service.group, "http://127.0.0.1:1/kept")
        command = re.sub(r"--data-dir \S+ \S+", f"--data-dir {data} {copy}", shown)
        run(command, tmp_path, port_of(service))
        soap.add(service.group, "http://127.0.0.1:1/after-the-backup")
    for name in ("aggregator.db", "aggregator.db-wal", "aggregator.db-shm"):
        assert f"`{name}`" in OPERATIONS.text
        (data / name).unlink(missing_ok=True)
    shutil.copy(copy, data / "aggregator.db")
    with running_service(data) as service:
        (entry,) = soap.entries(service.group)
        assert kept.key in etree.tostring(entry).decode()
        soap.add(service.group, "http://127.0.0.1:1/again")
        assert len(soap.entries(service.group)) == 2
