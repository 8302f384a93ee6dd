"""Certificates, folders and other things of this machine that settings name."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aggregator.config import ConfigurationError, Settings, load_settings


def write_pair(folder: Path, name: str, *, password: bytes = b"") -> tuple[str, str]:
    """Write a self-signed certificate and its key; return the names of both files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime(2024, 1, 1)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1)
        .not_valid_before(today)
        .not_valid_after(today + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    form = serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    return str(cert_file), str(key_file)


def load(**server: str) -> Settings:
    options = {f"server.{key}": value for key, value in server.items()}
    return load_settings(None, environ={}, options=options)


def refusal(options: dict[str, object]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, environ={}, options=options)
    (problem,) = caught.value.problems
    return str(problem)


def test_a_pair_in_two_files_or_in_one_is_taken(tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path, "server")
    assert load(tls_cert=cert, tls_key=key, client_ca=cert).server.tls_key == key
    both = tmp_path / "both.pem"
    both.write_text(Path(cert).read_text() + Path(key).read_text())
    assert load(tls_cert=str(both)).server.tls_cert == str(both)


def test_a_pair_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    cert, _ = write_pair(tmp_path, "server")
    _, key = write_pair(tmp_path, "other")
    text = refusal({"server.tls_cert": cert, "server.tls_key": key})
    assert f"{cert} with key {key} is not a certificate with its unencrypted key" in text
    assert "MISMATCH" in text


def test_a_certificate_without_key_is_refused(tmp_path: Path) -> None:
    cert, _ = write_pair(tmp_path, "server")
    assert f"{cert}, alone, is not a certificate with its" in refusal({"server.tls_cert": cert})


def test_client_certificates_need_https(tmp_path: Path) -> None:
    cert, _ = write_pair(tmp_path, "server")
    assert "client_ca needs tls_cert, which is not set" in refusal({"server.client_ca": cert})


def test_an_encrypted_key_is_refused_without_a_prompt(tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path, "server", password=b"secret")
    text = refusal({"server.tls_cert": cert, "server.tls_key": key})
    assert "unencrypted key" in text


@pytest.mark.parametrize("name", ["server.client_ca", "collect.ca_file"])
def test_authorities_must_be_certificates(tmp_path: Path, name: str) -> None:
    cert, key = write_pair(tmp_path, "server")
    options: dict[str, object] = {"server.tls_cert": cert, "server.tls_key": key}
    assert "holds no certificates in PEM form" in refusal({**options, name: key})
    missing = str(tmp_path / "none.pem")
    named = "--client-ca" if name == "server.client_ca" else f"option {name}: {name}"
    wanted = f"{named}: {missing} can't be read: No such file or directory"
    assert refusal({**options, name: missing}) == wanted


def test_a_probe_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "probes"
    folder.mkdir(mode=0o755)
    options: dict[str, object] = {"probes.folder": str(folder)}
    assert load_settings(None, environ={}, options=options).probes.folder == str(folder)
    folder.chmod(0o777)
    assert f"others may write to {folder}" in refusal(options)
    folder.rmdir()
    assert f"{folder} can't be read: No such file or directory" in refusal(options)
    folder.write_text("")
    assert f"{folder} is not a folder" in refusal(options)


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("")
    assert f"{file} is not a folder" in refusal({"server.data_dir": str(file)})
