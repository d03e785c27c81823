"""
The picture of the README: the demo's names in a real JupyterLab, in Chromium.

    .venv/bin/python -m docs.picture

A cell, the card of a background job, and the lineage of its stored result, in the light theme.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fusion_magic.demo.folder import write_folder
from tests.acceptance.lab import execute, open_page, running_lab, wait_for_idle_kernel

TARGET = Path(__file__).parent / "picture.png"
WIDTH, HEIGHT = 1000, 1300  # pixels of the page
CELLS = (
    "%load_ext fusion_magic",
    """%%fusion -n 4
SELECT c.c_mktsegment AS segment, count(*) AS orders, sum(o.o_totalprice) AS spent
FROM shop_pg.tpch.public.orders o
JOIN shop_pg.tpch.public.customer c ON c.c_custkey = o.o_custkey
GROUP BY 1 ORDER BY 3 DESC""",
    """%%fusion --async --name yearly_spend
SELECT year(o.o_orderdate) AS year, c.c_mktsegment AS segment, sum(o.o_totalprice) AS spent
FROM shop_pg.tpch.public.orders o
JOIN shop_pg.tpch.public.customer c ON c.c_custkey = o.o_custkey
WHERE o.o_orderdate < DATE '1993-01-01' GROUP BY 1, 2 ORDER BY 3 DESC""",
    """%%fusion --into shop_pg.tpch.public.best_segments -q
SELECT * FROM yearly_spend WHERE spent > 23000000""",
    "%fusion lineage shop_pg.tpch.public.best_segments",
)
# What a reader does not look at: menus, side bars, the file's tab, the status bar.
BARE = """
#jp-top-panel, #jp-menu-panel, #jp-bottom-panel, .jp-SideBar, .lm-TabBar, .jp-NotebookPanel-toolbar, .jp-Toolbar,
.jp-Notebook-footer, .jp-Collapser, .Toastify { display: none !important }
.jp-Cell { border-color: transparent !important; outline: none !important; box-shadow: none !important }
"""


def take(target: Path) -> None:
    """
    Run the cells and write what the notebook shows.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_folder(work)
        settings = {"FUSION_DATA_DIR": str(work / "store"), "FUSION_WORKER_IDLE_S": "5"}
        catalog = {"FUSION_METADATA_URL": str(work / "catalog.yaml")}
        with running_lab(work, CELLS, **settings, **catalog) as url:
            simple = url.replace("/lab/tree/", "/doc/tree/")
            with open_page(work / "browser", simple) as page:
                _run(page)
                page.screenshot(path=str(target), clip=_what_is_shown(page))
    _squeeze(target)


def _run(page: Any) -> None:
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    wait_for_idle_kernel(page)
    for number in range(len(CELLS)):
        execute(page, number)
        if "--async" in CELLS[number]:
            page.locator(".fusion-live table").first.wait_for(timeout=60_000)
    page.add_style_tag(content=BARE)
    page.keyboard.press("Escape")
    page.wait_for_timeout(1500)


def _what_is_shown(page: Any) -> dict[str, float]:
    box = page.locator(".jp-Notebook").bounding_box()
    last = page.locator(".jp-Notebook .jp-CodeCell").last.bounding_box()
    bottom = min(box["y"] + box["height"], last["y"] + last["height"] + 8)
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": bottom - box["y"]}


def _squeeze(path: Path) -> None:
    """
    With 128 colours a screen is a third of the size, and looks the same.
    """
    from PIL import Image

    with Image.open(path) as picture:
        picture.convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    take(TARGET)
