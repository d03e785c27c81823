"""
Completion inside the kernel: names, columns behind an alias, options and commands.
"""

from __future__ import annotations

import re
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from fusion_magic.errors import FusionError

_WORD = re.compile(r'(?:[\w-]|"(?:[^"]|"")*"?|\.)*$')


class Completer:
    """
    A matcher for IPython's completer; a mistake in the configuration completes nothing.
    """

    matcher_identifier = "fusion"
    matcher_api_version = 2

    def __init__(self, magics: Any) -> None:
        self._magics = magics
        self.__qualname__ = "fusion_magic.notebook.completion.Completer"

    def __call__(self, context: CompletionContext) -> SimpleMatcherResult:
        """
        What can stand at the cursor.
        """
        text = context.full_text
        if not re.match(r"%%?fusion(\s|$)", text):
            return {"completions": []}
        before = "\n".join(text.split("\n")[: context.cursor_line])
        before = f"{before}\n{context.line_with_cursor[: context.cursor_position]}".lstrip("\n")
        word = _WORD.search(before)[0]  # type: ignore[index] # the pattern matches the empty text too
        try:
            found = self._candidates(text, before, word)
        except FusionError:
            found = []
        # IPython replaces its own idea of the word, which ends at a dot or a quote.
        skip = len(word) - len(context.token)
        fitting = [f[skip:] for f in found if f.lower().startswith(word.lower())]
        return {
            "completions": [SimpleCompletion(text=f, type="fusion") for f in fitting if f],
            "suppress": bool(fitting),
        }

    def _candidates(self, text: str, before: str, word: str) -> list[str]:
        is_cell = text.startswith("%%")
        if "\n" not in before:
            if is_cell:
                return _options()
            if before.rstrip().count(" ") == 0 or re.fullmatch(r"%fusion\s+\w*", before):
                return _commands()
        fusion = self._magics.connection()
        names = list(fusion.metadata.complete(word)) if word else []
        return names + self._columns(fusion, text, word)

    def _columns(self, fusion: Any, text: str, word: str) -> list[str]:
        alias, dot, _ = word.rpartition(".")
        if not dot:
            return []
        from fusion_magic.jobs.resolve import find_entity

        # The statement is half-written, so that its aliases are looked for as text.
        name = r'((?:[\w-]|"[^"]*"|\.)+)'
        pattern = rf"(?i)\b(?:from|join)\s+{name}(?:\s+(?:as\s+)?(\w+))?"
        for fqn, given in re.findall(pattern, text):
            if alias.lower() in {given.lower(), fqn.rpartition(".")[2].lower(), fqn.lower()}:
                return [f"{alias}.{c.name}" for c in find_entity(fusion.metadata, fqn).columns]
        return []


def _commands() -> list[str]:
    from fusion_magic.commands import all_commands

    return [*all_commands(), "help"]


def _options() -> list[str]:
    from fusion_magic.notebook.arguments import cell_flags

    return [name for name in cell_flags() if name.startswith("--")]


Completer.__call__ = context_matcher(identifier="fusion")(Completer.__call__)  # type: ignore[method-assign] # IPython marks matchers by a decorator of functions
