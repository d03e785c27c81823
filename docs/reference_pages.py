"""
The reference, made from the code: each function gives the Markdown of one page's main part.

    options     the fields of the dataclasses of options
    commands    what typer knows
    settings    ``config.Settings`` and its docstring
    errors      the classes of ``errors``, and every place of the package that raises one
    functions   the table of decisions, which the tests compare with Trino
    tables      SQLAlchemy's tables of the job store
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import fusion_magic
from fusion_magic import errors
from fusion_magic.cli.commands import command_line
from fusion_magic.commands import all_commands
from fusion_magic.config import KEYS, SECRETS, Settings
from fusion_magic.flags import Flag, flags_of, usage
from fusion_magic.jobs.options import RunOptions
from fusion_magic.notebook.arguments import CellOptions

PACKAGE = Path(fusion_magic.__file__).parent
DECISIONS = PACKAGE.parent / "tests" / "fixtures" / "sql" / "duckdb" / "decisions.txt"
SHARED_TABLES = ("job", "fusion_model", "model_queue")
OUTCOMES = {
    "same": "the same",
    "type": "the same; the type differs in its precision or is wider",
    "double": "the same numbers as double",
    "different": "another result",
    "refused": "refused by name",
    "error": "an error, where Trino has a result",
    "wrong": "an error on both",
    "more": "a result, where Trino has an error",
}


def write(folder: Path) -> None:
    """
    Write every page's part into *folder*; what has not changed is left alone, so that Sphinx need not read it again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        text, path = make(), folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# --- options and commands


def options() -> str:
    """
    What ``%%fusion`` and ``%fusion`` take.
    """
    cell = [flag for one in (RunOptions, CellOptions) for _, flag in flags_of(one)]
    cell = [flag for flag in cell if not flag.is_for_background or "--priority" in flag.names]
    parts = ["## `%%fusion`", "```text\n%%fusion [OPTIONS]\n%%fusion NAME << [OPTIONS]\n```"]
    parts.append(table(("Option", "What it does"), map(_flag_row, cell)))
    parts.append("## `%fusion`")
    for command in sorted(all_commands().values(), key=lambda command: command.name):
        parts.append(f"### `{command.name}`")
        parts.append(
            f"{command.help}\n\n```text\n%fusion {command.name} {usage(command.options)}".rstrip()
            + "\n```"
        )
        rows = [_flag_row(flag) for _, flag in flags_of(command.options)]
        parts.append(table(("Option", "What it does"), rows))
    parts.append("### `help`\n\nLists the options of a cell and these commands.")
    return _joined(parts)


def _flag_row(flag: Flag) -> tuple[str, str]:
    shown = " ".join(filter(None, (", ".join(flag.names), flag.metavar)))
    chosen = f" ({', '.join(f'`{choice}`' for choice in flag.choices)})" if flag.choices else ""
    return f"`{shown}`", f"{_escaped(flag.help)}{chosen}"


def commands() -> str:
    """
    What ``fusion`` takes, command by command.
    """
    parts = []
    for words, command in sorted(all_commands_of(command_line()).items()):
        parts.append(f"## `fusion {words}`")
        parts.append(_escaped(" ".join(str(command.help).split())))
        rows = [_parameter_row(parameter) for parameter in command.params]
        parts.append(table(("Argument or option", "What it does"), rows))
    return _joined(parts)


def all_commands_of(group: Any, *before: str) -> dict[str, Any]:
    """
    Every command of a group by the words that call it, those of its groups too.
    """
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        words = (*before, name)
        found[" ".join(words)] = command
        if hasattr(command, "commands"):
            found |= all_commands_of(command, *words)
    return found


def _parameter_row(parameter: Any) -> tuple[str, str]:
    names = ", ".join(name for name in parameter.opts if name.startswith("-"))
    shown = " ".join(filter(None, (names, parameter.metavar)))
    return f"`{shown}`", _escaped(parameter.help or "")


