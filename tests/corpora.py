"""
The queries of TPC-DS and TPC-H, and the same with each table under an OpenMetadata name.
"""

from __future__ import annotations

import re
from functools import lru_cache

TPCH_TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
TPCDS_TABLES = (
    "call_center", "catalog_page", "catalog_returns", "catalog_sales", "customer_address",
    "customer_demographics", "customer", "date_dim", "household_demographics", "income_band", "inventory",
    "item", "promotion", "reason", "ship_mode", "store_returns", "store_sales", "store", "time_dim", "warehouse",
    "web_page", "web_returns", "web_sales", "web_site",
)  # fmt: skip
QUOTED_SERVICE = 'prod"." warehouse'  # so that quoting is tested with every query


@lru_cache
def _queries(extension: str) -> dict[int, str]:
    import duckdb
    import duckdb_extensions

    duckdb_extensions.import_extension(extension)
    with duckdb.connect() as connection:
        connection.load_extension(extension)
        rows = connection.execute(f"SELECT query_nr, query FROM {extension}_queries()").fetchall()
    return dict(rows)


def tpch_queries() -> dict[int, str]:
    """
    The 22 queries of TPC-H, their columns named as the standard does (``l_orderkey``).
    """
    queries = dict(_queries("tpch"))
    # DuckDB groups by an alias of the select list, which Trino refuses.
    queries[15] = re.sub(r"(?i)(GROUP BY\s+)supplier_no", r"\1l_suppkey", queries[15])
    return queries


def tpcds_queries() -> dict[int, str]:
    """
    The 99 queries of TPC-DS.
    """
    queries = dict(_queries("tpcds"))
    # DuckDB compares dates with texts and adds numbers to them, which Trino refuses.
    for number in (16, 32, 58, 83, 92, 94, 95):
        queries[number] = re.sub(r"(?<!DATE )('\d{4}-\d\d?-\d\d?')", _as_date, queries[number])
    queries[72] = re.sub(r"d1\.d_date \+ (\d+)", r"d1.d_date + INTERVAL '\1' DAY", queries[72])
    # In ORDER BY, Trino takes an alias of grouping() alone but not inside an expression.
    for number in (70, 86):
        head, _, tail = re.split(
            r"(?i)(\bORDER BY\b(?!.*\bORDER BY\b))", queries[number], flags=re.DOTALL
        )
        tail = re.sub(r"(?i)grouping\(\w+\)\s*\+\s*grouping\(\w+\)", "lochierarchy", tail)
        queries[number] = f"SELECT * FROM ({head}) AS ordered ORDER BY {tail}"
    return queries


def _as_date(match: re.Match[str]) -> str:
    year, month, day = match[1].strip("'").split("-")
    return f"DATE '{year}-{month:0>2}-{day:0>2}'"


def with_names(sql: str, tables: tuple[str, ...], name: str) -> str:
    """
    *sql* with each table of *tables* replaced by *name*, in which ``{}`` is the table.

    Only behind FROM, JOIN, or a comma of a FROM clause: a list of selected columns may hold the
    same words.
    """
    words = re.split(
        r"(\bselect\b|\bfrom\b|\bwhere\b|\bgroup\b|\border\b|\bover\b|\bpartition\b)",
        sql,
        flags=re.IGNORECASE,
    )
    pattern = re.compile(rf"(?i)((?:^|\bjoin|,)\s*\(?\s*)({'|'.join(tables)})\b(?!\s*\.|_)")
    is_from = False
    for place, word in enumerate(words):
        if place % 2:
            is_from = word.lower() == "from"
        elif is_from:
            words[place] = pattern.sub(lambda m: m[1] + name.format(m[2].lower()), word)
        elif place and words[place - 1].lower() != "select":
            # A sub-query ends here, and the FROM clause around it goes on.
            inner, bracket, rest = word.rpartition(")")
            if bracket and re.match(r"\s*(as\s+)?\w+\s*,", rest, re.IGNORECASE):
                rest = pattern.sub(lambda m: m[1] + name.format(m[2].lower()), rest)
            words[place] = inner + bracket + rest
    return "".join(words)
