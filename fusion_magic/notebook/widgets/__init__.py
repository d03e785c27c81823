"""
The widget model that makes cards live in the browser; ``card.js`` is what it runs there. Needs the extra ``widgets``.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

_FOLDER = Path(__file__).parent


class CardModel(anywidget.AnyWidget):
    """
    A model without a view: it is never displayed, so that no notebook ever stores a reference to it.
    """

    _esm = _FOLDER / "card.js"
    _css = _FOLDER / "card.css"
    _view_name = traitlets.Unicode(None, allow_none=True).tag(sync=True)  # type: ignore[assignment]
