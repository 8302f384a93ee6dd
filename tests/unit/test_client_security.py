"""Certificates of the client: where they are looked for, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from aggregator.client.identity import subject, subjects_of_file
from aggregator.client.security import Credentials, find_credentials, tls_context
from aggregator.errors import ConfigError
from tests.unit.test_config_tls import write_pair


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    return write_pair(tmp_path, "alice")


def test_options_come_first_then_the_user_then_the_proxy(
    tmp_path: Path, pair: tuple[str, str]
) -> None:
    cert, key = pair
    other_cert, other_key = write_pair(tmp_path, "bob")
    proxy = tmp_path / "proxy"
    proxy.write_text(Path(cert).read_text() + Path(key).read_text())
    environ = {"X509_USER_PROXY": str(proxy)}
    assert find_credentials(environ=environ) == Credentials(str(proxy), str(proxy))
    environ |= {"X509_USER_CERT": other_cert, "X509_USER_KEY": other_key}
    assert find_credentials(environ=environ) == Credentials(other_cert, other_key)
    assert find_credentials(cert=cert, key=key, environ=environ) == Credentials(cert, key)
    assert find_credentials(cert=str(proxy), environ={}) == Credentials(str(proxy), str(proxy))
    assert find_credentials(environ={}) is None


def test_what_is_missing_is_named(tmp_path: Path, pair: tuple[str, str]) -> None:
    cert, key = pair
    for given, told in (
        ({"cert": "nowhere.pem"}, "--cert nowhere.pem can't be read: No such file"),
        ({"key": key}, "--key names a key, but --cert no certificate"),
        ({"cert": cert}, "holds no private key: name its file with --key"),
        ({"cert": key, "key": key}, f"--cert {key} holds no certificate"),
        ({"cert": cert, "key": cert}, f"--key {cert} holds no private key"),
    ):
        with pytest.raises(ConfigError, match=told):
            find_credentials(environ={}, **given)
    with pytest.raises(ConfigError, match="X509_USER_PROXY nowhere can't be read"):
        find_credentials(environ={"X509_USER_PROXY": "nowhere"})


def test_a_key_that_does_not_fit_is_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    _, other_key = write_pair(tmp_path, "bob")
    with pytest.raises(ConfigError, match=f"with key {other_key} can't be used"):
        tls_context(Credentials(pair[0], other_key), environ={})


def test_authorities_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"authorities in nowhere\.pem can't be read"):
        tls_context(None, ca="nowhere.pem", environ={})
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(ConfigError, match=r"empty\.pem can't be read"):
        tls_context(None, ca=str(empty), environ={})
    tls_context(None, ca=str(tmp_path), environ={})


def test_only_given_authorities_are_trusted(pair: tuple[str, str]) -> None:
    assert tls_context(None, ca=pair[0], environ={}).cert_store_stats()["x509"] == 1


def test_self_needs_a_certificate_of_ours() -> None:
    with pytest.raises(ConfigError, match=r"-z self .* but no client certificate: give --cert"):
        tls_context(None, authorization="self", environ={})


def test_subjects_are_read_from_der_and_pem(tmp_path: Path, pair: tuple[str, str]) -> None:
    text = Path(pair[0]).read_text()
    certificate = x509.load_pem_x509_certificate(text.encode())
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert subject(der) == certificate.subject.public_bytes()
    other = Path(write_pair(tmp_path, "bob" * 20)[0]).read_text()
    both = subjects_of_file(f"some words\n{text}\nmore\n{other}")
    assert certificate.subject.public_bytes() in both
    assert len(both) == 2


@pytest.mark.parametrize("der", [b"", b"0", b"\x30\x03abc", b"\x30\x82\xff\xffabc"])
def test_what_is_no_certificate_has_no_subject(der: bytes) -> None:
    with pytest.raises(ValueError, match="not a DER certificate"):
        subject(der)
