"""
The embedded engine: DuckDB, which runs Trino's SQL in the same meaning or refuses it by name.
"""
