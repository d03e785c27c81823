"""
Names in sqlglot's tree, however it has hung them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp


def children(node: exp.Expr) -> Iterator[exp.Expr]:
    for key, value in node.args.items():
        if key in {"from_", "where", "joins"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if hasattr(child, "args"):
                yield child


def is_join(node: exp.Expr) -> bool:
    """
    Whether brackets in FROM hold a table or a join of them, and no query.
    """
    while isinstance(node, exp.Subquery):
        node = node.this
    return not isinstance(node, exp.Query)


def names_table(node: exp.Expr, name: str) -> bool:
    tables = node.find_all(exp.Table)
    return any(table.name.lower() == name for table in tables)


def identifier(node: exp.Expr) -> str:
    """
    A column's name: lower case, or as written where it was quoted.
    """
    identifier = node if isinstance(node, exp.Identifier) else node.this
    while not isinstance(identifier, exp.Identifier) and hasattr(identifier, "this"):
        identifier = identifier.this
    if not isinstance(identifier, exp.Identifier):
        return str(identifier).lower()
    return str(identifier.this) if identifier.args.get("quoted") else str(identifier.this).lower()


def output_name(item: exp.Expr) -> str | None:
    """
    The name of a selected column, None where SQL gives it none.
    """
    while isinstance(item, exp.Paren):
        item = item.this
    if isinstance(item, exp.Alias):
        return identifier(item.args["alias"])
    if isinstance(item, exp.Column):
        return identifier(item)
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Identifier):
        return identifier(item.expression)
    return None


def star_qualifier(item: exp.Expr) -> str | None:
    """
    What stands before a star: the table of ``t.*``; None for anything else.
    """
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        return qualifier_of(item)
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star):
        return ".".join(dotted(item.this))
    return None


def table_parts(node: exp.Table) -> list[str]:
    """
    A table's parts, however sqlglot has hung them.
    """
    parts = []
    for part in node.parts:
        parts += dotted(part)
    return parts


def dotted(node: exp.Expr) -> list[str]:
    if isinstance(node, exp.Dot):
        return [*dotted(node.this), *dotted(node.expression)]
    if isinstance(node, exp.Column):
        return [identifier(part) for part in node.parts]
    return [identifier(node)]


def qualifier_of(node: exp.Column) -> str | None:
    parts = [identifier(part) for part in node.parts[:-1]]
    return ".".join(parts) or None
