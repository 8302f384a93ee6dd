"""A certificate authority of the test's own, and certificates that it signs."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BEGIN = datetime.datetime(2024, 1, 1)
END = datetime.datetime(2120, 1, 1)


def _name(name: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organisation:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


@dataclass(frozen=True, slots=True)
class Pair:
    """Paths of a certificate and of its key."""

    cert: str
    key: str


class Authority:
    """Signs certificates; `file` is its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        built = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file = str(folder / f"{name}.pem")
        Path(self.file).write_bytes(_pem(built.sign(self._key, hashes.SHA256())))

    def issue(
        self,
        name: str,
        *,
        address: str = "",
        file: str = "",
        end: datetime.datetime = END,
        organisation: str = "",
    ) -> Pair:
        """A certificate for `name`, good for a server at an IP `address` where one is given."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name, organisation), key, end)
        if address:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        stem = self._folder / (file or name)
        cert, key_file = stem.with_suffix(".crt"), stem.with_suffix(".key")
        cert.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Pair(str(cert), str(key_file))

    def server_context(self, pair: Pair, *, clients: bool = False) -> ssl.SSLContext:
        """The TLS of a server; with `clients` it demands a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        if clients:
            context.load_verify_locations(self.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        end: datetime.datetime = END,
    ) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            self._name,
            subject,
            key.public_key(),
            x509.random_serial_number(),
            BEGIN,
            end,
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
