"""Sending what is due: claim, open the address, send, write down what came of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec
import structlog

from opseer_common.clock import Clock
from opseer_common.contracts.destination import Address, decode
from opseer_common.database import LATER
from opseer_common.sealing import DESTINATION, SealedFor, SealError, Secret
from opseer_notifier.domain.building import Inputs, timezone_of
from opseer_notifier.domain.delivering import Delivery, letter_of
from opseer_notifier.domain.outcome import (
    Again,
    Outcome,
    Refused,
    Unknown,
    Verdict,
    judge,
)
from opseer_notifier.domain.parcel import Parcel
from opseer_notifier.domain.report import report

_BATCH: Final = 500
_AT_ONCE: Final = 128
_TOGETHER: Final = 32
"""How many are claimed in one transaction."""
_ATTEMPT_SECONDS: Final = 45.0
"""Below the lease of an attempt, so that nobody takes it over meanwhile."""
_GRACE_SECONDS: Final = 4.0
_PATIENCE_SECONDS: Final = (0.2, 1.0, 3.0)
_JITTER: Final = 10
_log = structlog.get_logger()


class Store(Protocol):
    """The delivery log."""

    async def due(self, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
        """Return accounts and deliveries that may be sent."""
        ...

    async def claim(
        self, wanted: Sequence[tuple[UUID, UUID]], now: datetime
    ) -> list[Delivery]:
        """Take deliveries for one attempt each; those that may be sent."""
        ...

    async def record(self, delivery: Delivery, verdict: Verdict, now: datetime) -> bool:
        """Write down what came of it; False where the lease was lost."""
        ...


class Figures(Protocol):
    """What reports follow from."""

    async def read(self, account_id: UUID) -> Inputs:
        """Return everything the reports of an account follow from."""
        ...


class Opener(Protocol):
    """Opens sealed records."""

    def open(self, record: bytes, place: SealedFor) -> Secret:
        """Return what is in a record. Raises SealError."""
        ...


class Sender(Protocol):
    """Hands parcels to one kind of destination."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Try once and return how it ended."""
        ...


class Delivering:
    """Sends, many at once."""

    def __init__(
        self,
        store: Store,
        figures: Figures,
        opener: Opener,
        senders: Mapping[str, Sender],
        clock: Clock,
        url: str | None,
    ) -> None:
        """Send through `senders`, by kind; letters lead to `url`."""
        self._store = store
        self._figures = figures
        self._opener = opener
        self._senders = senders
        self._clock = clock
        self._url = url
        self._open: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def deliver(self) -> int:
        """Begin to send everything that is due; return how many attempts began.

        An attempt that takes long keeps nothing but its own place.
        """
        due = await self._store.due(self._clock(), _BATCH)
        # Processes that look at the same moment start at different ends.
        random.shuffle(due)
        begun = 0
        while due:
            count = await self._places(len(due))
            wanted, due = due[:count], due[count:]
            try:
                claimed = await self._store.claim(wanted, self._clock())
            except BaseException:
                self._free(count)
                raise
            self._free(count - len(claimed))
            for delivery in claimed:
                task = asyncio.create_task(self._quietly(delivery))
                self._open.add(task)
                task.add_done_callback(self._ended)
            begun += len(claimed)
        return begun

    async def settled(self) -> None:
        """Wait until every attempt that began is over."""
        while self._open:
            await asyncio.wait(self._open)

    async def close(self) -> None:
        """Let what is on its way arrive, for some seconds."""
        if self._open:
            await asyncio.wait(self._open, timeout=_GRACE_SECONDS)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _places(self, wanted: int) -> int:
        """Take at least one of the places for attempts, at most `wanted`."""
        await self._slots.acquire()
        taken = 1
        while taken < min(wanted, _TOGETHER) and not self._slots.locked():
            await self._slots.acquire()
            taken += 1
        return taken

    def _free(self, places: int) -> None:
        for _ in range(places):
            self._slots.release()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        self._free(1)

    async def _quietly(self, delivery: Delivery) -> None:
        """Make an attempt; one that fails must not stop the others."""
        try:
            await self._one(delivery)
        except LATER as error:
            _log.warning("not written down", error=type(error).__name__)
        except Exception:  # noqa: BLE001 - see above
            _log.exception("not delivered", delivery=str(delivery.delivery_id))

    async def _one(self, delivery: Delivery) -> None:
        """Make one attempt and write down what came of it."""
        try:
            outcome = await self._attempt(delivery)
        except Exception:  # noqa: BLE001 - a fault of ours ends this delivery alone
            _log.exception("attempt failed", delivery=str(delivery.delivery_id))
            outcome = Unknown("INTERNAL_ERROR", "Something went wrong here.")
        now = self._clock()
        jitter = random.randrange(_JITTER)  # noqa: S311 - spreads retries
        verdict = judge(outcome, delivery.channel, delivery.attempts, now, jitter)
        written = await self._record(delivery, verdict, now)
        _log.info(
            "delivery",
            account=str(delivery.account_id),
            delivery=str(delivery.delivery_id),
            channel=delivery.channel,
            kind=delivery.kind,
            attempt=delivery.attempts,
            state=verdict.state,
            code=verdict.code,
            written=written,
        )

    async def _record(
        self, delivery: Delivery, verdict: Verdict, now: datetime
    ) -> bool:
        """Write it down, again and again while the database is away for a moment."""
        for delay in _PATIENCE_SECONDS:
            try:
                return await self._store.record(delivery, verdict, now)
            except LATER:
                await asyncio.sleep(delay)
        return await self._store.record(delivery, verdict, now)

    async def _attempt(self, delivery: Delivery) -> Outcome:
        """Open the address and send the letter."""
        address = self._address(delivery)
        if isinstance(address, Refused):
            return address
        try:
            delivery = await self._with_report(delivery)
        except LATER as error:
            return Again("LATER", f"the figures are away ({type(error).__name__})")
        letter = letter_of(delivery, self._url)
        if letter is None:
            words = "There is no report of this day: nothing is connected."
            return Refused("NO_REPORT", words, disables=False)
        parcel = Parcel(
            delivery_id=delivery.delivery_id,
            letter=letter,
            address=address,
            moved_to=delivery.moved_to,
            now=self._clock(),
        )
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                return await self._senders[delivery.channel].send(parcel)
        except TimeoutError:
            return Unknown("NO_ANSWER", "no answer arrived in time")

    def _address(self, delivery: Delivery) -> Address | Refused:
        """Return where it goes to, opened with the notifier's key."""
        place = SealedFor(
            delivery.account_id, str(delivery.destination_id), 1, DESTINATION
        )
        try:
            return decode(self._opener.open(delivery.sealed, place).reveal())
        except (SealError, msgspec.ValidationError):
            words = "The address can't be opened with this notifier's key. Add it anew."
            return Refused("NO_KEY", words)

    async def _with_report(self, delivery: Delivery) -> Delivery:
        """Return the delivery with its day's report, made now where none is stored."""
        if delivery.kind != "daily" or delivery.day in delivery.reports:
            return delivery
        inputs = await self._figures.read(delivery.account_id)
        if not inputs.connected:
            return delivery
        channels = [one.channel for one in inputs.connected]
        made = report(delivery.day, timezone_of(inputs.connected), channels)
        return replace(delivery, reports={delivery.day: made})