# --- settings


def settings() -> str:
    """
    Every key: what it means, its environment variable, its keyword and its default.
    """
    meanings = attributes_of(Settings)
    defaults = {field.name: field.default for field in fields(Settings)}
    parts = []
    for key, name in KEYS.items():
        parts.append(f"## `{key}`\n\n{_as_markdown(meanings[name])}")
        rows = [
            ("Environment", f"`FUSION_{name.upper()}`"),
            ("Keyword of `connect()`", f"`{name}`"),
        ]
        if name in SECRETS:
            rows.append(
                ("From a file or the keyring", f"`{key}_file`, `FUSION_{name.upper()}_FILE`")
            )
        else:
            rows.insert(0, ("In a file", f"`{key}`"))
            rows.append(("Default", _default(name, defaults[name])))
        parts.append(table(("Where", "Written as"), rows))
    return _joined(parts)


def _default(name: str, value: object) -> str:
    computed = {
        "data_dir": "the user's data directory",
        "owner": "the user's name",
        "store_url": "SQLite, `fusion.db` in `data_dir`",
        "results_url": "`results` in `data_dir`",
        "metadata_url": "the nearest `catalog.yaml` upwards",
        "results_max_memory": "`2 GiB`",
    }
    if name in computed:
        return computed[name]
    return f"`{value}`" if value not in ("", None, MISSING) else "none"


def attributes_of(made: type) -> Mapping[str, str]:
    """
    What the section "Attributes:" of a class's docstring says of each.
    """
    _, _, text = inspect.getdoc(made).partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n(?:     .*|))*)", text, re.MULTILINE)
    return {name: " ".join(told.split()) for name, told in found}


# --- errors


def error_pages() -> str:
    """
    Each class, and what the package says where it raises it.
    """
    causes = raised()
    tree = re.search(r"^    FusionError\n(?:    .*\n)+", inspect.getdoc(errors), re.MULTILINE)
    parts = ["## The tree", f"```text\n{inspect.cleandoc(tree[0]) if tree else ''}\n```"]
    for name, made in vars(errors).items():
        if not (inspect.isclass(made) and issubclass(made, errors.FusionError)):
            continue
        parts.append(
            f"## `{name}`\n\n{_as_markdown(' '.join((inspect.getdoc(made) or '').split(chr(10) * 2)[0].split()))}"
        )
        parts.append(f"A kind of `{made.__base__.__name__}`.")
        rows = [
            (_quoted_text(message), _quoted_text(hint))
            for message, hint in sorted(causes.get(name, ()))
        ]
        parts.append(table(("What it says", "What it advises"), rows))
    return _joined(parts)


