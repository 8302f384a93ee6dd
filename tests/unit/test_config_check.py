"""The command ``aggregator check``."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aggregator.cli.check import check


def run(file: Path, **environ: str) -> Result:
    return CliRunner().invoke(check, [str(file)], env=environ)


def test_a_good_file_is_ok(tmp_path: Path) -> None:
    file = tmp_path / "good.toml"
    file.write_text("[server]\nport = 0\n")
    result = run(file)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "ok\n", "")


def test_each_problem_is_one_line_on_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('[server]\nprot = 0\nhost = "a b"\n')
    result = run(file, AGGREGATOR_LOG_LEVEL="loud")
    assert (result.exit_code, result.stdout) == (2, "")
    first, second, third = result.stderr.splitlines()
    assert first == f"{file}:2: server.prot: unknown key; did you mean port?"
    assert second.startswith(f'{file}:3: server.host: "a b" is not a host name')
    assert third.startswith('AGGREGATOR_LOG_LEVEL: log.level: "loud" is not one of debug, info')


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    result = run(tmp_path / "none.toml")
    assert result.exit_code == 2
    assert result.stderr == f"{tmp_path / 'none.toml'}: can't be read: No such file or directory\n"


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(check, arguments).exit_code == 2


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(check, ["--help"])
    assert result.exit_code == 0
    assert "Example: aggregator check" in result.stdout


AMISS = """[server]
prot = 0
[groups.X]
sinks = ["index", "indx"]
sources = [
  "QueryAggregatorSource",
  "QuerryAggregatorSource",
]
[groups.Y]
sinks = ["nothing-like-it"]
[probes]
allowed = ["bogus/probe", "ping-tset", "http"]
"""
TOLD = (
    "2: server.prot: unknown key; did you mean port?",
    '4: groups.X.sinks.2: unknown sink "indx"; did you mean index?',
    '5: groups.X.sources.2: unknown source "QuerryAggregatorSource"; did you mean'
    " QueryAggregatorSource?",
    '10: groups.Y.sinks.1: unknown sink "nothing-like-it"; known here: archive, index,'
    " measurement, monitored, trigger",
    '12: probes.allowed.1: the probe "bogus/probe" does not exist; known here: '
    "aggregator-exec-test, host, http, iperf3-throughput, nagios, ",
    '12: probes.allowed.2: the probe "ping-tset" does not exist; did you mean ping-test?',
)


def test_names_of_plug_ins_and_probes_are_refused_where_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "amiss.toml"
    file.write_text(AMISS)
    result = run(file)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == len(TOLD)
    for line, told in zip(lines, TOLD, strict=True):
        assert line.startswith(f"{file}:{told}"), line


def test_checks_of_a_probe_that_is_not_there_are_refused_where_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "amiss.toml"
    file.write_text(
        '[probes.checks.twping-lite]\nfar = ["packets=20"]\n[probes.checks.twpin]\na=["b"]\n'
    )
    result = run(file)
    assert result.exit_code == 2
    assert result.stderr == (
        f"{file}:3: probes.checks.twpin: checks are configured for the probe 'twpin', which does"
        " not exist\n"
    )


def test_a_probe_folder_is_refused_once(tmp_path: Path) -> None:
    file = tmp_path / "amiss.toml"
    file.write_text(f'[probes]\nfolder = "{tmp_path / "none"}"\nallowed = ["x"]\n')
    (line,) = run(file).stderr.splitlines()
    assert line.startswith(f"{file}:2: probes.folder: ")


def test_a_probe_of_the_environment_is_refused_by_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "good.toml"
    file.write_text("[server]\nport = 0\n")
    (line,) = run(file, AGGREGATOR_PROBES_ALLOWED="http,htp").stderr.splitlines()
    assert line == (
        'AGGREGATOR_PROBES_ALLOWED: probes.allowed.2: the probe "htp" does not exist; '
        "did you mean http?"
    )


MEASURED = """[measurement]
metadata_db_type = "file"
owmesh = "owmesh.conf"
databases = [
  {{ url = "{url}", layout = "bwctl" }},
]
"""


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://u:secret@h/d", "measurement.databases: the URL names no database that can be"),
        ("mysql+pymysql://u:secret@h/", "measurement.databases: 'mysql+pymysql' names no"),
        ("mysql+pymysql://u:secret@h:x/d", "measurement.databases: the URL names no database"),
        ("mysql+pymysql://u:secret@localhost/d", "DBI:mysql:d:localhost twice; read it once"),
    ],
)
def test_a_database_of_measurements_that_can_not_be(url: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "owmesh.conf").write_text("BWDBName d\nBWDBUser u\n")
    file = tmp_path / "measured.toml"
    file.write_text(MEASURED.format(url=url))
    result = run(file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert "secret" not in result.stderr


def test_a_file_of_databases_of_measurements_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "owmesh.conf").write_text("DBName d\n= x\n")
    file = tmp_path / "measured.toml"
    file.write_text('[measurement]\nmetadata_db_type = "file"\nowmesh = "."\n')
    result = run(file)
    assert result.exit_code == 2
    assert f"{file}:3: measurement.owmesh: {tmp_path}/owmesh.conf, line 2: " in result.stderr
