"""
What commands print: JSON for programs, aligned text for pipes, a table fitted to the terminal for a person.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from fusion_magic.errors import FusionError

if TYPE_CHECKING:
    from fusion_magic.present import Answer
    from fusion_magic.present.tables import Table
    from fusion_magic.results import Result


def print_json(data: Any) -> None:
    """
    *data* as one line; what JSON has no word for is text.
    """
    print(json.dumps(data, default=str, ensure_ascii=False))


def print_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    what: str,
    *,
    cut: Collection[str] = (),
    notes: Sequence[str] = (),
) -> None:
    """
    A table that says how many *what* there are.

    Args:
        cut: The columns of which a line holds the beginning; all others are shown whole.
    """
    from fusion_magic.present.tables import Table, count

    shown = columns if rows else ()
    print_table(Table(shown, rows, caption=count(len(rows), what), notes=notes), cut=cut)


def print_table(table: Table, *, cut: Collection[str] = ()) -> None:
    """
    *table* for who reads it: a person at a terminal, or a program.
    """
    if sys.stdout.isatty():
        from fusion_magic.cli.terminal import print_fitted

        print_fitted(table, cut=cut)
    else:
        print(table.text(cut=cut))


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """
    What a command answers.
    """
    from fusion_magic.present.diagnosis import Diagnosis
    from fusion_magic.present.tables import Table

    if as_json:
        print_json(answer.data)
    elif isinstance(answer.shown, Table):
        print_table(answer.shown, cut=answer.cut)
    elif isinstance(answer.shown, Diagnosis) and sys.stdout.isatty():
        from fusion_magic.cli.terminal import print_diagnosis

        print_diagnosis(answer.shown)
    else:
        print(answer.shown.text())


def print_result(result: Result, *, preview_rows: int, as_json: bool) -> None:
    """
    The rows of a statement.
    """
    if as_json:
        print_json(_result_data(result))
        return
    from fusion_magic.present.tables import result_table

    table = result_table(result, preview_rows=preview_rows)
    print_table(table, cut=table.columns)


def print_error(error: FusionError) -> None:
    """
    *error* on standard error.
    """
    name = type(error).__name__
    if sys.stderr.isatty():
        from fusion_magic.cli.terminal import print_message

        print_message(name, f": {error}")
    else:
        print(f"{name}: {error}", file=sys.stderr)


def _result_data(result: Result) -> dict[str, Any]:
    # Rows are lists, since two columns of a query may have one name.
    return {
        "job": result.job_id,
        "columns": result.columns,
        "types": result.types,
        "rows": [[_json_value(value) for value in row] for row in result],
        "rows_changed": result.rows_changed,
        "warnings": result.warnings,
    }


def _json_value(value: Any) -> Any:
    """
    *value* in what JSON has: bytes in hexadecimal digits, and numbers that it lacks as text.
    """
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _json_value(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(inner) for inner in value]
    return value
