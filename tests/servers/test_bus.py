"""The bus on a real server: acks, back-off, dead letters, crashes, lost streams."""

from __future__ import annotations

import asyncio
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from opseer_common import inbox, topology
from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.contracts import IntegrationConnected
from opseer_common.errors import ConfigError, PoisonMessageError, TryLaterError
from opseer_common.testing.pair import Pair, administrator, connected, until
from opseer_common.testing.servers import FreshBus, FreshDatabase

DURABLE = IntegrationConnected.durable("collector")


async def test_a_faulty_handler_is_tried_again_until_it_works(pair: Pair) -> None:
    """Rule: a fault is redelivered, and the message is not lost."""
    tries: list[int] = []

    async def handle(message: IntegrationConnected) -> None:
        tries.append(message.key_version)
        if len(tries) < 3:
            raise ValueError

    await pair.hear(handle)
    await pair.publish(connected(7))
    await until(lambda: len(tries) == 3)
    await asyncio.sleep(0.3)
    assert (tries, await pair.dead()) == ([7, 7, 7], [])


async def test_back_off_grows_between_the_tries(pair: Pair, bus: FreshBus) -> None:
    """Rule: the second try waits as the schedule says, not at once."""
    pair.collector = Bus(
        "collector",
        bus.url,
        bus.seed_file("collector"),
        StoredAttempts(pair.databases["collector"], "collector"),
        backoff=(1, 2, 5, 5, 5),
    )
    at: list[float] = []

    async def handle(_: IntegrationConnected) -> None:
        at.append(asyncio.get_running_loop().time())
        if len(at) < 3:
            raise ValueError

    await pair.hear(handle)
    await pair.publish(connected())
    await until(lambda: len(at) == 3)
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert gaps[0] == pytest.approx(1, abs=0.7)
    assert gaps[1] == pytest.approx(2, abs=0.7)


async def test_a_poison_message_is_parked_and_its_neighbours_go_on(
    pair: Pair, bus: FreshBus
) -> None:
    """Rule: six faults, then deadletter.<durable>; the others are handled."""
    handled: list[int] = []
    faults: list[int] = []

    async def handle(message: IntegrationConnected) -> None:
        if message.key_version == 13:
            faults.append(message.key_version)
            raise ValueError
        handled.append(message.key_version)

    await pair.hear(handle)
    for version in (1, 13, 2, 3):
        await pair.publish(connected(version))
    await until(lambda: len(faults) == topology.MAX_ATTEMPTS)
    await asyncio.sleep(0.5)
    assert sorted(handled) == [1, 2, 3]
    assert len(faults) == 6
    assert await pair.dead() == [(6, "ValueError")]
    async with administrator(bus) as admin:
        js = admin.jetstream()
        parked = await js.get_last_msg(
            topology.DEADLETTER, topology.dead_letter_subject(DURABLE)
        )
        state = await js.consumer_info("INTEGRATION", DURABLE)
    assert parked.data is not None
    assert IntegrationConnected.model_validate_json(parked.data).key_version == 13
    assert (state.num_pending, state.num_ack_pending) == (0, 0)


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"account_id":1}', b"\xff"])
async def test_what_fits_no_contract_is_parked_at_once(
    pair: Pair, payload: bytes
) -> None:
    """Rule: content that can't be a message is not tried again."""
    heard: list[IntegrationConnected] = []

    async def handle(message: IntegrationConnected) -> None:
        heard.append(message)

    await pair.hear(handle)
    await pair.gateway.publish(IntegrationConnected.subject, payload, str(uuid4()))
    good = connected()
    await pair.publish(good)
    await until(lambda: heard == [good])
    async with asyncio.timeout(5):
        while not await pair.dead():
            await asyncio.sleep(0.05)
    assert await pair.dead() == [(1, "ValidationError")]


async def test_a_handler_may_call_a_message_poison(pair: Pair) -> None:
    """Rule: PoisonMessageError parks at the first try."""

    async def handle(_: IntegrationConnected) -> None:
        raise PoisonMessageError("no such source")

    await pair.hear(handle)
    await pair.publish(connected())
    async with asyncio.timeout(5):
        while not await pair.dead():
            await asyncio.sleep(0.05)
    assert await pair.dead() == [(1, "PoisonMessageError")]


