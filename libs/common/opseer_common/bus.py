"""A service's end of the bus: what it hears, with acks decided in one place.

Handlers return (ack) or raise:
- TryLaterError, or trouble with Postgres or NATS: redelivered after a delay, uncounted;
- PoisonMessageError, or content that does not fit the contract: parked at once;
- anything else is a fault of the handler: redelivered with back-off, and parked in
  `deadletter.<durable>` when it happened six times.

FastStream's defaults would terminate a failed message, overwrite stream settings and
spin when a durable is gone; each of these is turned off below.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from faststream import AckPolicy
from faststream.exceptions import NackMessage, RejectMessage
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from faststream.nats.security import NatsNKey
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError
from nats.js.errors import ServiceUnavailableError
from pydantic import ValidationError

from opseer_common.attempts import Attempts
from opseer_common.contracts import Message
from opseer_common.database import UNAVAILABLE
from opseer_common.errors import ConfigError, PoisonMessageError, TryLaterError
from opseer_common.rights import inbox_prefix
from opseer_common.topology import DEADLETTER, MAX_ATTEMPTS, dead_letter_subject

M = TypeVar("M", bound=Message)

BACKOFF: Final = (1, 5, 15, 60, 120)
"""Seconds before the second to the sixth try of a faulty handler."""
_SHORT_DELAY: Final = 2
_FETCH_SECONDS: Final = 2.0
_AWAY: Final[tuple[type[Exception], ...]] = (*UNAVAILABLE, NatsError)
_JSON: Final = {"content-type": "application/json"}
_log = structlog.get_logger()


class Bus:
    """The connection of one service, with its subscribers."""

    def __init__(
        self,
        service: str,
        url: str,
        seed_file: Path | None,
        attempts: Attempts,
        *,
        backoff: Sequence[int] = BACKOFF,
    ) -> None:
        """Prepare; nothing connects before `start`."""
        self.refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with ConfigError when the server denies something: a wrong right."""
        self._service = service
        self._attempts = attempts
        self._backoff = backoff
        self._broker = NatsBroker(
            url,
            security=NatsNKey.from_file(seed_file) if seed_file else None,
            inbox_prefix=inbox_prefix(service),
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            graceful_timeout=5,
            error_cb=self._on_error,
            logger=None,
        )

    def hear(self, contract: type[M], handle: Callable[[M], Awaitable[None]]) -> None:
        """Call `handle` with each message of `contract`, at least once."""
        durable = contract.durable(self._service)

        async def heard(message: NatsMessage) -> None:
            await self._judge(contract, handle, durable, message)

        self._broker.subscriber(
            contract.subject,
            stream=JStream(contract.stream(), declare=False),
            durable=durable,
            pull_sub=PullSub(batch_size=8, timeout=_FETCH_SECONDS),
            ack_policy=AckPolicy.NACK_ON_ERROR,
            decoder=_undecoded,
            # The subscriber does not inherit the broker's prefix.
            inbox_prefix=f"{inbox_prefix(self._service)}.".encode(),
        )(heard)

    async def start(self) -> None:
        """Connect and begin to hear. ConfigError where a durable is missing."""
        try:
            await self._broker.start()
        except NatsError as error:
            raise ConfigError(f"NATS: {error}: {_remedy(error)}") from None
        for subscriber in self._broker.subscribers:
            _slow_down(getattr(subscriber, "subscription", None))

    async def stop(self) -> None:
        """Finish what is in hand and disconnect."""
        await self._broker.stop()

    async def ready(self) -> bool:
        """Return whether the bus answers within 2 s."""
        return await self._broker.ping(timeout=2)

    async def publish(self, subject: str, payload: bytes, message_id: str) -> None:
        """Store one message in its stream. TryLaterError while that fails."""
        try:
            await self._broker.publish(
                payload,
                subject,
                headers={**_JSON, "Nats-Msg-Id": message_id},
                stream=subject.split(".", maxsplit=1)[0].upper(),
            )
        except (NatsError, OSError) as error:
            raise TryLaterError(f"NATS: {type(error).__name__}") from error

    async def announce(self, message: Message) -> None:
        """Tell whoever listens now; lost where nobody does or the bus is away."""
        try:
            await self._broker.publish(
                message.model_dump_json().encode(), message.subject, headers=_JSON
            )
        except (NatsError, OSError) as error:
            _log.info("not announced", error=type(error).__name__)

    async def _judge(
        self,
        contract: type[M],
        handle: Callable[[M], Awaitable[None]],
        durable: str,
        message: NatsMessage,
    ) -> None:
        """Handle one delivery and decide what becomes of it."""
        key = _key_of(message)
        try:
            await handle(contract.model_validate_json(message.body))
        except TryLaterError as error:
            _log.info("handled later", durable=durable, key=key, why=str(error))
            raise NackMessage(delay=error.delay) from error
        except _AWAY as error:
            _log.warning("waits", durable=durable, key=key, error=_name(error))
            raise NackMessage(delay=_SHORT_DELAY) from error
        except (PoisonMessageError, ValidationError) as error:
            await self._park(durable, key, message, error)
        except Exception as error:  # noqa: BLE001 - every fault of a handler counts
            await self._count(durable, key, message, error)

    async def _count(
        self, durable: str, key: str, message: NatsMessage, error: Exception
    ) -> None:
        """Count a fault; redeliver with back-off or park."""
        _log.exception("handler failed", durable=durable, key=key)
        try:
            attempts = await self._attempts.count(durable, key, _name(error))
        except UNAVAILABLE as away:
            raise NackMessage(delay=_SHORT_DELAY) from away
        if attempts >= MAX_ATTEMPTS:
            await self._park(durable, key, message, error)
        raise NackMessage(delay=self._backoff[attempts - 1]) from error

    async def _park(
        self, durable: str, key: str, message: NatsMessage, error: Exception
    ) -> None:
        """Put the message aside where an operator sees it, then drop it here."""
        _log.error("parked", durable=durable, key=key, error=_name(error))
        try:
            await self._attempts.park(durable, key, _name(error), message.body)
            await self._broker.publish(
                message.body,
                dead_letter_subject(durable),
                headers={**_JSON, "Nats-Msg-Id": f"{durable}:{key}"},
                stream=DEADLETTER,
            )
        except _AWAY as away:
            raise NackMessage(delay=_SHORT_DELAY) from away
        raise RejectMessage from error

    async def _on_error(self, error: Exception) -> None:
        """Make a refused right fatal: a service without it would hang in silence."""
        if "permissions violation" in str(error).lower() and not self.refused.done():
            self.refused.set_exception(ConfigError(f"NATS: {error}"))
        else:
            _log.warning("bus", error=_name(error))


