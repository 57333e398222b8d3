"""Stripe's rows made into ours, strictly: one that does not fit is put aside alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec

from opseer_collector.domain.records import (
    BalanceTransaction,
    Charge,
    Dispute,
    Quarantined,
    Refund,
)
from opseer_collector.providers.attempts import path_of
from opseer_collector.providers.stripe import repeated
from opseer_collector.providers.stripe.plain_objects import check_shape, without_nul
from opseer_collector.providers.stripe.shapes import ShapeError, node
from opseer_collector.providers.stripe.words import Words

_CURRENCY = re.compile(r"[a-z]{3}")
OLDEST: Final = 1_262_304_000  # 2010-01-01, before Stripe
_DAY: Final = 86_400
_SIGNS: Final = (("charge", 1), ("refund", -1))
_NUL: Final = b"\\u0000"
# Beyond any amount that Stripe takes, and sums of many still fit a bigint.
_MOST: Final = 10**15
_Minor = Annotated[int, msgspec.Meta(gt=-_MOST, lt=_MOST)]


class _Identified(msgspec.Struct):
    id: str


class _Dated(msgspec.Struct):
    created: int


_Reference = str | _Identified | None


class _Transaction(msgspec.Struct, gc=False):
    id: str
    created: int
    amount: _Minor
    fee: _Minor
    net: int
    currency: str
    reporting_category: str
    type: str
    exchange_rate: msgspec.Raw = msgspec.field(
        default_factory=lambda: msgspec.Raw(b"null")
    )
    source: _Reference = None
    balance_type: str | None = None


class _Charge(msgspec.Struct, gc=False):
    id: str
    created: int
    amount: _Minor
    currency: str
    status: str
    livemode: bool | None = None
    failure_balance_transaction: _Reference = None
    failure_code: str | None = None
    customer: _Reference = None


class _Dispute(msgspec.Struct, gc=False):
    id: str
    created: int
    amount: _Minor
    currency: str
    status: str
    reason: str
    livemode: bool | None = None
    charge: _Reference = None


class _Refund(msgspec.Struct, gc=False):
    id: str
    created: int
    amount: _Minor
    currency: str
    charge: _Reference = None


_ONCE: Final[dict[type, Sequence[bytes]]] = {
    _Transaction: repeated.TRANSACTION,
    _Charge: repeated.CHARGE,
}
_NULL: Final = msgspec.Raw(b"null")
_SEEN_CURRENCIES: Final[set[str]] = set()  # at most 26 ** 3
_DATED: Final = msgspec.json.Decoder(_Dated)
_ONE_TRANSACTION: Final = msgspec.json.Decoder(_Transaction)
_TRANSACTIONS: Final = msgspec.json.Decoder(list[_Transaction])
_ONE_CHARGE: Final = msgspec.json.Decoder(_Charge)
_CHARGES: Final = msgspec.json.Decoder(list[_Charge])
_ONE_DISPUTE: Final = msgspec.json.Decoder(_Dispute)
_DISPUTES: Final = msgspec.json.Decoder(list[_Dispute])
_ONE_REFUND: Final = msgspec.json.Decoder(_Refund)


class Reader:
    """Reads rows as of `now` (unix seconds) for a key of one mode.

    Each method raises ShapeError with the path, never the content.
    """

    def __init__(self, now: int, *, livemode: bool) -> None:
        """Read rows of `livemode` that were created until a day after `now`."""
        self._latest = now + _DAY
        self._livemode = livemode
        self.words = Words()

    def transaction(self, raw: msgspec.Raw) -> BalanceTransaction:
        """Read a balance transaction."""
        row = _ONE_TRANSACTION.decode(raw)
        _check_page(raw, [row])
        self._check_all([row])
        return self._transactions([row])[0]

    def transactions(
        self, page: Sequence[msgspec.Raw]
    ) -> tuple[list[BalanceTransaction], int]:
        """Read a page of good ones at once, and when the oldest was created."""
        body = _array(page)
        rows = _TRANSACTIONS.decode(body)
        _check_page(body, rows)
        return self._transactions(rows), self._check_all(rows)

    def _transactions(self, rows: list[_Transaction]) -> list[BalanceTransaction]:
        if any(row.net != row.amount - row.fee for row in rows):
            raise ShapeError("$.net", "amount minus fee")
        self.words.note("reporting_category", [row.reporting_category for row in rows])
        self.words.note("type", [row.type for row in rows])
        for category, sign in _SIGNS:
            odd = [
                row.id
                for row in rows
                if row.reporting_category == category and row.amount * sign < 0
            ]
            self.words.odd("sign", category, len(odd))
        return [
            BalanceTransaction(
                row.id,
                row.created,
                row.amount,
                row.fee,
                row.net,
                row.currency,
                None if row.exchange_rate == _NULL else _rate(row.exchange_rate),
                row.reporting_category,
                row.type,
                row.source if row.source.__class__ is str else _id(row.source),
                row.balance_type or "payments",
            )
            for row in rows
        ]

    def charge(self, raw: msgspec.Raw) -> Charge:
        """Read a charge."""
        row = _ONE_CHARGE.decode(raw)
        _check_page(raw, [row])
        self._check_all([row])
        return self._charges([row])[0]

    def charges(self, page: Sequence[msgspec.Raw]) -> tuple[list[Charge], int]:
        """Read a page of good ones at once, and when the oldest was created."""
        body = _array(page)
        rows = _CHARGES.decode(body)
        _check_page(body, rows)
        return self._charges(rows), self._check_all(rows)

    def _charges(self, rows: list[_Charge]) -> list[Charge]:
        for livemode in {row.livemode for row in rows}:
            self.check_mode(livemode)
        self.words.note("charge_status", [row.status for row in rows])
        return [
            Charge(
                row.id,
                row.created,
                row.amount,
                row.currency,
                row.status,
                row.failure_balance_transaction is not None,
                row.failure_code,
                row.customer if row.customer.__class__ is str else _id(row.customer),
            )
            for row in rows
        ]

    def _check_all(self, rows: Sequence[_Transaction | _Charge]) -> int:
        """Check what all rows of a page have, and return when the oldest was created.

        Side by side, so that good pages, which are nearly all, cost little.
        """
        created = [row.created for row in rows]
        oldest = min(created)
        self._check_dated(oldest)
        self._check_dated(max(created))
        for code in {row.currency for row in rows}:
            _check_currency(code)
        self.words.note("currency", [row.currency for row in rows])
        return oldest

    def dispute(self, raw: msgspec.Raw) -> Dispute:
        """Read a dispute."""
        row = _ONE_DISPUTE.decode(raw)
        _check_page(raw, [row])
        return self._dispute(row)

    def disputes(self, page: Sequence[msgspec.Raw]) -> tuple[list[Dispute], int]:
        """Read a page of good ones at once, and when the oldest was created."""
        body = _array(page)
        found = _DISPUTES.decode(body)
        _check_page(body, found)
        rows = [self._dispute(row) for row in found]
        return rows, min(row.created for row in rows)

    def _dispute(self, row: _Dispute) -> Dispute:
        self._check_dated(row.created)
        self.check_mode(row.livemode)
        _check_currency(row.currency)
        return Dispute(
            id=row.id,
            created=row.created,
            amount=row.amount,
            currency=row.currency,
            status=row.status,
            reason=row.reason,
            charge=_id(row.charge),
        )

    def refund(self, raw: msgspec.Raw) -> Refund:
        """Read a refund."""
        row = _ONE_REFUND.decode(raw)
        _check_page(raw, [row])
        self._check_dated(row.created)
        _check_currency(row.currency)
        return Refund(row.id, row.created, row.amount, row.currency, _id(row.charge))

    def plain(self, raw: msgspec.Raw) -> dict[str, Any]:
        """Read an object of the key's mode as it is; it has an id."""
        try:
            decoded = msgspec.json.decode(raw)
            repeated.check_object(bytes(raw), decoded)
            if _NUL in bytes(raw):
                decoded = without_nul(decoded)
            fields = node(decoded, "$")
        except RecursionError:
            raise ShapeError("$", "fewer levels") from None
        self.check_mode(fields.flag("livemode") if fields.has("livemode") else None)
        fields.text("id")
        check_shape(fields.fields)
        return dict(fields.fields)

    def check_mode(self, livemode: bool | None) -> None:  # noqa: FBT001 - Stripe's field
        """Refuse an object of the other mode."""
        if livemode is not None and livemode != self._livemode:
            raise ShapeError("$.livemode", "the key's mode")

    def created(self, raw: msgspec.Raw) -> int | None:
        """Return when a row was created; None where that cannot be read."""
        try:
            created = _DATED.decode(raw).created
            self._check_dated(created)
        except (msgspec.DecodeError, ShapeError):
            return None
        return created

    def _check_dated(self, created: int) -> None:
        if not OLDEST <= created <= self._latest:
            raise ShapeError("$.created", "an instant that has been")


