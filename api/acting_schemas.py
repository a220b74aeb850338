"""Wire models of approvals, actions and tools; field names are camelCase on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from api.schemas import Wire

ActionId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]


class CardField(Wire):
    """One line of the card: an argument as text, exactly; what stands now; where it came from."""

    name: str
    label: str
    value: str
    before: str | None
    origin: str
    secret: bool


class Approval(Wire):
    """A card, and who may decide it. `digest` is what a decision names.

    `waitsFor` is `you` when this caller's own word is needed now. `args` are without secrets, and
    `schema` says which of them may be edited.
    """

    action_id: str
    tool: str
    status: str
    approver: Literal["end_user", "other", "nobody"]
    waits_for: Literal["you", "other", "nobody"]
    digest: str
    risk: str
    tier: str
    expires_at: str
    title: str
    fields: list[CardField]
    count: int
    list_hash: str = ""
    who: str = ""
    undo: str = Field(description="How it is taken back; empty when it cannot be")
    notes: list[str]
    steps: list[str]
    always: bool = Field(description="Whether `always` may be given with an approval")
    undoes: str | None
    requested_by: str
    thread_id: str | None
    created: str
    args: dict[str, JsonValue]
    schema_: dict[str, JsonValue] = Field(alias="schema")
    replaces: str | None = None


class ApprovalsBody(Wire):
    """Oldest first."""

    approvals: list[Approval]


class DecisionInput(Wire):
    """A word on the card that `digest` names. `editedArgs` makes a new card instead."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid"
    )
    digest: str = Field(max_length=128)
    decision: Literal["approve", "deny"]
    reason: str = Field(default="", max_length=2000)
    edited_args: dict[str, JsonValue] | None = None
    always: bool = False


class ReceiptRef(Wire):
    id: str
    jws: str


class Step(Wire):
    """One step of a flow."""

    action_id: str
    name: str
    title: str
    state: str
    reason: str


class ActionBody(Wire):
    """An action as it stands. `undo` says how it can be taken back now, null when it cannot."""

    action_id: str
    tool: str
    title: str
    state: str
    status: str
    reason: str
    detail: str
    result: dict[str, JsonValue]
    receipt: ReceiptRef | None
    undo: str | None
    undoes: str | None
    next_try: str | None
    thread_id: str | None
    created: str
    started: str | None
    steps: list[Step] = Field(default_factory=list)
    card: dict[str, Any]


class ActionsBody(Wire):
    """Newest first; `next` is the cursor of what follows, null at the end."""

    actions: list[ActionBody]
    next: str | None


class ResolveInput(Wire):
    """What a person found out about an action whose outcome was unknown."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid"
    )
    outcome: Literal["succeeded", "failed"]
    note: str = Field(min_length=1, max_length=2000)


class ToolArgument(Wire):
    label: str
    hint: str
    secret: bool


class ToolBody(Wire):
    """A tool that the caller may use."""

    name: str
    version: str
    title: str
    summary: str
    risk: str
    undo: str
    schema_: dict[str, JsonValue] = Field(alias="schema")
    arguments: dict[str, ToolArgument]


class ToolsBody(Wire):
    tools: list[ToolBody]
