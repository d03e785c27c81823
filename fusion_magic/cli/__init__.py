"""
The ``fusion`` command.

Exit codes: 0 done; 1 the statement, a name or a setting is wrong; 2 the command line is wrong; 3 the engine, the
store or the metadata does not answer; 130 interrupted; 141 nobody reads the output any more. An error is one short
text on standard error.

A module here for each noun; ``options`` has what several commands take, ``output`` how they print.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

DONE, WRONG, MISUSED, UNAVAILABLE, INTERRUPTED, UNREAD = 0, 1, 2, 3, 130, 141


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
