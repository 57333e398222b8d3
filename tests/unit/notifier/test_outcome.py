"""What follows from an attempt."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from opseer_notifier.domain.outcome import (
    Again,
    Outcome,
    Refused,
    Sent,
    Unknown,
    judge,
)

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR = 3_600
# Standard Webhooks 1.0.0 gives these as an example schedule.
WEBHOOK = (5, 300, 1_800, *(n * HOUR for n in (2, 5, 10, 14, 20, 24)))


def delay(outcome: Outcome, channel: str, attempts: int, jitter: int = 0) -> int:
    """Return the seconds to the next attempt."""
    verdict = judge(outcome, channel, attempts, NOW, jitter)
    assert verdict.state == "retrying"
    assert verdict.not_before is not None
    return int((verdict.not_before - NOW).total_seconds())


def test_webhooks_are_tried_by_the_standards_schedule() -> None:
    """Nine more times over three days, then given up; jitter adds at most a tenth."""
    again = Again("FAILED", "503")
    assert [delay(again, "webhook", n) for n in range(1, 10)] == list(WEBHOOK)
    assert judge(again, "webhook", 10, NOW, 0).state == "failed"
    assert judge(again, "webhook", 10, NOW, 0).is_given_up
    assert delay(again, "webhook", 9, jitter=9) <= 1.1 * WEBHOOK[-1]


def test_the_receivers_wish_is_kept() -> None:
    """Retry-After is the least delay, a day the most; a shorter one changes nothing."""
    assert delay(Again("RATE_LIMITED", "", 90), "slack", 1) == 90
    assert delay(Again("RATE_LIMITED", "", 1), "slack", 1) == 5
    assert delay(Again("RATE_LIMITED", "", 10**9), "slack", 1) == 24 * HOUR


def test_a_chat_that_moved_is_tried_at_once() -> None:
    """The new place is known: there is nothing to wait for."""
    moved = Again("MOVED", "", moved_to="-100")
    assert delay(moved, "telegram", 1) == 0
    assert judge(moved, "telegram", 1, NOW, 0).moved_to == "-100"


@pytest.mark.parametrize("channel", ["slack", "discord", "telegram", "email"])
def test_what_may_have_arrived_is_not_sent_again(channel: str) -> None:
    """Only a webhook's receiver can tell a second one from the first."""
    unknown = Unknown("NO_ANSWER", "")
    assert judge(unknown, channel, 1, NOW, 0).state == "perhaps_sent"
    assert delay(unknown, "webhook", 1) == 5


def test_a_refusal_ends_the_destination_or_the_message() -> None:
    """Gone is gone; a message that does not fit says nothing about the next one."""
    gone = judge(Refused("GONE", "404"), "slack", 1, NOW, 0)
    assert (gone.state, gone.disables, gone.is_given_up) == ("disabled", True, False)
    bad = judge(Refused("NOT_TAKEN", "400", disables=False), "slack", 1, NOW, 0)
    assert (bad.state, bad.disables, bad.is_given_up) == ("failed", False, True)
    assert judge(Sent(), "slack", 1, NOW, 0).state == "sent"
