"""Rows of Stripe read strictly: what does not fit is put aside alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from opseer_collector.providers.stripe.decode import Reader, put_aside
from opseer_collector.providers.stripe.shapes import ShapeError

NOW = 1_780_000_000
READER = Reader(NOW, livemode=True)
GOOD: dict[str, Any] = {
    "id": "txn_1",
    "created": NOW - 60,
    "amount": 1000,
    "fee": 59,
    "net": 941,
    "currency": "usd",
    "exchange_rate": None,
    "reporting_category": "charge",
    "type": "charge",
    "source": "ch_1",
    "metadata": {"emoji": "\U0001f600"},
}
CHARGE: dict[str, Any] = {
    "id": "ch_1",
    "created": NOW - 60,
    "amount": 1000,
    "currency": "usd",
    "status": "failed",
    "livemode": True,
}


def raw(fields: dict[str, Any], **changes: Any) -> msgspec.Raw:
    """Return an object as JSON."""
    return msgspec.Raw(msgspec.json.encode({**fields, **changes}))


def test_a_good_row_is_read() -> None:
    """Only the used fields are kept, the rate exactly."""
    text = bytes(raw(GOOD)).replace(b'"exchange_rate":null', b'"exchange_rate":1.234')
    row = READER.transaction(msgspec.Raw(text))
    assert (row.amount, row.source_id) == (1000, "ch_1")
    assert row.exchange_rate == Decimal("1.234")


def test_ids_and_whole_objects_are_both_read() -> None:
    """An expanded source and an id are the same."""
    assert READER.transaction(raw(GOOD, source={"id": "ch_2"})).source_id == "ch_2"
    assert READER.transaction(raw(GOOD, source=None)).source_id is None


def test_words_that_are_new_are_counted() -> None:
    """However often they come; what is known is not."""
    reader = Reader(NOW, livemode=True)
    reader.transactions(
        [
            raw(GOOD, id=f"txn_{number}", reporting_category=word, currency=currency)
            for number, (word, currency) in enumerate(
                [("new", "usd"), ("charge", "qqq"), ("new", "usd"), ("n" * 99, "usd")]
            )
        ]
    )
    reader.charge(raw(CHARGE, status="odd"))
    assert reader.words.told() == {
        "charge_status": {"odd": 1},
        "currency": {"qqq": 1},
        "reporting_category": {"new": 2, "n" * 40: 1},
    }


def test_signs_and_fees_are_kept_as_given() -> None:
    """A negative charge and a fee above the amount are Stripe's to say; it is told."""
    reader = Reader(NOW, livemode=True)
    row = reader.transaction(raw(GOOD, amount=-5, fee=10, net=-15))
    assert (row.amount, row.fee) == (-5, 10)
    assert reader.words.told() == {"sign": {"charge": 1}}


def test_an_unknown_category_is_kept() -> None:
    """It is in none of the figures, and no reason to refuse the row."""
    assert READER.transaction(raw(GOOD, reporting_category="new")).category == "new"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"amount": 1000.0}, "$.amount"),
        ({"amount": "1000"}, "$.amount"),
        ({"amount": None}, "$.amount"),
        ({"amount": True}, "$.amount"),
        ({"amount": 10**18, "net": 10**18 - 59}, "$.amount"),
        ({"net": 940}, "$.net"),
        ({"currency": "USD"}, "$.currency"),
        ({"currency": "usd "}, "$.currency"),
        ({"currency": None}, "$.currency"),
        ({"created": NOW + 90_000}, "$.created"),
        ({"created": 1_000_000_000}, "$.created"),
        ({"created": -1}, "$.created"),
        ({"created": "2026"}, "$.created"),
        ({"created": 1.5}, "$.created"),
        ({"exchange_rate": 0}, "$.exchange_rate"),
        ({"exchange_rate": -1.5}, "$.exchange_rate"),
        ({"exchange_rate": "1.2"}, "$.exchange_rate"),
        ({"exchange_rate": {}}, "$.exchange_rate"),
    ],
)
def test_a_bad_field_is_refused_with_its_path(
    changes: dict[str, Any], path: str
) -> None:
    """The path is kept, never the content."""
    text = raw(GOOD, **changes)
    with pytest.raises((ShapeError, msgspec.ValidationError)) as caught:
        READER.transaction(text)
    aside = put_aside("balance_transactions", bytes(text), caught.value)  # type: ignore[arg-type]
    assert (aside.object_id, aside.path) == ("txn_1", path)


