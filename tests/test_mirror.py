"""
Each module has its tests in the same place below ``tests``, or is named here with the file that covers it.
"""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "fusion_magic"

# A line goes when its module has a file of its own; nothing is added without a reason in a word.
ELSEWHERE = {
    # Both engines, both stores: one suite a port.
    "acceptance/test_cells.py": "fusion wiring jobs/readers jobs/lineage_rows jobs/translate jobs/run jobs/submit "
    "jobs/resolve errors",
    "contracts/test_engine.py": "engines/base",
    "contracts/test_metadata.py": "metadata/base",
    "test_flags.py": "jobs/options",
    "test_config.py": "secrets setting_tables",
    "sql/test_fuzz.py": "sql/analysis",
    "sql/test_create_catalog.py": "sql/connectors",
    "sql/test_references.py": "sql/keywords sql/references/columns sql/references/heads sql/references/model "
    "sql/references/queries sql/references/tables sql/references/tokens",
    "sql/test_lineage.py": "sql/lineage/columns sql/lineage/from_clause sql/lineage/model sql/lineage/nodes "
    "sql/lineage/queries sql/lineage/scopes sql/lineage/statements",
    "lineage_graph/test_graph.py": "lineage_graph/graph",
    "contracts/test_store.py": "store/model store/ports store/sql/base store/sql/catalogs store/sql/database store/sql/jobs store/sql/models "
    "store/sql/result_versions store/sql/schema store/sql/statements store/sql/store store/sql/tables",
    "contracts/test_tasks.py": "store/sql/tasks",
    "contracts/test_outbox.py": "store/delivery_ports store/sql/outbox",
    "contracts/test_lineage.py": "store/sql/lineage",
    "contracts/test_interleavings.py": "store/sql/jobs store/sql/tasks",
    "contracts/test_processes.py": "store/sql/processes",
    "contracts/test_changes.py": "store/sql/changes metadata/changes",
    "processes/test_attempt.py": "processes/payload",
    "processes/test_event_poller.py": "processes/repeating",
    "processes/test_worker.py": "handle",
    "delivery/openmetadata/test_receiver.py": "delivery/openmetadata/locks delivery/openmetadata/services",
    "processes/test_scheduler.py": "delivery/local delivery/openlineage",
    # The command line is driven as a person drives it.
    "cli/test_cli.py": "cli/answers cli/commands cli/completion cli/exit_codes cli/output cli/parameters cli/run cli/services "
    "cli/terminal doctor jobs/queries commands/command commands/about_jobs commands/about_catalog commands/about_parts "
    "commands/statements",
    "results/test_storage.py": "jobs/stored_results results/export results/places results/stored results/writer",
    # A catalog's mistakes are told by the metadata that reads it.
    "metadata/catalog_file/test_metadata.py": "metadata/catalog_file/reader metadata/encoding",
    "metadata/openmetadata/test_entities.py": "sql/trino_names",
    "acceptance/test_openmetadata_events.py": "metadata/openmetadata/event_source processes/hearing",
    "metadata/openmetadata/test_metadata.py": "metadata/openmetadata/lists metadata/openmetadata/lookups "
    "metadata/openmetadata/places metadata/openmetadata/reports metadata/openmetadata/server",
    "openmetadata/test_client.py": "openmetadata/messages",
    # What is shown is shown in a shell, and in real kernels.
    "notebook/test_magics.py": "notebook/arguments present/tables",
    "test_doctor.py": "present/diagnosis",
    "cli/test_demo.py": "demo/folder demo/packed",
    "acceptance/test_kernels.py": "notebook/completion present/progress",
    "engines/duckdb/test_decisions.py": "engines/duckdb/functions engines/duckdb/refusals",
    "engines/duckdb/test_engine.py": "engines/duckdb/statements",
    # The server that stands for OpenMetadata is held to what real ones answer.
    "contracts/openmetadata/test_errors.py": "testing/openmetadata/answers testing/openmetadata/routing testing/openmetadata/people",
    "contracts/openmetadata/test_names.py": "testing/openmetadata/names testing/openmetadata/columns",
    "contracts/openmetadata/test_tables.py": "testing/openmetadata/kinds testing/openmetadata/messages testing/openmetadata/present "
    "testing/openmetadata/versions",
    "contracts/openmetadata/test_merging.py": "testing/openmetadata/changes testing/openmetadata/tags",
    "contracts/openmetadata/test_deletion.py": "testing/openmetadata/entities testing/openmetadata/state",
    "contracts/openmetadata/test_lineage.py": "testing/openmetadata/lineage",
    "contracts/openmetadata/test_search.py": "testing/openmetadata/search testing/openmetadata/filters",
    "contracts/openmetadata/test_queries.py": "testing/openmetadata/queries",
    "contracts/openmetadata/test_services.py": "testing/openmetadata/connections testing/openmetadata/services",
    "contracts/openmetadata/test_pipelines.py": "testing/openmetadata/pipelines",
    "contracts/openmetadata/test_usage.py": "testing/openmetadata/usage",
    "contracts/openmetadata/test_people.py": "testing/openmetadata/custom_properties",
    "contracts/openmetadata/test_events.py": "testing/openmetadata/subscriptions",
    "contracts/openmetadata/test_ingestion.py": "testing/openmetadata/ingestion",
    "contracts/openmetadata/test_profiles.py": "testing/openmetadata/profiles",
    "contracts/openmetadata/test_quality.py": "testing/openmetadata/quality",
    "testing/openmetadata/test_server.py": "testing/openmetadata/controls testing/openmetadata/fillable testing/openmetadata/filling "
    "testing/openmetadata/listener testing/openmetadata/events",
    "jobs/test_limits.py": "engines/trino/estimates",
    "jobs/test_views.py": "commands/about_views",
    "engines/trino/test_faults.py": "engines/trino/engine engines/trino/client",
    "engines/trino/test_file_tables.py": "engines/trino/query_tables sql/delimited",
}


def modules() -> list[str]:
    """
    Those with code of their own: an ``__init__`` holds ports and names, a migration is run by every store's test.
    """
    found = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(
        module.as_posix()
        for module in found
        if not module.name.startswith("__") and "migrations" not in module.parts
    )


def has_own_tests(module: str) -> bool:
    path = TESTS / module
    return path.with_name(f"test_{path.name}.py").is_file()


def test_each_module_has_its_tests() -> None:
    covered = {module for line in ELSEWHERE.values() for module in line.split()}

    assert [m for m in modules() if not has_own_tests(m) and m not in covered] == []


def test_what_is_covered_elsewhere_is_there() -> None:
    """
    A file that was renamed takes its line along.
    """
    assert [file for file in ELSEWHERE if not (TESTS / file).is_file()] == []
    assert {m for line in ELSEWHERE.values() for m in line.split()} <= set(modules())
