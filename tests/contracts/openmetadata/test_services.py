"""
Services: who sees secrets, and what a connection may hold.
"""

from __future__ import annotations

from tests.contracts.openmetadata.client import Json, Place
from tests.contracts.openmetadata.marks import needs, versions

MASK = "*********"
CONFIG = {
    "username": "u",
    "authType": {"password": "secret"},
    "hostPort": "h:5432",
    "database": "d",
}


def service(place: Place, **config: object) -> Json:
    name = f"{place.name}_pg"
    body = {"name": name, "serviceType": "Postgres", "connection": {"config": {**CONFIG, **config}}}
    made = place.made("services/databaseServices", body)
    place.forget_later("services/databaseServices", made["id"])
    return made


def password(api: object, name: str) -> str:
    found = api.read(f"services/databaseServices/name/{name}")  # type: ignore[attr-defined] # an Api
    return str(found["connection"]["config"]["authType"]["password"])


def test_a_bot_sees_the_password(place: Place) -> None:
    made = service(place)

    assert password(place, made["name"]) == "secret"


@needs("admin")
def test_an_admin_sees_a_mask(place: Place) -> None:
    made = service(place)

    assert password(place.as_admin(), made["name"]) == MASK


@needs("person")
def test_a_person_sees_a_mask(place: Place) -> None:
    made = service(place)

    assert password(place.as_person(), made["name"]) == MASK


@needs("admin")
def test_the_mask_put_back_is_the_password(place: Place) -> None:
    """
    Services that are not ours are never written.
    """
    made = service(place)
    body = {"name": made["name"], "serviceType": "Postgres",
            "connection": {"config": {**CONFIG, "authType": {"password": MASK}}}}  # fmt: skip
    place.as_admin().made("services/databaseServices", body)

    assert password(place, made["name"]) == MASK


def test_a_connection_is_filled_in(place: Place) -> None:
    made = service(place)

    assert (
        made["connection"]["config"].items()
        >= {"type": "Postgres", "scheme": "postgresql+psycopg2"}.items()
    )


def test_no_connection_is_no_property(place: Place) -> None:
    assert "connection" not in place.read(f"services/databaseServices/name/{place.name}")


def test_an_unknown_property_of_a_connection_is_400(place: Place) -> None:
    body = {
        "name": f"{place.name}_x",
        "serviceType": "Postgres",
        "connection": {"config": {**CONFIG, "nonsense": 1}},
    }

    assert place.put("services/databaseServices", body).status == 400


def test_an_unknown_type_is_400(place: Place) -> None:
    assert (
        place.put(
            "services/databaseServices", {"name": f"{place.name}_x", "serviceType": "Nonsense"}
        ).status
        == 400
    )


@versions(until="1.8")
def test_a_put_without_the_connection_is_refused(place: Place) -> None:
    made = service(place)
    reply = place.put(
        "services/databaseServices", {"name": made["name"], "serviceType": "Postgres"}
    )

    assert reply.status == 400
    assert reply.message.startswith("Cannot invoke")


@versions(until="2.0")
def test_iceberg_before_2(place: Place) -> None:
    made = place.made(
        "services/databaseServices", {"name": f"{place.name}_ice", "serviceType": "Iceberg"}
    )
    place.forget_later("services/databaseServices", made["id"])

    assert made["serviceType"] == "Iceberg"


@versions(since="2.0")
def test_no_iceberg_since_2(place: Place) -> None:
    assert (
        place.put(
            "services/databaseServices", {"name": f"{place.name}_ice", "serviceType": "Iceberg"}
        ).status
        == 400
    )
