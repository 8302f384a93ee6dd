"""Sample configuration files are taken as a whole, or refused with exactly the wanted words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aggregator.config import ConfigurationError, load_settings
from aggregator.config.document import EXAMPLE
from aggregator.config.groups import DEFAULT_GROUPS

SAMPLES = Path(__file__).parents[1] / "samples" / "config"
GOOD = sorted(SAMPLES.glob("*.good.toml"))
BAD = sorted(SAMPLES.glob("*.bad.toml"))


def problems(file: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, environ={}, options={})
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.name)
def test_good_file_is_taken(file: Path) -> None:
    assert load_settings(file, environ={}, options={}).groups


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.name)
def test_bad_file_is_refused_with_all_its_problems(file: Path) -> None:
    wanted = re.findall(r"^# error: (.*)$", file.read_text(), re.MULTILINE)
    assert wanted
    assert problems(file) == [f"{file}:{error}" for error in wanted]


def test_every_form_means_what_it_says() -> None:
    settings = load_settings(SAMPLES / "every_form.good.toml", environ={}, options={})
    assert settings.server.host == "::1"
    assert settings.server.public_url == "https://grid.example.org:8443/mds"
    assert settings.query.timeout == 90
    assert settings.query.max_result == 3 * 2**19
    assert settings.database_url == "sqlite:////var/lib/aggregator/registry.db"
    assert settings.store.write_timeout == 2.5
    assert settings.store.busy_timeout == 0.5
    assert settings.collect.verify is False
    assert settings.collect.allow_networks == ("10.0.0.0/8", "2001:db8::/32")
    assert settings.collect.deny_networks == ()
    load = ("/usr/lib/nagios/plugins/check_load", "-w", "5")
    assert settings.probes.nagios == {"load": load}
    assert settings.probes.checks == {
        "twping-lite": {"far": ("packets=20", "timeout=5")},
        "site/power": {"rack": ("2",)},
    }
    assert [*settings.groups][-1] == "Site-Registry_2"
    assert "DefaultIndexService" not in settings.groups
    group = settings.groups["Site-Registry_2"]
    assert group.sinks == ("archive", "index")
    assert group.root_element == "{http://example.org/site}RegistryRP"
    site = "{http://example.org/site}"
    assert [(rule.content_elements, rule.member_interfaces) for rule in group.membership_rules] == [
        ((f"{site}Service", "Plain"), ()),
        ((), (f"{site}ServicePortType",)),
    ]


def test_the_example_of_the_page_is_good(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(EXAMPLE)
    settings = load_settings(file, environ={}, options={})
    assert list(settings.groups) == [*DEFAULT_GROUPS, "SiteRegistry"]
    assert settings.groups["DefaultIndexService"].max_lifetime == 12 * 3600


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(b"[server]\n# caf\xe9\n")
    assert problems(file) == [f"{file}:2: not UTF-8, which TOML demands"]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    assert problems(file) == [f"{file}: can't be read: No such file or directory"]


def test_passwords_are_never_repeated(tmp_path: Path) -> None:
    file = tmp_path / "secret.toml"
    for url in ("postgresql:secret", "mysql://user:secret@db/x", "sqlite://"):
        file.write_text(f'[store]\nurl = "{url}"\n')
        assert "secret" not in "\n".join(problems(file)).replace(str(file), "")
    file.write_text('[store]\nurl = "postgresql://user:secret@db/x"\n')
    assert "secret" not in repr(load_settings(file, environ={}, options={}))