def _array(page: Sequence[msgspec.Raw]) -> bytes:
    """Return the JSON array of a page's rows."""
    return b"[" + b",".join(page) + b"]"


def _check_page(
    body: bytes | msgspec.Raw,
    rows: Sequence[_Transaction | _Charge | _Dispute | _Refund],
) -> None:
    """Refuse what Postgres cannot store, and an id or a key that is there twice."""
    if len({row.id for row in rows}) < len(rows):
        raise ShapeError("$.id", "an id of its own")
    raw = bytes(body)
    repeated.check_rows(raw, len(rows), _ONCE.get(type(rows[0]), ()))
    if b"\\" not in raw or _NUL not in raw:  # the first is found at once
        return
    for row in rows:
        for name in row.__struct_fields__:
            value = getattr(row, name)
            value = value.id if isinstance(value, _Identified) else value
            if isinstance(value, str) and "\0" in value:
                raise ShapeError(f"$.{name}", "a text without NUL")


def _check_currency(code: str) -> None:
    if code not in _SEEN_CURRENCIES:
        if not _CURRENCY.fullmatch(code):
            raise ShapeError("$.currency", "a lower-case currency code")
        _SEEN_CURRENCIES.add(code)


def _rate(raw: msgspec.Raw) -> Decimal | None:
    """Read exchange_rate exactly: a number above zero, or null."""
    text = bytes(raw).decode().strip()
    if text == "null":
        return None
    try:
        rate = Decimal(text)
    except InvalidOperation:
        raise ShapeError("$.exchange_rate", "a number") from None
    if not rate.is_finite() or rate <= 0:
        raise ShapeError("$.exchange_rate", "a number above zero")
    return rate


def _id(reference: _Reference) -> str | None:
    """Return the id of what is an id or the whole object."""
    return reference.id if isinstance(reference, _Identified) else reference


def id_of(raw: msgspec.Raw) -> str | None:
    """Return a row's id; None where it has none."""
    try:
        return msgspec.json.decode(raw, type=_Identified).id
    except msgspec.DecodeError:
        return None


def put_aside(
    endpoint: str,
    raw: bytes,
    error: ShapeError | msgspec.DecodeError,
    since: int | None = None,
    until: int | None = None,
) -> Quarantined:
    """Return what is kept of a row that could not be read."""
    digest = sha256(raw)
    if isinstance(error, ShapeError):
        path = error.path
    elif isinstance(error, msgspec.ValidationError):
        path = path_of(error)
    else:
        path = "$"
    object_id = id_of(msgspec.Raw(raw)) or f"sha256:{digest.hexdigest()[:16]}"
    return Quarantined(
        endpoint=endpoint,
        object_id=object_id.replace("\0", "")[:200],
        path=path,
        sha256=digest.digest(),
        since=since,
        until=until,
    )
