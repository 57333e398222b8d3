"""What the services say to each other. One class per subject, one module per noun.

Messages are pointers: ids, source, window of days, revision. Never key material,
plain or sealed, and never provider data
(docs/decisions/0005-keys-never-in-messages.md).
"""

from __future__ import annotations

from opseer_common.contracts.collection import (
    CollectionFailed,
    CollectionProgressed,
    CollectionRequested,
)
from opseer_common.contracts.integration import (
    IntegrationConnected,
    IntegrationDisconnected,
)
from opseer_common.contracts.message import Message, Source
from opseer_common.contracts.mrr import MrrComputed
from opseer_common.contracts.report import ReportBuilt, ReportDelivered
from opseer_common.contracts.revenue import RevenueCollected

MESSAGES: tuple[type[Message], ...] = (
    IntegrationConnected,
    IntegrationDisconnected,
    CollectionRequested,
    CollectionFailed,
    CollectionProgressed,
    RevenueCollected,
    MrrComputed,
    ReportBuilt,
    ReportDelivered,
)

__all__ = [
    "MESSAGES",
    "CollectionFailed",
    "CollectionProgressed",
    "CollectionRequested",
    "IntegrationConnected",
    "IntegrationDisconnected",
    "Message",
    "MrrComputed",
    "ReportBuilt",
    "ReportDelivered",
    "RevenueCollected",
    "Source",
]
