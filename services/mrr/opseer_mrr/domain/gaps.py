"""Steps of a subscription that no event tells."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from opseer_mrr.domain.words import amount_words


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A step at `at` (unix seconds) that no event tells, in minor units of `currency`.

    Where nobody knows what there was before an event, before and after are the same.
    """

    at: int
    currency: str
    before: int
    after: int

    def words(self) -> str:
        """Return the line that says so."""
        after = amount_words(Fraction(self.after), self.currency)
        if self.before == self.after:
            return f"no event tells what it was before: {after} is taken"
        before = amount_words(Fraction(self.before), self.currency)
        return f"no event tells of the step from {before} to {after}"
