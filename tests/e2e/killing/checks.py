"""What must hold once everything came to rest."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.killing.failpoints import Failpoints
from tests.e2e.killing.parts import broken_chain, open_journal
from tools.journal import RECEIPTED, Action, Journal, Receipt, State

TENANT = "t"
ALL = 10**6
ONCE = "do_o"
HELD_BACK_S = 1.5
"""For how long the loop's workers hold back an unknown one, `surface_s`."""


@dataclass(slots=True)
class Findings:
    """`wrong` is empty when every claim of this loop holds; times in seconds."""

    wrong: list[str] = field(default_factory=list)
    accepted: int = 0
    states: Counter[str] = field(default_factory=Counter)
    effects: int = 0
    calls: int = 0
    receipts: int = 0
    surfaced: list[float] = field(default_factory=list)
    kills: int = 0
    took_s: float = 0.0
    points: Counter[str] = field(default_factory=Counter)
    missed: tuple[str, ...] = ()  # points that no process came by
    crowding: float = 1.0  # how much longer work took than on idle cores
    cold_s: float = 0.0  # from a cold start to the first claim
    after_death: list[float] = field(default_factory=list)
    after_restart: list[float] = field(default_factory=list)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share does not exceed; 0 of nothing."""
    ranked = sorted(values)
    return ranked[min(int(len(ranked) * share), len(ranked) - 1)] if ranked else 0.0


async def drained(url: str, folder: Path) -> None:
    """Returns once nothing waited or ran, and nothing was left to tell, for a while: an unknown one
    that is held back has no row to see."""
    journal = open_journal(url, folder, Failpoints(""))
    loop = asyncio.get_running_loop()
    since = loop.time()
    try:
        while loop.time() < since + 2 * HELD_BACK_S:
            if not await _at_rest(journal):
                since = loop.time()
            await asyncio.sleep(0.1)
    finally:
        await journal.close()


async def _at_rest(journal: Journal) -> bool:
    under_way = (State.APPROVED, State.STARTED)
    if await journal.actions(TENANT, states=under_way, limit=1) or await journal.outbox(1):
        return False
    unknown = await journal.unresolved(ALL)
    return all(action.call.tool == ONCE for action in unknown)  # others are being read back


async def check(
    url: str,
    folder: Path,
    counted: Callable[[Sequence[Action]], Mapping[str, Mapping[str, int]]],
    events: Sequence[Mapping[str, Any]],
) -> Findings:
    journal = open_journal(url, folder, Failpoints(""))
    found = Findings()
    try:
        actions = await journal.actions(TENANT, limit=ALL)
        receipts = await journal.receipts(TENANT, limit=ALL)
    finally:
        await journal.close()
    _keys(found, actions, events)
    target = counted(actions)
    _effects(found, actions, target["effects"], target["calls"])
    _receipts(found, actions, receipts)
    _surfaced(found, actions, events)
    broken = broken_chain(receipts, folder)
    if broken:
        found.wrong.append(f"chain: {broken}")
    return found


def _keys(found: Findings, actions: Sequence[Action], events: Sequence[Mapping[str, Any]]) -> None:
    """Nothing that was accepted is lost, and nothing was done under two ids."""
    of_key = Counter(action.idem_key for action in actions)
    found.wrong += [f"{key}: {n} actions" for key, n in of_key.items() if n > 1]
    by_id = {action.id: action for action in actions}
    accepted = {e["action"] for e in events if e["event"] == "accepted"}
    found.accepted = len(accepted)
    found.wrong += [f"{each}: lost" for each in accepted - by_id.keys()]
    for action in actions:
        found.states[action.state.value] += 1
        if action.id in accepted and not action.ended:
            found.wrong.append(f"{action.id}: still {action.state.value}")


def _effects(
    found: Findings,
    actions: Sequence[Action],
    effects: Mapping[str, int],
    calls: Mapping[str, int],
) -> None:
    found.effects, found.calls = sum(effects.values()), sum(calls.values())
    for action in actions:
        counted = effects.get(action.id, 0)
        allowed = {State.SUCCEEDED: {1}, State.UNKNOWN: {0, 1}}.get(action.state, {0})
        if counted not in allowed:
            found.wrong.append(
                f"{action.id} ({action.call.tool}): {action.state.value}, {counted} effects"
            )
        if action.call.tool == ONCE and calls.get(action.id, 0) > 1:
            found.wrong.append(f"{action.id}: class O was sent {calls[action.id]} times")
    strangers = effects.keys() - {action.id for action in actions}
    found.wrong += [f"{each}: an effect without an action" for each in strangers]


def _receipts(found: Findings, actions: Sequence[Action], receipts: Sequence[Receipt]) -> None:
    found.receipts = len(receipts)
    of_action = Counter(receipt.action_id for receipt in receipts)
    for action in actions:
        expected = 1 if action.state in RECEIPTED else 0
        if of_action[action.id] != expected:
            found.wrong.append(
                f"{action.id}: {action.state.value}, {of_action[action.id]} receipts"
            )


def _surfaced(
    found: Findings, actions: Sequence[Action], events: Sequence[Mapping[str, Any]]
) -> None:
    """An unknown is told of; timed where its worker lived to say when it became unknown."""
    told: dict[str, float] = {}
    unknown: dict[str, float] = {}
    for event in events:
        if event["event"] == "told" and event["kind"] == "action.unknown":
            told.setdefault(event["action"], event["at"])
        if event["event"] == "settled" and event["state"] == State.UNKNOWN.value:
            unknown.setdefault(event["action"], event["at"])
    for action in actions:
        if action.state is State.UNKNOWN and action.id not in told:
            found.wrong.append(f"{action.id}: unknown, and nobody was told")
        if action.state is State.UNKNOWN and action.id in told and action.id in unknown:
            found.surfaced.append(told[action.id] - unknown[action.id])