async def test_trouble_elsewhere_never_counts(pair: Pair) -> None:
    """Rule: what waits for something else is redelivered past six, and not parked."""
    tries: list[int] = []

    async def handle(_: IntegrationConnected) -> None:
        tries.append(1)
        if len(tries) < 9:
            if len(tries) % 2:
                raise TryLaterError("away", delay=0)
            raise TryLaterError("away", delay=0) from OSError()

    await pair.hear(handle)
    await pair.publish(connected())
    await until(lambda: len(tries) == 9)
    async with pair.databases["collector"].transaction() as connection:
        counted = await connection.fetchval("SELECT count(*) FROM collector.attempt")
    assert (counted, await pair.dead()) == (0, [])


async def test_a_duplicate_changes_nothing(pair: Pair, bus: FreshBus) -> None:
    """Rule: the inbox drops what JetStream's own window no longer catches."""
    effects: list[UUID] = []
    deliveries: list[UUID] = []
    collector = pair.databases["collector"]

    async def handle(message: IntegrationConnected) -> None:
        deliveries.append(message.message_id)
        async with collector.transaction() as connection:
            if await inbox.is_new(connection, "collector", DURABLE, message.message_id):
                effects.append(message.message_id)

    await pair.hear(handle)
    message = connected()
    async with administrator(bus) as admin:
        for number in range(3):
            await admin.jetstream().publish(
                message.subject,
                message.model_dump_json().encode(),
                headers={"Nats-Msg-Id": f"again {number}"},
            )
    await until(lambda: len(deliveries) == 3)
    assert effects == [message.message_id]


async def test_a_missing_durable_does_not_take_a_core(
    pair: Pair, bus: FreshBus
) -> None:
    """Rule: a durable that is gone is waited for, and heard again when it is back."""
    heard: list[int] = []

    async def handle(message: IntegrationConnected) -> None:
        heard.append(message.key_version)

    await pair.hear(handle)
    async with administrator(bus) as admin:
        js = admin.jetstream()
        await js.delete_consumer("INTEGRATION", DURABLE)
        await asyncio.sleep(1.5)
        fetches = 0
        subscription: Any = cast(
            "Any", next(iter(pair.collector._broker.subscribers))
        ).subscription
        fetch = subscription.fetch

        async def counted(*args: object, **words: object) -> object:
            nonlocal fetches
            fetches += 1
            return await fetch(*args, **words)

        subscription.fetch = counted
        await asyncio.sleep(2.5)
        assert fetches <= 5
        await topology.apply(js)
        await pair.publish(connected(5))
        await until(lambda: 5 in heard)


async def test_services_do_not_change_a_stream(pair: Pair, bus: FreshBus) -> None:
    """Rule: binding leaves every limit as `opseer migrate` laid it down."""

    async def handle(_: IntegrationConnected) -> None:
        return

    async with administrator(bus) as admin:
        before = (await admin.jetstream().stream_info("INTEGRATION")).config
        await pair.hear(handle)
        after = (await admin.jetstream().stream_info("INTEGRATION")).config
    assert after == before
    assert after.max_age == 7 * topology.DAY


async def test_without_its_streams_a_service_does_not_start(
    pair: Pair, bus: FreshBus
) -> None:
    """Rule: a bus that was not laid down is one clear error, not silence."""

    async def handle(_: IntegrationConnected) -> None:
        return

    async with administrator(bus) as admin:
        await admin.jetstream().delete_stream("INTEGRATION")
        with pytest.raises(ConfigError, match="opseer migrate"):
            await pair.hear(handle)


async def test_kill_9_in_mid_message_leads_to_one_effect(
    pair: Pair, database: FreshDatabase, bus: FreshBus
) -> None:
    """Rule: a process killed between commit and ack has done the work once."""
    await pair.gateway.start()
    async with administrator(bus) as admin:
        js = admin.jetstream()
        durable = (await js.consumer_info("INTEGRATION", DURABLE)).config
        durable.ack_wait = 2
        await js.add_consumer("INTEGRATION", durable)
    message = connected()
    worker = Path(__file__).with_name("killed_worker.py")
    seed = bus.seed_file("collector")
    arguments = [
        sys.executable, str(worker), database.login_url("collector"), bus.url,
        str(seed or ""),
    ]  # fmt: skip

    async def start(mode: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *arguments, mode, stdout=asyncio.subprocess.PIPE
        )

    first = await start("hang")
    await pair.publish(message)
    assert first.stdout is not None
    assert (await asyncio.wait_for(first.stdout.readline(), 10)) == b"committed\n"
    first.kill()
    await first.wait()
    second = await start("finish")
    assert second.stdout is not None
    line = await asyncio.wait_for(second.stdout.readline(), 50)
    second.kill()
    await second.wait()
    assert line == b"seen before\n"
