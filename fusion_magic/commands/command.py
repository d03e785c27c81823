"""
What a command is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fusion_magic.errors import InvalidSettings
    from fusion_magic.fusion import Fusion
    from fusion_magic.present import Answer


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """
    The options of a command that takes none.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """
    A question that a person asks, or something small that is to be done.

    Attributes:
        name: What is typed: a word, or two (``jobs clean``).
        help: One sentence: what it does.
        answer: Gives the answer to the options, an instance of ``options``.
        options: A dataclass whose fields are made by ``fusion_magic.flags``.
        consent: For a command that removes something: what it would remove, None where that is nothing. The command line asks
            whether that is meant, unless ``--yes`` says so.
        without_settings: What it answers where the settings cannot be read; None lets that be an error.
    """

    name: str
    help: str
    answer: Callable[[Fusion, Any], Answer]
    options: type = NoOptions
    consent: Callable[[Fusion, Any], Answer | None] | None = None
    without_settings: Callable[[InvalidSettings], Answer] | None = None
