"""
Tables fitted to a terminal's width, with rich.

Nothing that somebody may want to copy is cut or broken over two lines: where the columns do not fit beside one
another, each row is printed as lines of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from fusion_magic.present.diagnosis import Diagnosis
from fusion_magic.present.tables import NULL, Table

GAP = 2
LEAST = 16  # columns of the terminal for a text that is cut or wrapped
SHORT = 36  # a UUID: what is no longer is not broken


STATE_STYLES = {
    "ok": "green",
    "wrong": "bold red",
    "not used": "dim",
    "not checked": "yellow",
}


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """
    Print what the doctor found, in colours; the terminal wraps what is too long for it.
    """
    console = Console(highlight=False)
    for state, part, text in diagnosis.lines():
        line = Text(f"{state:<11}  ", style=STATE_STYLES.get(state, ""))
        line.append(f"{part:<9}  ", "bold").append(text, "not bold default")
        console.print(line, soft_wrap=True)


def print_fitted(
    table: Table, *, cut: Collection[str] = (), console: Console | None = None
) -> None:
    """
    Print *table*.

    Args:
        cut: Headings of columns whose cells may be cut to one line.

        console: Where to, instead of standard output.
    """
    console = console or Console(highlight=False)
    for note in table.notes:
        _print(console, Text(note))
    if table.columns:
        cells = table.cells()
        widths = _fitted(table, cells, cut, console.width)
        if widths is not None:
            console.print(_grid(table, cells, widths))
        else:
            _print_records(console, table.headings(), cells)
    if table.caption:
        _print(console, Text(table.caption, style="dim"))


def print_message(title: str, text: str) -> None:
    """
    An error, to standard error, its lines as they are.
    """
    _print(
        Console(stderr=True, highlight=False),
        Text(title, style="bold red").append(text, style="not bold default"),
    )


def _print(console: Console, text: Text) -> None:
    # The terminal itself wraps what is too long: what is copied there has no line break in it.
    console.print(text, soft_wrap=True)


def _fitted(
    table: Table, cells: Sequence[Sequence[str]], cut: Collection[str], width: int
) -> list[int] | None:
    """
    The columns' widths, or None where they do not fit.
    """
    natural = [max(map(cell_len, column)) for column in zip(table.headings(), *cells, strict=True)]
    flexible = [
        place for place, name in enumerate(table.columns) if natural[place] > SHORT and name in cut
    ]
    widths = list(natural)
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    while excess > 0 and flexible:
        widest = max(flexible, key=widths.__getitem__)
        if widths[widest] <= LEAST:
            break
        widths[widest] -= 1
        excess -= 1
    return widths if excess <= 0 else None


def _grid(table: Table, cells: Sequence[Sequence[str]], widths: Sequence[int]) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for head, width, is_right in zip(table.headings(), widths, table.numeric(), strict=True):
        grid.add_column(
            Text(head),
            width=width,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if is_right else "left",
        )
    for row in cells:
        grid.add_row(*map(_styled, row))
    return grid


def _print_records(
    console: Console, headings: Sequence[str], cells: Sequence[Sequence[str]]
) -> None:
    width = max(map(cell_len, headings))
    for number, row in enumerate(cells):
        if number:
            console.print()
        for head, cell in zip(headings, row, strict=True):
            padded = Text(head + " " * (width - cell_len(head) + GAP), style="bold")
            _print(console, padded.append_text(_styled(cell)))
    console.print()


def _styled(cell: str) -> Text:
    return Text(cell, style="dim italic not bold" if cell == NULL else "not bold")
