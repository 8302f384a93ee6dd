"""Settings as a running service obeys them: whose word counts, what a reload can't change."""

from __future__ import annotations

import signal
from pathlib import Path

from tests import soap
from tests.service import free_port, running_service
from tests.waiting import until

MEMBER = "http://127.0.0.1:1/m"


def test_an_option_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    config = """
    [server]
    port = 1
    public_url = "http://file.example.org"
    [groups.Small]
    max_entries = 1
    on_duplicate = "renew"
    [groups.Large]
    max_entries = 2
    """
    environ = {
        "AGGREGATOR_SERVER_PORT": "2",
        "AGGREGATOR_SERVER_PUBLIC_URL": "http://environment.example.org",
        "AGGREGATOR_GROUPS_SMALL_MAX_ENTRIES": "2",
    }
    for option in ([], ["--public-url", "http://option.example.org"]):
        said = "option" if option else "environment"
        # The port is an option in each, over the other two.
        with running_service(
            tmp_path / said, config=config, environ=environ, options=option
        ) as service:
            small = f"{service.url}/wsrf/services/Small"
            first = soap.add(small, MEMBER)
            assert first.address.startswith(f"http://{said}.example.org/wsrf/services/SmallEntry/")
            # Of the file, since nothing else says it; the default would add another entry.
            assert soap.add(small, MEMBER) == first
            soap.add(small, f"{MEMBER}/2")
            name, text = soap.call(small, soap.add_body(f"{MEMBER}/3")).fault
            assert (name, "holds 2 entries" in text) == ("AddRefusedFault", True)


def test_a_reload_names_the_settings_that_need_a_restart(tmp_path: Path) -> None:
    config = "[server]\nworkers = 1\n[groups.Small]\nmax_entries = 1\n"
    with running_service(tmp_path, config=config) as service:
        small = f"{service.url}/wsrf/services/Small"
        soap.add(small, MEMBER)
        (tmp_path / "aggregator.toml").write_text(
            f"[server]\nworkers = 3\nhost = '127.0.0.2'\nport = {free_port()}\n[collect]\n"
            "shards = 32\ntimeout = 7\n[groups.Small]\nmax_entries = 2\n"
        )
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "configuration read again" in service.logs(), what="the reload")
        (line,) = [one for one in service.logs().splitlines() if "need a restart" in one]
        named = line.partition("these settings need a restart: ")[2].split(", ")
        # The port is said by an option, which goes before the file; the others take effect.
        assert sorted(named) == ["collect.shards", "server.host", "server.workers"]
        until(
            lambda: soap.call(small, soap.add_body(f"{MEMBER}/2")).status == 200,
            what="the new limit",
            every=0.5,
        )
        assert len(soap.entries(small)) == 2


def test_a_reload_tells_everything_that_is_wrong_at_once(tmp_path: Path) -> None:
    """What the settings alone show, and what only the plug-ins and probes at hand do."""
    config = "[groups.Small]\nmax_entries = 1\n"
    with running_service(tmp_path, config=config) as service:
        file = tmp_path / "aggregator.toml"
        file.write_text(
            '[groups.X]\nsinks = ["indx"]\n[probes]\nallowed = ["htp"]\ntiemout = 1\n'
            "[collect]\nconnect_timeout = 50\n"
        )
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "SIGHUP changed nothing" in service.logs(), what="the refusal logged")
        _, _, told = service.logs().partition("the configuration is wrong: ")
        for problem in (
            f'{file}:2: groups.X.sinks.1: unknown sink "indx"; did you mean index?',
            f'{file}:4: probes.allowed.1: the probe "htp" does not exist; did you mean http?',
            f"{file}:5: probes.tiemout: unknown key; did you mean timeout?",
            f"{file}:7: collect.connect_timeout: connect_timeout (50s) is above timeout",
        ):
            assert problem in told
        # In the one line that says so.
        assert len(told.splitlines()) == 1
        # Of a plug-in alone it is no other word.
        file.write_text(config + "[groups.Y]\nsinks = ['indx']\n")
        service.process.send_signal(signal.SIGHUP)
        problem = f"the configuration is wrong: {file}:4: groups.Y.sinks.1: unknown sink"
        until(lambda: problem in service.logs(), what="the second refusal logged")
        file.write_text(config)
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "configuration read again" in service.logs(), what="the reload")
