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

from fusion_magic.cli import DONE, MISUSED, UNAVAILABLE, UNREAD, WRONG, main
from fusion_magic.jobs.result_cache import NOTICE

COUNT = "SELECT count(*) AS n FROM shop.db.public.orders"


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


def test_a_catalog_file_has_no_events_to_listen_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scheduler", "--events", "127.0.0.1:0"]) == WRONG

    assert "metadata.url names no server that tells of changes" in capsys.readouterr().err


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
    assert "LINEAGE shop.db.public.orders → shop.db.public.counted" in output(
        capsys, "job", made["job"]
    )
    assert data(capsys, "lineage", "shop.db.public.counted")["upstream"] == [
        "shop.db.public.orders"
    ]


def test_lists_say_how_much_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "jobs") == "0 jobs\n"
    assert output(capsys, "lineage", "shop.db.public.orders").endswith("0 edges\n")
    assert output(capsys, "search", "order").endswith("1 name\n")
    assert "What the customer said." in output(capsys, "describe", "shop.db.public.orders")


def test_parts_are_checked_and_the_store_migrated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "up to date" in output(capsys, "migrate")
    assert data(capsys, "migrate") == {"migrated": True}
    assert {part["state"] for part in data(capsys, "doctor")} == {"ok", "not used"}


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


@pytest.mark.parametrize(
    "line",
    [
        "",
        "bogus",
        "run",
        "run x --param a",
        "run x --ref =b",
        "run x -n many",
        "run x --into t --append --replace",
        "run x -f catalog.yaml",
        "run -f nowhere.sql",
        "queue mend",
        "jobs clean",
    ],
)
def test_a_wrong_command_line_exits_with_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == MISUSED
    printed = capsys.readouterr()
    assert "Usage: fusion" in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("jbos", "'jobs'"),
        ("jobs --statsu X", "--status"),
        ("run x --jsn", "--json"),
        ("jobs claen", "'clean'"),
    ],
)
def test_what_is_misspelt_is_answered_with_what_was_meant(
    line: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == MISUSED
    assert meant in capsys.readouterr().err


def test_the_sql_can_come_from_a_file(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "count.sql").write_bytes(b"\xef\xbb\xbf" + COUNT.encode())

    assert data(capsys, "run", "-f", "count.sql")["rows"] == [[3]]
    assert "shop.public.orders" in output(capsys, "translate", "--file", "count.sql")


def test_text_that_is_not_utf_8_is_a_mistake_and_no_traceback(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "latin.sql").write_bytes("SELECT 'é'".encode("latin-1"))

    assert main(["run", "-f", "latin.sql"]) == WRONG
    assert capsys.readouterr().err.startswith("InvalidArgument: The SQL is not UTF-8")


def test_the_same_query_is_answered_from_what_is_stored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = data(capsys, "run", COUNT, "--cache", "1h")
    second = data(capsys, "run", COUNT, "--cache", "1h")

    assert first["rows"] == second["rows"] == [[3]]
    assert (first["warnings"], second["warnings"]) == ([], [NOTICE])


def test_without_lineage_nothing_is_queued(capsys: pytest.CaptureFixture[str]) -> None:
    data(capsys, "run", COUNT, "--no-lineage")

    assert data(capsys, "queue") == []


def test_what_would_be_run_is_shown_and_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT o.id FROM shop.db.public.orders o"
    shown = output(capsys, "run", sql, "--dry-run", "-n", "2")

    assert "SELECT o.id FROM shop.public.orders o\nLIMIT 2" in shown
    assert "shop.db.public.orders.id" in shown
    assert data(capsys, "run", sql, "--dry-run")["models"]
    assert data(capsys, "run", sql, "--explain")["text"]
    assert data(capsys, "jobs") == []


def test_jobs_are_filtered_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    data(capsys, "run", "SELECT 1 AS ones")
    data(capsys, "run", "SELECT 2 AS twos")
    main(["run", "SELECT 1 / 0"])
    capsys.readouterr()

    def queries(*arguments: str) -> list[str]:
        return [job["user_query"] for job in data(capsys, "jobs", *arguments)]

    assert queries("--text", "TWOS") == ["SELECT 2 AS twos"]
    assert queries("--status", "failed") == ["SELECT 1 / 0"]
    assert len(queries("--status", "FAILED", "--status", "FINISHED")) == 3
    assert queries("-n", "1") == ["SELECT 1 / 0"]
    assert queries("--owner", "nobody-of-that-name") == []


def test_old_jobs_are_removed_only_when_that_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nothing is deleted unasked: a script says ``--yes``, and one that does not removes nothing.
    """
    data(capsys, "run", "SELECT 1")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    assert len(data(capsys, "jobs", "clean", "--older", "0s", "--dry-run")) == 1
    assert main(["jobs", "clean", "--older", "0s"]) == WRONG
    assert "--yes" in capsys.readouterr().err
    assert len(data(capsys, "jobs")) == 1

    assert output(capsys, "jobs", "clean", "--older", "30d") == "0 jobs removed\n"
    assert "1 job removed" in output(capsys, "jobs", "clean", "--older", "0s", "--yes")
    assert data(capsys, "jobs") == []


def test_names_used_together_are_recommended(capsys: pytest.CaptureFixture[str]) -> None:
    data(capsys, "run", f"CREATE TABLE shop.db.public.counted AS {COUNT}")

    assert data(capsys, "recommend", "shop.db.public.orders") == [
        {"name": "shop.db.public.counted", "jobs": 1, "joins": []}
    ]
    assert "shop.db.public.orders" in {
        model["fully_qualified_name"] for model in data(capsys, "models")
    }
    assert data(capsys, "catalogs")["services"] == {"shop": 1}


def test_a_name_is_printed_whole_into_a_pipe(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """
    ``fusion search … | awk`` must get names that exist.
    """
    name = f"shop.db.public.{'long' * 20}"
    (folder / "catalog.yaml").write_text(
        f"version: 1\nmodels:\n  {name}: {{source: orders.csv, description: {'so ' * 40}}}\n"
    )

    assert name in output(capsys, "search", "shop")
    assert name in output(capsys, "run", f"SELECT * FROM {name}", "--dry-run")


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


def test_a_jobs_lineage_is_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    job = data(capsys, "run", COUNT)["job"]

    found = data(capsys, "queue", "forget", "--job", job)

    assert [(row["from_fqn"], row["stays"]) for row in found] == [("shop.db.public.orders", None)]
    assert data(capsys, "queue") == []


@pytest.mark.parametrize("line", ["queue forget", "queue retry 1 --job abc"])
def test_to_forget_takes_a_job_and_nothing_else_does(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == WRONG
    assert "forget and --job" in capsys.readouterr().err
