"""What `aggregator check` says of the measurement archive's settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from aggregator.cli.main import main
from aggregator.config.measurement_faults import read_bootstrap

SECRET = "hidden-word"


def check(folder: Path, *lines: str) -> list[str]:
    """The problems, without the name of the file and the line."""
    file = folder / "a.toml"
    file.write_text("[measurement]\n" + "\n".join(lines) + "\n")
    result = CliRunner().invoke(main, ["check", str(file)])
    assert SECRET not in result.output
    if result.exit_code == 0:
        return []
    assert result.exit_code == 2
    return [line.split(": ", 1)[1] for line in result.stderr.splitlines()]


def test_a_file_is_enough(tmp_path: Path) -> None:
    assert check(tmp_path, 'metadata_db_type = "file"') == []


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            ['metadata_db_type = "file"', "own_tables = false"],
            "measurement.metadata_db_type: there is nothing to serve: set databases, owmesh,"
            " static_store or own_tables",
        ),
        (
            ["storage = true"],
            "measurement.storage: storage needs metadata_db_type, which is none; set file or xmldb",
        ),
        (
            ['metadata_db_type = "xmldb"'],
            "measurement.metadata_db_type: xmldb needs metadata_db_password_file, which is not set",
        ),
        (
            ['metadata_db_type = "file"', "storage = true"],
            "measurement.storage: storage needs tokens, which is not set",
        ),
        (
            ['metadata_db_type = "dbxml"'],
            'measurement.metadata_db_type: "dbxml" is not one of none, file, xmldb',
        ),
        (
            [
                'metadata_db_type = "file"',
                f'databases = [{{ url = "oracle://u:{SECRET}@h/d", layout = "bwctl" }}]',
            ],
            "measurement.databases.1.url: not a URL of SQLAlchemy; expected one of mariadb://,"
            " mysql://, postgresql://, sqlite://",
        ),
        (
            [
                'metadata_db_type = "file"',
                f'databases = [{{ url = "mysql+pymysql://u:{SECRET}@h/d", layout = "bwctl" }},'
                ' { url = "mysql+pymysql://v@h/d", layout = "owamp" }]',
            ],
            "measurement.databases: measurement.databases has DBI:mysql:d:h twice; read it once",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path: Path, lines: list[str], told: str) -> None:
    assert check(tmp_path, *lines) == [told]


def test_registration_needs_somewhere_and_an_address(tmp_path: Path) -> None:
    lines = ['metadata_db_type = "file"', "enable_registration = true"]
    assert check(tmp_path, *lines) == [
        "measurement.enable_registration: enable_registration needs ls_instance or ls_groups, which"
        " are not set",
        "measurement.enable_registration: enable_registration needs service_accesspoint or"
        " server.public_url, neither of which is set",
    ]
    lines += ['ls_instance = ["http://ls.example.org/ls"]']
    lines += ['service_accesspoint = "http://ma.example.org/pSB"']
    assert check(tmp_path, *lines) == []


def test_addresses_of_lookup_services_in_a_file(tmp_path: Path) -> None:
    lines = (
        'metadata_db_type = "file"',
        "enable_registration = true",
        'service_accesspoint = "http://ma.example.org/pSB"',
        'ls_bootstrap_file = "hints"',
    )
    assert "can't be read" in check(tmp_path, *lines)[0]
    (tmp_path / "hints").write_text("# ours\nhttp://ls.example.org/ls  # the first\n\n")
    assert check(tmp_path, *lines) == []
    assert read_bootstrap(str(tmp_path / "hints")) == ("http://ls.example.org/ls",)
    (tmp_path / "hints").write_text("ls.example.org\n")
    [told] = check(tmp_path, *lines)
    assert told.startswith("measurement.ls_bootstrap_file: ")


class TestOwmesh:
    def test_a_folder_or_the_file_in_it(self, tmp_path: Path) -> None:
        (tmp_path / "owmesh.conf").write_text("BWCentralDBName bwctl\nCentralDBUser u\n")
        for place in (tmp_path, tmp_path / "owmesh.conf"):
            assert check(tmp_path, 'metadata_db_type = "file"', f'owmesh = "{place}"') == []

    def test_anything_else_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "other.conf").write_text("")
        for place in (tmp_path / "gone", tmp_path / "other.conf", tmp_path):
            told = check(tmp_path, 'metadata_db_type = "file"', f'owmesh = "{place}"')
            assert told[0] == (
                f"measurement.owmesh: {place} is neither a folder with owmesh.conf nor that file"
            )

    def test_a_line_that_is_none_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "owmesh.conf").write_text(f"CentralDBPass {SECRET}\n=wrong\n")
        [told] = check(tmp_path, 'metadata_db_type = "file"', f'owmesh = "{tmp_path}"')
        assert "line 2: expected is a name" in told


def test_a_password_file_that_others_may_read(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET)
    file.chmod(0o644)
    lines = (
        'metadata_db_type = "file"',
        'databases = [{ url = "mysql+pymysql://u@h/d", layout = "bwctl",'
        ' password_file = "password" }]',
    )
    assert any("others may read or write" in told for told in check(tmp_path, *lines))
    file.chmod(0o600)
    assert check(tmp_path, *lines) == []


def test_a_static_store_that_is_wrong_is_told_by_line(tmp_path: Path) -> None:
    (tmp_path / "static.xml").write_text("<store/>")
    [told] = check(tmp_path, 'metadata_db_type = "file"', 'static_store = "static.xml"')
    assert told.startswith("measurement.static_store: ")
