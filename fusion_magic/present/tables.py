"""
Results and lists as a person reads them: HTML for the notebook, text for everything else.

Whatever comes from data is escaped, and nothing here changes from run to run: no times, no ids.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from fusion_magic.results import values_of

if TYPE_CHECKING:
    import pyarrow as pa

    from fusion_magic.results import Result

MAX_CELL = 200  # characters of one cell that are shown
MAX_TEXT_CELL = 40
NULL = "NULL"
_NUMBERS = ("int", "bigint", "smallint", "tinyint", "double", "real", "decimal", "float")
_STYLE = """<style>
.fusion-table{overflow-x:auto;max-width:100%}
.fusion-table table{border-collapse:collapse;color:var(--jp-ui-font-color1,inherit);font-size:13px;margin:0}
.fusion-table caption{caption-side:bottom;text-align:left;padding:4px 0;color:var(--jp-ui-font-color1,inherit)}
.fusion-table table th,.fusion-table table td{padding:3px 10px;border-bottom:1px solid var(--jp-border-color2,#ccc);text-align:left!important;white-space:pre;max-width:60em;overflow:hidden;text-overflow:ellipsis;unicode-bidi:isolate}
.fusion-table th small{display:block;font-weight:normal;color:var(--jp-ui-font-color2,inherit)}
.fusion-table table .n{text-align:right!important}
.fusion-table .null{font-style:italic;color:var(--jp-ui-font-color2,inherit)}
</style>"""


class Table:
    """
    Rows to show: ``text/plain`` and ``text/html``.

    Args:
        columns: Headings, and ``types`` what stands under them.
        rows: The rows shown.
        caption: The line below them.
        notes: Sentences above them.

    Attributes:
        key: By which a live page finds the table; empty for none.
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        types: Sequence[str] = (),
        caption: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        self.key = ""
        self.columns = columns
        self.rows = rows
        self.types = types
        self.caption = caption
        self.notes = notes

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}

    def __repr__(self) -> str:
        return self.text()

    def headings(self) -> list[str]:
        """
        The columns' names as they may be printed.
        """
        return [_shorten(_visible(name), MAX_TEXT_CELL) for name in self.columns]

    def cells(self, *, cut: Collection[str] | None = None) -> list[list[str]]:
        """
        What stands in each row's cells, as it may be printed.

        Args:
            cut: The columns whose texts are cut for an aligned table; None for no such table.
        """
        most = [
            MAX_TEXT_CELL if cut is not None and name in cut else MAX_CELL for name in self.columns
        ]
        return [
            [_shorten(_cell(value), length) for value, length in zip(row, most, strict=True)]
            for row in self.rows
        ]

    def text(self, *, cut: Collection[str] | None = None) -> str:
        """
        An aligned table; wide characters count twice.

        Args:
            cut: The columns whose long texts are cut short; None for all.
        """
        cells = self.cells(cut=self.columns if cut is None else cut)
        heads = self.headings()
        widths = [max(map(_width, column)) for column in zip(heads, *cells, strict=True)]
        right = self.numeric()
        lines = list(self.notes)
        if heads:
            lines.append(_line(heads, widths, right))
            lines.append("  ".join("-" * width for width in widths))
        lines += [_line(row, widths, right) for row in cells]
        return "\n".join(filter(None, (*lines, self.caption)))

    def html(self) -> str:
        """
        A table with a caption and scoped headings, in the colours of the front end's theme.
        """
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        right = self.numeric()
        types = self.types or [""] * len(self.columns)
        head = "".join(
            f'<th scope="col"{_class(n)}>{html.escape(_visible(name))}'
            + (f"<small>{html.escape(kind)}</small>" if kind else "")
            + "</th>"
            for name, kind, n in zip(self.columns, types, right, strict=True)
        )
        body = "".join(
            "<tr>" + "".join(_td(v, n) for v, n in zip(row, right, strict=True)) + "</tr>"
            for row in self.rows
        )
        table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>" if self.columns else ""
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        if not table:
            return f"{notes}<p>{html.escape(self.caption)}</p>"
        shown = (
            f'{_STYLE}{notes}<div class="fusion-table" tabindex="0" role="region" '
            f'aria-label="Query result"><table>{caption}{table}</table></div>'
        )
        return (
            f'<div data-fusion-card="{html.escape(self.key)}">{shown}</div>' if self.key else shown
        )

    def numeric(self) -> list[bool]:
        """
        Which columns hold numbers.
        """
        if not self.types:
            return [bool(self.rows) and _all_numbers(c) for c in zip(*self.rows, strict=True)] or [
                False
            ] * len(self.columns)
        return [is_number(kind) for kind in self.types]


def result_table(result: Result, *, preview_rows: int, summary: bool = False) -> Table:
    """
    The first rows of *result*, and how many there are in all.
    """
    if result.update_type is not None:
        changed = "" if result.rows_changed is None else f": {count(result.rows_changed, 'row')}"
        return Table((), (), caption=f"{result.update_type}{changed}", notes=result.warnings)
    shown = min(preview_rows, result.row_count)
    caption = count(result.row_count, "row")
    if shown < result.row_count:
        caption = f"{shown:,} of {caption}"
    if summary:
        caption += f" in {result.elapsed_s:.2f} s, job {result.job_id[:8]}"
    return Table(
        result.columns,
        result.rows(shown),
        types=result.types,
        caption=caption,
        notes=result.warnings,
    )


def is_number(kind: str) -> bool:
    """
    Whether values of that type, in Trino's or Arrow's words, are numbers.
    """
    return kind.startswith(_NUMBERS)


def cell_texts(table: pa.Table) -> list[list[str | None]]:
    """
    Rows as a table shows them, each value a text and NULL None.
    """
    columns = [
        [None if value is None else _shorten(_cell(value), MAX_CELL) for value in values_of(column)]
        for column in table.columns
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def count(number: int, what: str) -> str:
    """
    A number with its unit.

    >>> count(1, "row"), count(12345, "row")
    ('1 row', '12,345 rows')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _all_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def _class(is_number: bool) -> str:
    return ' class="n"' if is_number else ""


def _td(value: Any, is_number: bool) -> str:
    if value is None:
        return f'<td class="null">{NULL}</td>'
    return f"<td{_class(is_number)}>{html.escape(_shorten(_cell(value), MAX_CELL))}</td>"


def _cell(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"0x{value[:MAX_CELL].hex()}"
    return _visible(str(value))


def _visible(text: str) -> str:
    """
    *text* with control characters, which could rearrange what is around them, made visible.
    """
    if text.isprintable():
        return text
    return "".join(
        c
        if unicodedata.category(c)[0] != "C"
        else f"\\u{ord(c):04x}"
        if ord(c) > 31
        else repr(c)[1:-1]
        for c in text[: MAX_CELL + 1]
    )


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        " " * (width - _width(cell)) + cell if is_right else cell + " " * (width - _width(cell))
        for cell, width, is_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip()
