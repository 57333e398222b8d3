"""What each figure means in each channel, side by side."""

from __future__ import annotations

import msgspec

from opseer_common.channels import CAVEATS, CHANNELS, Channel
from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import MetricKey


class Definition(msgspec.Struct, frozen=True):
    """One of the five metrics in one channel; `caveats` are words."""

    key: MetricKey
    text: str
    caveats: tuple[str, ...]


class ChannelDefinitions(msgspec.Struct, frozen=True):
    """A channel: what its metrics mean, and what to know of its MRR movements.

    `timezone` is the zone of its days where that is not to be chosen, `currencies`
    those that it can be shown in where its provider converts.
    """

    source: Source
    name: str
    metrics: tuple[Definition, ...]
    movements: tuple[str, ...]
    timezone: str | None
    currencies: tuple[str, ...] | None


class Definitions(msgspec.Struct, frozen=True):
    """Every channel. Their figures are not the same and are never added up."""

    channels: tuple[ChannelDefinitions, ...]


def definitions() -> Definitions:
    """Return what is known of every channel."""
    return Definitions(tuple(_of(channel) for channel in CHANNELS.values()))


def _of(channel: Channel) -> ChannelDefinitions:
    return ChannelDefinitions(
        source=channel.source,
        name=channel.name,
        metrics=tuple(
            Definition(key, text, _words(channel.caveats.get(key, ())))
            for key, text in channel.definitions.items()
        ),
        movements=_words(channel.movement_caveats),
        timezone=channel.fixed_zone,
        currencies=channel.currencies,
    )


def _words(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(CAVEATS[code] for code in codes)