def raised() -> Mapping[str, set[tuple[str, str]]]:
    """
    By class: messages and hints as they stand in the code, ``…`` for what is filled in.
    """
    names = {name for name, made in vars(errors).items() if inspect.isclass(made)}
    found: dict[str, set[tuple[str, str]]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name_of(node.func) in names and node.args:
                message = _template(node.args[0])
                hints = [_template(word.value) for word in node.keywords if word.arg == "hint"]
                if message:
                    found.setdefault(_name_of(node.func), set()).add((message, "".join(hints)))
    return found


def _name_of(node: ast.expr) -> str:
    return (
        node.id
        if isinstance(node, ast.Name)
        else node.attr
        if isinstance(node, ast.Attribute)
        else ""
    )


def _template(node: ast.expr) -> str:
    """
    The text that an expression makes, as far as it stands in the code; empty for one that only passes a text on.
    """
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_template(value) or "…" for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _template(left) + _template(right)
        case ast.IfExp(body=body, orelse=other):
            return " / ".join(filter(None, (_template(body), _template(other))))
        case _:
            return ""


# --- functions and tables


def functions() -> str:
    """
    What each compared piece of Trino's SQL does on DuckDB.
    """
    parts: list[str] = []
    for heading, rows in _decisions():
        parts.append(f"## {heading.capitalize()}")
        shown = [
            (_quoted_text(_expression(sql)), OUTCOMES[outcome], _escaped(note))
            for outcome, sql, note in rows
        ]
        parts.append(table(("Trino's SQL", "On DuckDB", "Why"), shown))
    return _joined(parts)


def _decisions() -> Iterator[tuple[str, Sequence[tuple[str, str, str]]]]:
    """
    Heading and rows of each part of the table: a comment behind an empty line is a heading, another one tells of the next line.
    """
    for block in DECISIONS.read_text(encoding="utf-8").split("\n\n")[1:]:
        lines = block.strip().splitlines()
        heading = lines.pop(0).removeprefix("--").strip() if lines[0].startswith("--") else "more"
        rows, note = [], ""
        for line in lines:
            if line.startswith("--"):
                note = f"{note} {line.removeprefix('--').strip()}".strip()
                continue
            outcome, _, sql = line.partition(" | ")
            rows.append((outcome.strip(), sql, note))
            note = ""
        yield heading, rows


def _expression(sql: str) -> str:
    found = re.fullmatch(r"SELECT (.*?)(?: AS v)?", sql)
    return found[1] if found and " FROM " not in sql else sql


def tables() -> str:
    """
    The tables of the job store, with their types on PostgreSQL and SQLite.
    """
    from fusion_magic.store.sql.tables import metadata

    shared = [metadata.tables[name] for name in SHARED_TABLES]
    own = [table for name, table in sorted(metadata.tables.items()) if name not in SHARED_TABLES]
    parts = ["## Shared with other programs"]
    parts += map(_table_part, shared)
    parts.append("## Of fusion-magic alone")
    return _joined([*parts, *map(_table_part, own)])


def _table_part(stored: Any) -> str:
    from sqlalchemy.dialects import postgresql, sqlite

    rows = [
        (
            f"`{column.name}`",
            f"`{column.type.compile(dialect=postgresql.dialect())}`",
            f"`{column.type.compile(dialect=sqlite.dialect())}`",
            _column_facts(column),
        )
        for column in stored.columns
    ]
    return f"### `{stored.name}`\n\n{table(('Column', 'PostgreSQL', 'SQLite', ''), rows)}"


def _column_facts(column: Any) -> str:
    keys = [f"references `{key.target_fullname}`" for key in column.foreign_keys]
    facts = ("primary key" if column.primary_key else "", "unique" if column.unique else "", *keys)
    optional = "" if column.primary_key or not column.nullable else "may be null"
    return ", ".join(filter(None, (*facts, optional)))


# --- Markdown


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """
    A table, or nothing where there are no rows.
    """
    lines = [f"| {' | '.join(cell or ' ' for cell in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join((f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *lines))


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(filter(None, parts)) + "\n"


def _quoted_text(text: str) -> str:
    """
    *text* as code that a table's cell can hold; text that holds backticks already is left to them.
    """
    text = " ".join(text.split()).replace("|", "\\|")
    if not text:
        return ""
    return _escaped(text.replace("\\|", "|")) if "`" in text else f"`{text}`"


def _escaped(text: str) -> str:
    """
    Plain text in which Markdown sees nothing but code between backticks.
    """
    pieces = re.split(r"(`[^`]*`)", text)
    plain = [
        re.sub(r"([*_<>|\[\]~])", r"\\\1", piece) if piece[:1] != "`" else piece.replace("|", "\\|")
        for piece in pieces
    ]
    return "".join(plain)


def _as_markdown(docstring: str) -> str:
    """
    Prose of a docstring: its code has two backticks.
    """
    return _escaped(docstring.replace("``", "`"))


PAGES = {
    "options": options,
    "commands": commands,
    "settings": settings,
    "errors": error_pages,
    "functions": functions,
    "tables": tables,
}
