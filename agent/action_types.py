"""What a conversation says of actions: marks that are stored, and the events of a run.

Stored and logged are references and states, never values: `view` is filled from the journal when an
event leaves for its owner, and is empty everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

View = Mapping[str, JsonValue]
"""Ready for the wire, in the clear: for the owner of the conversation only."""


@dataclass(frozen=True, slots=True)
class ActionMark:
    """An action as a message told of it. `told` is `card` for a proposal, `result` for its end.

    `approver` is whose word a card waits for.
    """

    id: str
    tool: str
    state: str  # a `tools.journal.State`
    told: Literal["card", "result"]
    approver: Literal["end_user", "other", "nobody"] = "nobody"


@dataclass(frozen=True, slots=True)
class ChoiceShown:
    """One thing to pick: `value` is what a click sends, `label` UNTRUSTED text."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A call was proposed. The call's id on the wire is the action's."""

    action_id: str
    tool: str
    message_id: str  # of the message that proposes it
    view: View = field(default_factory=dict)  # the arguments, secrets masked


@dataclass(frozen=True, slots=True)
class CardShown:
    """The card as it stands now; shown again when its state changes."""

    action_id: str
    view: View = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far an action under way is. `step` is the name of a flow's step, from its file."""

    action_id: str
    state: str
    step: str = ""
    done: int = 0
    of: int = 0
    next_try: str = ""  # ISO 8601, of a scheduled retry


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """What came of a call: denied, done, failed, unknown."""

    action_id: str
    view: View = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pause:
    """One open interrupt: the user's own word is needed. `schema` is of the arguments."""

    action_id: str
    title: str
    risk: str
    digest: str
    expires: str  # ISO 8601, UTC
    schema: View = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunPaused:
    """The run ends for now; the next run on the thread answers every pause.

    `messages` is the conversation in AG-UI's form, filled by the surface that sends it.
    """

    thread_id: str
    run_id: str
    pauses: tuple[Pause, ...]
    messages: tuple[object, ...] = ()
