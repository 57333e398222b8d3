"""The shop's customers: what each of them does."""

from __future__ import annotations

from collections.abc import Callable

from opseer_simulator.polar.shop import Buyer, Item, Order, Shop, Subscription
from opseer_simulator.timeline import DAY, HOUR, Deck

Story = Callable[[int, Buyer], None]
"""What a customer does from a second on."""

WHY = (
    *("customer_service", "low_quality", "missing_features", "switched_service"),
    *("too_complex", "too_expensive", "unused", "other"),
)
_REASONS = ("customer_request", "duplicate", "dispute_prevention", "other")
_CURRENCIES = {"usd": 8, "eur": 3}
_PLANS = {"month": 6, "year": 3, "week": 2}
_FIRST = "Ada Ben Chloe Dario Elif Femi Grete Hana Ivo Jun Kaya Liam Mina Noor"


class Stories:
    """Deals each new customer of a shop a story."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.items = _items(shop)
        self._plans = Deck(shop.rng, _PLANS)
        self._currencies = Deck(shop.rng, _CURRENCIES)
        self._why = Deck(shop.rng, dict.fromkeys(WHY, 1))
        self._reasons = Deck(shop.rng, dict.fromkeys(_REASONS, 1))
        self._count = 0
        copies: dict[Story, int] = {
            self._stays: 12,
            self._stays_with_discount: 3,
            self._tries_and_stays: 5,
            self._tries_and_leaves: 2,
            self._leaves_at_end: 4,
            self._thinks_again: 2,
            self._leaves_now: 2,
            self._comes_back: 2,
            self._upgrades: 2,
            self._wants_money_back: 2,
            self._buys_once: 8,
            self._buys_and_returns: 2,
            self._buys_and_is_refunded_in_part: 1,
            self._refund_fails: 1,
        }
        self._stories: Deck[Story] = Deck(shop.rng, copies)
        shop.welcome(self._arrive)

    def _arrive(self, at: int) -> None:
        shop = self._shop
        self._count += 1
        name = shop.rng.choice(_FIRST.split())
        buyer = Buyer(
            id=shop.new_uuid("customer"),
            created=at,
            name=f"{name} {self._count}",
            email=f"{name.lower()}.{self._count}@example.com",
            currency=self._currencies.draw(),
        )
        self._stories.draw()(at, buyer)

    def _begin(
        self, at: int, buyer: Buyer, *, trial: bool = False, discounted: bool = False
    ) -> Subscription:
        item = self.items[self._plans.draw()]
        return self._shop.subscribe(at, buyer, item, trial=trial, discounted=discounted)

    def _stays(self, at: int, buyer: Buyer) -> None:
        self._begin(at, buyer)

    def _stays_with_discount(self, at: int, buyer: Buyer) -> None:
        self._begin(at, buyer, discounted=True)

    def _tries_and_stays(self, at: int, buyer: Buyer) -> None:
        self._begin(at, buyer, trial=True)

    def _tries_and_leaves(self, at: int, buyer: Buyer) -> None:
        sub = self._begin(at, buyer, trial=True)
        self._cancel_later(at, sub, 1, 13)

    def _leaves_at_end(self, at: int, buyer: Buyer) -> None:
        self._cancel_later(at, self._begin(at, buyer), 4, 70)

    def _thinks_again(self, at: int, buyer: Buyer) -> None:
        shop, sub = self._shop, self._begin(at, buyer)
        then = shop.later(at, 4, 60)
        why = self._why.draw()
        shop.plan(then, lambda t: shop.cancel_at_end(t, sub, why))
        shop.plan(then + 30 * HOUR, lambda t: shop.uncancel(t, sub))

    def _leaves_now(self, at: int, buyer: Buyer) -> None:
        shop, sub, why = self._shop, self._begin(at, buyer), self._why.draw()
        shop.plan(shop.later(at, 3, 60), lambda t: shop.revoke(t, sub, why))

    def _comes_back(self, at: int, buyer: Buyer) -> None:
        shop, sub, why = self._shop, self._begin(at, buyer), self._why.draw()
        gone = shop.later(at, 5, 40)
        shop.plan(gone, lambda t: shop.revoke(t, sub, why))
        shop.plan(shop.later(gone, 3, 30), lambda t: self._stays(t, buyer))

    def _upgrades(self, at: int, buyer: Buyer) -> None:
        shop = self._shop
        sub = shop.subscribe(
            at, buyer, self.items["month"], trial=False, discounted=False
        )
        pro = self.items["year"]
        shop.plan(shop.later(at, 8, 60), lambda t: shop.move(t, sub, pro))

    def _wants_money_back(self, at: int, buyer: Buyer) -> None:
        shop = self._shop
        sub = self._begin(at, buyer)
        order = shop.orders[-1]
        then = shop.later(at, 2, 25)
        self._refund(then, order, succeeded=True)
        shop.plan(then, lambda t: shop.revoke(t, sub, "other"))

    def _buys_once(self, at: int, buyer: Buyer) -> None:
        shop = self._shop
        shop.buy(at, buyer, self._thing())
        if shop.rng.randrange(2):
            again = shop.later(at, 5, 60)
            shop.plan(again, lambda t: self._buys_once(t, buyer))

    def _buys_and_returns(self, at: int, buyer: Buyer) -> None:
        order = self._shop.buy(at, buyer, self._thing())
        self._refund(self._shop.later(at, 1, 30), order, succeeded=True)

    def _buys_and_is_refunded_in_part(self, at: int, buyer: Buyer) -> None:
        shop = self._shop
        dollars = Buyer(buyer.id, buyer.created, buyer.name, buyer.email, "usd")
        order = shop.buy(at, dollars, self._thing())
        part = order.net * shop.rng.randrange(20, 80) // 100
        self._refund(shop.later(at, 1, 20), order, succeeded=True, part=part)

    def _refund_fails(self, at: int, buyer: Buyer) -> None:
        order = self._shop.buy(at, buyer, self._thing())
        self._refund(self._shop.later(at, 1, 20), order, succeeded=False)

    def _thing(self) -> Item:
        return self.items[self._shop.rng.choice(("template", "icons"))]

    def _cancel_later(self, at: int, sub: Subscription, least: int, most: int) -> None:
        shop, why = self._shop, self._why.draw()
        then = shop.later(at, least, most)
        shop.plan(then, lambda t: shop.cancel_at_end(t, sub, why))

    def _refund(
        self, at: int, order: Order, *, succeeded: bool, part: int | None = None
    ) -> None:
        """Plan a refund that is begun at a second and settled within a day."""
        shop, reason = self._shop, self._reasons.draw()
        delay = shop.rng.choice((0, HOUR, DAY))

        def begin(then: int) -> None:
            refund = shop.give_back(then, order, part, reason)
            if refund is not None:
                shop.plan(
                    then + delay,
                    lambda t: shop.settle(t, refund, succeeded=succeeded),
                )

        shop.plan(at, begin)


def _items(shop: Shop) -> dict[str, Item]:
    """Return what is on sale, by a short name."""
    return {
        "month": Item(
            shop.new_uuid("item"), "Pro", {"usd": 1900, "eur": 1800}, "month"
        ),
        "year": Item(
            shop.new_uuid("item"), "Pro yearly", {"usd": 19_000, "eur": 18_000}, "year"
        ),
        "week": Item(shop.new_uuid("item"), "Sprint", {"usd": 700, "eur": 650}, "week"),
        "template": Item(shop.new_uuid("item"), "Template", {"usd": 4900, "eur": 4500}),
        "icons": Item(shop.new_uuid("item"), "Icon pack", {"usd": 1500, "eur": 1400}),
    }


def open_shop(seed: int, opened: int, size: int) -> Shop:
    """Return a shop whose customers come by chance."""
    shop = Shop(seed, opened, size)
    Stories(shop)
    return shop
