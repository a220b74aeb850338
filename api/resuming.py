"""AG-UI's `resume` entries -> the user's word on cards."""

from __future__ import annotations

from collections.abc import Sequence

from ag_ui.core import ResumeEntry
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from agent.types import CardAnswer
from api.errors import InputError

MOST = 16
"""Cards that one run answers; a person holds at most five open (safety reference, section 6)."""


class _Payload(BaseModel):
    """What `responseSchema` asks for."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True)

    approved: bool
    edited_args: dict[str, JsonValue] | None = None
    digest: str | None = None
    always: bool = False


def answers_of(entries: Sequence[ResumeEntry]) -> tuple[CardAnswer, ...]:
    """A denial is `approved: false`; a cancelled entry takes the card back. Raises InputError."""
    if len(entries) > MOST:
        raise InputError("/resume", f"a run answers at most {MOST} interrupts")
    return tuple(_answer(place, entry) for place, entry in enumerate(entries))


def _answer(place: int, entry: ResumeEntry) -> CardAnswer:
    if entry.status == "cancelled":
        return CardAnswer(entry.interrupt_id, "drop")
    try:
        said = _Payload.model_validate(entry.payload)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in ("payload", *first["loc"]))
        raise InputError(f"/resume/{place}/{where}", first["msg"]) from error
    return CardAnswer(
        action_id=entry.interrupt_id,
        verdict="approve" if said.approved else "deny",
        edited=said.edited_args,
        digest=said.digest,
        always=said.always,
    )
