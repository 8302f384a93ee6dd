"""Settings come from four sources, of which the later wins."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from aggregator.config import (
    ConfigurationError,
    GroupSettings,
    Problem,
    Settings,
    changed_needing_restart,
    load_settings,
)
from aggregator.config.groups import DEFAULT_GROUPS, default_groups

NO_OPTIONS: Mapping[str, object] = {}


def load(
    text: str, folder: Path, *, environ: Mapping[str, str], options: Mapping[str, object]
) -> Settings:
    file = folder / "aggregator.toml"
    file.write_text(text)
    return load_settings(file, environ=environ, options=options)


def refusals(environ: Mapping[str, str], options: Mapping[str, object] = NO_OPTIONS) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, environ=environ, options=options)
    assert str(caught.value).split("\n") == [str(problem) for problem in caught.value.problems]
    return [str(problem) for problem in caught.value.problems]


def test_nothing_given_gives_the_defaults() -> None:
    settings = load_settings(None, environ={"HOME": "/home/ada"}, options={})
    data_dir = Path("/home/ada/.local/state/mds-aggregator")
    assert settings.server.data_dir == data_dir
    assert settings.database_url == f"sqlite:///{data_dir}/aggregator.db"
    assert settings == replace(Settings(), server=settings.server)
    assert settings.groups == default_groups()
    assert {name: group.sinks for name, group in settings.groups.items()} == DEFAULT_GROUPS


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/ada"}, "/state/mds-aggregator"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/mds-aggregator"),
        ({}, "/var/lib/mds-aggregator"),
    ],
)
def test_the_data_folder_follows_the_environment(environ: dict[str, str], folder: str) -> None:
    assert load_settings(None, environ=environ, options={}).server.data_dir == Path(folder)


def test_the_later_source_wins(tmp_path: Path) -> None:
    text = "[server]\nport = 1\nworkers = 3\nthreads = 5\n"
    environ = {"AGGREGATOR_SERVER_PORT": "2", "AGGREGATOR_SERVER_WORKERS": "4"}
    settings = load(text, tmp_path, environ=environ, options={"server.port": 0})
    server = settings.server
    assert (server.port, server.workers, server.threads) == (0, 4, 5)


def test_a_wrong_value_is_refused_even_where_it_is_overridden(tmp_path: Path) -> None:
    environ = {"AGGREGATOR_SERVER_PORT": "2"}
    with pytest.raises(ConfigurationError, match=r"toml:2: server\.port: -1 is not"):
        load("[server]\nport = -1\n", tmp_path, environ=environ, options={"server.port": 3})


def test_variables_are_texts_of_every_kind() -> None:
    environ = {
        "AGGREGATOR_SERVER_PORT": " 9000 ",
        "AGGREGATOR_SERVER_MAX_BODY": "1MiB",
        "AGGREGATOR_COLLECT_TIMEOUT": "1.5m",
        "AGGREGATOR_COLLECT_CONNECT_TIMEOUT": "2",
        "AGGREGATOR_COLLECT_VERIFY": "No",
        "AGGREGATOR_COLLECT_ALLOW_NETWORKS": "10.0.0.0/8, fd00::/8,",
        "AGGREGATOR_COLLECT_DENY_NETWORKS": "",
        "AGGREGATOR_LOG_FORMAT": "json",
    }
    settings = load_settings(None, environ=environ, options={})
    assert settings.server.port == 9000
    assert settings.server.max_body == 2**20
    assert settings.collect.timeout == 90
    assert settings.collect.connect_timeout == 2
    assert settings.collect.verify is False
    assert settings.collect.allow_networks == ("10.0.0.0/8", "fd00::/8")
    assert settings.collect.deny_networks == ()
    assert settings.log.format == "json"


def test_wrong_variables_are_refused_by_name() -> None:
    environ = {
        "AGGREGATOR_SERVER_PORT": "http",
        "AGGREGATOR_SERVER_PROT": "80",
        "AGGREGATOR_WEATHER": "fine",
        "AGGREGATOR_PROBES_NAGIOS": "load=/bin/true",
    }
    assert refusals(environ) == [
        "AGGREGATOR_SERVER_PROT: unknown setting; did you mean AGGREGATOR_SERVER_PORT?",
        "AGGREGATOR_WEATHER: unknown setting; expected AGGREGATOR_SECTION_KEY, such as"
        " AGGREGATOR_SERVER_PORT",
        "AGGREGATOR_PROBES_NAGIOS: probes.nagios: a table of commands can be set in the file only",
        'AGGREGATOR_SERVER_PORT: server.port: "http" is not a whole number from 0 to 65535',
    ]


def test_variables_of_others_are_left_alone() -> None:
    environ = {
        "AGGREGATOR_TEST_POSTGRESQL": "postgresql+psycopg://localhost/test",
        "AGGREGATOR_EVENTS_SYSTEM": "site",
        "AGGREGATOR_SERVICE_HOST": "10.0.0.1",
        "AGGREGATOR_DB_SERVICE_PORT_MAIN": "5432",
        "AGGREGATOR_PORT": "tcp://10.0.0.1:8080",
        "AGGREGATOR_SERVER_PORT": "tcp://10.0.0.1:8080",
        "AGGREGATOR_PORT_8080_TCP_ADDR": "10.0.0.1",
        "PATH": "/bin",
    }
    assert load_settings(None, environ=environ, options={}).server.port == 8080


def test_variables_reach_declared_groups_and_declare_none(tmp_path: Path) -> None:
    environ = {
        "AGGREGATOR_GROUPS_DEFAULTINDEXSERVICE_MAX_ENTRIES": "7",
        "AGGREGATOR_GROUPS_MY_SITE_MAX_ENTRIES": "8",
    }
    settings = load("[groups.my-site]\n", tmp_path, environ=environ, options={})
    assert {name: group.max_entries for name, group in settings.groups.items()} == {
        "DefaultIndexService": 7,
        "DefaultTriggerService": 100_000,
        "TriggerRegistrationService": 100_000,
        "ArchiveService": 100_000,
        "my-site": 8,
    }
    assert refusals({"AGGREGATOR_GROUPS_DEFAULTSERVICE_MAX_ENTRIES": "9"}) == [
        "AGGREGATOR_GROUPS_DEFAULTSERVICE_MAX_ENTRIES: unknown setting; did you mean"
        " AGGREGATOR_GROUPS_DEFAULTINDEXSERVICE_MAX_ENTRIES?"
    ]


def test_a_variable_that_fits_two_groups_is_refused(tmp_path: Path) -> None:
    environ = {"AGGREGATOR_GROUPS_A_B_MAX_ENTRIES": "7"}
    wanted = r"names both groups\.a-b\.max_entries and groups\.a_b\.max_entries; set them in"
    with pytest.raises(ConfigurationError, match=wanted):
        load("[groups.a-b]\n[groups.a_b]\n", tmp_path, environ=environ, options={})


def test_options_may_have_types_texts_or_no_value(tmp_path: Path) -> None:
    options = {
        "server.port": "81",
        "server.host": None,
        "server.data_dir": tmp_path,
        "groups.Site.sinks": ["index", "archive"],
        "groups.Site.min_interval_millis": 100,
    }
    settings = load_settings(None, environ={}, options=options)
    assert settings.server.port == 81
    assert settings.server.host == "127.0.0.1"
    assert settings.server.data_dir == tmp_path
    assert settings.groups["Site"].sinks == ("index", "archive")
    assert settings.groups["Site"].min_interval_millis == 100
    assert list(settings.groups) == [*DEFAULT_GROUPS, "Site"]


def test_wrong_options_are_refused() -> None:
    options = {"server": 1, "groups.Site": 1, "server.port": "x", "server.hots": "y"}
    assert refusals({}, options) == [
        "option server: server: expected a key of the section, such as server.host",
        "option groups.Site: groups.Site: expected the key of a group, such as groups.NAME.sinks",
        "option server.hots: server.hots: unknown key; did you mean host?",
        '--port: "x" is not a whole number from 0 to 65535',
    ]


def test_problems_of_all_sources_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(
            "[server\n",
            tmp_path,
            environ={"AGGREGATOR_SERVER_PORT": "x"},
            options={"log.level": "loud"},
        )
    sources = [problem.source for problem in caught.value.problems]
    file = str(tmp_path / "aggregator.toml")
    assert sources == [file, "AGGREGATOR_SERVER_PORT", "--log-level"]
    assert [problem.line for problem in caught.value.problems] == [1, None, None]


def test_file_names_start_where_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    text = '[server]\ndata_dir = "state/../data"\n'
    assert load(text, tmp_path, environ={}, options={}).server.data_dir == tmp_path / "data"
    by_variable = {"AGGREGATOR_SERVER_DATA_DIR": "data"}
    data_dir = load(text, tmp_path, environ=by_variable, options={}).server.data_dir
    assert data_dir == elsewhere / "data"
    text = '[server]\ndata_dir = "~/data"\n'
    assert load(text, tmp_path, environ={}, options={}).server.data_dir == tmp_path / "home/data"


def test_the_root_of_an_index_is_that_of_mds() -> None:
    assert GroupSettings(name="A").root_element == "{http://mds.globus.org/index}IndexRP"
    assert GroupSettings(name="A", sinks=("archive", "index")).root_element == ""
    assert GroupSettings(name="A", root_element="{urn:a}B").root_element == "{urn:a}B"


def test_settings_can_be_handed_to_another_process() -> None:
    settings = load_settings(None, environ={}, options={"groups.Site.max_entries": 3})
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert copy.deepcopy(settings) == settings


def test_what_a_reload_can_not_change_is_named() -> None:
    old = load_settings(None, environ={}, options={})
    options = {"server.port": 1, "store.url": "postgresql://h/d", "query.timeout": 1}
    new = load_settings(None, environ={}, options=options)
    assert changed_needing_restart(old, new) == ("server.port", "store.url")
    assert changed_needing_restart(old, old) == ()


def test_a_problem_without_place_is_its_text() -> None:
    assert str(Problem("the port is taken")) == "the port is taken"
    assert str(Problem("is taken", source="a.toml", line=3, key="server.port")) == (
        "a.toml:3: server.port: is taken"
    )
