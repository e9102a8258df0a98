"""Who a caller's own metadata says the person, session and conversation are.

Everything found here is `caller` assurance: the calling program wrote it and could write anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from logstore.capture.decoders.jsonvalues import identifier
from logstore.capture.interaction import Assurance, Subject

PERSON_KEYS = (
    "user_id",
    "userId",
    "user",
    "user.id",
    "user_email",
    "email",
    "end_user",
    "end_user_id",
    "endUserId",
    "enduser.id",
    "langfuse_user_id",
    "customer_id",
)
"""Metadata members that name a person."""

SESSION_KEYS = (
    "session_id",
    "sessionId",
    "session",
    "session.id",
    "langfuse_session_id",
)
"""Metadata members that name a session."""

CONVERSATION_KEYS = (
    "conversation_id",
    "conversationId",
    "thread_id",
    "threadId",
    "chat_id",
)
"""Metadata members that name a conversation."""


LITELLM_ADMIN = "default_user_id"
"""What LiteLLM's proxy calls the owner of its master key: no person."""


def people(source: dict[str, Any], where: str, assurance: Assurance = "caller") -> list[Subject]:
    """The people that metadata names; `where` is the metadata's own place in the source."""
    return [
        Subject(found, f"{where}.{key}", assurance)
        for key in PERSON_KEYS
        if key in source and (found := identifier(source[key])) is not None
    ]


def first(source: dict[str, Any], keys: Iterable[str]) -> str | None:
    """The first of `keys` that holds an id."""
    for key in keys:
        if key in source and (found := identifier(source[key])) is not None:
            return found
    return None


def subject(value: object, field: str, assurance: Assurance) -> list[Subject]:
    """One person as a list: empty when the source names none."""
    found = identifier(value) if value is not None else None
    return [] if found is None else [Subject(found, field, assurance)]
