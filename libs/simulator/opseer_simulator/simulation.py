"""The simulated account as it stands now: the company, its clock, its truth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Literal

from opseer_simulator.books import Books
from opseer_simulator.bulk import Bulk
from opseer_simulator.bulk_records import stock_payers
from opseer_simulator.clock import Clock, utc_now
from opseer_simulator.company import Company
from opseer_simulator.full_company import FullCompany
from opseer_simulator.office import Office, midnight
from opseer_simulator.rendering import API_VERSION
from opseer_simulator.truth import Truth, count_truth

CUSTOMERS = 320
"""The default size: about 12,000 dollars of MRR and about 15 charges a day."""


class Simulation:
    """One company behind one account, seen at `now` plus an offset.

    `customers` is its size; `now` returns an aware instant. `stories`: `plain` is a
    small company of usual things, `full` has everything that can happen at Stripe but
    the stories named by `without` (see FullCompany).
    `bulk` adds so many payments in each 120 days, which cost next to nothing to make.
    `event_version` is the account's API version, in which its events are shown; see
    `event_shapes.VERSIONS`. `script` founds another company instead, an office with
    everything planned that shall happen. Looking later lives the company on; looking
    earlier (tests do) founds it anew, with the same history.
    """

    def __init__(  # noqa: PLR0913 - what makes a company, mostly by name
        self,
        seed: int,
        epoch: date,
        customers: int = CUSTOMERS,
        now: Clock = utc_now,
        script: Callable[[], Office] | None = None,
        *,
        stories: Literal["plain", "full"] = "plain",
        without: frozenset[str] = frozenset(),
        bulk: int = 0,
        event_version: str = API_VERSION,
    ) -> None:
        self.stories = stories
        self.bulk = Bulk(seed, midnight(epoch), bulk)
        self.event_version = event_version
        self.seed = seed
        self.epoch = epoch
        self.customers = customers
        self.offset_seconds = 0
        self._now = now

        def company() -> Office:
            if stories == "full":
                return FullCompany(seed, epoch, customers, without).office
            return Company(seed, epoch, customers).office

        self._script = script or company
        self._office = self._found()

    def _found(self) -> Office:
        office = self._script()
        stock_payers(office.books, self.bulk)
        return office

    def now(self) -> int:
        """Return the present unix second, the offset included."""
        return int(self._now().timestamp()) + self.offset_seconds

    def books(self) -> Books:
        """Return the books as they stand at `now()`."""
        now = self.now()
        if now < self._office.lived_until:
            self._office = self._found()
        self._office.live_until(now)
        return self._office.books

    def today(self) -> date:
        """Return the present day in UTC."""
        return datetime.fromtimestamp(self.now(), UTC).date()


def truth_of(simulation: Simulation, timezone: str, first: date, last: date) -> Truth:
    """Return the truth of the local days `first` to `last`, both included.

    Raises zoneinfo.ZoneInfoNotFoundError for an unknown zone.
    """
    books = simulation.books()
    now, bulk = simulation.now(), simulation.bulk
    return count_truth(books.ledger, timezone, first, last, now, bulk)
