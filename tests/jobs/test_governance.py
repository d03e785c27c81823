"""
What a cell is told of the tables that it reads, and what refuses it until somebody says why it is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fusion_magic import connect
from fusion_magic.errors import InvalidArgument, RefusedByGovernance
from fusion_magic.fusion import Fusion
from fusion_magic.store import JobStatus

CATALOG = """version: 1
models:
  a.b.c.staff:
    source: staff.csv
    columns:
      - {name: id, type: bigint}
      - {name: ssn, type: varchar, tags: [PII.Sensitive]}
      - {name: city, type: varchar, tags: [PII.None, Tier.Tier5]}
  a.b.c.old: {source: staff.csv, deprecated: Use staff., tags: [Tier.Tier5]}
"""
Open = Callable[..., Fusion]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "staff.csv").write_text("id,ssn,city\n1,x,Rome\n")
    with ExitStack() as stack:

        def open_with(**settings: str) -> Fusion:
            given = {"metadata_url": str(tmp_path / "catalog.yaml"), "data_dir": str(tmp_path)}
            return stack.enter_context(connect(**given, **settings))

        yield open_with


def told(fusion: Fusion, sql: str) -> tuple[str, ...]:
    return fusion.run(sql).warnings


def test_personal_data_is_told_where_the_result_has_it(opened: Open) -> None:
    fusion = opened()

    assert told(fusion, "SELECT upper(ssn) AS x FROM a.b.c.staff") == (
        "a.b.c.staff gives personal data: ssn (PII.Sensitive).",
    )
    # A filter alone gives nothing away, and what is no personal data by its tag is none.
    assert told(fusion, "SELECT id, city FROM a.b.c.staff WHERE ssn = 'x'") == ()
    assert told(fusion, "SELECT count(*) AS n FROM a.b.c.staff WHERE ssn LIKE 'x%'") == ()


def test_other_tags_are_told_where_a_setting_names_them(opened: Open) -> None:
    fusion = opened(governance_warn="Tier.Tier5 PII.None")

    assert told(fusion, "SELECT city FROM a.b.c.staff") == (
        "a.b.c.staff gives tagged columns: city (PII.None, Tier.Tier5).",
    )
    assert told(fusion, "SELECT ssn FROM a.b.c.staff") == ()
    assert told(fusion, "SELECT id FROM a.b.c.old") == (
        "a.b.c.old is deprecated: Use staff.",
        "a.b.c.old is tagged Tier.Tier5.",
    )


@pytest.mark.parametrize(
    ("refused", "sql", "part"),
    [
        ("PII", "SELECT ROW(ssn).* FROM a.b.c.staff", "ssn (PII.Sensitive)"),
        ("PII", "PREPARE p FROM SELECT ssn FROM a.b.c.staff", "ssn (PII.Sensitive)"),
        ("PII", "SELECT ssn FROM a.b.c.staff", "ssn (PII.Sensitive)"),
        ("PII.Sensitive", "CREATE TABLE a.b.c.new AS SELECT ssn FROM a.b.c.staff", "ssn"),
        ("deprecated", "SELECT 1 FROM a.b.c.old", "is deprecated"),
        ("Tier.Tier4 Tier.Tier5", "SELECT count(*) FROM a.b.c.old", "is tagged Tier.Tier5"),
    ],
)
def test_what_a_rule_refuses_is_not_run(opened: Open, refused: str, sql: str, part: str) -> None:
    fusion = opened(governance_refuse=refused)

    with pytest.raises(RefusedByGovernance) as caught:
        fusion.run(sql)

    assert part in caught.value.message
    [job] = fusion.jobs()
    assert (job.status, job.error) == (JobStatus.FAILED, caught.value.message)
    assert "--acknowledge" in (job.hint or "")


@pytest.mark.parametrize("in_background", [False, True])
def test_a_reason_lets_it_run_and_stays_with_the_job(opened: Open, in_background: bool) -> None:
    fusion = opened(governance_refuse="PII", worker_idle_s="1")
    reason = "Ticket 4711: audit."

    if in_background:
        with pytest.raises(RefusedByGovernance):
            fusion.submit("SELECT ssn FROM a.b.c.staff", name="staff")
        handle = fusion.submit("SELECT ssn FROM a.b.c.staff", name="staff", acknowledge=reason)
        assert handle.result(timeout=60).rows() == [("x",)]
    else:
        assert fusion.run("SELECT ssn FROM a.b.c.staff", acknowledge=reason).rows() == [("x",)]

    assert fusion.jobs()[0].acknowledged == reason


def test_what_no_rule_names_runs_as_ever(opened: Open) -> None:
    fusion = opened(governance_refuse="PII deprecated tests draft")

    assert fusion.run("SELECT id, city FROM a.b.c.staff").rows() == [(1, "Rome")]
    assert fusion.run("SELECT 1 AS x").rows() == [(1,)]


def test_an_empty_reason_is_none(opened: Open) -> None:
    with pytest.raises(InvalidArgument, match="wants a reason"):
        opened(governance_refuse="PII").run("SELECT ssn FROM a.b.c.staff", acknowledge=" ")


def test_rules_stand_in_a_list_of_the_settings(tmp_path: Path) -> None:
    from fusion_magic.config import load_settings

    (tmp_path / "fusion.toml").write_text('[governance]\nwarn = ["PII", "Tier.Tier5"]\n')

    assert load_settings(folder=tmp_path, environment={}).governance_warn.split() == [
        "PII",
        "Tier.Tier5",
    ]
