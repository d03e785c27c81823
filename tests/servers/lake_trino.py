"""
A real Trino with a bucket: it puts rows aside there (spooling protocol) and reads Parquet from there and from a folder
(Hive).
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.servers.trino import START_TIMEOUT_S, TrinoServer, free_port

BUCKET = "lake"
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_HIVE = (
    "connector.name=hive\nhive.metastore=file\nhive.non-managed-table-writes-enabled=true\n"
    "hive.non-managed-table-creates-enabled=true\n"
)
_FILES = f"{_HIVE}hive.recursive-directories=true\nhive.timestamp-precision=MICROSECONDS\n"


class Bucket:
    """
    An S3 server on loopback, in a process of its own so that it takes no time from who is measured.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Bucket:
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("moto_server")), "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                request = urllib.request.Request(f"{self.url}/{BUCKET}", method="PUT")
                with urllib.request.urlopen(request, timeout=5):
                    return self
            except OSError:
                time.sleep(0.2)
        raise RuntimeError("The S3 server did not start.")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class LakeTrino:
    """
    The server and its bucket.

    Args:
        work: An empty directory. ``work/results`` is the folder that Trino's catalog ``folder`` reads.
    """

    def __init__(self, work: Path) -> None:
        self.bucket = Bucket()
        self.results = work / "results"
        self.results.mkdir(parents=True)
        (work / "metastore").mkdir()
        (work / "metastore-files").mkdir()
        s3 = (
            f"fs.native-s3.enabled=true\ns3.endpoint={self.bucket.url}\ns3.region=us-east-1\n"
            "s3.path-style-access=true\ns3.aws-access-key=test\ns3.aws-secret-key=test\n"
        )
        secret = base64.b64encode(os.urandom(32)).decode()
        self.server = TrinoServer(
            work / "server",
            # Small segments, so that a result of some megabytes has several.
            extra_config="protocol.spooling.enabled=true\n"
            "protocol.spooling.initial-segment-size=1MB\nprotocol.spooling.max-segment-size=2MB\n"
            f"protocol.spooling.shared-secret-key={secret}\n",
            extra_files={
                "spooling-manager.properties": "spooling-manager.name=filesystem\nfs.s3.enabled=true\n"
                f"fs.location=s3://{BUCKET}/spooled/\n"
                # Encryption by a key of the client's is for HTTPS alone.
                "fs.segment.encryption=false\n" + s3.replace("fs.native-s3.enabled=true\n", "")
            },
            extra_catalogs={
                "folder": f"{_HIVE}fs.native-local.enabled=true\nlocal.location={work}\n"
                "hive.metastore.catalog.dir=local:///metastore\n",
                "bucket": f"{_HIVE}{s3}hive.metastore.catalog.dir=s3://{BUCKET}/metastore\n",
                "files": f"{_FILES}fs.native-local.enabled=true\n"
                f"local.location={work}\nhive.metastore.catalog.dir=local:///metastore-files\n",
                "bucket_files": f"{_FILES}{s3}"
                f"hive.metastore.catalog.dir=s3://{BUCKET}/metastore-files\n",
                "guarded": f"{_HIVE}fs.native-local.enabled=true\nlocal.location={work}\n"
                "hive.metastore.catalog.dir=local:///metastore\nhive.security=sql-standard\n",
            },
        )

    @property
    def url(self) -> str:
        return self.server.url

    def start(self) -> LakeTrino:
        self.bucket.start()
        self.server.start()
        return self

    def stop(self) -> None:
        self.server.stop()
        self.bucket.stop()
