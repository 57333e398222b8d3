"""The app's customers: what each of them does."""

from __future__ import annotations

from collections.abc import Callable

from opseer_simulator.revenuecat.app import (
    ANNUAL,
    COINS,
    DIRECT,
    LIFETIME,
    MONTHLY,
    TRIAL,
    WEEKLY,
    App,
    Member,
    Product,
)
from opseer_simulator.timeline import Deck

Story = Callable[[int, str], None]
"""What a customer does from a second on."""

_PLANS = {MONTHLY.id: 7, ANNUAL.id: 5, WEEKLY.id: 3}
_CURRENCIES = {"usd": 14, "eur": 5, "jpy": 2}
_PRODUCTS = {each.id: each for each in (MONTHLY, ANNUAL, WEEKLY)}


class Stories:
    """Deals each new customer of an app a story."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._plans = Deck(app.rng, _PLANS)
        self._currencies = Deck(app.rng, _CURRENCIES)
        copies: dict[Story, int] = {
            self._stays: 16,
            self._tries_and_stays: 8,
            self._tries_and_leaves: 3,
            self._leaves: 5,
            self._leaves_and_comes_back: 2,
            self._changes: 2,
            self._is_refunded: 2,
            self._is_refunded_in_part: 1,
            self._buys_for_life: 1,
            self._returns_a_purchase: 1,
            self._buys_coins: 3,
        }
        self._stories: Deck[Story] = Deck(app.rng, copies)
        app.welcome(self._arrive)

    def _arrive(self, at: int) -> None:
        self._stories.draw()(at, self._app.new_id("customer"))

    def _plan(self) -> Product:
        return _PRODUCTS[self._plans.draw()]

    def _begin(self, at: int, customer: str, kind: str = DIRECT) -> Member:
        currency = self._currencies.draw()
        return self._app.subscribe(at, customer, self._plan(), currency, kind)

    def _stop_later(self, at: int, member: Member, least: int, most: int) -> None:
        then = self._app.later(at, least, most)
        self._app.plan(then, lambda _: self._app.stop_renewal(member))

    def _stays(self, at: int, customer: str) -> None:
        self._begin(at, customer)

    def _tries_and_stays(self, at: int, customer: str) -> None:
        self._begin(at, customer, TRIAL)

    def _tries_and_leaves(self, at: int, customer: str) -> None:
        self._stop_later(at, self._begin(at, customer, TRIAL), 1, 6)

    def _leaves(self, at: int, customer: str) -> None:
        self._stop_later(at, self._begin(at, customer), 3, 70)

    def _leaves_and_comes_back(self, at: int, customer: str) -> None:
        app = self._app
        product = app.rng.choice((WEEKLY, MONTHLY))
        currency = self._currencies.draw()
        member = app.subscribe(at, customer, product, currency, DIRECT)
        app.stop_renewal(member)
        then = app.later(product.ends(at), 2, 35)
        app.plan(then, lambda t: app.come_back(t, member))

    def _changes(self, at: int, customer: str) -> None:
        app = self._app
        product = app.rng.choice((WEEKLY, MONTHLY))
        currency = self._currencies.draw()
        member = app.subscribe(at, customer, product, currency, DIRECT)
        then = app.later(at, 8, 60)
        app.plan(then, lambda t: app.change(t, member, ANNUAL))

    def _is_refunded(self, at: int, customer: str) -> None:
        self._refund_later(at, self._begin(at, customer))

    def _is_refunded_in_part(self, at: int, customer: str) -> None:
        app, member = self._app, self._begin(at, customer)
        part = member.period.amount * app.rng.randrange(20, 80) // 100
        first = member.period
        app.plan(app.later(at, 1, 20), lambda t: app.refund(t, first, part))

    def _refund_later(self, at: int, member: Member) -> None:
        app = self._app

        def refund(then: int) -> None:
            app.refund(then, member.period)

        app.plan(app.later(at, 1, 25), refund)

    def _buys_for_life(self, at: int, customer: str) -> None:
        self._app.buy_once(at, customer, LIFETIME, self._currencies.draw())

    def _returns_a_purchase(self, at: int, customer: str) -> None:
        app = self._app
        app.buy_once(at, customer, LIFETIME, self._currencies.draw())
        bought = app.last_purchase()
        app.plan(app.later(at, 1, 12), lambda t: app.refund(t, bought))

    def _buys_coins(self, at: int, customer: str) -> None:
        app, currency = self._app, self._currencies.draw()

        def buy(then: int) -> None:
            app.buy_once(then, customer, COINS, currency)
            app.plan(app.later(then, 10, 30), buy)

        buy(at)


def open_app(seed: int, opened: int, size: int) -> App:
    """Return an app whose customers come by chance."""
    app = App(seed, opened, size)
    Stories(app)
    return app
