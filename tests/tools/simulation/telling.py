"""The story of one schedule, for whoever has to understand it."""

from __future__ import annotations

from tests.tools.simulation.running import SQL_EVERY, quiet
from tests.tools.simulation.schedule import Schedule, in_memory, in_sql
from tools.journal import Action


def tell(seed: int) -> str:
    with quiet():
        schedule = Schedule(seed, in_sql() if seed % SQL_EVERY == SQL_EVERY - 1 else in_memory())
        deaths = _deaths(schedule)
        schedule.run()
        record = schedule.record()
    names = {action.id: _name(action) for action in record.actions}
    events = [(at, f"killed {who}") for at, who in deaths]
    events += [
        (effect.at, f"effect {names.get(effect.action)} {dict(effect.arguments)}")
        for effect in record.effects
    ]
    lines = [f"{at:9.3f}  {what}" for at, what in sorted(events)]
    lines += [
        f"{row.created.time()}  {names.get(row.action_id)} {row.kind}"
        for row in sorted(record.told, key=lambda row: row.id)
    ]
    lines += [f"{names[a.id]}: {a.state} {a.reason} fence {a.fence}" for a in record.actions]
    return "\n".join([str(schedule.plan), *lines])


def _deaths(schedule: Schedule) -> list[tuple[float, str]]:
    seen: list[tuple[float, str]] = []
    kill = schedule.loop.kill

    def killed(actor: str) -> None:
        seen.append((schedule.loop.time(), actor))
        kill(actor)

    schedule.loop.kill = killed  # type: ignore[method-assign]
    return seen


def _name(action: Action) -> str:
    what = action.step or action.idem_key[:8]
    return f"{what}({action.call.tool})"
