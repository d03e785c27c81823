"""
The ``fusion`` command: what it prints, what it exits with.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fusion_magic.cli import DONE, UNAVAILABLE, UNREAD, WRONG, main

CATALOG = """version: 1
models:
  shop.db.public.orders:
    source: orders.csv
    description: One row per order.
    columns:
      - {name: id, type: bigint}
      - {name: note, type: varchar, description: What the customer said.}
"""
COUNT = "SELECT count(*) AS n FROM shop.db.public.orders"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "orders.csv").write_text("id,note\n1,first\n2,\n3,last\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == DONE
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def data(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(output(capsys, *arguments, "--json"))


def test_a_query_prints_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "run", COUNT) == "n\n-\n3\n1 row\n"


def test_each_statement_of_a_script_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    printed = output(capsys, "run", "--json", "SELECT 1 AS a, 2 AS a; SELECT 'x'")

    first, second = (json.loads(line) for line in printed.splitlines())
    assert (first["columns"], first["rows"]) == (["a", "a"], [[1, 2]])
    assert second["rows"] == [["x"]]


def test_what_json_lacks_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """
    ``NaN`` is no JSON: other programs refuse the whole answer.
    """
    shown = data(
        capsys,
        "run",
        "SELECT CAST('NaN' AS double), X'00ff', ARRAY[1e0, CAST('Infinity' AS double)], CAST('1.10' AS decimal(5,2))",
    )

    assert shown["rows"] == [["nan", "00ff", [1.0, "inf"], "1.10"]]


def test_parameters_and_references_are_given_as_in_a_cell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sql = "SELECT id FROM o WHERE id >= :least AND note = :note"
    given = ("-p", "least=2", "--param", "note=last", "--ref", "o=shop.db.public.orders")

    assert data(capsys, "run", sql, *given)["rows"] == [[3]]
    assert "id >= 2 AND note = 'last'" in output(capsys, "translate", sql, *given)


def test_the_sql_can_come_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 41 + 1 AS answer"))

    assert "42" in output(capsys, "run", "-")


def test_a_translation_is_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    shown = data(capsys, "translate", "SELECT * FROM shop.db.public.orders LIMIT 2 -- two")

    assert shown["converted_query"] == "SELECT * FROM shop.public.orders LIMIT 2 -- two"
    assert (shown["limit"], shown["offset"]) == (2, None)
    assert shown["models"][0]["fully_qualified_name"] == "shop.db.public.orders"
    assert data(capsys, "jobs") == []


def test_a_job_is_listed_with_its_names_and_its_lineage(capsys: pytest.CaptureFixture[str]) -> None:
    made = data(capsys, "run", f"CREATE TABLE shop.db.public.counted AS {COUNT}")

    assert [job["status"] for job in data(capsys, "jobs", "--status", "FINISHED")] == ["FINISHED"]
    job = data(capsys, "job", made["job"][:8])
    assert "shop.db.public.orders" in {model["fully_qualified_name"] for model in job["models"]}
    assert ("LINEAGE", "shop.db.public.orders") in {
        (row["command"], row["from_fqn"]) for row in job["queue"]
    }
    assert "queued: LINEAGE shop.db.public.orders → shop.db.public.counted" in output(
        capsys, "job", made["job"]
    )
    assert data(capsys, "lineage", "shop.db.public.counted")["upstream"] == [
        "shop.db.public.orders"
    ]


def test_lists_say_how_much_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "jobs") == "0 jobs\n"
    assert output(capsys, "lineage", "shop.db.public.orders") == "0 edges\n"
    assert output(capsys, "search", "order").endswith("1 name\n")
    assert "What the customer said." in output(capsys, "describe", "shop.db.public.orders")


def test_parts_are_checked_and_the_store_migrated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "up to date" in output(capsys, "migrate")
    assert data(capsys, "migrate") == {"migrated": True}
    assert {part["state"] for part in data(capsys, "doctor")} == {"ok"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "SELECT * FROM shop.db.public.oders"), WRONG, "shop.db.public.orders?"),
        (("run", "SELECT 1 / 0"), WRONG, "QueryFailed: Division by zero"),
        (("run", "SELECT 1", "--profile", "none"), WRONG, "InvalidSettings: There is no profile"),
        (("job", "nope"), WRONG, "UnknownJob: There is no job nope."),
        (("jobs", "--status", "LOST"), WRONG, "InvalidArgument: LOST is no status"),
    ],
)
def test_a_mistake_is_one_short_text(
    arguments: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code

    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_an_engine_that_does_not_answer_has_its_own_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A script that waits for its engine must tell "not yet" from "wrong".
    """
    monkeypatch.setenv("FUSION_ENGINE_URL", "trino://nobody@127.0.0.1:1/")

    assert main(["run", "SELECT 1"]) == UNAVAILABLE
    assert "127.0.0.1:1" in capsys.readouterr().err
    assert main(["doctor"]) == UNAVAILABLE


def test_a_store_that_cannot_be_opened_has_it_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("FUSION_STORE_URL", f"sqlite:///{folder / 'catalog.yaml'}")

    assert main(["jobs"]) == UNAVAILABLE
    assert capsys.readouterr().err.startswith("Store")


@pytest.mark.parametrize("line", ["", "bogus", "run", "run x --param a", "run x --ref =b"])
def test_a_wrong_command_line_exits_with_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line.split())

    assert caught.value.code == 2
    assert "usage: fusion" in capsys.readouterr().err


def test_a_reader_who_leaves_ends_it_quietly() -> None:
    """
    ``fusion run … | head`` must not end in a traceback.
    """
    reading, writing = os.pipe()
    os.close(reading)
    sql = "SELECT rpad('x', 1000, 'x') FROM UNNEST(sequence(1, 1000)) AS t(n)"
    done = subprocess.run(
        [sys.executable, "-m", "fusion_magic.cli", "run", "--json", sql],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (UNREAD, "")
