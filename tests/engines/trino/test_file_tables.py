"""
Files by their names in OpenMetadata, on real Trino: in a folder and in a bucket, each use for itself, none left behind.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fusion_magic import Fusion, connect
from fusion_magic.errors import InvalidSettings, QueryFailed, UnsupportedSql
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.lake_trino import BUCKET, KEYS, LakeTrino
from tests.servers.trino import run_query

pytestmark = pytest.mark.trino
CLICKS = "s3_prod.raw.clicks"
READS = f"SELECT * FROM {CLICKS} ORDER BY 1"
COLUMNS = {"id": "INT", "name": "STRING", "at": "DATETIME"}
Write = Callable[..., str]


@pytest.fixture(params=["folder", "bucket"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(lake: LakeTrino, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """
    Where files are written: as OpenMetadata would call the place.
    """
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": lake.bucket.url}.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    if kind == "bucket":
        return f"s3://{BUCKET}/{tmp_path.name}"
    return str(lake.results / tmp_path.name)


@pytest.fixture
def write(root: str) -> Write:
    def written(name: str, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        with fsspec.open(f"{root}/{name}", "wb", auto_mkdir=True) as file:
            file.write(data)
        return f"{root}/{name}"

    return written


@pytest.fixture
def schema(lake: LakeTrino, kind: str, tmp_path: Path) -> Iterator[str]:
    catalog = {"folder": "files", "bucket": "bucket_files"}[kind]
    yield from made_schema(lake, catalog, tmp_path)


def made_schema(lake: LakeTrino, catalog: str, tmp_path: Path) -> Iterator[str]:
    name = f"{catalog}.f{abs(hash(tmp_path)):x}"
    run_query(lake.url, f"CREATE SCHEMA {name}")
    yield name
    assert run_query(lake.url, f"SHOW TABLES FROM {name}") == []
    run_query(lake.url, f"DROP SCHEMA {name}")


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        yield started


@pytest.fixture
def fusion(
    lake: LakeTrino, server: OpenMetadataServer, schema: str, tmp_path: Path
) -> Iterator[Fusion]:
    with opened(lake, server, schema, tmp_path) as made:
        yield made


def opened(
    lake: LakeTrino, server: OpenMetadataServer, schema: str, folder: Path, **settings: Any
) -> Fusion:
    given = {
        "engine_url": lake.url.replace("http://", "trino://ana@"),
        "metadata_url": server.url,
        "metadata_token": server.token,
        "data_dir": str(folder),
        "files_trino_schema": schema,
        "files_trino_places": {str(lake.results): "local:///results"},
    }
    return connect(**(given | settings))


def add(
    server: OpenMetadataServer,
    place: str,
    *formats: str,
    columns: Any = COLUMNS,
    fqn: str = CLICKS,
) -> None:
    server.add_container(fqn, columns, fullPath=place, fileFormats=list(formats))


def at(hour: int) -> dt.datetime:
    return dt.datetime(2026, 1, 2, hour, 0, 0, 250)


def test_delimited_text_is_read_with_the_types_that_are_declared(
    server: OpenMetadataServer, fusion: Fusion, write: Write, root: str
) -> None:
    write("csv/a.csv", 'id,name,at\n1,"a, ""b"" \\n",2026-01-02 03:00:00.000250\n2,,\n')
    write("csv/b.csv", "\ufeffid,name,at\r\n3000000000,x\\y,2026-01-02T04:00:00.000250\r\n\r\n")
    write("csv/deep/er/c.csv.gz", gzip.compress(b'"id","name","at"\n4,"",\n'))
    add(server, f"{root}/csv/", "csv", "gz")

    result = fusion.run(READS)

    assert result.rows() == [
        (1, 'a, "b" \\n', at(3)),
        (2, None, None),
        (4, None, None),
        (3000000000, "x\\y", at(4)),
    ]
    assert [str(field.type) for field in result.arrow().schema] == [
        "int64",
        "string",
        "timestamp[us]",
    ]
    assert [m.fully_qualified_name for m in fusion.job(result.job_id).models()] == [CLICKS]


def test_one_file_among_several_is_one(
    server: OpenMetadataServer, fusion: Fusion, write: Write
) -> None:
    write("csv/b.csv", "id,name,at\n2,b,\n")
    add(server, write("csv/a.csv", "id,name,at\n1,a,\n"), "csv")

    assert fusion.run(READS).rows() == [(1, "a", None)]


@pytest.mark.parametrize(
    ("separator", "formats"), [(";", ["csv"]), ("\t", ["csv"]), ("|", ["csv"]), ("\t", ["tsv"])]
)
def test_the_separator_is_found(
    server: OpenMetadataServer, fusion: Fusion, write: Write, separator: str, formats: list[str]
) -> None:
    lines = ["id,name,at", "1,x.y,", '2,"a,b",']
    text = "\n".join(line.replace(",", separator) for line in lines)
    add(server, write("one/a.csv", f"{text}\n"), *formats)

    assert fusion.run(READS).rows() == [(1, "x.y", None), (2, f"a{separator}b", None)]


def test_json_is_read_a_line_an_object(
    server: OpenMetadataServer, fusion: Fusion, write: Write, root: str
) -> None:
    lines = '{"id": 3000000000, "name": "ü", "at": "2026-01-02 03:00:00.000250"}\n{"id": 1}\n'
    write("json/a.json", lines)
    add(server, f"{root}/json", "json")

    assert fusion.run(READS).rows() == [(1, None, None), (3000000000, "ü", at(3))]


def parquet() -> bytes:
    columns = {
        "id": pa.array([1, 3000000000], pa.int64()),
        "name": pa.array(["a", None]),
        "at": pa.array([at(3), None], pa.timestamp("us")),
        "f": pa.array([0.1, 2.5], pa.float64()),
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize("name", ["parquet/a.parquet", "spark.parquet/part-0000.snappy.parquet"])
def test_parquet_is_read_from_a_file_and_from_a_folder_that_is_called_like_one(
    server: OpenMetadataServer, fusion: Fusion, write: Write, root: str, name: str
) -> None:
    place = write(name, parquet())
    meant = f"{root}/spark.parquet" if name.startswith("spark") else place
    add(server, meant, "parquet", columns=COLUMNS | {"f": "FLOAT"})

    assert fusion.run(READS).rows() == [(1, "a", at(3), 0.1), (3000000000, None, None, 2.5)]


def test_files_are_joined_with_themselves_and_read_in_the_background(
    server: OpenMetadataServer, fusion: Fusion, write: Write
) -> None:
    add(server, write("csv/a.csv", "id,name,at\n1,a,\n2,b,\n"), "csv")
    sql = f"SELECT count(*) AS n FROM {CLICKS} a JOIN {CLICKS} b ON b.id <= a.id"

    assert fusion.submit(sql, name="counted").result(timeout=120).rows() == [(3,)]
    assert fusion.run(sql, limit=5).rows() == [(3,)]
    assert "$path" in fusion.explain(sql).text


def test_names_are_no_way_out_of_a_statement(
    server: OpenMetadataServer, fusion: Fusion, write: Write
) -> None:
    place = write("it's; DROP TABLE t/a b.csv", 'it\'s,"a""b",select\n1,2,3\n')
    fqn = 's3_prod."it\'s; DROP"."x.y"'
    columns = [{"name": name, "dataType": "STRING"} for name in ("it's", 'a"b', "select")]
    add(server, place, "csv", columns=columns, fqn=fqn)

    assert fusion.run(f"SELECT * FROM {fqn}").rows() == [("1", "2", "3")]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("id,name,at\n1,a\n", "does not have its 3 fields"),
        ("id,name,at\n1,a,,\n", "does not have its 3 fields"),
        ('id,name,at\n1,"a\nb",\n', "its quotes go on"),
        ('id,name,at\n1,a"b,\n', "its quotes go on"),
        ("id,name,at\nx,a,\n", "Cannot cast 'x' to BIGINT"),
    ],
)
def test_a_line_that_is_not_as_declared_fails_the_query(
    server: OpenMetadataServer, fusion: Fusion, write: Write, content: str, part: str
) -> None:
    """
    Even where its fields are not asked for: a row is never half of one.
    """
    add(server, write("csv/a.csv", content), "csv")

    with pytest.raises(QueryFailed) as caught:
        fusion.run(READS)
    assert part in caught.value.message
    if "Cannot cast" not in part:
        with pytest.raises(QueryFailed, match=part):
            fusion.run(f"SELECT count(*) FROM {CLICKS}")


@pytest.mark.parametrize("content", ["id,at,name\n1,,a\n", "1,a,\n2,b,\n", "id:name:at\n1:2:3\n"])
def test_files_whose_columns_are_not_those_of_openmetadata_are_refused(
    server: OpenMetadataServer, fusion: Fusion, write: Write, content: str
) -> None:
    add(server, write("csv/a.csv", content), "csv")

    with pytest.raises(UnsupportedSql, match="no line that names its columns id, name, at"):
        fusion.run(READS)


def test_a_place_without_rows_is_told(
    server: OpenMetadataServer, fusion: Fusion, root: str
) -> None:
    """
    Hive would give an empty table for a mistake in a place.
    """
    add(server, f"{root}/nothing", "csv")

    with pytest.raises(UnsupportedSql) as caught:
        fusion.run(READS)
    assert "Trino finds no rows" in caught.value.message
    assert "files.trino_places" in (caught.value.hint or "")


@pytest.mark.parametrize("place", ["abfss://x@y.dfs.core.windows.net/z", "s3://no-such-bucket/x"])
def test_a_place_that_trino_does_not_reach_is_told(
    server: OpenMetadataServer, fusion: Fusion, place: str
) -> None:
    add(server, place, "parquet")

    with pytest.raises(QueryFailed) as caught:
        fusion.run(READS)
    assert f"Trino cannot read {CLICKS} at {place}" in caught.value.message
    assert "fs.native-s3.enabled" in (caught.value.hint or "")


@pytest.mark.parametrize("catalog", ["folder"])
@pytest.mark.parametrize("kind", ["folder"], indirect=True)
def test_a_catalog_that_leaves_out_folders_reads_single_files_alone(
    lake: LakeTrino,
    server: OpenMetadataServer,
    write: Write,
    root: str,
    tmp_path: Path,
    catalog: str,
) -> None:
    """
    Else the rows in folders below would be missing, and nobody would know.
    """
    write("csv/deep/b.csv", "id,name,at\n2,b,\n")
    file = write("csv/a.csv", "id,name,at\n1,a,\n")
    for schema in made_schema(lake, catalog, tmp_path):
        with opened(lake, server, schema, tmp_path) as fusion:
            add(server, f"{root}/csv", "csv")
            with pytest.raises(UnsupportedSql) as caught:
                fusion.run(READS)
            assert "hive.recursive-directories=true" in (caught.value.hint or "")
            add(server, file, "csv", fqn="s3_prod.raw.one")
            assert fusion.run("SELECT id FROM s3_prod.raw.one").rows() == [(1,)]


@pytest.mark.parametrize("kind", ["folder"], indirect=True)
def test_times_that_would_be_cut_off_are_refused(
    lake: LakeTrino,
    server: OpenMetadataServer,
    write: Write,
    tmp_path: Path,
) -> None:
    """
    Trino forgets the session's precision below a view.
    """
    add(server, write("parquet/a.parquet", parquet()), "parquet")
    add(
        server,
        write("csv/a.csv", "id,name,at\n1,a,2026-01-02 03:00:00.000250\n"),
        "csv",
        fqn="s3_prod.raw.text",
    )
    for schema in made_schema(lake, "folder", tmp_path):
        with opened(lake, server, schema, tmp_path) as fusion:
            with pytest.raises(UnsupportedSql) as caught:
                fusion.run(READS)
            assert "hive.timestamp-precision=MICROSECONDS" in (caught.value.hint or "")
            assert fusion.run("SELECT at FROM s3_prod.raw.text").rows() == [(at(3),)]


@pytest.mark.parametrize("kind", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("facts", "part"),
    [
        ({"fileFormats": ["zip"]}, "not made to read"),
        ({"fileFormats": ["csv", "json"]}, "csv, json"),
        ({"fileFormats": []}, "does not tell"),
        ({"fileFormats": ["csv", "zip"]}, "csv, zip"),
        ({"fullPath": "/elsewhere/x"}, "/elsewhere/x"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_sent(
    server: OpenMetadataServer, fusion: Fusion, root: str, facts: dict[str, Any], part: str
) -> None:
    told: dict[str, Any] = {"fullPath": f"{root}/x", "fileFormats": ["csv"]}
    server.add_container(CLICKS, COLUMNS, **(told | facts))

    with pytest.raises(UnsupportedSql) as caught:
        fusion.run(READS)
    assert part in caught.value.message
    assert caught.value.span is not None


@pytest.mark.parametrize("kind", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("columns", "part"),
    [
        (None, "lists no columns"),
        ([{"name": "x", "dataType": "ARRAY", "arrayDataType": "INT"}], "array(integer)"),
        ([{"name": "x", "dataType": "GEOGRAPHY"}], "not known"),
    ],
)
def test_columns_that_text_cannot_hold_are_refused_by_name(
    server: OpenMetadataServer, fusion: Fusion, root: str, columns: Any, part: str
) -> None:
    add(server, f"{root}/x", "csv", columns=columns)

    with pytest.raises(UnsupportedSql) as caught:
        fusion.run(READS)
    assert part in caught.value.message


@pytest.mark.parametrize("kind", ["folder"], indirect=True)
def test_without_a_schema_a_container_is_where_its_catalog_is(
    lake: LakeTrino, server: OpenMetadataServer, root: str, tmp_path: Path
) -> None:
    add(server, f"{root}/x", "csv")
    with opened(lake, server, "", tmp_path) as fusion, pytest.raises(QueryFailed) as caught:
        fusion.run(READS)

    assert caught.value.error_name == "CATALOG_NOT_FOUND"
    assert "files.trino_schema" in (caught.value.hint or "")


def test_a_schema_is_a_catalog_and_a_schema(
    lake: LakeTrino, server: OpenMetadataServer, tmp_path: Path
) -> None:
    with (
        opened(lake, server, "files", tmp_path) as fusion,
        pytest.raises(InvalidSettings) as caught,
    ):
        fusion.catalogs()

    assert "files.trino_schema is 'files'" in caught.value.message


def test_a_view_of_files_is_refused(
    server: OpenMetadataServer, fusion: Fusion, write: Write, root: str
) -> None:
    """
    What it would read is gone when the statement has ended.
    """
    write("csv/a.csv", "id,name,at\n1,a,2026-01-02 03:00:00.000250\n")
    add(server, f"{root}/csv/", "csv")

    with pytest.raises(UnsupportedSql, match=r"A view cannot read s3_prod\.raw\.clicks"):
        fusion.run(READS, view="memory.default.clicks")
