"""The base of every message, and how a fact becomes a message id."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

Source = Literal["stripe", "revenuecat", "polar"]
"""A payment channel. The word is `source` in routes, tables and messages."""


class Message(BaseModel):
    """A fact that one service says and others hear.

    Fields may be added; a changed meaning is a new class with a new subject.
    `message_id` is derived from the fact, so that a repeat of the same fact is the
    same message wherever it is said again.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    subject: ClassVar[str]
    stored: ClassVar[bool] = True
    """False: core NATS only, no stream keeps it."""

    schema_version: Literal[1] = 1
    message_id: UUID

    @classmethod
    def stream(cls) -> str:
        """Return the JetStream stream that holds this subject."""
        return cls.subject.split(".", maxsplit=1)[0].upper()

    @classmethod
    def durable(cls, service: str) -> str:
        """Return the name of the durable by which `service` hears this subject."""
        return f"{service}-{cls.subject.replace('.', '-')}"


def fact_id(namespace: UUID, fact: str) -> UUID:
    """Return the id of `fact` (such as "revenue:7") about `namespace` (an id)."""
    return uuid5(namespace, fact)
