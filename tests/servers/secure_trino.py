"""
A real Trino that asks who one is: HTTPS, passwords, JWTs, client certificates and OAuth2 with a provider of our own.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.servers.certificates import (
    Authority,
    encoded,
    json_web_token,
    new_key,
    public_pem,
)
from tests.servers.trino import TrinoServer, free_port

PASSWORDS = {
    "ana": "correct-horse-battery",
    "bäa": "pässwort-für-bäa",
    "mallory": "unmapped-secret",
}
RULES = {
    # ana may act for bea; nobody else for anybody.
    "impersonation": [
        {"original_user": "ana", "new_user": "bea"},
        {"original_user": "test", "new_user": ".*"},
    ],
    "catalogs": [{"allow": "owner"}],
    "queries": [{"allow": ["execute", "kill", "view"]}],
    "system_information": [{"allow": ["read", "write"]}],
}


class SecureTrino:
    """
    The server, its authority, and a provider of logins.

    Attributes:
        url: What ``engine.url`` begins with, without a user: ``trino://{}127.0.0.1:port``.
    """

    def __init__(self, work: Path) -> None:
        self.authority = Authority(work / "certificates")
        self.token_key = new_key()
        self.provider = Provider()
        self.https_port = free_port()
        self._home = work / "server"
        self.server = TrinoServer(
            self._home,
            extra_config=self._config(),
            extra_files={
                "password-authenticator.properties": "password-authenticator.name=file\n"
                f"file.password-file={self._home}/etc/passwords\n",
                "passwords": "".join(map(_password_line, PASSWORDS.items())),
                "jwt.pem": public_pem(self.token_key),
                "rules.json": json.dumps(RULES),
                "access-control.properties": "access-control.name=file\n"
                f"security.config-file={self._home}/etc/rules.json\n",
                "users.json": json.dumps(
                    {"rules": [{"pattern": "mallory", "allow": False}, {"pattern": "(.*)"}]}
                ),
            },
        )

    def url(self, user: str = "", *, options: Mapping[str, str] | None = None) -> str:
        """
        An ``engine.url`` that trusts the authority, or one with other options.
        """
        chosen = {"verify": str(self.authority.path)} if options is None else options
        at = f"{user}@" if user else ""
        return f"trino://{at}127.0.0.1:{self.https_port}/tpch/tiny?{urlencode(chosen)}&http_scheme=https"

    def token(self, subject: str, *, key: Any = None, life_s: int = 600) -> str:
        """
        A JWT for *subject*, signed by the key that the server trusts, or by another.
        """
        claims = {"sub": subject, "exp": int(time.time()) + life_s}
        return json_web_token(key or self.token_key, claims)

    def start(self) -> SecureTrino:
        self.server.start()
        return self

    def stop(self) -> None:
        self.server.stop()
        self.provider.stop()

    def _config(self) -> str:
        provider = self.provider
        return (
            https_config(self.authority, self.https_port)
            + f"http-server.https.truststore.path={self.authority.path}\n"
            "http-server.authentication.type=CERTIFICATE,PASSWORD,JWT,OAUTH2\n"
            f"http-server.authentication.password.user-mapping.file={self._home}/etc/users.json\n"
            "http-server.authentication.certificate.user-mapping.pattern=CN=([^,]+).*\n"
            f"http-server.authentication.jwt.key-file={self._home}/etc/jwt.pem\n"
            "http-server.authentication.oauth2.oidc.discovery=false\n"
            f"http-server.authentication.oauth2.issuer={provider.url}\n"
            f"http-server.authentication.oauth2.auth-url={provider.url}/authorize\n"
            f"http-server.authentication.oauth2.token-url={provider.url}/token\n"
            f"http-server.authentication.oauth2.jwks-url={provider.url}/keys\n"
            "http-server.authentication.oauth2.scopes=profile\n"
            "http-server.authentication.oauth2.client-id=trino\n"
            "http-server.authentication.oauth2.client-secret=trino-secret\n"
        )


def https_config(authority: Authority, port: int) -> str:
    """
    What a Trino that asks who one is needs, whatever it asks for: HTTPS, with a certificate of *authority*.
    """
    certificate, key = authority.issue("server")
    keystore = authority.folder / "keystore.pem"
    keystore.write_text(key.read_text() + certificate.read_text())
    return (
        f"http-server.https.enabled=true\nhttp-server.https.port={port}\n"
        f"http-server.https.keystore.path={keystore}\n"
        # For the set-up of the tests alone, which goes by HTTP.
        "http-server.authentication.allow-insecure-over-http=true\n"
        "internal-communication.shared-secret=only-for-tests\n"
        "web-ui.authentication.type=fixed\nweb-ui.user=test\n"
    )


def _password_line(entry: tuple[str, str]) -> str:
    """
    A line of Trino's password file; PBKDF2 needs no library.
    """
    user, password = entry
    salt = os.urandom(16)
    made = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 32)
    return f"{user}:1000:{salt.hex()}:{made.hex()}\n"


class Provider:
    """
    The smallest provider of logins that Trino accepts: it logs everybody in as ``olga``.
    """

    def __init__(self) -> None:
        self.key = new_key()
        handler = type("Bound", (_ProviderRequest,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.refuses = False
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def tokens(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "olga",
            "aud": "trino",
            "client_id": "trino",
            "iat": now,
            "exp": now + 600,
        }
        return {
            "access_token": json_web_token(self.key, claims),
            "token_type": "bearer",
            "expires_in": 600,
        }

    def keys(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        modulus = encoded(numbers.n.to_bytes(256, "big")).decode()
        key = {"kty": "RSA", "kid": "test", "alg": "RS256", "use": "sig", "n": modulus, "e": "AQAB"}
        return {"keys": [key]}


class _ProviderRequest(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/keys":
            self._answer(self.provider.keys())
            return
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        answer = {"error": "access_denied"} if self.provider.refuses else {"code": "one"}
        self.send_response(302)
        back = urlencode({**answer, "state": asked["state"]})
        self.send_header("Location", f"{asked['redirect_uri']}?{back}")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(self.provider.tokens())

    def log_message(self, *_: Any) -> None:
        return None

    def _answer(self, data: dict[str, Any]) -> None:
        content = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
