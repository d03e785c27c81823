"""
Kerberos against a real key distribution center and a real Trino: ``make kerberos``.

It is not among the tests of ``make test``, since requests-kerberos is compiled against the system's Kerberos libraries.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.errors import EngineUnavailable
from tests.servers.certificates import Authority
from tests.servers.kdc import SERVICE, Kdc
from tests.servers.secure_trino import https_config
from tests.servers.trino import TrinoServer, free_port


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    made = Kdc(Path(tmp_path_factory.mktemp("kdc"))).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def url(kdc: Kdc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    work = Path(tmp_path_factory.mktemp("trino"))
    authority, port = Authority(work / "certificates"), free_port()
    server = TrinoServer(
        work / "server",
        extra_config=https_config(authority, port) + "http-server.authentication.type=KERBEROS\n"
        f"http-server.authentication.krb5.service-name={SERVICE}\n"
        f"http-server.authentication.krb5.keytab={kdc.keytab}\n"
        "http-server.authentication.krb5.principal-hostname=localhost\n"
        "http-server.authentication.krb5.user-mapping.pattern=([^@]+)@.*\n"
        f"http.authentication.krb5.config={kdc.config}\n",
    ).start()
    options = {"verify": str(authority.path), "kerberos_config": str(kdc.config)}
    yield f"trino://localhost:{port}/tpch/tiny?{urlencode(options)}"
    server.stop()


def opened(url: str, folder: Path) -> Fusion:
    return connect(
        engine_url=url, engine_auth="kerberos", data_dir=str(folder), worker_start="never"
    )


@pytest.mark.parametrize("options", ["", "&kerberos_service=trino&kerberos_principal=ana"])
def test_a_ticket_lets_in_whom_it_names(
    kdc: Kdc, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    monkeypatch.setenv("KRB5CCNAME", str(kdc.ticket()))

    with opened(url + options, tmp_path) as fusion:
        assert fusion.run("SELECT current_user").rows() == [("ana",)]
        assert fusion.run("SELECT * FROM lineitem").row_count == 60_175
        for number in range(20):
            assert fusion.run(f"SELECT {number}").rows() == [(number,)]


@pytest.mark.parametrize("options", ["", "&kerberos_service=other", "&kerberos_principal=bea"])
def test_what_is_missing_is_told(
    kdc: Kdc, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    cache = kdc.ticket() if options else tmp_path / "none"
    monkeypatch.setenv("KRB5CCNAME", str(cache))

    with (
        opened(url + options, tmp_path) as fusion,
        pytest.raises(EngineUnavailable, match="no Kerberos ticket") as caught,
    ):
        fusion.run("SELECT 1")
    assert "kinit" in (caught.value.hint or "")
