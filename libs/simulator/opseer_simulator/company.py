"""A small made-up company, lived day by day from its first day.

A pure function of (seed, first day, size, instant): ids and everything that happened
up to an instant stay the same however far it lives on, so a restart shows the same
history.
"""

from __future__ import annotations

from datetime import date

from opseer_simulator.office import RENEWALS, Office
from opseer_simulator.stories import Stories
from opseer_simulator.timeline import DAY


class Company:
    """An office whose customers come, stay and leave by chance.

    `epoch` is its first day (UTC), `customers` its size: roughly how many subscriptions
    run after four months.
    """

    def __init__(self, seed: int, epoch: date, customers: int) -> None:
        self.office = Office(seed, epoch, RENEWALS)
        self._stories = Stories(self.office, customers)
        self.office.invoicing.on_sale = self._stories.after_sale
        self.office.plan(self.office.opened, self._day)

    def _day(self, at: int) -> None:
        self._stories.plan_day(at, (at - self.office.opened) // DAY)
        self.office.plan(at + DAY, self._day)
