"""
``%%fusion`` and ``%fusion``: cells and commands, parsed, run and shown.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from traitlets import Bool, Float, Int, Unicode, observe

from fusion_magic.errors import FusionError, InvalidArgument

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion
    from fusion_magic.handle import JobHandle
    from fusion_magic.notebook.arguments import CellOptions
    from fusion_magic.present import Answer
    from fusion_magic.results import Result

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
        self._fusions: dict[str, Fusion] = {}

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

    def connection(self, profile: str | None = None) -> Fusion:
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
        from fusion_magic.notebook.arguments import parse_cell_line

        shown, wanted = parse_cell_line(line)
        if shown.is_help:
            return _help()
        fusion = self.connection(shown.profile)
        given = {**vars(wanted), "params": self._parameters(wanted.params)}
        if shown.is_dry_run or shown.is_explain:
            return self._without_running(fusion, shown, cell, given)
        given["origin"] = notebook_name(self.shell)
        if shown.is_async:
            return self._submit(fusion, shown, cell, given)
        return self._show(shown, self._run(fusion, cell, given))

    def _parameters(self, given: Any) -> Callable[[str], object]:
        """
        Values for ``:name``: those of the line, then the notebook's variables.
        """

        def look_up(name: str) -> object:
            return given[name] if name in given else self.shell.user_ns[name]

        return look_up

    def _run(self, fusion: Fusion, cell: str, given: dict[str, Any]) -> Result | None:
        from fusion_magic.present.progress import ProgressLine

        progress = ProgressLine(self.shell, after_s=self.progress_after_s)
        result = None
        warnings: tuple[str, ...] = ()
        try:
            for result in fusion.run_script(cell, **given, on_progress=progress.update):
                warnings += result.warnings
        finally:
            progress.close()
        if result is not None:
            # Only the last result is shown, but every statement's warnings are.
            result.warnings = tuple(dict.fromkeys(warnings))
        return result

    def _show(self, shown: CellOptions, result: Result | None) -> Any:
        if result is None:
            return None
        if shown.out is not None:
            self.shell.user_ns[shown.out] = result
        if shown.is_quiet:
            return None
        from fusion_magic.present.tables import result_table

        table = result_table(result, preview_rows=self.preview_rows, summary=self.show_summary)
        value = _shown(result, table)
        if shown.out is None:
            return value
        _display(table)
        return None

    def _submit(self, fusion: Fusion, shown: CellOptions, cell: str, given: dict[str, Any]) -> None:
        """
        Run each statement in the background; they may run at the same time.
        """
        from fusion_magic.notebook.card import show_card

        handles = list(fusion.submit_script(cell, **given))
        if shown.out is not None and handles:
            self.shell.user_ns[shown.out] = handles[-1]
        if not shown.is_quiet:
            for handle in handles:
                show_card(self.shell, handle)

    def _without_running(
        self, fusion: Fusion, shown: CellOptions, cell: str, given: dict[str, Any]
    ) -> None:
        from fusion_magic.commands.statements import dry_run, explained

        answers = dry_run if shown.is_dry_run else explained
        for answer in answers(fusion, cell, **given):
            _display(answer.shown)

    # --- commands

    def _command(self, line: str) -> Any:
        first, _, rest = line.strip().partition(" ")
        if first.lower() in {"", "help", "--help", "-h"}:
            return _help()
        from fusion_magic.commands import all_commands
        from fusion_magic.notebook.arguments import parse_command_line

        known = all_commands()
        second, _, behind = rest.strip().partition(" ")
        # DESCRIBE is a command in capitals too: it knows more of a table than the engine does.
        command = known.get(f"{first} {second}".lower())
        if command is None:
            command, behind = known.get(first.lower()), rest
        if command is None and first.upper() in _SQL_STARTS:
            return self._cell("", line)
        if command is None:
            raise InvalidArgument(
                f"There is no command {first}.", hint=f"Known are {', '.join((*known, 'help'))}."
            )
        options = parse_command_line(command, behind)
        return self._answered(command.answer(self.connection(), options))

    def _answered(self, answer: Answer) -> Any:
        """
        What a cell shows of *answer*: a job that a person can follow as its card, rows as a table in which to scroll.
        """
        if answer.job is not None and self._shows_card(answer.job):
            return None
        if answer.result is None:
            return answer.shown
        if answer.keeps_as.isidentifier():
            self.shell.user_ns[answer.keeps_as] = answer.result
            return None
        if answer.keeps_as:
            from fusion_magic.results.export import export

            return export(answer.result, answer.keeps_as)
        return self._shown_rows(answer.result)

    def _shows_card(self, handle: JobHandle) -> bool:
        """
        Whether the job's card is shown; it replaces the answer while the job runs.
        """
        from fusion_magic.notebook.card import show_card
        from fusion_magic.present.progress import is_watched

        job = handle.job
        is_running = not job.status.is_final
        has_rows = job.result_path is not None and is_watched(self.shell)
        if job.is_background and (is_running or has_rows):
            show_card(self.shell, handle)
        return job.is_background and is_running

    def _shown_rows(self, result: Result) -> Any:
        from fusion_magic.notebook.card import show_rows
        from fusion_magic.present.tables import result_table
        from fusion_magic.results.stored import StoredResult

        table = result_table(result, preview_rows=self.preview_rows)
        if isinstance(result, StoredResult):
            table = show_rows(self.shell, result, table)
        return _shown(result, table)


def _help() -> Any:
    from fusion_magic.commands import all_commands
    from fusion_magic.notebook.arguments import help_text
    from fusion_magic.present import Text

    return Text(help_text(all_commands().values()))


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
            error._render_traceback_ = lambda: lines  # type: ignore[attr-defined] # IPython's hook for an error of one's own
        return False


def _shown(result: Any, table: Any) -> Any:
    """
    *result*, which shows as *table*: the cell's value is the result itself.
    """
    result._repr_mimebundle_ = table._repr_mimebundle_
    return result


def _display(thing: Any) -> None:
    from IPython.display import display

    display(thing)  # type: ignore[no-untyped-call] # IPython's display is untyped


def notebook_name(shell: Any) -> str:
    """
    The notebook's file name, where the front end tells it; else empty.
    """
    from fusion_magic.config import notebook_path

    path = notebook_path() or shell.user_ns.get("__vsc_ipynb_file__") or ""
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
