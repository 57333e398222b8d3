"""A payment processor of any size in constant memory, with its limits on.

Row number n of a list is arithmetic, so that a million rows cost nothing to keep and
the days' figures follow without anything of Opseer. Balance transaction n belongs to
charge n; each 20th is a refund, and charge n failed then. Run as a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from bisect import bisect_left
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from opseer_common.clock import utc_now

DAYS = 92
SUBSCRIPTIONS = 300
_DAY = 86_400
_EVERY = 20
_WINDOW = 1.0

_TRANSACTION = (
    '{"id":"txn_%012d","object":"balance_transaction","amount":%d,"available_on":%d,'
    '"balance_type":"payments","created":%d,"currency":"usd","description":"Renewal",'
    '"exchange_rate":null,"fee":%d,"fee_details":[{"amount":%d,"application":null,'
    '"currency":"usd","description":"Processing fees","type":"stripe_fee"}],'
    '"net":%d,"reporting_category":"%s","source":"%s","status":"available",'
    '"type":"%s"}'
)
_CHARGE = (
    '{"id":"ch_%012d","object":"charge","amount":%d,"amount_captured":%d,'
    '"amount_refunded":0,"balance_transaction":"txn_%012d","billing_details":'
    '{"address":{"city":null,"country":"DE","line1":null,"line2":null,'
    '"postal_code":null,"state":null},"email":null,"name":null,"phone":null},'
    '"calculated_statement_descriptor":"COMPANY","captured":true,"created":%d,'
    '"currency":"usd","customer":"cus_%08d","description":"Renewal","disputed":false,'
    '"failure_balance_transaction":null,"failure_code":%s,"failure_message":null,'
    '"fraud_details":{},"livemode":false,"metadata":{},"outcome":{"network_status":'
    '"approved_by_network","reason":null,"risk_level":"normal","seller_message":'
    '"Payment complete.","type":"authorized"},"paid":true,"payment_intent":'
    '"pi_%012d","payment_method":"pm_%012d","payment_method_details":{"card":'
    '{"amount_authorized":100,"brand":"visa","checks":{"address_line1_check":null,'
    '"address_postal_code_check":null,"cvc_check":"pass"},"country":"DE","exp_month":'
    '4,"exp_year":2031,"fingerprint":"x","funding":"credit","last4":"4242",'
    '"network":"visa"},"type":"card"},"receipt_url":null,"refunded":false,'
    '"source":null,"status":"%s"}'
)
_SUBSCRIPTION = (
    '{"id":"sub_%06d","object":"subscription","status":"active","created":%d,'
    '"start_date":%d,"currency":"usd","customer":"cus_%08d","livemode":false,'
    '"cancel_at_period_end":false,"collection_method":"charge_automatically",'
    '"discounts":[],"billing_cycle_anchor":%d,"items":{"object":"list","has_more":'
    'false,"data":[{"id":"si_%06d","object":"subscription_item","created":%d,'
    '"current_period_start":%d,"current_period_end":%d,"quantity":1,"discounts":[],'
    '"price":{"id":"price_basic","object":"price","active":true,"billing_scheme":'
    '"per_unit","currency":"usd","product":"prod_basic","type":"recurring",'
    '"unit_amount":2900,"unit_amount_decimal":"2900","recurring":{"interval":"month",'
    '"interval_count":1,"usage_type":"licensed"}}}]}}'
)


class Rows:
    """When each row was created, and what it says. Row 0 is the oldest."""

    def __init__(self, count: int, now: datetime) -> None:
        """Spread `count` rows over the days before `now`: more on working days."""
        first = (now - timedelta(days=DAYS - 1)).date()
        self.first = datetime(first.year, first.month, first.day, tzinfo=UTC)
        self._span = int(now.timestamp()) - int(self.first.timestamp()) - 60
        self.count = count

    def created(self, number: int) -> int:
        """Return the unix second of a row: five days as they are, then two thin ones.

        Weeks are counted back from now, so that the newest days are never empty.
        """
        age = self._span - number * self._span // self.count
        week, rest = divmod(age, 7 * _DAY)
        dense = 7 * _DAY * 9 // 10  # the part of a week's rows that five days have
        if rest < dense:
            inside = rest * 5 * _DAY // dense
        else:
            inside = 5 * _DAY + (rest - dense) * 2 * _DAY // (7 * _DAY - dense)
        return int(self.first.timestamp()) + self._span - week * 7 * _DAY - inside

    def from_on(self, instant: int) -> int:
        """Return the number of the first row created at `instant` or later."""
        return bisect_left(range(self.count), instant, key=self.created)

    @staticmethod
    def money(number: int) -> tuple[int, int, str]:
        """Return amount and fee in cents, and the category."""
        amount = 1000 + number * 37 % 9000
        if number % _EVERY == 0:
            return -amount, 0, "refund"
        return amount, 30 + amount * 29 // 1000, "charge"

    def transaction(self, number: int) -> str:
        """Return a balance transaction."""
        amount, fee, category = self.money(number)
        at = self.created(number)
        source = f"{'re' if category == 'refund' else 'ch'}_{number:012d}"
        money = (number, amount, at + 2 * _DAY, at, fee, fee, amount - fee)
        return _TRANSACTION % (*money, category, source, category)

    def charge(self, number: int) -> str:
        """Return a charge."""
        amount, at = abs(self.money(number)[0]), self.created(number)
        failed = number % _EVERY == 0
        return _CHARGE % (
            *(number, amount, amount, number, at, number % 9973),
            *('"card_declined"' if failed else "null", number, number),
            "failed" if failed else "succeeded",
        )

    def days(self) -> dict[str, list[int]]:
        """Return net, charges, their amount, refunds, their amount, failed per day."""
        found: dict[str, list[int]] = {}
        for number in range(self.count):
            at = datetime.fromtimestamp(self.created(number), UTC)
            day = found.setdefault(at.date().isoformat(), [0] * 6)
            amount, _, category = self.money(number)
            day[0] += amount
            if category == "charge":
                day[1] += 1
                day[2] += amount
            else:
                day[3] += 1
                day[4] -= amount
                day[5] += 1
        return found


class Limits:
    """So many requests in any second, in all and per endpoint."""

    def __init__(self, in_all: int, per_endpoint: int) -> None:
        """Count nothing yet."""
        self._in_all, self._per_endpoint = in_all, per_endpoint
        self._seen: dict[str, deque[float]] = {}
        self.asked: Counter[str] = Counter()
        self.probed = 0
        self.refused = 0

    def refuse(self, endpoint: str) -> str | None:
        """Count a request; the reason where it is one too many."""
        now = time.monotonic()
        self.asked[endpoint] += 1
        for name, most, reason in (
            (endpoint, self._per_endpoint, "endpoint-rate"),
            ("", self._in_all, "global-rate"),
        ):
            seen = self._seen.setdefault(name, deque())
            while seen and seen[0] <= now - _WINDOW:
                seen.popleft()
            if len(seen) >= most:
                self.refused += 1
                return reason
        for name in (endpoint, ""):
            self._seen[name].append(now)
        return None


class Server:
    """The API as far as a collection reads it."""

    def __init__(self, rows: Rows, limits: Limits, latency: float) -> None:
        """Answer each request `latency` seconds after it came."""
        self._rows = rows
        self._limits = limits
        self._latency = latency

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request of the API."""
        endpoint = request.path.removeprefix("/v1/")
        limit = request.query.get("limit")
        self._limits.probed += limit == "1"
        reason = self._limits.refuse(endpoint)
        await asyncio.sleep(self._latency)
        if reason is not None:
            error = {"type": "invalid_request_error", "code": "rate_limit"}
            return web.json_response(
                {"error": error},
                status=429,
                headers={"Stripe-Rate-Limited-Reason": reason},
            )
        return web.Response(
            text=self._answer(endpoint, request), content_type="application/json"
        )

    def _answer(self, endpoint: str, request: web.Request) -> str:
        if endpoint == "balance":
            money = [{"amount": 0, "currency": "usd"}]
            return json.dumps({"livemode": False, "available": money, "pending": money})
        limit = int(request.query.get("limit", "10"))
        if endpoint == "subscriptions" and "status" not in request.query:
            return self._page_of(self._subscriptions(request, limit))
        if endpoint not in {"balance_transactions", "charges"}:
            return self._page_of(([], False))
        low = self._rows.from_on(int(request.query.get("created[gte]", "0")))
        high = self._rows.from_on(int(request.query.get("created[lt]", "9" * 12)))
        cursor = request.query.get("starting_after")
        if cursor is not None:
            high = int(cursor.partition("_")[2])
        bottom = max(low, high - limit)
        render = self._rows.charge if endpoint == "charges" else self._rows.transaction
        found = [render(number) for number in range(high - 1, bottom - 1, -1)]
        return self._page_of((found, bottom > low))

    def _subscriptions(
        self, request: web.Request, limit: int
    ) -> tuple[list[str], bool]:
        cursor = request.query.get("starting_after")
        high = SUBSCRIPTIONS if cursor is None else int(cursor.partition("_")[2])
        bottom = max(0, high - limit)
        at = int(self._rows.first.timestamp())
        found = [
            _SUBSCRIPTION
            % (n, at, at, n, at, n, at, at + (DAYS - 2) * _DAY, at + 121 * _DAY)
            for n in range(high - 1, bottom - 1, -1)
        ]
        return found, bottom > 0

    @staticmethod
    def _page_of(found: tuple[list[str], bool]) -> str:
        rows, more = found
        word = "true" if more else "false"
        return f'{{"object":"list","has_more":{word},"data":[{",".join(rows)}]}}'

    async def counts(self, _: web.Request) -> web.Response:
        """Tell what was asked for and refused."""
        return web.json_response(
            {
                "asked": dict(self._limits.asked),
                "probed": self._limits.probed,
                "refused": self._limits.refused,
            }
        )

    async def truth(self, _: web.Request) -> web.Response:
        """Tell the figures of each day."""
        return web.json_response(self._rows.days())


async def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--endpoint-rate", type=int, default=25)
    parser.add_argument("--latency-ms", type=int, default=300)
    parser.add_argument("--port-file", type=Path, required=True)
    given = parser.parse_args()
    server = Server(
        Rows(given.rows, utc_now()),
        Limits(given.rate, given.endpoint_rate),
        given.latency_ms / 1000,
    )
    app = web.Application()
    app.router.add_get("/counts", server.counts)
    app.router.add_get("/truth", server.truth)
    app.router.add_get("/v1/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready = given.port_file.with_suffix(".new")
    ready.write_text(str(runner.addresses[0][1]), encoding="ascii")
    ready.rename(given.port_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
