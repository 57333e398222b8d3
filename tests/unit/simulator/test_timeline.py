"""The agenda, the decks and the ids."""

from __future__ import annotations

import random

from opseer_simulator.timeline import Deck, Ids, Timeline


def test_acts_happen_in_the_order_of_their_seconds() -> None:
    """An act planned later for an earlier second happens first."""
    timeline, seen = Timeline(0), list[int]()
    timeline.plan(20, seen.append)
    timeline.plan(10, seen.append)
    timeline.live_until(15)
    assert seen == [10]
    timeline.live_until(20)
    assert seen == [10, 20]


def test_a_new_deck_shows_each_kind_before_it_repeats_one() -> None:
    """The first draws are one card of each kind."""
    rng = random.Random(4)  # noqa: S311 - cards, no secret
    deck = Deck(rng, {"a": 5, "b": 1, "c": 2})
    assert {deck.draw() for _ in range(3)} == {"a", "b", "c"}
    assert sorted(deck.draw() for _ in range(5)) == ["a", "a", "a", "a", "c"]


def test_ids_depend_on_the_seed_alone() -> None:
    """Two runs of one seed get the same ids, another seed gets others."""
    first, again, other = Ids(1), Ids(1), Ids(2)
    ids = [first.new("ch_") for _ in range(3)]
    assert ids == [again.new("ch_") for _ in range(3)]
    assert len(set(ids)) == 3
    assert other.new("ch_") not in ids
