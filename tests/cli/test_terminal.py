"""
What a person sees at a terminal: tables that fit, progress that vanishes, and an interrupt that stops the query.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from fusion_magic import connect
from fusion_magic.cli import DONE, INTERRUPTED, UNAVAILABLE, WRONG
from fusion_magic.cli.terminal import print_fitted
from fusion_magic.present.tables import Table
from tests.cli.pseudo_terminal import INTERRUPT, Terminal

LONG_QUERY = (
    "SELECT sum(a.x * b.y) FROM UNNEST(sequence(1, 200000)) AS a(x) "
    "CROSS JOIN UNNEST(sequence(1, 200000)) AS b(y)"
)
FQN = "lake_of_the_company.warehouse.customer_relations.customers_of_last_year"


def shown(table: Table, *, width: int, cut: tuple[str, ...] = ()) -> list[str]:
    file = io.StringIO()
    print_fitted(table, cut=cut, console=Console(file=file, width=width, highlight=False))
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [20, 40, 80, 120, 300])
def test_a_name_can_be_copied_whatever_the_width(width: int) -> None:
    """
    Half a name is no name: it is neither cut nor broken over two lines.
    """
    job = "0f6c2a34-8f3c-4f0e-9a53-b2a1c7d1e911"
    table = Table(("Job", "Name", "Description"), [(job, FQN, "so it is " * 20)])

    text = "\n".join(shown(table, width=width, cut=("Description",)))

    assert FQN in text
    assert job in text


def test_what_may_be_cut_leaves_one_line_for_each_row() -> None:
    table = Table(
        ("Job", "Query"), [("0f6c2a34", "SELECT " * 40), ("b2a1c7d1", "x")], caption="2 jobs"
    )

    lines = shown(table, width=60, cut=("Query",))

    assert len(lines) == 5
    assert all(len(line) <= 60 for line in lines)
    assert lines[2].startswith("0f6c2a34  SELECT")
    assert lines[2].endswith("…")


def test_data_is_no_markup_and_moves_no_cursor() -> None:
    """
    Values come from other people: they must not colour, link or clear a terminal.
    """
    table = Table(("[red]a",), [("[link=x]b[/]",), ("\x1b[2J\x07",)])

    text = "\n".join(shown(table, width=80))

    assert "[red]a" in text
    assert "[link=x]b[/]" in text
    assert "\x1b" not in text


def test_an_interrupt_stops_the_query_and_says_so(folder: Path) -> None:
    """
    Ctrl-C at a terminal, with progress shown until then.
    """
    terminal = Terminal("run", LONG_QUERY)
    terminal.wait_for("running")
    terminal.press(INTERRUPT)

    assert terminal.end() == INTERRUPTED
    assert "Traceback" not in terminal.text()
    assert terminal.raw().rstrip().endswith("Interrupted: the query was stopped on the engine.")
    with connect() as fusion:
        [job] = fusion.jobs()
        assert (job.status.value, job.user_query) == ("CANCELED", LONG_QUERY)


def test_progress_is_taken_away_before_the_rows_are_printed() -> None:
    sql = "SELECT count(*) AS n FROM UNNEST(sequence(1, 30000)) a(x) CROSS JOIN UNNEST(sequence(1, 30000)) b(y) WHERE x * y > 7"
    terminal = Terminal("run", sql)

    assert terminal.end() == DONE
    _, progress, rows = terminal.raw().rpartition("\r\x1b[K")
    assert progress
    assert "899999984" in rows
    assert "running" not in rows


def test_errors_are_the_same_lines_at_a_terminal() -> None:
    terminal = Terminal("run", "SELECT * FROM shop.db.public.oders", columns=30)

    assert terminal.end() == WRONG
    assert terminal.text().splitlines()[:3] == [
        "UnknownFqn: No table or file is known under the name shop.db.public.oders.",
        "line 1: SELECT * FROM shop.db.public.oders",
        "                      ^^^^^^^^^^^^^^^^^^^^",
    ]


def test_help_is_laid_out_for_the_terminal() -> None:
    terminal = Terminal("jobs", "--help", columns=80)

    assert terminal.end() == DONE
    assert "╭─ Options" in terminal.text()
    assert "--text" in terminal.text()


def test_a_person_is_asked_before_jobs_are_removed() -> None:
    assert Terminal("run", "SELECT 1").end() == DONE
    refusing = Terminal("jobs", "clean", "--older", "0s")
    refusing.wait_for("Remove them")
    refusing.press(b"n\n")
    assert refusing.end() == WRONG
    agreeing = Terminal("jobs", "clean", "--older", "0s")
    agreeing.wait_for("Remove them")
    agreeing.press(b"y\n")

    assert agreeing.end() == DONE
    assert "1 job removed" in agreeing.text()
    with connect() as fusion:
        assert fusion.jobs() == []


def test_the_doctor_is_coloured_and_whole() -> None:
    terminal = Terminal(
        "doctor", columns=40, environment={"FUSION_ENGINE_URL": "trino://nobody@127.0.0.1:1/"}
    )

    assert terminal.end() == UNAVAILABLE
    assert "\x1b[" in terminal.raw()
    assert any("127.0.0.1:1" in line for line in terminal.text().splitlines())
