"""
The ``fusion`` command.

Exit codes: 0 done; 1 the statement, a name or a setting is wrong; 2 the command line is wrong; 3 the engine, the
store or the metadata does not answer; 130 interrupted; 141 the reader closed the pipe. An error is one short
text on standard error.

``answers`` has the commands that a notebook has too, ``run`` and ``services`` the others; ``output`` prints.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fusion_magic.cli.exit_codes import (
    DONE,
    INTERRUPTED,
    MISUSED,
    UNAVAILABLE,
    UNREAD,
    WRONG,
)

__all__ = ["DONE", "INTERRUPTED", "MISUSED", "UNAVAILABLE", "UNREAD", "WRONG", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command line; the exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    from fusion_magic.cli.commands import command_line

    try:
        command_line().main(args=given, prog_name="fusion")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DONE
    return DONE
