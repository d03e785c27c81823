"""
An authority, certificates that it signs, and tokens, all made on the spot.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

LIFE = dt.timedelta(days=2)


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """
    The key as PEM, without a passphrase.
    """
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """
    The public half of the key as PEM.
    """
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@dataclass(frozen=True)
class Authority:
    """
    Who signs certificates, in a folder of PEM files.
    """

    folder: Path
    key: rsa.RSAPrivateKey = field(default_factory=new_key)

    @property
    def path(self) -> Path:
        """
        The authority's own certificate.
        """
        path = self.folder / "authority.pem"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            path.write_text(self._signed(self.key, "fusion test authority", is_authority=True))
        return path

    def issue(self, name: str) -> tuple[Path, Path]:
        """
        The files of a certificate for *name*, good for 127.0.0.1 too, and of its key.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        key = new_key()
        certificate, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_text(self._signed(key, name, is_authority=False))
        key_file.write_text(private_pem(key))
        return certificate, key_file

    def _signed(self, key: rsa.RSAPrivateKey, name: str, *, is_authority: bool) -> str:
        now = dt.datetime.now(dt.UTC)
        issuer = _name("fusion test authority")
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(issuer if is_authority else _name(name))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + LIFE)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        signed = builder.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def json_web_token(key: rsa.RSAPrivateKey, claims: dict[str, Any]) -> str:
    """
    A JWT with *claims*, signed with RS256.
    """
    head = {"alg": "RS256", "typ": "JWT", "kid": "test"}
    text = b".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return b".".join((text, encoded(signature))).decode()


def encoded(data: bytes) -> bytes:
    """
    Base64 as JWTs write it.
    """
    return base64.urlsafe_b64encode(data).rstrip(b"=")
