"""
What a profiler found in tables and columns.
"""

from __future__ import annotations

import time

from tests.contracts.openmetadata.client import Place


def test_the_newest_figures_come_with_the_table_and_its_columns(place: Place) -> None:
    table = place.table()
    name = table["columns"][0]["name"]
    now = int(time.time() * 1000)
    body = {
        "tableProfile": {"timestamp": now, "rowCount": 123, "sizeInByte": 4567},
        "columnProfile": [
            {"name": name, "timestamp": now, "nullCount": 1, "distinctCount": 9, "min": 1, "max": 8}
        ],
    }

    assert place.put(f"tables/{table['id']}/tableProfile", body).status == 200
    found = place.read(f"tables/{table['fullyQualifiedName']}/tableProfile/latest")

    assert (found["profile"]["rowCount"], found["profile"]["sizeInByte"]) == (123, 4567)
    profile = found["columns"][0]["profile"]
    assert (profile["nullCount"], profile["distinctCount"], profile["min"], profile["max"]) == (
        1,
        9,
        1,
        8,
    )


def test_a_table_that_was_never_profiled_has_no_figures(place: Place) -> None:
    table = place.table()

    found = place.read(f"tables/{table['fullyQualifiedName']}/tableProfile/latest")

    assert "profile" not in found
    assert "profile" not in found["columns"][0]
