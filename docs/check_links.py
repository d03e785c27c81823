"""
Follows every link of the built pages that stays among them: the file must be there, and its anchor too.

    python docs/check_links.py docs/_build/html
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """
    The links and anchors of one page.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = {"", "#"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.links.add(value)
            elif name in {"id", "name"} and value:
                self.anchors.add(value)


@cache
def _page(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def pages(root: Path) -> list[Path]:
    """
    The pages below *root*; the theme's own templates are none.
    """
    return [path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts]


def broken_links(root: Path) -> list[str]:
    """
    The links below *root* that lead nowhere, each with its page.
    """
    return [
        f"{path.relative_to(root)}: {link}"
        for path in pages(root)
        for link in sorted(_page(path).links)
        if not _leads_somewhere(path, link)
    ]


def _leads_somewhere(path: Path, link: str) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return False
    return (
        target.suffix != ".html"
        or not parts.fragment
        or unquote(parts.fragment) in _page(target).anchors
    )


def main() -> int:
    """
    Prints what is broken; the exit code says whether anything is.
    """
    root = Path(sys.argv[1])
    broken = broken_links(root)
    sys.stdout.writelines(f"{line}\n" for line in broken)
    number = len(pages(root))
    sys.stdout.write(f"{number} pages, {len(broken)} broken links\n")
    return 1 if broken or not number else 0


if __name__ == "__main__":
    sys.exit(main())
