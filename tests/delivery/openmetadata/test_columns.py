"""
Trino's types in OpenMetadata's words, and columns by its spelling.
"""

from __future__ import annotations

from typing import Any

import pytest

from fusion_magic.delivery.openmetadata.columns import (
    column_messages,
    known_columns,
    real_name,
    stored_name,
)
from fusion_magic.metadata import Column
from fusion_magic.openmetadata.messages import TableColumn

STRUCT = {"dataType": "STRUCT"}
A = {"name": "a", "dataType": "BIGINT", "dataTypeDisplay": "bigint"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("boolean", {"dataType": "BOOLEAN"}),
        ("integer", {"dataType": "INT"}),
        ("real", {"dataType": "FLOAT"}),
        ("decimal(15, 2)", {"dataType": "DECIMAL", "precision": 15, "scale": 2}),
        ("varchar(25)", {"dataType": "VARCHAR", "dataLength": 25}),
        ("varchar", {"dataType": "STRING"}),
        ("char(3)", {"dataType": "CHAR", "dataLength": 3}),
        ("varbinary", {"dataType": "BYTES"}),
        ("timestamp(3)", {"dataType": "TIMESTAMP"}),
        ("timestamp(6) with time zone", {"dataType": "TIMESTAMPZ"}),
        ("TIME(3) WITH TIME ZONE", {"dataType": "TIME"}),
        ("interval day to second", {"dataType": "INTERVAL"}),
        ("map(varchar, array(bigint))", {"dataType": "MAP"}),
        ("array(varchar(3))", {"dataType": "ARRAY", "arrayDataType": "VARCHAR"}),
        ("row(a bigint)", {**STRUCT, "children": [A]}),
        (
            "array(row(a bigint))",
            {"dataType": "ARRAY", "arrayDataType": "STRUCT", "children": [A]},
        ),
        ("qdigest(bigint)", {"dataType": "UNKNOWN"}),
        ("what is this?", {"dataType": "UNKNOWN"}),
    ],
)
def test_a_type_becomes_openmetadatas_and_keeps_its_text(text: str, wanted: dict[str, Any]) -> None:
    [column] = column_messages([Column("c", text)])

    assert column == {"name": "c", **wanted, "dataTypeDisplay": text}


def test_a_column_whose_type_nobody_knows_is_there_all_the_same() -> None:
    assert column_messages([Column("c")]) == [{"name": "c", "dataType": "UNKNOWN"}]


def test_the_fields_of_rows_have_their_names() -> None:
    [column] = column_messages(
        [Column("c", 'row("a ""b, c" timestamp(3) with time zone, d row(e date), bigint, time(3))')]
    )

    fields = column["children"]
    assert [field["name"] for field in fields] == [
        "a __reserved__quote__b, c",
        "d",
        "field2",
        "field3",
    ]
    assert [f["dataType"] for f in fields] == ["TIMESTAMPZ", "STRUCT", "BIGINT", "TIME"]
    assert fields[1]["children"][0]["dataTypeDisplay"] == "date"


def test_names_that_openmetadata_refuses_come_back_as_they_were() -> None:
    name = 'a::b > "c"\n'

    assert real_name(stored_name(name)) == name
    assert not set(':>"\n') & set(stored_name(name))


def test_a_column_is_found_by_its_name_in_any_case() -> None:
    fields = [TableColumn(name="B.c", data_type="INT", fully_qualified_name='s.t.Id."B.c"')]
    known = known_columns(
        "s.t",
        [
            TableColumn(name="Id", children=fields, fully_qualified_name="s.t.Id"),
            TableColumn(name="x.y"),
            TableColumn(name="q__reserved__quote__"),
        ],
    )

    assert known.find("ID") == "s.t.Id"
    assert known.find("X.Y") == 's.t."x.y"'
    assert known.find('Q"') == "s.t.q__reserved__quote__"
    assert known.find("id.b.c") == 's.t.Id."B.c"'
    assert known.find("gone") is None
    assert 's.t.Id."B.c"' in known.fqns


def test_two_columns_that_differ_in_case_are_told_apart_or_neither_is_meant() -> None:
    known = known_columns("t", [TableColumn(name="Id"), TableColumn(name="id")])

    assert (known.find("id"), known.find("Id"), known.find("ID")) == ("t.id", "t.Id", None)


def test_a_column_goes_before_a_field_of_the_same_name() -> None:
    columns = [
        TableColumn(name="a", children=[TableColumn(name="b")], fully_qualified_name="t.a"),
        TableColumn(name="a.b"),
    ]

    assert known_columns("t", columns).find("a.b") == 't."a.b"'
