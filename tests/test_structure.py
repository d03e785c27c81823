"""
The figures of the code, which keep it easy to enter: short functions, small modules, no circle of imports, doors instead of special cases.

Which room may import which is import-linter's, in ``pyproject.toml``.
"""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fusion_magic"
LONGEST_FUNCTION = 45
LARGEST_MODULE = 500
MOST_METHODS = 25
WHY = re.compile(r"(?m)^# (?:More than|Longer than)")


@cache
def modules() -> dict[str, Path]:
    """
    Every module of the package by its dotted name.
    """
    found = {}
    for path in PACKAGE.rglob("*.py"):
        dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        found[dotted.removesuffix(".__init__")] = path
    return found


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def functions(name: str) -> Iterator[tuple[str, int]]:
    """
    Each function and its lines without the docstring.
    """
    for node in ast.walk(tree_of(name)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body
            is_told = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
            first = body[0]
            told = (first.end_lineno or 0) - first.lineno + 1 if is_told else 0
            yield f"{name}.{node.name}", (node.end_lineno or 0) - node.lineno + 1 - told


def is_migration(name: str) -> bool:
    return ".migrations" in name


def test_functions_are_short() -> None:
    lines = [found for name in modules() if not is_migration(name) for found in functions(name)]
    sizes = sorted(size for _, size in lines)

    assert statistics.median(sizes) <= 6
    assert sizes[len(sizes) * 9 // 10] <= 17
    assert [found for found in lines if found[1] > LONGEST_FUNCTION] == []


def test_modules_and_classes_are_small_or_say_why_not() -> None:
    """
    A comment at the top, ``# More than 500 lines: …``, is the exception.
    """
    large = []
    for name, path in modules().items():
        text = path.read_text(encoding="utf-8")
        if WHY.search(text):
            continue
        if text.count("\n") > LARGEST_MODULE:
            large.append(name)
        for node in ast.walk(tree_of(name)):
            if isinstance(node, ast.ClassDef):
                methods = sum(isinstance(one, ast.FunctionDef) for one in node.body)
                large += [f"{name}.{node.name}"] if methods > MOST_METHODS else []

    assert large == []


def imports(name: str) -> set[str]:
    """
    The modules of ours that one imports when it is loaded or later; what types alone need is left out.
    """
    tree = tree_of(name)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {_module(node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {one for one in found if one in modules() and one != name}


def _module(package: str, name: str) -> str:
    return f"{package}.{name}" if f"{package}.{name}" in modules() else package


def test_no_circle_of_imports() -> None:
    """
    Modules that import nothing but what is taken away already are taken away, until none is left.
    """
    left = {name: imports(name) for name in modules()}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]

    assert sorted(left) == []


def test_each_ignored_type_has_its_reason() -> None:
    bare = [
        f"{name}:{number}"
        for name, path in modules().items()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"type: ignore(\[[\w, -]+\])?\s*$", line)
    ]

    assert bare == []


@pytest.mark.parametrize("word", ["duckdb", "trino"])
def test_an_engine_is_named_in_its_own_folder_alone(word: str) -> None:
    """
    Elsewhere its name is no text to compare with: the port's ``capabilities`` tell what it can do. A source in
    ``catalog.yaml`` begins with ``duckdb:``, which is the file's format.
    """
    named = [
        f"{name}:{node.lineno}"
        for name in modules()
        if not name.startswith(("fusion_magic.engines.", "fusion_magic.metadata.catalog_file."))
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        for inner in ast.walk(side)
        if isinstance(inner, ast.Constant) and inner.value == word
    ]

    assert named == []


def test_nothing_is_asked_of_an_engine_but_its_port() -> None:
    asked = [
        f"{name}:{node.lineno}"
        for name in modules()
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"hasattr", "getattr"}
        and re.search(r"engine|execution|store\b", ast.unparse(node.args[0]))
    ]

    assert asked == []


def test_no_proxy_hides_what_it_stands_for() -> None:
    proxies = [
        name
        for name in modules()
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == "__getattr__"
    ]

    assert proxies == []


def test_the_environment_is_read_by_the_configuration_alone() -> None:
    """
    ``JPY_SESSION_NAME`` tells a kernel its notebook, which is no setting.
    """
    readers = {
        name
        for name, path in modules().items()
        if re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8"))
    }

    assert readers == {"fusion_magic.config"}
