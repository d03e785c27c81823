"""
``python -m benchmarks``: every benchmark, one after the other.
"""

from __future__ import annotations

from benchmarks import (
    claims,
    fetch_trino,
    load_ext,
    openmetadata_deliveries,
    openmetadata_names,
    select_one,
    stored_results,
    submitting,
    thousand_jobs,
    tpch,
)
from benchmarks.timing import machine

print(machine())
load_ext.main()
select_one.main()
tpch.main()
fetch_trino.main()
submitting.main()
claims.main()
openmetadata_names.main()
openmetadata_deliveries.main()
stored_results.main()
thousand_jobs.main()
