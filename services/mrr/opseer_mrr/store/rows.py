"""Writing the rows of a computation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

import msgspec

from opseer_common.database import Connection
from opseer_common.days import ONE_DAY
from opseer_mrr.domain.computation import (
    EVENTS_PERMISSION,
    ConnectionKey,
    Figures,
    Inputs,
)
from opseer_mrr.domain.holdings import Holding
from opseer_mrr.domain.plans import PlanRow
from opseer_mrr.domain.policy import VERSION
from opseer_mrr.domain.recall import Endings
from opseer_mrr.domain.rows import MovementChange

OF = "account_id = $1 AND source = $2 AND connection_id = $3"
OWN = (
    "snapshot",
    "movement",
    "movement_change",
    "plan",
    "reconciliation",
    "standing",
    "day_basis",
    "estimate",
    "estimated",
    "computed",
)
"""Every table with rows of a connection."""


class Standing(msgspec.Struct, frozen=True):
    """What is kept for the next computation, by subscription id."""

    held: Mapping[str, Holding] = {}
    ending: Endings = {}


_INSERT_SNAPSHOT = """
    INSERT INTO mrr.snapshot (account_id, source, connection_id, day, currency,
        mrr_minor, active_subscriptions, usage_mrr_minor, at_risk_mrr_minor,
        trial_mrr_minor, committed_mrr_minor, mrr_stripe_comparable_minor, unconverted,
        policy, policy_version, timezone, complete, reason, as_of)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
        $17, $18, $19)
"""
_INSERT_MOVEMENT = """
    INSERT INTO mrr.movement (account_id, source, connection_id, day, grain, currency,
        new_minor, expansion_minor, contraction_minor, churned_minor, net_minor,
        of_which_reactivation_minor, fx_minor, snapshot_minor, new_subs, churned_subs,
        timezone, complete, reason, as_of, missed_minor)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
        $17, $18, $19, $20, $21)
"""
_INSERT_CHANGE = """
    INSERT INTO mrr.movement_change (account_id, source, connection_id, day,
        subscription_id, position, customer_id, category, reason, currency,
        before_minor, after_minor, settlement_minor, event_ids, arithmetic, plans,
        reactivation, customer_category, customer_reactivation)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
        $18, $19)
"""
_INSERT_PLAN = """
    INSERT INTO mrr.plan (account_id, source, connection_id, price_id, product_id,
        nickname, interval, interval_count, currency, native_minor, settlement_minor,
        subscriptions)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
_INSERT_BASIS = """
    INSERT INTO mrr.day_basis (account_id, source, connection_id, day, policy, timezone,
        customers, new_customers, lost_customers, subscriptions, new_subscriptions,
        lost_subscriptions)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
_INSERT_RECONCILIATION = """
    INSERT INTO mrr.reconciliation (account_id, source, connection_id, revision, day,
        currency, carried_from, carried_minor, recomputed_minor, difference_minor, at,
        cause, parts)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    ON CONFLICT DO NOTHING
"""
_UPSERT_STANDING = """
    INSERT INTO mrr.standing (account_id, source, connection_id, day, subscriptions)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (account_id, source, connection_id) DO UPDATE
    SET day = excluded.day, subscriptions = excluded.subscriptions
