"""What came of an action, said honestly: done, failed, not known, waiting, to be tried again."""

from __future__ import annotations

from collections.abc import Sequence

from agent.action_types import ActionMark
from agent.deps import Acting
from agent.language import Language
from agent.proposing import in_words
from tools.journal import MOST_OPEN_CARDS, Action, State


def title_of(acting: Acting, tool: str) -> str:
    """The configured title of a tool, else its name: never text that somebody else wrote."""
    found = acting.catalogue.tool(tool)
    return found.manifest.title if found is not None else tool


def mark(action: Action, *, approver: str | None = None) -> ActionMark:
    """How a message remembers the action: as a card while it waits, else as what came of it."""
    told = ActionMark(action.id, action.call.tool, action.state.value, "result")
    match approver:
        case "end_user":
            return ActionMark(told.id, told.tool, told.state, "card", "end_user")
        case "other":
            return ActionMark(told.id, told.tool, told.state, "card", "other")
        case _:
            return told


def postponed(action: Action) -> bool:
    """Whether it waits for a scheduled retry."""
    return action.state is State.STARTED and bool(action.reason)


async def report_of(acting: Acting, action: Action, words: Language) -> str:
    """One paragraph on how the action stands; an undo is named after what it takes back.

    Raises JournalError.
    """
    named = action
    if action.undoes is not None:
        named = await acting.journal.action(action.who.tenant, action.undoes)
    title = title_of(acting, named.call.tool)
    reason = in_words(action.reason)
    text = words.say(
        _key(action, words), title=title, reason=reason, time=_time(action), count=_MOST
    )
    return text + _receipt(action, words)


_MOST = str(MOST_OPEN_CARDS)


def _key(action: Action, words: Language) -> str:
    if action.state is State.REFUSED:
        return refusal_key(action.reason, words)
    if action.state is State.STARTED:
        return "act_retry" if postponed(action) else "act_still"
    if action.state is State.FAILED and action.undoes is None:
        partial = bool(action.result) or action.undo is not None
        return "act_partial" if partial else "act_failed"
    said = _UNDOING if action.undoes is not None else _DOING
    return said.get(action.state, "act_still")


_DOING = {
    State.PENDING: "act_waiting",
    State.SUCCEEDED: "act_succeeded",
    State.UNKNOWN: "act_unknown",
    State.COMPENSATED: "act_undone",
    State.STUCK: "act_undo_failed",
}
_UNDOING = {**_DOING, State.SUCCEEDED: "act_undone", State.FAILED: "act_undo_failed"}


def refusal_key(reason: str, words: Language) -> str:
    """The reply for a reason, where there is one of its own."""
    key = f"act_refused_{reason}"
    return key if key in words.replies else "act_refused"


def _receipt(action: Action, words: Language) -> str:
    if action.receipt is None:
        return ""
    undo = action.state is State.SUCCEEDED and action.undo is not None and action.undoes is None
    said = words.say("act_receipt", receipt=action.receipt)
    return said + (words.say("act_how_to_undo") if undo else "")


def _time(action: Action) -> str:
    return action.lease_until.strftime("%H:%M:%S UTC") if action.lease_until else ""


def history_of(acting: Acting, actions: Sequence[Action], words: Language) -> str:
    """A list of what was done, one line an action."""
    if not actions:
        return words.say("act_history_none")
    lines = [
        f"- **{title_of(acting, action.call.tool)}**: "
        f"{words.say(f'act_state_{action.state.value}')}{_numbered(action)}"
        for action in actions
    ]
    return words.say("act_history", list="\n".join(lines))


def _numbered(action: Action) -> str:
    return f" ({action.receipt})" if action.receipt else ""


def remedy_for(acting: Acting, action: Action, offered: Sequence[str]) -> str | None:
    """The tool that may help after this failure, when the person may use it."""
    if action.state is not State.FAILED:
        return None
    found = acting.catalogue.tool(action.call.tool)
    remedies = found.manifest.remedies if found is not None else {}
    remedy = remedies.get(action.reason) or remedies.get("*")
    return remedy if remedy in offered else None
