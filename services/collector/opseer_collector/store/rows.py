"""What a provider sent: upserted page by page, so that again is the same once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from opseer_collector.domain.records import BalanceTransaction, Batch
from opseer_collector.domain.work import Claim
from opseer_collector.store.runs import fenced
from opseer_common.database import Connection, Database

_OF = "account_id, source, connection_id"

_GIVEN: Final = """json_to_recordset($5::json) AS r(id text, created bigint,
        amount bigint, fee bigint, net bigint, currency text, exchange_rate numeric,
        category text, type text, source_id text, balance_type text)"""
# What never changes, and yet was another in the same run.
_CLASHING: Final = f"""
    INSERT INTO collector.quarantine ({_OF}, fence, at, endpoint, object_id, path,
        sha256, since, until)
    SELECT $1, $2, $3, $4, now(), 'balance_transactions', r.id, '$.id',
        sha256(convert_to(r::text, 'UTF8')), least(t.created, r.created),
        greatest(t.created, r.created) + 1
    FROM {_GIVEN}
    JOIN collector.balance_transaction AS t
        ON (t.account_id, t.source, t.connection_id, t.id) = ($1, $2, $3, r.id)
    WHERE t.fence = $4 AND (t.created, t.amount_minor, t.fee_minor, t.currency,
        t.category) IS DISTINCT FROM (r.created, r.amount, r.fee, r.currency,
        r.category)
    ON CONFLICT ({_OF}, endpoint, object_id) DO NOTHING
    """  # noqa: S608 - constants
_TRANSACTIONS: Final = f"""
    INSERT INTO collector.balance_transaction ({_OF}, fence, id, created, amount_minor,
        fee_minor, net_minor, currency, exchange_rate, category, type, source_id,
        balance_type)
    SELECT $1, $2, $3, $4, r.* FROM {_GIVEN}
    ON CONFLICT ({_OF}, id) DO UPDATE SET fence = excluded.fence,
        created = excluded.created, amount_minor = excluded.amount_minor,
        fee_minor = excluded.fee_minor, net_minor = excluded.net_minor,
        currency = excluded.currency, exchange_rate = excluded.exchange_rate,
        category = excluded.category, type = excluded.type,
        source_id = excluded.source_id, balance_type = excluded.balance_type
    """  # noqa: S608 - constants
_CHARGES: Final = f"""
    INSERT INTO collector.charge ({_OF}, fence, id, created, amount_minor, currency,
        status, has_failure_balance_transaction, failure_code, customer)
    SELECT $1, $2, $3, $4, * FROM json_to_recordset($5::json) AS r(id text,
        created bigint, amount bigint, currency text, status text,
        has_failure_balance_transaction boolean, failure_code text, customer text)
    ON CONFLICT ({_OF}, id) DO UPDATE SET fence = excluded.fence,
        created = excluded.created, amount_minor = excluded.amount_minor,
        currency = excluded.currency, status = excluded.status,
        has_failure_balance_transaction = excluded.has_failure_balance_transaction,
        failure_code = excluded.failure_code, customer = excluded.customer
    """  # noqa: S608 - constants
_DISPUTES: Final = f"""
    INSERT INTO collector.dispute ({_OF}, fence, id, created, amount_minor, currency,
        status, reason, charge)
    SELECT $1, $2, $3, $4, * FROM json_to_recordset($5::json) AS r(id text,
        created bigint, amount bigint, currency text, status text, reason text,
        charge text)
    ON CONFLICT ({_OF}, id) DO UPDATE SET fence = excluded.fence,
        created = excluded.created, amount_minor = excluded.amount_minor,
        currency = excluded.currency, status = excluded.status,
        reason = excluded.reason, charge = excluded.charge
    """  # noqa: S608 - constants
_REFUNDS: Final = f"""
    INSERT INTO collector.refund ({_OF}, fence, id, created, amount_minor, currency,
        charge)
    SELECT $1, $2, $3, $4, * FROM json_to_recordset($5::json) AS r(id text,
        created bigint, amount bigint, currency text, charge text)
    ON CONFLICT ({_OF}, id) DO UPDATE SET fence = excluded.fence,
        created = excluded.created, amount_minor = excluded.amount_minor,
        currency = excluded.currency, charge = excluded.charge
    """  # noqa: S608 - constants
_SUBSCRIPTIONS: Final = f"""
    INSERT INTO collector.subscription ({_OF}, fence, id, body)
    SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::jsonb[])
    ON CONFLICT ({_OF}, id, fence) DO UPDATE SET body = excluded.body
    """  # noqa: S608 - constants
_ENDED: Final = f"""
    INSERT INTO collector.ended_subscription ({_OF}, fence, id, customer, body)
    SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::text[], $7::jsonb[])
    ON CONFLICT ({_OF}, id, fence) DO UPDATE SET customer = excluded.customer,
        body = excluded.body
    """  # noqa: S608 - constants
_CHANGES: Final = f"""
    INSERT INTO collector.subscription_change ({_OF}, fence, event_id, at, position,
        body)
    SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::bigint[], $7::int[],
        $8::jsonb[])
    ON CONFLICT ({_OF}, event_id, fence) DO UPDATE SET at = excluded.at,
        position = excluded.position, body = excluded.body
    """  # noqa: S608 - constants
_NAMES: Final = f"""
    INSERT INTO collector.name ({_OF}, fence, kind, id, name, email)
    SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::text[], $7::text[],
        $8::text[])
    ON CONFLICT ({_OF}, kind, id) DO UPDATE SET fence = excluded.fence,
        name = excluded.name, email = excluded.email
    """  # noqa: S608 - constants
_METRICS: Final = f"""
    INSERT INTO collector.project_metric ({_OF}, fence, project, day, name, currency,
        value, partial)
    SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::date[], $7::text[],
        $8::text[], $9::bigint[], $10::boolean[])
    ON CONFLICT ({_OF}, project, day, name, currency) DO UPDATE SET
        fence = excluded.fence, value = excluded.value, partial = excluded.partial
    """  # noqa: S608 - constants
_QUARANTINED: Final = f"""
    INSERT INTO collector.quarantine ({_OF}, fence, at, endpoint, object_id, path,
        sha256, since, until)
    SELECT $1, $2, $3, $4, now(), * FROM unnest($5::text[], $6::text[], $7::text[],
        $8::bytea[], $9::bigint[], $10::bigint[])
    ON CONFLICT ({_OF}, endpoint, object_id) DO UPDATE SET fence = excluded.fence,
        at = excluded.at, path = excluded.path, sha256 = excluded.sha256,
        since = excluded.since, until = excluded.until
    """  # noqa: S608 - constants

_READ: Final = f"""
    INSERT INTO collector.read_window ({_OF}, fence, run_id, endpoint, since, until)
    SELECT $1, $2, $3, $4, $5, * FROM unnest($6::text[], $7::bigint[], $8::bigint[])
    ON CONFLICT (run_id, fence, endpoint, until) DO UPDATE SET since = excluded.since
    """  # noqa: S608 - constants

_CHANGE_FIELDS: Final = ("event_id", "at", "position")
_NAME_FIELDS: Final = ("kind", "id", "name", "email")
_METRIC_KEY: Final = ("project", "day", "name", "currency")
_METRIC_FIELDS: Final = (*_METRIC_KEY, "value", "partial")
_READ_FIELDS: Final = ("endpoint", "since", "until")
_ASIDE_FIELDS: Final = ("endpoint", "object_id", "path", "sha256", "since", "until")


class Rows:
    """The rows of a claim's connection."""

    def __init__(self, database: Database) -> None:
        """Write through `database`."""
        self._database = database

    async def store(self, claim: Claim, batch: Batch) -> None:
        """Store a batch. Overtaken where the claim is not ours any more."""
        async with fenced(self._database, claim, alone=False) as connection:
            for given in _rounds(batch.transactions):
                rows = _json(given)
                await connection.execute(_CLASHING, *_of(claim), rows)
                await connection.execute(_TRANSACTIONS, *_of(claim), rows)
            for statement, unique in (
                (_CHARGES, {row.id: row for row in batch.charges}),
                (_DISPUTES, {row.id: row for row in batch.disputes}),
                (_REFUNDS, {row.id: row for row in batch.refunds}),
            ):
                if unique:
                    await connection.execute(
                        statement, *_of(claim), _json([*unique.values()])
                    )
            names = _columns(_unique(batch.names, ("kind", "id")), _NAME_FIELDS)
            await _run(connection, _NAMES, claim, names)
            metrics = _columns(_unique(batch.metrics, _METRIC_KEY), _METRIC_FIELDS)
            await _run(connection, _METRICS, claim, metrics)
            aside = _unique(batch.quarantined, ("endpoint", "object_id"))
            await _run(connection, _QUARANTINED, claim, _columns(aside, _ASIDE_FIELDS))
            await self._store_subscriptions(connection, claim, batch)
            read = _columns(_unique(batch.read, ("endpoint", "until")), _READ_FIELDS)
            await _run(connection, _READ, claim, read, claim.run_id)
            await _note(connection, claim, batch)

    async def _store_subscriptions(
        self, connection: Connection, claim: Claim, batch: Batch
    ) -> None:
        """Store subscriptions and changes in the form of the contract."""
        for statement, rows, fields in (
            (_SUBSCRIPTIONS, _unique(batch.subscriptions, ("id",)), ("id",)),
            (_ENDED, _unique(batch.ended, ("id",)), ("id", "customer")),
            (_CHANGES, _unique(batch.changes, ("event_id",)), _CHANGE_FIELDS),
        ):
            columns = [*_columns(rows, fields), [_json(one) for one in rows]]
            await _run(connection, statement, claim, columns)


