"""What a conversation carries from turn to turn, as plain JSON, and back.

A checkpoint is untrusted: what does not read as a wish is no wish.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from pydantic import TypeAdapter, ValidationError

from agent.acting import Slot, Wish
from agent.state import ConversationState, Memory
from guardrails.labels import Integrity


def recalled(state: ConversationState) -> ConversationState:
    """The memory that this turn starts with. A turn that is run again, because a server died after
    its checkpoint and before its answer, starts as it did the first time."""
    again = state.get("before_id") == state["message_id"]
    memory = (state.get("before") if again else state.get("memory")) or {}
    return {"memory": memory, "before": memory, "before_id": state["message_id"]}


def remembered(state: ConversationState) -> Memory:
    """Of this turn, before `route` has run too."""
    return recalled(state)["memory"]


def kept(wish: Wish) -> dict[str, object]:
    """The wish as JSON; its values are tokens, ids and members of enumerations."""
    return {
        "tool": wish.tool,
        "slots": {
            name: {"value": slot.value, "integrity": int(slot.integrity), "origin": slot.origin}
            for name, slot in wish.slots.items()
        },
        "asked": wish.asked,
        "confirming": wish.confirming,
    }


def wish_of(memory: Memory) -> Wish | None:
    stored = memory.get("wish")
    if not stored:
        return None
    try:
        return _wishes().validate_python(stored)
    except ValidationError:
        return None


def settled(slots: Mapping[str, Slot]) -> bool:
    """Whether every value has at least the trust of something that the user typed."""
    return all(slot.integrity >= Integrity.USER_TYPED for slot in slots.values())


@lru_cache(maxsize=1)
def _wishes() -> TypeAdapter[Wish]:
    return TypeAdapter(Wish)
