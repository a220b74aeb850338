"""`embark deliveries`: what was sent, why something waits, what is not worth sending any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import SystemRandom
from typing import Annotated, Any, TypeVar

import typer

from embark.cli.books import AsJson, reading, reported
from embark.cli.output import ExitCode, emit, fail, note, out, settings_of
from embark.onboarding_database import open_database
from embark.settings import Settings
from guardrails.audit import What
from onboarding.interventions import Channel, Delivery, Effect, State, to_retire, uplift
from onboarding.interventions.channel import Again, Sent
from onboarding.store.interventions import DeliveryStore, Wanted
from onboarding.store.interventions.sql import SqlDeliveries

T = TypeVar("T")


class Became(StrEnum):
    """Of a message that may have gone out."""

    SENT = "sent"
    LOST = "lost"


DAYS = 90
deliveries_app = typer.Typer(
    no_args_is_help=True, help="List messages, show why one waits, find those that do not help."
)
OfState = Annotated[list[State] | None, typer.Option("--state", help="Only in this state.")]
OfChannel = Annotated[Channel | None, typer.Option("--channel", help="Only of this channel.")]
Subject = Annotated[str | None, typer.Option(help="Only to this person, as the host names them.")]


@deliveries_app.command("list")
def list_deliveries(  # the options of a command
    ctx: typer.Context,
    *,
    state: OfState = None,
    channel: OfChannel = None,
    subject: Subject = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List deliveries, the newest change first."""
    settings = settings_of(ctx)
    wanted = Wanted(subject, channel, tuple(state or ()), limit)
    _noted(settings, "deliveries list", subject)
    found = _run(settings, lambda store: store.deliveries(settings.tenant, wanted))
    if as_json:
        emit({"deliveries": [_document(each) for each in found]})
        return
    for each in found:
        made = each.message
        what = f"{made.channel.value:<7} {each.state.value:<10} {each.reason or '':<16}"
        out.print(
            f"{each.id}  {_time(each.changed_at)}  {what} {made.journey}/{made.step}".rstrip()
        )
    if not found:
        note("no deliveries that fit")


@deliveries_app.command("show")
def show_delivery(
    ctx: typer.Context,
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="32 hex digits.")],
    as_json: AsJson = False,
) -> None:
    """Show one delivery: its state, why it waits and until when, or why it never went out."""
    settings = settings_of(ctx)
    found = _run(settings, lambda store: store.delivery(settings.tenant, delivery_id))
    if found is None:
        fail(f"there is no delivery {delivery_id}", "`embark deliveries list` shows them")
        raise typer.Exit(ExitCode.USAGE)
    _noted(settings, "deliveries show", found.message.person.user)
    document = _document(found)
    if as_json:
        emit({"delivery": document})
        return
    for name, value in document.items():
        if value not in (None, ""):
            out.print(f"{name:<12} {value}", markup=False)


@deliveries_app.command("resolve")
def resolve(
    ctx: typer.Context,
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="32 hex digits.")],
    became: Annotated[Became, typer.Argument(help="What a person found out.")],
) -> None:
    """Say what became of a message that nobody knows: `sent`, or `lost`, which sends it again."""
    settings = settings_of(ctx)
    answer = Sent() if became is Became.SENT else Again()

    async def told(store: DeliveryStore) -> Delivery | None:
        found = await store.delivery(settings.tenant, delivery_id)
        if found is None:
            return None
        return await store.resolve(found, answer, datetime.now(UTC), SystemRandom())

    after = _run(settings, told)
    if after is None:
        fail(
            f"there is no delivery {delivery_id} that is unknown",
            "`embark deliveries list --state unknown` shows them",
        )
        raise typer.Exit(ExitCode.USAGE)
    _noted(settings, "deliveries resolve", after.message.person.user)
    out.print(f"{after.id}  {after.state.value}")


@deliveries_app.command("effects")
def effects(
    ctx: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Look back so far.")] = DAYS,
    as_json: AsJson = False,
) -> None:
    """What each message did: those who got it against those who were drawn to get nothing."""
    found = _effects(settings_of(ctx), days)
    if as_json:
        emit({"effects": [_effect(each) for each in found]})
        return
    for each in found:
        _print(each)


@deliveries_app.command("retire")
def retire(
    ctx: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Look back so far.")] = DAYS,
    as_json: AsJson = False,
) -> None:
    """List messages that reached a thousand people and help by less than half a point at best."""
    found = to_retire(_effects(settings_of(ctx), days))
    if as_json:
        emit({"retire": [_effect(each) for each in found]})
        return
    for each in found:
        _print(each)
    if not found:
        note("nothing is known to be useless")


def _effects(settings: Settings, days: int) -> tuple[Effect, ...]:
    since = datetime.now(UTC) - timedelta(days=days)
    return _run(settings, lambda store: store.effects(settings.tenant, since))


def _noted(settings: Settings, command: str, subject: str | None) -> None:
    """A row in the audit log comes before the data."""
    with reading(settings, command) as log:
        asyncio.run(log.note(What.READ_SUBJECT, subject))


def _run(settings: Settings, work: Callable[[DeliveryStore], Awaitable[T]]) -> T:
    async def opened() -> T:
        return await work(store)

    with reported():
        engine = open_database(settings)
        store = SqlDeliveries(engine)
        try:
            return asyncio.run(opened())
        finally:
            engine.dispose()


def _document(each: Delivery) -> dict[str, Any]:
    """Neither the text nor its values: they are about a person."""
    made = each.message
    waits = each.state in (State.PLANNED, State.HELD, State.RETRY)
    return {
        "id": each.id,
        "subject": made.person.user,
        "account": made.person.account,
        "channel": made.channel.value,
        "kind": made.kind,
        "journey": made.journey,
        "step": made.step,
        "template": made.template,
        "state": each.state.value,
        "reason": each.reason.value if each.reason else None,
        "until": each.due.isoformat() if waits else None,
        "deadline": each.deadline.isoformat() if waits else None,
        "attempts": each.attempts,
        "planned_at": each.planned_at.isoformat(),
        "sent_at": each.sent_at.isoformat() if each.sent_at else None,
        "changed_at": _time(each.changed_at),
        "provider_id": each.provider_id,
    }


def _effect(each: Effect) -> dict[str, Any]:
    shown = uplift(each)
    return {
        "intervention": each.intervention,
        "reached": each.reached.people,
        "succeeded": each.reached.succeeded,
        "nothing": each.nothing.people,
        "nothing_succeeded": each.nothing.succeeded,
        "uplift": None if shown is None else shown.estimate,
        "interval": None if shown is None else list(shown.interval),
    }


def _print(each: Effect) -> None:
    shown = uplift(each)
    told = "too few to tell"
    if shown is not None:
        low, high = shown.interval
        told = f"{shown.estimate:+.1%} ({low:+.1%} to {high:+.1%})"
    people = f"{each.reached.people} reached, {each.nothing.people} not"
    out.print(f"{each.intervention:<44} {people:<28} {told}", markup=False)


def _time(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds")