async def _note(connection: Connection, claim: Claim, batch: Batch) -> None:
    """Note what was learned of the connection itself."""
    if not batch.permissions and batch.pace is None:
        return
    pace = None if batch.pace is None else _json(batch.pace)
    await connection.execute(
        """
        UPDATE collector.connection
        SET permissions = permissions || $4::jsonb, pace = coalesce($5::jsonb, pace)
        WHERE (account_id, source, connection_id) = ($1, $2, $3)
        """,
        *_of(claim)[:3],
        *(_json(batch.permissions), pace),
    )


async def _run(
    connection: Connection,
    statement: str,
    claim: Claim,
    columns: list[list[Any]],
    *more: object,
) -> None:
    """Upsert columns of equal length; nothing for none."""
    if columns[0]:
        await connection.execute(
            statement,
            *_of(claim),
            *more,
            *columns,
        )


def _rounds(
    rows: Sequence[BalanceTransaction],
) -> Iterator[list[BalanceTransaction]]:
    """Yield the rows so that each id is there once in a round: nearly always one."""
    while rows:
        first: dict[str, BalanceTransaction] = {}
        again = [row for row in rows if first.setdefault(row.id, row) is not row]
        yield [*first.values()]
        rows = again


def _unique(rows: Iterable[Any], key: Sequence[str]) -> list[Any]:
    """Return the last row of each key: a statement may touch a row only once."""
    found = {tuple(getattr(row, name) for name in key): row for row in rows}
    return list(found.values())


def _columns(rows: Sequence[Any], fields: Sequence[str]) -> list[list[Any]]:
    return [[getattr(row, name) for row in rows] for name in fields]


def _of(claim: Claim) -> tuple[object, ...]:
    return claim.account_id, claim.source, claim.connection_id, claim.fence


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
