"""
Results to files of other programs, by the file's ending.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion_magic.errors import InvalidArgument, MissingExtra
from fusion_magic.results import Result, values_of, write_aside, write_csv, write_parquet
from fusion_magic.results.stored import StoredResult

if TYPE_CHECKING:
    import pyarrow as pa

EXCEL_ROWS = 1_048_575  # below a header
EXACT_IN_EXCEL = 10**15  # of an integer: beyond it Excel's numbers lose digits


def export(
    result: Result,
    path: str | Path,
    *,
    columns: list[str] | None = None,
    where: str | None = None,
) -> Path:
    """
    Write *result* to a file, whole or not at all: ``.parquet``, ``.csv``, ``.arrow``, ``.xlsx`` or ``.jsonl``.

    Args:
        columns: Only these, of a stored result; ``where`` only the rows for which it holds.

    Raises:
        InvalidArgument: No other ending is known; a sheet has no room for so many rows.
        MissingExtra: Excel files need openpyxl.
    """
    path = Path(path)
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise InvalidArgument(
            f"{path.name} has no ending that is known here.",
            hint=f"Known are {', '.join(WRITERS)}.",
        )
    if isinstance(result, StoredResult):
        table = result.part(columns=columns, where=where)
    else:
        table = result.arrow()
    return write_aside(path, lambda aside: write(table, aside))


def csv_text(table: pa.Table) -> str:
    """
    Rows as CSV with a header. Texts stand in quotes, so that NULL, which is nothing, differs from the empty text.
    """
    lines = [",".join(_quoted(name) for name in table.column_names)]
    columns = [[_csv_value(value) for value in values_of(column)] for column in table.columns]
    lines += [",".join(row) for row in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


def _csv_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return str(value) if isinstance(value, (int, float, Decimal)) else _quoted(str(value))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _arrow(table: pa.Table, path: Path) -> None:
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _json_lines(table: pa.Table, path: Path) -> None:
    import base64
    import json

    def plain(value: Any) -> Any:
        return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)

    with path.open("w", encoding="utf-8") as file:
        for batch in table.to_batches():
            for row in batch.to_pylist():
                file.write(json.dumps(row, ensure_ascii=False, default=plain) + "\n")


def _excel(table: pa.Table, path: Path) -> None:
    if table.num_rows > EXCEL_ROWS:
        raise InvalidArgument(
            f"A sheet holds {EXCEL_ROWS:,} rows, not {table.num_rows:,}.",
            hint="Take fewer, or write .csv or .parquet.",
        )
    try:
        from openpyxl import Workbook
    except ImportError as exc:
        raise MissingExtra("An Excel file", extra="excel") from exc
    book = Workbook(write_only=True)
    sheet = book.create_sheet("result")
    sheet.append(table.column_names)
    for batch in table.to_batches():
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            sheet.append([_cell(value) for value in row])
    book.save(path)


def _cell(value: Any) -> Any:
    """
    *value* as a cell takes it. A text that looks like a formula must not become one.
    """
    import datetime as dt

    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.isoformat()
    if isinstance(value, int) and abs(value) >= EXACT_IN_EXCEL:
        return str(value)
    if value is None or isinstance(value, (int, float, Decimal, dt.date, dt.time)):
        return value
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


WRITERS: Mapping[str, Callable[[Any, Path], None]] = {
    ".parquet": write_parquet,
    ".csv": write_csv,
    ".arrow": _arrow,
    ".jsonl": _json_lines,
    ".xlsx": _excel,
}
