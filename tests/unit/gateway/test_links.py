"""Links into Stripe's dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opseer_gateway.domain.integrations import Known
from opseer_gateway.domain.links import dashboard_link

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Connect

BASE = "https://dashboard.stripe.com"


@pytest.mark.parametrize(
    ("object_id", "path"),
    [
        ("ch_1", "payments/ch_1"),
        ("py_1", "payments/py_1"),
        ("re_1", "refunds/re_1"),
        ("dp_1", "disputes/dp_1"),
        ("po_1", "payouts/po_1"),
        ("sub_1", "subscriptions/sub_1"),
        ("txn_1", "search?query=txn_1"),
        ("odd/../1?a=b", "search?query=odd%2F..%2F1%3Fa%3Db"),
    ],
)
def test_an_object_has_its_page(connect: Connect, object_id: str, path: str) -> None:
    """Each kind of object has a page; the search finds the others."""
    assert dashboard_link(connect("live"), object_id) == f"{BASE}/{path}"
    assert dashboard_link(connect("test"), object_id) == f"{BASE}/test/{path}"


def test_where_nobody_has_it(connect: Connect) -> None:
    """A made-up company, and what is not connected, have no page anywhere."""
    assert dashboard_link(connect("demo"), "ch_1") is None
    assert dashboard_link(Known("stripe"), "ch_1") is None
    assert dashboard_link(connect("live"), None) is None
