"""
Engines' messages, in which tables have the names that the statement gave them.
"""

from __future__ import annotations

import pytest

from fusion_magic.sql.messages import with_written_names

ORDERS, ITEMS = ("lake", "sales", "orders"), ("lake", "sales", "order items")
WRITTEN: dict[tuple[str, ...], str] = {
    ORDERS: "shop.db.public.Orders",
    ITEMS: 'shop.db.public."Order Items"',
}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "Table 'lake.sales.orders' does not exist",
            "Table 'shop.db.public.Orders' does not exist",
        ),
        ("Table lake.sales.orders not found", "Table shop.db.public.Orders not found"),
        ("Cannot drop LAKE.SALES.ORDERS.", "Cannot drop shop.db.public.Orders."),
        ("no sales.orders here", "no shop.db.public.Orders here"),
        ('"lake"."sales"."orders" and', "shop.db.public.Orders and"),
        ('lake.sales."order items"', 'shop.db.public."Order Items"'),
        (
            "from lake.sales.orders to sales.order items",
            'from shop.db.public.Orders to shop.db.public."Order Items"',
        ),
    ],
)
def test_a_table_has_the_name_that_the_statement_gave_it(message: str, said: str) -> None:
    assert with_written_names(message, WRITTEN) == said


@pytest.mark.parametrize(
    "message",
    [
        "other.lake.sales.orders2",
        "mysales.orders",
        "shop.db.sales.orders",
        "lake.sales.orders.id is a column",
        "orders",
        "",
    ],
)
def test_a_piece_of_another_name_stays(message: str) -> None:
    assert with_written_names(message, WRITTEN) == message
    assert with_written_names(message, {}) == message


def test_a_name_is_text_and_no_pattern() -> None:
    odd = ("a+b", "(c", "d\\1")

    assert (
        with_written_names("a+b.(c.d\\1 is gone", {odd: r"s.\g<0>.x.y"}) == r"s.\g<0>.x.y is gone"
    )
    assert with_written_names("lake.anything", {("lake", ".*"): "s"}) == "lake.anything"
