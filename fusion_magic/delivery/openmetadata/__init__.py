"""
Lineage to OpenMetadata's REST API, by the extra ``openmetadata``.

    receiver     the port: whether a row may be told, and which way it goes
    assets       tables and containers looked up by name; tables made where OpenMetadata lacks them
    ingestion    a service's metadata pipeline that brings such a table instead
    notebooks    a notebook as a pipeline, its cells as tasks, its jobs as runs
    results      a stored result as a container
    usage        statements as queries of the tables that they read, and how often a table is read
    joins        by which columns tables are joined, and how often a day
    edges        what an edge becomes that somebody else may have written to, too (pure)
    columns      Trino's types in OpenMetadata's words, and columns by its spelling (pure)
"""