def _remedy(error: NatsError) -> str:
    """Say what an operator does about a bus that does not take the service."""
    if "authorization violation" in str(error).lower():
        return (
            "the server does not know this service's key; put the output of "
            "`opseer nats-config` into its configuration"
        )
    return "was `opseer migrate` run?"


async def _undecoded(message: NatsMessage) -> bytes:
    """Leave the body alone: `_judge` reads it, and parks what can't be read."""
    return message.body


def _slow_down(subscription: Any) -> None:
    """Make fetching wait where the durable or the connection is gone.

    FastStream swallows these two errors and asks again at once, which takes a core.
    """
    if subscription is None or not hasattr(subscription, "fetch"):
        return
    fetch = subscription.fetch

    async def patient(*args: Any, **words: Any) -> Any:
        try:
            return await fetch(*args, **words)
        except (ServiceUnavailableError, ConnectionClosedError):
            await asyncio.sleep(1)
            raise

    subscription.fetch = patient


def _key_of(message: NatsMessage) -> str:
    """Return what names this message over all its deliveries."""
    own = message.headers.get("Nats-Msg-Id")
    if own:
        return str(own)
    metadata = message.raw_message.metadata
    stamp = metadata.timestamp.isoformat()
    return f"{metadata.stream}:{metadata.sequence.stream}:{stamp}"


def _name(error: Exception) -> str:
    """Name an error without its text, which may hold what was sent."""
    return type(error).__name__
