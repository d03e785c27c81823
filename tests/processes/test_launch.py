"""
What a worker's process is made ready for; that it is started is shown by ``test_worker``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_worker_stores_rows_without_pandas(tmp_path: Path) -> None:
    """
    pyarrow would import it at its first conversion, with every other job standing still.
    """
    code = (
        "import sys; import fusion_magic.processes.launch as l; l._keep_pandas_out(); import pyarrow as pa; "
        "table = pa.table({'a': pa.array([1, None])}); assert 'pandas' not in sys.modules; "
        "assert table.to_pandas().shape == (2, 1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