def test_a_number_of_five_thousand_digits_is_refused() -> None:
    """It is no reason to stop, or to take the time to read it."""
    text = bytes(raw(GOOD)).replace(b'"amount":1000', b'"amount":1' + b"0" * 5000)
    with pytest.raises(msgspec.ValidationError):
        READER.transaction(msgspec.Raw(text))


def test_a_missing_field_is_refused() -> None:
    """No currency, no amount."""
    fields = {name: value for name, value in GOOD.items() if name != "currency"}
    with pytest.raises(msgspec.ValidationError):
        READER.transaction(raw(fields))


def test_objects_of_the_other_mode_are_refused() -> None:
    """A live key that shows test objects is mixed up."""
    assert READER.charge(raw(CHARGE)).status == "failed"
    with pytest.raises(ShapeError, match=r"\$\.livemode"):
        READER.charge(raw(CHARGE, livemode=False))


def test_a_failure_transaction_is_noticed_in_either_form() -> None:
    """A failed debit counts by its transaction, whether that is an id or an object."""
    for reference in ("txn_2", {"id": "txn_2"}):
        row = READER.charge(raw(CHARGE, failure_balance_transaction=reference))
        assert row.has_failure_balance_transaction
    assert not READER.charge(raw(CHARGE)).has_failure_balance_transaction


def test_what_has_no_id_is_named_by_its_hash() -> None:
    """Nothing of the content is kept."""
    aside = put_aside("charges", b'{"secret":"x"}', ShapeError("$.id", "an id"))
    assert aside.object_id.startswith("sha256:")
    assert "secret" not in repr((aside.object_id, aside.path))


@pytest.mark.parametrize("field", ["id", "type", "source", "reporting_category"])
def test_what_postgres_cannot_store_is_refused(field: str) -> None:
    """A NUL in a text that is kept; in one that is not it does no harm."""
    bad = {**GOOD, field: "a\0b"}
    with pytest.raises(ShapeError, match=r"\$"):
        READER.transaction(raw(bad))
    with pytest.raises(ShapeError):
        READER.transactions([raw(GOOD), raw(bad)])
    harmless = {**GOOD, "description": "a\0b"}
    assert READER.transactions([raw(harmless)])[0] == [READER.transaction(raw(GOOD))]
    assert "\0" not in put_aside("x", bytes(raw(bad)), ShapeError("$", "x")).object_id


def test_plain_objects_lose_what_postgres_cannot_store() -> None:
    """Names of plans are shown without it."""
    shown = {"id": "sub_1", "plans": [{"nickname": "Te\0am"}]}
    assert READER.plain(raw(shown))["plans"] == [{"nickname": "Team"}]


def test_an_id_that_two_rows_have_is_refused() -> None:
    """The page is then read row by row, which tells the same from another one."""
    page = [raw(GOOD), raw(GOOD)]
    with pytest.raises(ShapeError, match="id"):
        READER.transactions(page)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"items": []}, "$.items"),
        ({"items": {"data": {}}}, "$.items.data"),
        ({"items": {"data": [None]}}, "$.items.data"),
        ({"items": {"data": [{"id": 5}]}}, "$.items.data[0].id"),
        ({"customer": {"id": ["x"]}}, "$.customer.id"),
        ({"created": "now"}, "$.created"),
    ],
)
def test_plain_objects_have_a_shape(changes: dict[str, Any], path: str) -> None:
    """What is looked through without asking is checked before."""
    with pytest.raises(ShapeError) as caught:
        READER.plain(raw({"id": "sub_1", **changes}))
    assert caught.value.path == path
    READER.plain(raw({"id": "sub_1", "metadata": {"id": 5, "created": "now"}}))
