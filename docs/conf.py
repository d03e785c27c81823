"""
The documentation's build: pages that run on the demo's data, and a reference that is made from the code.

``make docs`` needs no network. Pages with a ``kernelspec`` at their top are notebooks: their cells run in a folder of their own, on
the embedded default, with the settings below instead of the person's.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from docutils import nodes

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import reference_pages  # noqa: E402 - beside this file

from fusion_magic import __version__  # noqa: E402
from fusion_magic.demo.folder import write_folder  # noqa: E402

project = "fusion-magic"
author = "fusion-magic's contributors"
copyright = author  # noqa: A001 - Sphinx's word
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "reference/generated", "contributing/decisions/README.md"]
nitpicky = True
# Types of other packages and of our inner rooms have no page here.
nitpick_ignore_regex = [("py:.*", ".*")]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_execution_show_tb = True  # of a page that fails, which is a warning, which is an error
nb_merge_streams = True
# Ours are no tracebacks.
nb_render_error_lexer = "text"
# Of what a cell shows, the picture or the table goes before the text.
nb_mime_priority_overrides = [("html", "text/html", 0)]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "pydata_sphinx_theme"
html_title = "fusion-magic"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options: dict[str, Any] = {
    "logo": {"text": "fusion-magic"},
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}
copybutton_exclude = ".linenos, .gp"
copybutton_prompt_text = "$ "


def setup(app: Any) -> None:
    """
    Sphinx's hook.
    """
    app.connect(
        "builder-inited", lambda _app: reference_pages.write(HERE / "reference" / "generated")
    )
    app.connect("builder-inited", lambda _app: _prepare_kernels())
    app.connect("doctree-read", lambda _app, tree: _colour_sql(tree))


def _colour_sql(tree: nodes.document) -> None:
    """
    Cells of SQL are coloured as SQL.
    """
    for block in tree.findall(nodes.literal_block):
        if block.astext().startswith("%%fusion"):
            block["language"] = "sql"


def _prepare_kernels() -> None:
    """
    The environment that the pages' kernels inherit. Each page runs in a folder of its own below the demo's, so that it finds the demo's
    names, and has a job store of its own there.
    """
    folder = Path(tempfile.mkdtemp(prefix="fusion-docs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_folder(folder)
    tempfile.tempdir = str(folder)
    for name in [name for name in os.environ if name.startswith("FUSION_")]:
        del os.environ[name]
    os.environ |= {
        "FUSION_DATA_DIR": ".fusion",
        "FUSION_OWNER": "ana",
        "FUSION_PROGRESS": "none",
        "FUSION_WORKER_IDLE_S": "5",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
