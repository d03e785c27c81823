"""
What users' own test suites get: the fixtures and helpers of ``fusion_magic.testing``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fusion_magic import connect
from fusion_magic.metadata.catalog_file.reader import read_catalog
from fusion_magic.testing import freeze_catalog

pytest_plugins = ["pytester"]

# The plugin is loaded by its module's name, so that it is there whether or not the project is installed.
PLUGIN = ("-p", "no:fusion_magic", "-p", "fusion_magic.testing")
CATALOG = """version: 1
models:
  shop.db.public.orders:
    id: 11111111-2222-4333-8444-555555555555
    trino: shop.sales."Orders"
    source: orders.csv
    description: Größe of orders.
    owners: [sales-data]
    tags: [Tier.Tier1]
    deprecated: Use orders_v2.
    columns:
      - {name: id, type: bigint, tags: [PII.Sensitive]}
      - {name: note, type: varchar}
  shop.db.public.planned: {description: Not there yet.}
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text("id,note\n" + "".join(f"{n},n{n}\n" for n in range(500)))
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG)
    return path


def test_the_fixture_reads_the_nearest_catalog_and_keeps_tests_apart(
    pytester: pytest.Pytester, catalog: Path
) -> None:
    (pytester.path / "catalog.yaml").write_text(catalog.read_text())
    (pytester.path / "orders.csv").write_text("id,note\n1,a\n")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_orders(fusion, turn):
            assert fusion.run("SELECT count(*) FROM shop.db.public.orders").rows() == [(1,)]
            assert len(fusion.jobs()) == 1
        """
    )

    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=2)


def test_another_catalog_is_named_by_overriding_the_fixture(
    pytester: pytest.Pytester, catalog: Path
) -> None:
    pytester.makepyfile(
        f"""
        import pathlib
        import pytest

        @pytest.fixture
        def fusion_catalog():
            return pathlib.Path({str(catalog)!r})

        def test_orders(fusion):
            assert fusion.run("SELECT max(id) FROM shop.db.public.orders").rows() == [(499,)]
        """
    )

    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_a_missing_catalog_is_told_in_one_sentence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(fusion): pass")

    result = pytester.runpytest_subprocess(*PLUGIN)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*override the fixture fusion_catalog*"])


def test_a_frozen_catalog_says_the_same_with_fewer_rows(catalog: Path, tmp_path: Path) -> None:
    """
    A test suite must not need the data that it was written against.
    """
    frozen = freeze_catalog(catalog, tmp_path / "frozen", rows=10)
    catalog.with_name("orders.csv").unlink()

    before = [(e.id, e.fqn, e.trino_parts, e.description, e.tags) for e in read_catalog(catalog)]
    after = [(e.id, e.fqn, e.trino_parts, e.description, e.tags) for e in read_catalog(frozen)]
    assert after == before
    assert read_catalog(frozen)[0].columns == read_catalog(catalog)[0].columns
    with connect(metadata_url=str(frozen), data_dir=str(tmp_path / "data")) as fusion:
        assert fusion.run("SELECT count(*) FROM shop.db.public.orders").rows() == [(10,)]


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    """
    Every pytest run of an environment with fusion-magic in it loads the plugin.
    """
    code = (
        "import sys, pytest; before = set(sys.modules); import fusion_magic.testing; "
        "heavy = {'pandas', 'sqlalchemy', 'sqlglot', 'trino', 'pyarrow', 'duckdb', 'IPython', 'nbformat', 'yaml', "
        "'fusion_magic.testing.openmetadata'}; "
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )

    assert done.stdout.strip() == "[]"
