"""
Commands about the parts that the settings name: ``profile``, ``doctor``, ``queue``, ``migrate``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fusion_magic.commands.command import Command
from fusion_magic.errors import InvalidArgument
from fusion_magic.flags import argument, option
from fusion_magic.present import Answer, Text
from fusion_magic.present.diagnosis import Diagnosis
from fusion_magic.present.tables import Table, count
from fusion_magic.secrets import without_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fusion_magic.commands.command import NoOptions
    from fusion_magic.doctor import Check
    from fusion_magic.errors import InvalidSettings
    from fusion_magic.fusion import Fusion

ACTIONS = ("list", "retry", "drop", "forget")
_SHOWN_SETTINGS = (
    "profile",
    "engine_url",
    "store_url",
    "metadata_url",
    "results_url",
    "data_dir",
    "owner",
)


def _letter(_flag: str, value: str) -> int:
    if not value.isdecimal():
        raise InvalidArgument(f"{value!r} is not the id of a dead letter.")
    return int(value)


@dataclass(frozen=True, kw_only=True)
class QueueOptions:
    """
    What to do with the queue.
    """

    action: str = argument(
        "ACTION",
        help="list all rows; retry or drop a dead letter; forget a job's lineage",
        default="list",
        choices=ACTIONS,
    )
    letter: int | None = argument("ID", help="of a dead letter, for retry and drop", read=_letter)
    job: str | None = option(
        "--job",
        metavar="ID",
        help="for forget: the job whose edges are removed from the receivers, as far as it alone gave them",
        completes="job",
    )


def profile(fusion: Fusion, _: NoOptions) -> Answer:
    """
    The settings in force, without secrets.
    """
    settings = fusion.settings
    data = {
        key.replace("_", ".", 1) if key != "data_dir" else key: without_secret(
            str(getattr(settings, key))
        )
        for key in _SHOWN_SETTINGS
    }
    return Answer(shown=Table(("Setting", "Value"), list(data.items())), data=data)


def doctor(fusion: Fusion, _: NoOptions) -> Answer:
    """
    Every configured part: whether it works, what is wrong and how to mend it.
    """
    return diagnosis(fusion.doctor())


def doctor_without_settings(error: InvalidSettings) -> Answer:
    """
    That the settings are wrong, as one more part.
    """
    from fusion_magic.doctor import wrong

    return diagnosis([wrong("settings", error)])


def diagnosis(checks: Sequence[Check]) -> Answer:
    """
    What *checks* found.
    """
    found_wrong = [check for check in checks if check.state == "wrong"]
    return Answer(
        shown=Diagnosis(checks),
        data=[_check_data(check) for check in checks],
        is_wrong=bool(found_wrong),
        is_away=bool(found_wrong) and all(check.is_away for check in found_wrong),
    )


def queue(fusion: Fusion, options: QueueOptions) -> Answer:
    """
    Lineage that waits for delivery, and what was given up.
    """
    outbox = fusion.store.outbox
    if (options.action == "forget") != (options.job is not None):
        raise InvalidArgument("forget and --job ID belong together.")
    if options.job is not None:
        return _forget(fusion, options.job)
    if options.action != "list":
        change = outbox.revive if options.action == "retry" else outbox.drop
        if options.letter is None or not change(options.letter):
            raise InvalidArgument(
                f"There is no dead letter {options.letter}.", hint="`fusion queue` lists them."
            )
    pending = [("pending", number, row, "") for number, row in fusion.store.outbox.pending()]
    dead = [("dead", letter.id, letter.row, letter.error) for letter in outbox.dead()]
    data = [
        {"state": state, "id": number, **asdict(row), "error": error}
        for state, number, row, error in (*pending, *dead)
    ]
    rows = [
        (d["state"], d["id"], d["command"], d["from_fqn"], d["model_name_fqn"], d["error"])
        for d in data
    ]
    columns = ("State", "Id", "Command", "From", "To", "Error") if rows else ()
    return Answer(shown=Table(columns, rows, caption=count(len(rows), "row")), data=data)


def _forget(fusion: Fusion, job_id: str) -> Answer:
    edges = fusion.job(job_id).forget_lineage()
    data = [
        {"from_fqn": edge.source, "model_name_fqn": edge.target, "stays": edge.stays}
        for edge in edges
    ]
    rows = [(e.source, e.target, f"stays: {e.stays}" if e.stays else "removed") for e in edges]
    return Answer(
        shown=Table(("From", "To", "Outcome"), rows, caption=count(len(rows), "edge")), data=data
    )


def migrate(fusion: Fusion, _: NoOptions) -> Answer:
    """
    The job store's schema, brought up to date.
    """
    fusion.store.migrate()
    return Answer(shown=Text("The job store's schema is up to date."), data={"migrated": True})


def _check_data(check: Check) -> dict[str, Any]:
    data = asdict(check)
    del data["is_away"]
    return data


COMMANDS = (
    Command(name="profile", help="Shows the settings in force.", answer=profile),
    Command(
        name="doctor",
        help="Checks every configured part and says how to mend what is wrong.",
        answer=doctor,
        without_settings=doctor_without_settings,
    ),
    Command(
        name="queue",
        help="Lists lineage that waits for delivery and what was given up; retries or drops that; forgets a job's lineage.",
        answer=queue,
        options=QueueOptions,
    ),
    Command(name="migrate", help="Brings the job store's schema up to date.", answer=migrate),
)
