"""
A receiver of lineage: a Markdown file with a line for each edge. ``delivery.url = "markdown:///folder/lineage.md"``.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from fusion_magic.delivery import DeliveryContext, JobFacts
from fusion_magic.errors import DeliveryError
from fusion_magic.store import Message


def open_delivery(url: str, _context: DeliveryContext) -> MarkdownDelivery:
    """
    What the entry point names: the receiver for one URL of ``delivery.url``.
    """
    return MarkdownDelivery(Path(unquote(urlsplit(url).path)))


class MarkdownDelivery:
    """
    The port ``Delivery``: a line that is there already is not written again.
    """

    name = "markdown"

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, message: Message, facts: JobFacts) -> None:
        """See ``Delivery.deliver``."""
        row = message.row
        if row.from_fqn is None:
            return
        line = f"- `{row.from_fqn}` → `{row.model_name_fqn}`\n"
        try:
            known = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
            if line not in known:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line)
        except OSError as exc:
            raise DeliveryError(f"{self._path} cannot be written: {exc.strerror}.") from exc

    def close(self) -> None:
        """See ``Delivery.close``."""
