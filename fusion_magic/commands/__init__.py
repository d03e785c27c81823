"""
Commands: each one function that answers, in one table that ``%fusion`` and ``fusion`` both read.

A package adds its own by the entry point ``fusion_magic.commands``, which names a ``Command``.
"""

from __future__ import annotations

import logging

from fusion_magic.commands.command import Command, NoOptions
from fusion_magic.errors import BrokenPlugin
from fusion_magic.registry import plugins

__all__ = ["Command", "NoOptions", "all_commands"]

logger = logging.getLogger(__name__)


def all_commands() -> dict[str, Command]:
    """
    Every command by its name: ours, then those of other packages.
    """
    from fusion_magic.commands import (
        about_catalog,
        about_jobs,
        about_parts,
        about_views,
        catalog_files,
        catalog_sync,
    )

    ours = (
        *about_jobs.COMMANDS,
        *about_catalog.COMMANDS,
        *catalog_files.COMMANDS,
        *catalog_sync.COMMANDS,
        *about_views.COMMANDS,
        *about_parts.COMMANDS,
    )
    found = {command.name: command for command in ours}
    for name, load in plugins("commands"):
        try:
            command = load()
        except BrokenPlugin as error:
            # One broken package must not take the other commands away.
            logger.warning("%s", error)
            continue
        found.setdefault(name, command)
    return found