"""


def of(key: ConnectionKey) -> tuple[UUID, str, UUID]:
    """Return the values that stand for `OF`."""
    return key.account_id, key.source, key.connection_id


async def replace(connection: Connection, inputs: Inputs, figures: Figures) -> None:
    """Write the days of `figures`; older ones stay while the currency is the same."""
    own, first, last = of(inputs.key), figures.days.first, figures.days.last
    for table in ("movement", "movement_change", "day_basis"):
        await connection.execute(
            f"DELETE FROM mrr.{table} WHERE {OF} AND day >= $4",  # noqa: S608
            *own,
            first,
        )
    await connection.execute(
        f"DELETE FROM mrr.snapshot WHERE {OF} AND day >= $4",  # noqa: S608
        *own,
        last,
    )
    await connection.execute(f"DELETE FROM mrr.plan WHERE {OF}", *own)  # noqa: S608
    for table in ("movement", "snapshot"):
        await connection.execute(
            f"DELETE FROM mrr.{table} WHERE {OF} AND currency <> $4",  # noqa: S608
            *own,
            figures.settlement,
        )
    await connection.execute(_INSERT_SNAPSHOT, *_snapshot_values(inputs, figures))
    await connection.executemany(_INSERT_MOVEMENT, [*_movement_values(inputs, figures)])
    await connection.executemany(
        _INSERT_CHANGE, [(*own, *_change_values(one)) for one in figures.changes]
    )
    await connection.executemany(
        _INSERT_PLAN, [(*own, *_plan_values(one)) for one in figures.plans]
    )
    await connection.executemany(_INSERT_BASIS, [*_basis_values(inputs, figures)])
    await _reconcile(connection, inputs, figures)


async def _reconcile(connection: Connection, inputs: Inputs, figures: Figures) -> None:
    """Write what the comparison came to, and what the next one compares with."""
    own, found = of(inputs.key), figures.reconciliation
    if found is not None:
        await connection.execute(
            _INSERT_RECONCILIATION,
            *own,
            inputs.revision,
            figures.days.last,
            figures.settlement,
            found.carried_from,
            found.carried,
            found.recomputed,
            found.difference,
            inputs.as_of,
            found.cause,
            _json(
                [
                    {
                        "cause": part.cause,
                        "subscription_id": part.subscription_id,
                        "difference_minor": part.difference,
                    }
                    for part in found.parts
                ]
            ),
        )
    if figures.holdings is not None:
        yesterday = figures.days.last - ONE_DAY
        kept = Standing(held=figures.holdings, ending=figures.endings)
        await connection.execute(_UPSERT_STANDING, *own, yesterday, _json(kept))


def _snapshot_values(inputs: Inputs, figures: Figures) -> tuple[object, ...]:
    """Return the values of today's snapshot, amounts null where they are unknown."""
    found = figures.snapshot
    return (
        *of(inputs.key),
        figures.days.last,
        figures.settlement,
        found and found.mrr,
        found and found.active_subscriptions,
        found and found.usage_mrr,
        found and found.at_risk_mrr,
        found and found.trial_mrr,
        found and found.committed_mrr,
        found and found.mrr_stripe_comparable,
        _json(found.unconverted if found else {}),
        _json(inputs.settings.policy),
        VERSION,
        inputs.settings.timezone,
        figures.reason is None,
        figures.reason,
        inputs.as_of,
    )


def _movement_values(inputs: Inputs, figures: Figures) -> Iterator[tuple[object, ...]]:
    """Yield the values of each movement row; only today's snapshot without events."""
    own, timezone = of(inputs.key), inputs.settings.timezone
    for grain, row in figures.movements:
        yield (
            *own,
            row.day,
            grain,
            figures.settlement,
            row.new,
            row.expansion,
            row.contraction,
            row.churned,
            row.net,
            row.of_which_reactivation,
            row.fx,
            row.snapshot,
            row.new_subs,
            row.churned_subs,
            timezone,
            row.complete,
            row.reason,
            inputs.as_of,
            row.missed,
        )
    if figures.unmoved is not None:
        unknown = (None,) * 7
        for grain in ("subscription", "customer"):
            yield (
                *own,
                figures.days.last,
                grain,
                figures.settlement,
                *unknown,
                figures.unmoved,
                None,
                None,
                timezone,
                False,
                EVENTS_PERMISSION,
                inputs.as_of,
                None,
            )


def _change_values(change: MovementChange) -> tuple[object, ...]:
    """Return the values of one subscription behind a day, after its key."""
    return (
        change.day,
        change.subscription_id,
        change.position,
        change.customer_id,
        change.category,
        change.reason,
        change.currency,
        change.before_minor,
        change.after_minor,
        change.settlement_minor,
        list(change.event_ids),
        _json({"before": change.arithmetic_before, "after": change.arithmetic_after}),
        _json(
            [
                {
                    "price_id": price.id,
                    "product_id": price.product,
                    "nickname": price.nickname,
                    "interval": price.interval,
                    "interval_count": price.interval_count,
                }
                for price in change.plans
            ]
        ),
        change.reactivation,
        change.customer_category,
        change.customer_reactivation,
    )


def _plan_values(plan: PlanRow) -> tuple[object, ...]:
    """Return the values of one price, after its key."""
    return (
        plan.price.id,
        plan.price.product,
        plan.price.nickname,
        plan.price.interval,
        plan.price.interval_count,
        plan.currency,
        plan.native,
        plan.mrr,
        plan.subscriptions,
    )


def _basis_values(inputs: Inputs, figures: Figures) -> Iterator[tuple[object, ...]]:
    """Yield the values of what each day rests on."""
    policy = _json(inputs.settings.policy)
    for one in figures.basis:
        yield (
            *of(inputs.key),
            one.day,
            policy,
            inputs.settings.timezone,
            one.customers.at_end,
            one.customers.new,
            one.customers.lost,
            one.subscriptions.at_end,
            one.subscriptions.new,
            one.subscriptions.lost,
        )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
