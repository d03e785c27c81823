"""
The queries of TPC-DS and TPC-H, and the same with each table under an OpenMetadata name; the data of TPC-H.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "fixtures" / "sql"

TPCH_TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
TPCDS_TABLES = (
    "call_center", "catalog_page", "catalog_returns", "catalog_sales", "customer_address",
    "customer_demographics", "customer", "date_dim", "household_demographics", "income_band", "inventory",
    "item", "promotion", "reason", "ship_mode", "store_returns", "store_sales", "store", "time_dim", "warehouse",
    "web_page", "web_returns", "web_sales", "web_site",
)  # fmt: skip
QUOTED_SERVICE = 'prod"." warehouse'  # so that quoting is tested with every query


@lru_cache
def _queries(corpus: str) -> dict[int, str]:
    text = (FOLDER / f"{corpus}.sql").read_text()
    _, *pairs = re.split(r"^-- query (\d+)\n", text, flags=re.MULTILINE)
    return {int(number): sql.strip() for number, sql in zip(pairs[::2], pairs[1::2], strict=True)}


def tpch_queries() -> dict[int, str]:
    """
    The 22 queries of TPC-H, their columns named as the standard does (``l_orderkey``).
    """
    return _queries("tpch")


def tpcds_queries() -> dict[int, str]:
    """
    The 99 queries of TPC-DS.
    """
    return _queries("tpcds")


def make_tpch(folder: Path, scale: float) -> None:
    """
    The tables of TPC-H as Parquet, each a file ``<table>.parquet`` in *folder*.
    """
    program = Path(sys.executable).with_name("tpchgen-cli")
    subprocess.run(
        [program, "parquet", "--scale-factor", str(scale), "--output-dir", folder],
        check=True,
        stdout=subprocess.DEVNULL,
    )


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
