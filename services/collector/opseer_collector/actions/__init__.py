"""What the collector does with a claimed run, on ports that app.py fills.

collecting.py  driving it to one of its ends
history.py     driving one that reads older history
intake.py      where what is read goes, and how far it is shown to be
ports.py       what both need of store/ and of the bus
"""

from __future__ import annotations

from opseer_collector.actions.collecting import Collecting
from opseer_collector.actions.history import Histories

__all__ = ["Collecting", "Histories"]
