"""
``python -m benchmarks``: every benchmark, one after the other.
"""

from __future__ import annotations

from benchmarks import fetch_trino, load_ext, select_one, tpch
from benchmarks.timing import machine

print(machine())
load_ext.main()
select_one.main()
tpch.main()
fetch_trino.main()
