"""
Who asks, what each may do, and properties that an installation adds.
"""

from __future__ import annotations

from tests.contracts.openmetadata.client import Place, new_name
from tests.contracts.openmetadata.marks import needs


def test_a_bot_is_told_that_it_is_one(place: Place) -> None:
    me = place.read("users/loggedInUser")

    assert me["isBot"] is True
    assert {"id", "name", "email", "isAdmin"} <= me.keys()


@needs("person")
def test_a_person_is_none(place: Place) -> None:
    assert place.as_person().read("users/loggedInUser").get("isBot", False) is False


@needs("person")
def test_rights_on_one_table(place: Place) -> None:
    table = place.table()
    path = f"permissions/table/name/{table['fullyQualifiedName']}"
    of_person = {
        one["operation"]: one["access"] for one in place.as_person().read(path)["permissions"]
    }
    of_bot = {one["operation"]: one["access"] for one in place.read(path)["permissions"]}

    assert of_person["EditDescription"] == "allow"
    assert of_person["EditLineage"] == of_person["EditAll"] == "notAllow"
    assert of_bot["EditAll"] == of_bot["ViewAll"] == of_bot["Create"] == "allow"


def test_a_custom_property_is_kept_from_a_bot(place: Place) -> None:
    """
    It is made for good on a real server: types have no way to lose a property by this route.
    """
    kind = place.read("metadata/types/name/table", fields="customProperties")
    text = place.read("metadata/types/name/string")
    name = "fusion_contract_property"
    body = {
        "name": name,
        "description": "Text.",
        "propertyType": {"id": text["id"], "type": "type"},
    }
    assert place.put(f"metadata/types/{kind['id']}", body).status == 200
    table = place.table(extension={name: "x"})
    place.table()
    found = place.read(f"tables/{table['id']}", fields="extension")

    assert found["extension"] == {name: "x"}


def test_an_unknown_custom_property_is_400(place: Place) -> None:
    name = new_name()
    reply = place.put("tables", place.table_body(extension={name: "x"}))

    assert (reply.status, reply.message) == (400, f"Unknown custom field {name}")


def test_services_have_no_custom_properties(place: Place) -> None:
    assert place.get("metadata/types/name/databaseService").status == 404


def test_a_service_takes_no_extension(place: Place) -> None:
    body = {"name": place.name, "serviceType": "CustomDatabase", "extension": {"a": 1}}

    assert place.put("services/databaseServices", body).status == 400
