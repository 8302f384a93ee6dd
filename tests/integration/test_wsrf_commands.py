"""``wsrf-*``, ``aggregator query`` and ``aggregator entries`` against real services."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from tests import soap
from tests.integration.commands import environment, run, stub
from tests.misbehaving import misbehaving
from tests.soap import NS, Family
from tests.waiting import until

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "wsrf-query",
    "wsrf-get-property",
    "wsrf-get-properties",
    "wsrf-set-termination-time",
    "wsrf-destroy",
)
FAMILIES: list[Family] = ["gt4", "oasis"]
KEY_NAME = "{http://mds.globus.org/index}ServiceGroupEntryKey"


@pytest.fixture
def member(request: pytest.FixtureRequest) -> str:
    """A member that no other test registers."""
    return f"http://127.0.0.1:1/{request.node.name.replace('[', '/').replace(']', '')}"


@pytest.fixture
def epr_file(group: str, tmp_path: Path, member: str) -> str:
    """A file with the EPR of an entry, in the final standard, its key in a header alone."""
    entry = soap.add(group, member)
    return write_epr(tmp_path, group + "Entry", entry.header, "oasis")


def write_epr(folder: Path, address: str, key: str, family: Family) -> str:
    container = "ReferenceProperties" if family == "gt4" else "ReferenceParameters"
    file = folder / f"entry-{family}.xml"
    file.write_text(
        f'<EndpointReference xmlns="{NS[family]["wsa"]}"><Address> {address} </Address>'
        f"<{container}>{key}</{container}></EndpointReference>"
    )
    return str(file)


def clark(family: Family, prefix: str, name: str) -> str:
    return f"{{{NS[family][prefix]}}}{name}"


@pytest.mark.parametrize("command", [*COMMANDS, "mds-servicegroup-add"])
def test_help_has_an_example_and_launchers_run_it(command: str) -> None:
    help_text = run(command, "--help").out
    assert f"Example:\n    {command} " in help_text
    launched = subprocess.run(
        [str(ROOT / "bin" / command), "-h"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        cwd="/",
    )
    assert launched.stdout == help_text


@pytest.mark.parametrize("command", ["query", "entries"])
def test_subcommands_have_help_with_an_example(command: str) -> None:
    assert f"Example:\n    aggregator {command} http://" in run("aggregator", command, "--help").out


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("wsrf-query", [], "no service is named: give its URL with -s, or an EPR file with -e"),
        ("wsrf-query", ["-s", "index"], "'index' is no URL like http://host:8080/"),
        ("wsrf-query", ["-s", "http://h/", "-e", "x"], "-s and -e both name a service"),
        ("wsrf-query", ["-e", "nowhere.xml"], "the EPR file nowhere.xml can't be read: No such"),
        ("wsrf-query", ["-s", "http://h/", "--dialect", "wsrf"], "'wsrf' is not one of"),
        ("wsrf-query", ["-s", "http://h/", "-n", "glue"], "-n 'glue' is no declaration like"),
        ("wsrf-query", ["-s", "http://h/", "-m", "conv"], "-m ask for protected messages, but"),
        ("wsrf-query", ["-s", "http://h/", "-z", "self"], "-z self compares"),
        ("wsrf-query", ["-s", "http://h/", "-t", "0"], "0.0 is not in the range"),
        ("wsrf-query", ["-s", "http://h/", "-k", "Key", "1"], "-k 'Key' is no name like"),
        ("wsrf-query", ["-s", "http://h/", "--cert", "none.pem"], "--cert none.pem can't be read"),
        ("wsrf-get-property", ["-s", "http://h/"], "Missing argument"),
        ("wsrf-get-property", ["-s", "http://h/", "sg:Entry"], "'sg:Entry' is no name like"),
        ("wsrf-get-properties", ["-s", "http://h/", "{u}a", "b"], "'b' is no name like"),
        ("wsrf-set-termination-time", ["-s", "http://h/", "soon"], "'soon' is no lifetime"),
        ("wsrf-set-termination-time", ["-s", "http://h/", "1e99"], "more than a century"),
        ("wsrf-destroy", ["-s", "http://h/", "-x"], "No such option"),
    ],
)
def test_wrong_usage_is_told_in_a_line(command: str, arguments: list[str], told: str) -> None:
    ended = run(command, *arguments)
    assert ended.status == 2
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("error: ")
    assert told in ended.err


def test_a_service_that_is_not_there_is_a_failure_in_a_line() -> None:
    ended = run("wsrf-destroy", "-s", "http://127.0.0.1:1/x")
    assert ended.status == 1
    assert ended.err == "error: http://127.0.0.1:1/x gave no reply: Connection refused\n"


def test_debugging_shows_where_it_failed() -> None:
    ended = run("wsrf-destroy", "-d", "-s", "http://127.0.0.1:1/x")
    assert ended.status == 1
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("error: ")


def test_the_time_out_is_that_of_the_option() -> None:
    with misbehaving() as server:
        ended = run("wsrf-destroy", "-t", "0.5", "-s", f"{server.url}/hang", within=20)
    assert ended.err == f"error: {server.url}/hang did not answer within 0.5 s\n"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_query_shows_scalars_as_text(group: str, family: Family) -> None:
    soap.add(group, "http://127.0.0.1:1/scalars")
    base = ["-s", group, "--dialect", family]
    counted = run("wsrf-query", *base, "count(//*[local-name()='Entry'])")
    assert counted.status == 0, counted.err
    assert int(counted.out) >= 1
    truth = run("wsrf-query", *base, "number(//glue:State/@glue:FreeCPUs) = 0")
    assert truth.out == "false\n"
    known = run("wsrf-query", *base, "-n", "own=urn:x", "count(//own:none) + count(//sg:Entry)")
    assert int(known.out) >= 1


def test_without_an_expression_the_document_is_shown(group: str) -> None:
    ended = run("wsrf-query", "-s", group)
    assert etree.fromstring(ended.out).tag == "{http://mds.globus.org/index}IndexRP"
    assert "xmlns:soapenv" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["//["], "InvalidQueryExpressionFault"),
        (["/", "urn:no-such-language"], "UnknownQueryExpressionDialectFault"),
    ],
)
def test_a_query_that_is_refused_is_a_failure(group: str, arguments: list[str], fault: str) -> None:
    ended = run("wsrf-query", "-s", group, *arguments)
    assert ended.status == 1
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith(f"error: the service refused: {fault}: ")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_property_is_asked_for_in_the_dialect_of_its_name(
    group: str, epr_file: str, member: str, family: Family
) -> None:
    ended = run("wsrf-get-property", "-s", group, clark(family, "sg", "Entry"))
    assert ended.status == 0, ended.err
    assert member in ended.out
    assert NS[family]["wsa"] in ended.out


def test_several_properties_as_xml_table_and_json(group: str, epr_file: str, member: str) -> None:
    names = [clark("oasis", "sg", "MemberEPR"), clark("oasis", "rl", "CurrentTime")]
    shown = run("wsrf-get-properties", "-e", epr_file, *names).out.splitlines()
    assert [etree.fromstring(line).tag for line in shown] == names
    table = run("wsrf-get-properties", "-e", epr_file, "--output", "table", *names).out
    assert table.splitlines()[0].split() == ["NAME", "VALUE"]
    assert table.splitlines()[1].split() == ["MemberEPR", member]
    told = json.loads(run("wsrf-get-properties", "-e", epr_file, "--output", "json", *names).out)
    assert [one["name"] for one in told] == names
    assert told[0]["text"] == member


def test_a_property_that_is_not_there_is_a_failure(group: str) -> None:
    ended = run("wsrf-get-property", "-s", group, "{urn:x}none")
    assert ended.status == 1
    assert "InvalidResourcePropertyQNameFault" in ended.err


@pytest.mark.parametrize("family", FAMILIES)
def test_an_entry_lives_as_long_as_is_asked(
    group: str, tmp_path: Path, member: str, family: Family
) -> None:
    entry = soap.add(group, member)
    file = write_epr(tmp_path, group + "Entry", entry.header, family)
    longer = run("wsrf-set-termination-time", "-e", file, "3600")
    assert longer.status == 0, longer.err
    requested, scheduled = longer.out.splitlines()
    assert requested.removeprefix("requested: ") == scheduled.removeprefix("scheduled: ")
    never = run("wsrf-set-termination-time", "-e", file, "infinity")
    assert never.out == "requested: infinity\nscheduled: infinity\n"
    assert run("wsrf-set-termination-time", "-e", file, "0").status == 0
    gone = run("wsrf-set-termination-time", "-e", file, "60")
    assert gone.status == 1
    assert "ResourceUnknownFault" in gone.err


def test_the_path_names_an_entry_too(group: str, member: str) -> None:
    entry = soap.add(group, member)
    address = f"{group}Entry/{entry.key}"
    assert run("wsrf-destroy", "-s", address).out == "Destroy operation was successful\n"
    ended = run("wsrf-destroy", "-s", address)
    assert ended.status == 1
    assert "ResourceUnknownFault" in ended.err


def test_a_key_travels_as_a_header(group: str, member: str) -> None:
    entry = soap.add(group, member)
    for address in ("Entry", ""):
        named = ["-s", group + address, "-k", KEY_NAME, entry.key]
        assert run("wsrf-set-termination-time", *named, "600").status == 0
    assert run("wsrf-destroy", *named).status == 0
    arguments = ["-s", group + "Entry", "-k", KEY_NAME, "nobody & nothing"]
    ended = run("wsrf-destroy", *arguments)
    assert ended.status == 1
    assert "ResourceUnknownFault" in ended.err
    with misbehaving() as server:
        run(
            "wsrf-destroy",
            "-s",
            f"{server.url}/ok",
            "-k",
            "{urn:k}Key",
            "a & b",
            "--dialect",
            "gt4",
        )
        (asked,) = server.journal.asked
    header = etree.fromstring(asked.body)[0]
    assert header.findtext("{urn:k}Key") == "a & b"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_service_of_one_dialect_is_found_out(family: Family) -> None:
    with stub("--dialects", family) as group:
        soap.call(group, soap.add_body("http://m/1", family=family))
        assert run("wsrf-query", "-s", group, "count(//sg:Entry)").out == "1\n"
        assert "http://m/1" in run("aggregator", "entries", group).out
        other = "gt4" if family == "oasis" else "oasis"
        ended = run("wsrf-query", "-s", group, "--dialect", other)
        assert ended.status == 1
        assert "No such operation" in ended.err


def test_query_and_entries_of_a_group(group: str, member: str) -> None:
    entry = soap.add(group, member)
    probed = f"//sg:Entry[.//wsa:Address='{member}']//exampleProbedInformation/time"
    until(lambda: "<time" in run("aggregator", "query", group, probed).out, within=30)
    rows = run("aggregator", "entries", group).out.splitlines()
    assert rows[0].split() == ["MEMBER", "SOURCE", "DATA", "ERROR", "ENTRY"]
    (row,) = [line for line in rows if line.startswith(member + " ")]
    assert row.split() == [member, "ExecutionPollType", "exampleProbedInformation", entry.key]
    (told,) = [
        one
        for one in json.loads(run("aggregator", "entries", group, "--output", "json").out)
        if one["member"] == member
    ]
    assert told == {
        "member": member,
        "source": "ExecutionPollType",
        "data": ["exampleProbedInformation"],
        "error": "",
        "entry": entry.key,
    }
    shown = run("aggregator", "entries", group, "--output", "xml").out
    assert entry.key in shown


def test_trouble_is_shown_in_the_list(group: str, member: str) -> None:
    soap.add(group, member, soap.get_property_config("w:foo", declare='xmlns:w="urn:w"'))

    def trouble() -> str:
        told = json.loads(run("aggregator", "entries", group, "--output", "json").out)
        return next(one["error"] for one in told if one["member"] == member)

    assert until(trouble, within=30).startswith("connection: ")


def test_an_empty_list_has_a_header_and_no_rows() -> None:
    with stub() as group:
        assert run("aggregator", "entries", group).out == "MEMBER  SOURCE  DATA  ERROR  ENTRY\n"
        assert json.loads(run("aggregator", "entries", group, "--output", "json").out) == []
