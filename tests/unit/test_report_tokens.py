"""The file of tokens: who may what, and what is refused without telling a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aggregator.config import ConfigurationError, load_settings
from aggregator.config.report_tokens import digest_of, read_report_tokens
from aggregator.server.reports.access import Access, allows

SECRET = "a-secret-of-some-length"


def written(folder: Path, text: str, *, mode: int = 0o600) -> str:
    file = folder / "tokens.toml"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_rights_are_read_and_secrets_are_not_kept(tmp_path: Path) -> None:
    text = f'[site]\nsecret = "{SECRET}"\nnodes = ["a*"]\n[n]\ncertificate = "/C=DE/CN=n"\n'
    site, n = read_report_tokens(written(tmp_path, text + "status = true\n"))
    assert (site.name, site.nodes, site.requests, site.status) == ("site", ("a*",), (), False)
    assert site.digest == digest_of(SECRET)
    assert (n.digest, n.certificate, n.status) == (None, "/C=DE/CN=n", True)
    assert SECRET not in repr(site)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names nobody"),
        ("x = 1", "x in {} is no table"),
        ("[a]\nnodes = []", "[a] in {} needs a secret or a certificate, one of them"),
        (f'[a]\nsecret = "{SECRET}"\ncertificate = "/CN=a"', "one of them"),
        ('[a]\nsecret = "short"', "needs 16 to 200 characters of ASCII"),
        ('[a]\nsecret = "with spaces in between"', "needs 16 to 200 characters"),
        ("[a]\nsecret = 5", "needs 16 to 200 characters"),
        ('[a]\ncertificate = "CN=a"', "is no subject such as"),
        (f'[a]\nsecret = "{SECRET}"\nnode = ["a"]', "[a] in {} has node; there is certificate"),
        (f'[a]\nsecret = "{SECRET}"\nnodes = "a"', "nodes of [a] in {} is no list of names"),
        (f'[a]\nsecret = "{SECRET}"\nstatus = 1', "status of [a] in {} is neither"),
        (f'[a]\nsecret = "{SECRET}"\n[b]\nsecret = "{SECRET}"', "[a] and [b] in {} have the same"),
        (f'[a]\nsecret = "{SECRET}" x', "{} is no TOML: look at line 2"),
    ],
)
def test_what_is_wrong_is_told_without_a_secret(tmp_path: Path, text: str, told: str) -> None:
    name = written(tmp_path, text)
    with pytest.raises(ValueError, match=r".") as refused:
        read_report_tokens(name)
    assert told.format(name) in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    name = written(tmp_path, f'[a]\nsecret = "{SECRET}"', mode=0o640)
    with pytest.raises(ValueError, match="others may read or write"):
        read_report_tokens(name)
    with pytest.raises(ValueError, match="can't be read: No such file"):
        read_report_tokens(f"{name}.missing")


def test_settings_name_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[reports]\ntokens = "missing"\n')
    with pytest.raises(ConfigurationError, match=r"c\.toml:2: reports\.tokens: .* No such file"):
        load_settings(file, environ={}, options={})
    file.write_text('[reports]\nmodules = ["A"]\n')
    with pytest.raises(ConfigurationError, match="modules get no reports without tokens"):
        load_settings(file, environ={}, options={})


def environ(authorization: str = "", subject: Any = ()) -> dict[str, Any]:
    class Socket:
        def getpeercert(self) -> dict[str, Any]:
            return {"subject": subject}

    return {"HTTP_AUTHORIZATION": authorization, "gunicorn.socket": Socket()}


def test_who_asks_is_known_by_secret_or_certificate(tmp_path: Path) -> None:
    text = f'[site]\nsecret = "{SECRET}"\n[n]\ncertificate = "/C=DE/CN=n"\n'
    access = Access(read_report_tokens(written(tmp_path, text)))
    subject = ((("countryName", "DE"),), (("commonName", "n"),))

    def who(*given: Any) -> str:
        found = access.who(environ(*given))
        return found.name if found else ""

    assert who(f"Bearer {SECRET}") == "site"
    assert who(f"bearer  {SECRET} ") == "site"
    assert who("", subject) == "n"
    # A wrong secret is no secret, whatever certificate comes along.
    assert who("Bearer wrong", subject) == ""
    assert who(f"Basic {SECRET}") == ""
    assert who("Bearer " + "x" * 2000) == ""
    assert who("Bearer \u00e9") == ""
    assert who("", ((("commonName", "n"),),)) == ""
    assert who() == ""


@pytest.mark.parametrize(
    ("patterns", "name", "allowed"),
    [
        (["node*"], "node7", True),
        (["node?"], "node77", False),
        (["node7"], "Node7", False),
        ([], "node7", False),
        (["*"], "anything", True),
    ],
)
def test_patterns(patterns: list[str], name: str, allowed: bool) -> None:
    assert allows(patterns, name) is allowed
