"""Where the provider's own dashboard shows an object."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from opseer_gateway.domain.integrations import Known

_STRIPE: Final = "https://dashboard.stripe.com"
_PLACES: Mapping[str, str] = MappingProxyType(
    {
        "ch": "payments",
        "py": "payments",
        "pi": "payments",
        "re": "refunds",
        "pyr": "refunds",
        "dp": "disputes",
        "du": "disputes",
        "po": "payouts",
        "sub": "subscriptions",
        "cus": "customers",
        "evt": "events",
    }
)


def dashboard_link(known: Known, object_id: str | None) -> str | None:
    """Return the page of an object, the dashboard's search for one without a page.

    None where no provider has it: nothing is connected, or a made-up company is.
    """
    connection = known.connection
    if connection is None or object_id is None or known.source != "stripe":
        return None
    if connection.environment == "demo":
        return None
    mode = "" if connection.environment == "live" else "/test"
    place, name = _PLACES.get(object_id.partition("_")[0]), quote(object_id, safe="")
    if place is None:
        return f"{_STRIPE}{mode}/search?query={name}"
    return f"{_STRIPE}{mode}/{place}/{name}"
