"""Objects that have a key twice are refused, the others are not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from opseer_collector.providers.stripe.decode import Reader
from opseer_collector.providers.stripe.shapes import ShapeError

NOW = 1_780_000_000
READER = Reader(NOW, livemode=True)
ROW: dict[str, Any] = {
    "id": "txn_1",
    "created": NOW - 60,
    "amount": 1000,
    "fee": 59,
    "fee_details": [{"amount": 59, "currency": "usd", "type": "stripe_fee"}],
    "net": 941,
    "currency": "usd",
    "reporting_category": "charge",
    "type": "charge",
    "description": "net",
}
CHARGE: dict[str, Any] = {
    "id": "ch_1",
    "created": NOW - 60,
    "amount": 1000,
    "currency": "usd",
    "status": "failed",
    "failure_code": "card_declined",
    "livemode": True,
}


def twice(fields: dict[str, Any], more: str) -> msgspec.Raw:
    """Return an object as JSON with a member more."""
    return msgspec.Raw(msgspec.json.encode(fields)[:-1] + f",{more}}}".encode())


@pytest.mark.parametrize("more", ['"net":941', '"created":1', '"fee" : 0'])
def test_a_transaction_with_a_key_twice_is_refused(more: str) -> None:
    """Its page is read row by row then, and the others stay."""
    bad, good = twice(ROW, more), msgspec.json.encode({**ROW, "id": "txn_2"})
    with pytest.raises(ShapeError):
        READER.transactions([bad, msgspec.Raw(good)])
    with pytest.raises(ShapeError):
        READER.transaction(bad)
    assert READER.transaction(msgspec.Raw(good)).net == 941


def test_another_amount_does_not_fit_the_net() -> None:
    """A key that fees have, too, is told by the arithmetic."""
    with pytest.raises(ShapeError) as caught:
        READER.transaction(twice({**ROW, "description": None}, '"amount":900'))
    assert caught.value.path == "$.net"


@pytest.mark.parametrize("more", ['"amount":1', '"failure_code":null', '"created":1'])
def test_a_charge_with_a_key_twice_is_refused(more: str) -> None:
    """The last of the two would count."""
    with pytest.raises(ShapeError):
        READER.charge(twice(CHARGE, more))


def test_what_only_looks_so_is_read() -> None:
    """Texts that are a key's name, and objects within that have the same key."""
    charge = {**CHARGE, "description": "created", "refunds": [{"amount": 5}]}
    assert READER.charge(msgspec.Raw(msgspec.json.encode(charge))).amount == 1000


@pytest.mark.parametrize(
    "more",
    ['"status":"canceled"', '"items":{"data":[{"id":"si_1","id":"si_2"}]}'],
)
def test_a_plain_object_with_a_key_twice_is_refused(more: str) -> None:
    """However deep it is, and however it is spaced."""
    fields = {"id": "sub_1", "status": "active", "livemode": True}
    with pytest.raises(ShapeError):
        READER.plain(twice(fields, more))
    with pytest.raises(ShapeError):
        READER.plain(msgspec.Raw(bytes(twice(fields, more)).replace(b":", b" : ")))


def test_texts_with_ends_of_keys_are_read() -> None:
    """They have to be looked at, and nothing is found."""
    fields = {"id": "sub_1", "metadata": {"note": '{"a": 1, "a": 2}'}}
    found = READER.plain(msgspec.Raw(msgspec.json.encode(fields)))
    assert found["metadata"] == fields["metadata"]
