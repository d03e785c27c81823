"""
``%%fusion`` and ``%fusion``: cells and commands, parsed, run and shown.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from traitlets import Bool, Float, Int, Unicode, observe

from fusion_magic.errors import FusionError, InvalidArgument
from fusion_magic.notebook.arguments import (
    HELP,
    Arguments,
    parse_arguments,
    parse_result_arguments,
)

_SQL_STARTS = (
    "SELECT",
    "WITH",
    "SHOW",
    "DESCRIBE",
    "EXPLAIN",
    "VALUES",
    "TABLE",
    "USE",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "CREATE",
    "ALTER",
    "DROP",
    "TRUNCATE",
    "REFRESH",
    "ANALYZE",
    "CALL",
)


@magics_class
class FusionMagics(Magics):
    """
    The magics of one shell.
    """

    engine_url = Unicode("", help="duckdb://, duckdb:///file or trino://user@host:port").tag(
        config=True
    )
    store_url = Unicode("", help="SQLAlchemy URL of the job store").tag(config=True)
    metadata_url = Unicode("", help="Path of the catalog file").tag(config=True)
    data_dir = Unicode("", help="Folder for what fusion-magic keeps").tag(config=True)
    profile = Unicode("", help="Profile of fusion.toml").tag(config=True)
    preview_rows = Int(10, min=0, help="Rows that a cell shows").tag(config=True)
    show_summary = Bool(False, help="Whether a cell shows duration and job id").tag(config=True)
    progress_after_s = Float(0.3, help="Seconds before progress is shown").tag(config=True)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.shell: Any = shell
        self._fusions: dict[str, Any] = {}

    @observe("engine_url", "store_url", "metadata_url", "data_dir", "profile")
    def _forget(self, _change: object) -> None:
        self.close()

    @line_cell_magic
    def fusion(self, line: str, cell: str | None = None) -> Any:
        """
        Run a cell of SQL whose tables have OpenMetadata names; ``%%fusion --help`` tells more.
        """
        with _short_errors():
            return self._command(line) if cell is None else self._cell(line, cell)

    def close(self) -> None:
        """
        Let go of engines and stores.
        """
        for fusion in getattr(self, "_fusions", {}).values():
            fusion.close()
        self._fusions = {}

    def connection(self, profile: str | None = None) -> Any:
        """
        The ``Fusion`` of a profile, connected when it is first asked for.
        """
        name = profile or self.profile
        if name not in self._fusions:
            from fusion_magic.fusion import connect

            keys = ("engine_url", "store_url", "metadata_url", "data_dir")
            given = {key: getattr(self, key) or None for key in keys}
            self._fusions[name] = connect(name or None, **given)
        return self._fusions[name]

    # --- cells

    def _cell(self, line: str, cell: str) -> Any:
        arguments = parse_arguments(line)
        if arguments.is_help:
            return _Text(HELP)
        fusion = self.connection(arguments.profile)
        if arguments.is_dry_run:
            return self._dry_run(fusion, arguments, cell)
        if arguments.is_explain:
            return self._explain(fusion, arguments, cell)
        if arguments.is_async:
            return self._submit(fusion, arguments, cell)
        result = self._run(fusion, arguments, cell)
        if result is None:
            return None
        if arguments.out is not None:
            self.shell.user_ns[arguments.out] = result
        if arguments.is_quiet:
            return None
        from fusion_magic.notebook.display import result_table

        rows = self.preview_rows
        table = result_table(result, preview_rows=rows, summary=self.show_summary)
        shown = _shown(result, table)
        if arguments.out is None:
            return shown
        _display(table)
        return None

    def _run(self, fusion: Any, arguments: Arguments, cell: str) -> Any:
        from fusion_magic.notebook.progress import ProgressLine

        progress = ProgressLine(self.shell, after_s=self.progress_after_s)
        result = None
        warnings: tuple[str, ...] = ()
        try:
            for result in fusion.run_script(
                cell, **self._options(arguments), on_progress=progress.update
            ):
                warnings += result.warnings
        finally:
            progress.close()
        if result is not None:
            # Only the last result is shown, but every statement's warnings are.
            result.warnings = tuple(dict.fromkeys(warnings))
        return result

    def _submit(self, fusion: Any, arguments: Arguments, cell: str) -> Any:
        """
        Hand each statement to a worker; they may run at the same time.
        """
        from fusion_magic.notebook.card import show_card

        handles = list(fusion.submit_script(cell, **self._options(arguments)))
        if arguments.out is not None and handles:
            self.shell.user_ns[arguments.out] = handles[-1]
        if not arguments.is_quiet:
            for handle in handles:
                show_card(self.shell, handle)
        return None

    def _result(self, fusion: Any, rest: str) -> Any:
        from fusion_magic.notebook.display import result_table
        from fusion_magic.results import Result

        wanted = parse_result_arguments(rest)
        result = fusion.result(wanted.name, version=wanted.version)
        if wanted.columns or wanted.where:
            part = result.part(columns=list(wanted.columns) or None, where=wanted.where)
            result = Result(part, job_id=result.job_id)
        if wanted.out is not None:
            self.shell.user_ns[wanted.out] = result
            return None
        table = result_table(result, preview_rows=self.preview_rows)
        if not (wanted.columns or wanted.where):
            from fusion_magic.notebook.card import show_rows

            table = show_rows(self.shell, result, table)
        return _shown(result, table)

    def _options(self, arguments: Arguments) -> dict[str, Any]:
        """
        What a cell's options are to ``Fusion.run``.
        """
        return {
            **self._wording(arguments),
            "lineage": not arguments.no_lineage,
            "name": arguments.name,
            "cache": arguments.cache,
            "origin": notebook_name(self.shell),
        }

    def _wording(self, arguments: Arguments) -> dict[str, Any]:
        """
        Those that change the SQL.
        """
        return {
            "params": lambda name: self._parameter(arguments, name),
            "refs": arguments.refs,
            "limit": arguments.limit,
            "into": arguments.into,
            "if_exists": arguments.if_exists,
        }

    def _parameter(self, arguments: Arguments, name: str) -> object:
        if name in arguments.params:
            return arguments.params[name]
        return self.shell.user_ns[name]

    def _dry_run(self, fusion: Any, arguments: Arguments, cell: str) -> Any:
        from fusion_magic.notebook.display import Table

        for translation in self._translations(fusion, arguments, cell):
            rows = [(m.fully_qualified_name, m.trino_model_name) for m in translation.models]
            _display(Table(("Name", "Trino name"), rows))
            _display(_Text(translation.converted_query))
            lineage = translation.lineage
            edges = [(f"{e[0]}.{e[1]}", f"{e[2]}.{e[3]}".lstrip(".")) for e in lineage.columns]
            _display(Table(("Source column", "Target column"), edges, notes=lineage.incomplete))

    def _explain(self, fusion: Any, arguments: Arguments, cell: str) -> Any:
        from fusion_magic.sql.statement import split_statements

        for statement in split_statements(cell):
            plan = fusion.explain(
                statement.text,
                params=lambda name: self._parameter(arguments, name),
                refs=arguments.refs,
            )
            estimates = []
            if plan.rows is not None:
                estimates.append(f"Estimated rows: {plan.rows:,.0f}")
            if plan.size_bytes is not None:
                estimates.append(f"Estimated size: {plan.size_bytes:,.0f} bytes")
            _display(_Text("\n".join((*estimates, plan.text))))

    def _translations(self, fusion: Any, arguments: Arguments, cell: str) -> list[Any]:
        from fusion_magic.sql.statement import split_statements

        given = self._wording(arguments)
        return [fusion.prepare(statement.text, **given) for statement in split_statements(cell)]

    # --- commands

    def _command(self, line: str) -> Any:
        word, _, rest = line.strip().partition(" ")
        # DESCRIBE is a command in capitals too: it knows more of a table than the engine does.
        command = word.lower()
        if command in {"", "help", "--help", "-h"}:
            return _Text(HELP)
        from fusion_magic.notebook import commands

        if command == "result":
            return self._result(self.connection(), rest)
        if command == "job" and rest.strip():
            from fusion_magic.notebook.card import show_card
            from fusion_magic.notebook.progress import is_watched

            handle = self.connection().handle(rest.strip())
            job = handle.job
            if job.is_background and not job.status.is_final:
                show_card(self.shell, handle)
                return None
            if job.is_background and job.result_path is not None and is_watched(self.shell):
                show_card(self.shell, handle)
        handler = commands.COMMANDS.get(command)
        if handler is None and word.upper() in _SQL_STARTS:
            return self._cell("", line)
        if handler is None:
            known = ", ".join((*commands.COMMANDS, "result", "help"))
            raise InvalidArgument(f"There is no command {word}.", hint=f"Known are {known}.")
        return handler(self.connection(), rest.strip())


class _Text(str):
    """
    Text that shows as it is, without quotes.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class _short_errors:  # noqa: N801 - used as a statement
    """
    A user's mistake is told in a few lines and raised all the same, so that a run stops there.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if isinstance(error, FusionError):
            lines = [f"{type(error).__name__}: {error}"]
            # IPython asks an exception itself for the lines to show.
            error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
        return False


def _shown(result: Any, table: Any) -> Any:
    """
    *result*, which shows as *table*: the cell's value is the result itself.
    """
    result._repr_mimebundle_ = table._repr_mimebundle_
    return result


def _display(thing: Any) -> None:
    from IPython.display import display

    display(thing)  # type: ignore[no-untyped-call]


def notebook_name(shell: Any) -> str:
    """
    The notebook's file name, where the front end tells it; else empty.
    """
    path = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__") or ""
    return Path(str(path)).name


def load(shell: Any) -> None:
    """
    Register magics and completion, once however often it is called.
    """
    unload(shell)
    magics = FusionMagics(shell)
    shell.register_magics(magics)
    shell.fusion_magics = magics
    shell.configurables.append(magics)
    from fusion_magic.notebook.completion import Completer

    shell.fusion_completer = Completer(magics)
    shell.Completer.custom_matchers.insert(0, shell.fusion_completer)


def unload(shell: Any) -> None:
    """
    Take both away again and close what is open.
    """
    magics = shell.__dict__.pop("fusion_magics", None)
    if magics is None:
        return
    magics.close()
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("fusion", None)
    shell.configurables[:] = [c for c in shell.configurables if c is not magics]
    completer = shell.__dict__.pop("fusion_completer")
    shell.Completer.custom_matchers[:] = [
        m for m in shell.Completer.custom_matchers if m is not completer
    ]
