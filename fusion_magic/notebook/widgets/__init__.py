"""
The widget model that makes cards live in the browser; ``card.js`` is what it runs there. Needs the extra ``widgets``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

_FOLDER = Path(__file__).parent


class CardModel(anywidget.AnyWidget):
    """
    A model without a view: it is never displayed, so that no notebook ever stores a reference to it.
    """

    _esm = _FOLDER / "card.js"
    _css = _FOLDER / "card.css"
    _view_name = traitlets.Unicode(None, allow_none=True).tag(sync=True)  # type: ignore[assignment] # a model without a view has None there

    def __init__(self) -> None:
        super().__init__()
        self._let_pages_choose_the_shell()

    def tell(self, content: dict[str, Any]) -> None:
        """
        Send every open page *content*.
        """
        self.send(content)
        self._let_pages_choose_the_shell()

    def _let_pages_choose_the_shell(self) -> None:
        """
        Take pages' messages in the subshell that JupyterLab sends them to, while a cell runs in the main one.

        ipykernel 7 brings them to the shell that has used the comm last, as an answer, and that is a cell's. It notes
        that in this attribute; where there is none of that name, there is nothing to forget.
        """
        self.comm.__dict__.pop("_reply_subshell_id", None)
