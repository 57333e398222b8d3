"""What one run knows of a provider that tells figures by the day, and where they go."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Final

from opseer_collector.domain.fetching import Intake, Request
from opseer_collector.domain.records import Batch, ProjectMetric, Quarantined, Window
from opseer_collector.providers import aside
from opseer_collector.providers.attempts import PermissionMissingError

WHOLE: Final = 100
"""A stage is told in per cent."""
_FRESH: Final = 1800
"""How many seconds a list that a run read before it broke off stays good."""


class ReportRun:
    """Lists of projects, by the name of the list and the id of the project."""

    def __init__(self, request: Request, intake: Intake, stages: Sequence[str]) -> None:
        """Store into `intake`; `stages` are told in their order."""
        self.request = request
        self._intake = intake
        self._done = dict.fromkeys(stages, 0)
        self.permissions: dict[str, str] = {}
        self.live_lists: set[str] = set()

    def is_missing(self, permission: str) -> bool:
        """Tell whether the key was refused for want of a permission."""
        return self.permissions.get(permission) == "missing"

    async def permitted(self, name: str, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work`; False, with the permission noted, where the key may not."""
        try:
            await work
        except PermissionMissingError:
            self.permissions[name] = "missing"
            return False
        self.permissions.setdefault(name, "ok")
        return True

    def is_read(self, what: str, project: str) -> bool:
        """Tell whether this run stored the list before it broke off, just now."""
        request = self.request
        return any(
            window.endpoint == f"{what}/{project}"
            and window.since <= request.since
            and window.until >= request.until - _FRESH
            for window in request.read
        )

    async def lose(self, what: str, project: str, why: str) -> None:
        """Note that a list stays unknown in the window of the run, and why (a path)."""
        since, until = self.request.since, self.request.until
        gap = aside.of_answer(what, project, why, since, until)
        await self._intake.store(Batch(quarantined=[gap]))

    async def keep(
        self,
        what: str,
        project: str,
        rows: Sequence[ProjectMetric],
        bad: Sequence[Quarantined],
    ) -> None:
        """Store a list that was read; whole only where nothing of it was put aside."""
        window = Window(f"{what}/{project}", self.request.since, self.request.until)
        await self._intake.store(
            Batch(
                metrics=rows,
                quarantined=aside.without_repeats(bad),
                read=() if bad else (window,),
            )
        )

    async def note(self, rows: Sequence[ProjectMetric]) -> None:
        """Store figures of now, which belong to no list."""
        await self._intake.store(Batch(metrics=rows))

    async def tell(self, stage: str, percent: int) -> None:
        """Show how far a stage is."""
        self._done[stage] = percent
        await self._intake.progress(dict(self._done), WHOLE)
