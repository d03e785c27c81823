"""
The magics in a shell of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from fusion_magic.errors import InvalidArgument, UnknownFqn
from fusion_magic.notebook.arguments import parse_cell_line
from fusion_magic.present.tables import Table


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "t.csv").write_text("id,name\n1,<script>alert(1)</script>\n2,\n")
    (tmp_path / "catalog.yaml").write_text("version: 1\nmodels:\n  a.b.c.t: {source: t.csv}\n")
    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]
    shell.run_line_magic("load_ext", "fusion_magic")
    shell.run_line_magic("config", f"FusionMagics.metadata_url = '{tmp_path / 'catalog.yaml'}'")
    shell.run_line_magic("config", f"FusionMagics.data_dir = '{tmp_path}'")
    yield shell
    shell.run_line_magic("unload_ext", "fusion_magic")


def test_a_cell_gives_its_rows_and_takes_variables(shell: Any) -> None:
    shell.user_ns["least"] = 2

    result = shell.run_cell_magic("fusion", "df <<", "SELECT id FROM a.b.c.t WHERE id >= :least")

    assert result is None
    assert shell.user_ns["df"].rows() == [(2,)]


def test_a_kept_result_shows_its_rows_where_it_is_looked_at_again(shell: Any) -> None:
    """
    The last line of a later cell may be nothing but its name.
    """
    shell.run_cell_magic("fusion", "df <<", "SELECT id FROM a.b.c.t ORDER BY id")

    shown, _ = shell.display_formatter.format(shell.user_ns["df"])

    assert "2 rows" in shown["text/plain"]
    assert "<table>" in shown["text/html"]


def test_a_failing_cell_raises_a_short_error(shell: Any) -> None:
    done = shell.run_cell("%%fusion\nSELECT * FROM a.b.c.tt")

    error: Any = done.error_in_exec
    assert type(error) is UnknownFqn
    lines = list(vars(error)["_render_traceback_"]())
    assert lines[0].startswith("UnknownFqn: No table")


def test_values_from_data_are_escaped(shell: Any) -> None:
    result = shell.run_cell_magic("fusion", "", "SELECT * FROM a.b.c.t ORDER BY id")

    html = result._repr_mimebundle_()["text/html"]
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert '<th scope="col"' in html


def test_unloading_takes_the_magic_away(shell: Any) -> None:
    shell.run_line_magic("unload_ext", "fusion_magic")

    assert "fusion" not in shell.magics_manager.magics["cell"]


def test_names_are_completed_part_by_part(shell: Any) -> None:
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        text = "%%fusion\nSELECT * FROM a.b.c"
        found = [c.text for c in shell.Completer.completions(text, len(text))]

    assert "a.b.c." in found


@pytest.mark.parametrize(
    "line",
    ["--lmit 3", "-n x", "-o 1x", "-p a", "-o", "-p 'a", "--append", "--into t --append --replace"],
)
def test_a_wrong_line_is_refused(line: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_cell_line(line)


def test_options_are_read() -> None:
    cell, run = parse_cell_line("-o df -n 10 -p day='2024-01-01' --ref o=a.\"b.c\".d --no-lineage")

    assert (cell.out, run.limit, run.lineage) == ("df", 10, False)
    assert run.params == {"day": "2024-01-01"}
    assert run.refs == {"o": 'a."b.c".d'}
    assert parse_cell_line('--into a."b.c".d --append')[1].if_exists == "append"


def test_a_cell_writes_to_a_table_and_shows_how_many_rows(shell: Any) -> None:
    result = shell.run_cell_magic("fusion", "--into a.b.c.made", "SELECT id FROM a.b.c.t")

    assert "CREATE TABLE: 2 rows" in result._repr_mimebundle_()["text/plain"]
    shell.run_cell_magic("fusion", "--into a.b.c.made --append -q", "SELECT id FROM a.b.c.t")
    counted = shell.run_cell_magic("fusion", "", "SELECT count(*) FROM a.b.c.made")
    assert counted.rows() == [(4,)]


def test_control_characters_are_made_visible_and_null_differs_from_its_text() -> None:
    table = Table(("a",), [("\u202eevil",), (None,), ("NULL",)])

    assert "\u202e" not in table.text() + table.html()
    assert table.html().count('class="null"') == 1
