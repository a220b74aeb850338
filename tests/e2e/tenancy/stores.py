"""Every SQL store of the product over one database, and the same life in each for any tenant.

All ids are the same for every tenant, as if each were guessed right; only the canary differs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Engine

from agent import conversations_sql
from agent.conversations import LoggedEvent
from api import quotas_sql, sessions_sql
from api.quotas import Need, Rate
from api.sessions import Session, Spent
from api.spending import Account
from api.staff import sessions_sql as staff_sql
from api.staff.sessions import Flow, StaffSession
from guardrails.audit import sql as audit_sql
from guardrails.consent import sql as consent_sql
from guardrails.decisions import Kind
from guardrails.decisions import sql as decisions_sql
from guardrails.patterns import PatternRedactor
from guardrails.retention import holds_sql
from guardrails.retention.holds import Hold
from retrieval import access_sql
from retrieval.access import PAGE, Revocation
from retrieval.chunk_tables import create_schema
from retrieval.store import ChunkWriter, SqlChunkStore
from retrieval.types import Chunk, Labels, Scope
from tests.contracts.audit import READ
from tests.contracts.consent import KEY, TRAINING
from tests.contracts.conversations import ANSWER, NOON, question, reply
from tests.contracts.decisions import ANSWER as DECISION
from tests.e2e.tenancy import guided
from tests.retrieval.building import chunk_of
from tests.tools.journal.making import CARD, SUCCEEDED, Seal, new, yes
from tools import credentials_sql, erasures, held_sql
from tools.credentials import BearerToken
from tools.journal import Action, UnknownActionError
from tools.journal_sql import SqlJournal
from tools.receipts import checkpoints_sql
from tools.receipts.checkpoints import StoredCheckpoint
from tools.receipts.view import payload_of
from tools.store.engine import upgrade
from tools.tool import ToolError
from tools.types import Done, Principal, ToolCall
from tools.vault_sql import SqlVault

MASTER = bytes(range(32))
THREAD, SUBJECT, DIGEST, DAY = "t1", "ana", "d" * 64, "2026-01-01"
MINE = "t2"
"""A conversation of SUBJECT; the first one is of somebody whom the canary names."""
OPEN = "m2"
"""A question that is never answered."""
LEFT = "L" * 22
"""A card that is open, of the same id everywhere; actions that are done have their own."""
HIDDEN = "guide.md"
VERSION = "docs__tenancy"
RATE = Rate(1.0, 10)
_CANARY = re.compile(r"cnry[a-z]{12}")
_REDACTOR = PatternRedactor()


def canary(tenant: str, of: str = "people") -> str:
    """A word of letters alone, so that nothing masks, stems or splits it; another one stands in the
    tenant's pages, which anybody may read who comes to its server."""
    letters = sha256(f"{of} of {tenant}".encode()).digest()[:12]
    return "cnry" + "".join(chr(ord("a") + byte % 26) for byte in letters)


def canaries(*texts: object) -> set[str]:
    """All that occur; also in what is written with capitals."""
    return {found for text in texts for found in _CANARY.findall(str(text).lower())}


def page_of(tenant: str) -> Chunk:
    """The one page of a tenant; its path is another's in no other way than by the tenant's name."""
    text = (
        f"Invite people of {canary(tenant, 'pages')} from Settings. The link works for seven days."
    )
    return chunk_of(f"{tenant}/invite", text, labels=Labels(tenant))


@dataclass(frozen=True, slots=True)
class Stores:
    """Over engines that are set up as the product sets them up."""

    engine: Engine
    conversations: conversations_sql.SqlConversations
    journal: SqlJournal
    vault: SqlVault
    held: held_sql.SqlHeldValues
    credentials: credentials_sql.SqlCredentials
    checkpoints: checkpoints_sql.SqlCheckpoints
    ledger: erasures.SqlErasures
    sessions: sessions_sql.SqlSessions
    staff: staff_sql.SqlStaff
    buckets: quotas_sql.SqlBuckets
    purse: quotas_sql.SqlPurse
    decisions: decisions_sql.SqlDecisions
    consents: consent_sql.SqlConsents
    audit: audit_sql.SqlAudit
    holds: holds_sql.SqlHolds
    revocations: access_sql.SqlRevocations
    chunks: SqlChunkStore
    guided: guided.Guided


def prepare(engine: Engine, conversations: Engine) -> None:
    """All tables in one database."""
    conversations_sql.upgrade(conversations)
    for made in (upgrade, checkpoints_sql.upgrade, decisions_sql.upgrade, consent_sql.upgrade):
        made(engine)
    audit_sql.upgrade(engine)
    for part in (credentials_sql, held_sql, erasures, sessions_sql, staff_sql, quotas_sql):
        part.prepare(engine)
    holds_sql.prepare(engine)
    access_sql.prepare(engine)
    create_schema(engine)
    guided.prepare(engine)


@asynccontextmanager
async def opened(
    engine: Engine, conversations: Engine, seal: Seal | None = None
) -> AsyncIterator[Stores]:
    """The engines belong to the caller."""
    vault, clock = SqlVault(engine, MASTER), lambda: NOON
    seal = seal or Seal()
    journal = SqlJournal(engine, vault, seal, clock=clock)
    kept = conversations_sql.SqlConversations(conversations)
    yield Stores(
        engine=engine,
        conversations=kept,
        journal=journal,
        vault=vault,
        held=held_sql.SqlHeldValues(engine, vault),
        credentials=credentials_sql.SqlCredentials(engine, vault, clock),
        checkpoints=checkpoints_sql.SqlCheckpoints(engine),
        ledger=erasures.SqlErasures(engine, vault, seal, clock),
        sessions=sessions_sql.SqlSessions(engine),
        staff=staff_sql.SqlStaff(engine),
        buckets=quotas_sql.SqlBuckets(engine),
        purse=quotas_sql.SqlPurse(engine),
        decisions=decisions_sql.SqlDecisions(engine),
        consents=consent_sql.SqlConsents(engine, KEY.ljust(32, b"k")),
        audit=audit_sql.SqlAudit(engine, clock),
        holds=holds_sql.SqlHolds(engine),
        revocations=access_sql.SqlRevocations(lambda: engine),
        chunks=SqlChunkStore(engine, VERSION),
        guided=guided.guided(engine),
    )


GUIDED = 4
"""Every so many-th tenant guides its people too, where not all have to."""


async def live(stores: Stores, tenant: str, *, guides: bool = True) -> None:
    """Leaves the tenant's canary in every store; in those of onboarding where it `guides`."""
    for lived in (_talk, _act, _sign_in, _decide, _document):
        await lived(stores, tenant, canary(tenant))
    if guides:
        await guided.live(stores.guided, tenant, canary(tenant))


async def _talk(stores: Stores, tenant: str, word: str) -> None:
    first = replace(question(tenant=tenant, text=f"What of {word}?"), subject=word)
    asked = await stores.conversations.open(first)
    answered = replace(ANSWER, text=f"This of {word} [1].")
    event = LoggedEvent(asked.first_event, "r1", f'{{"said":"{word}"}}')
    await stores.conversations.append(tenant, THREAD, [event])
    await stores.conversations.finish(asked.question, reply("a1", answered))
    await stores.conversations.open(replace(first, message_id=OPEN, run_id="r2"))
    mine = replace(first, thread_id=MINE, subject=SUBJECT)
    asked = await stores.conversations.open(mine)
    await stores.conversations.finish(asked.question, reply("a1", answered))
    text = f"mail {word}@example.com"
    await stores.held.hold(tenant, SUBJECT, THREAD, text, _REDACTOR.redact(text))
    await stores.credentials.store(who_of(tenant), "shop", BearerToken(word))


def who_of(tenant: str) -> Principal:
    return Principal(tenant, SUBJECT, "account")


async def _act(stores: Stores, tenant: str, word: str) -> None:
    journal, call = stores.journal, ToolCall("invite", "3", {"email": f"{word}@example.com"})
    proposed = new("k1", who=who_of(tenant), call=call, thread_id=THREAD)
    action = await journal.present(
        await journal.propose(replace(proposed, id=action_of(tenant))), replace(CARD, who=word)
    )
    action = await journal.approve(action, yes(action, word), last=True)
    claim = await journal.claim("w1", 30, action.id)
    assert claim is not None
    assert claim.action.who.tenant == tenant
    done = replace(SUCCEEDED, done=Done({"note": word}, effect_ref=word))
    await journal.settle(claim, done)
    left = replace(new("k2", who=who_of(tenant), call=call, thread_id=THREAD), id=LEFT)
    card = await journal.present(await journal.propose(left), CARD)
    await journal.approve(card, yes(card, word), last=False)
    await journal.consent(tenant, SUBJECT, word, given=True)
    note = StoredCheckpoint(tenant, 1, word, (b"e",), NOON)
    await stores.checkpoints.add(note)
    await stores.ledger.begin(tenant, f"gone-{word}", "sam")


def action_of(tenant: str) -> str:
    """The id of what is done."""
    return sha256(f"action of {tenant}".encode()).hexdigest()[:22]


async def _sign_in(stores: Stores, tenant: str, word: str) -> None:
    later = NOON + timedelta(minutes=30)
    session = Session(
        tenant, "w", "kid", SUBJECT, word, ("admin",), "pro", None, "https://a.example", later
    )
    await stores.sessions.open(DIGEST, session, Spent("s" * 64, NOON, later), NOON)
    await stores.staff.begin("state", Flow(tenant, word, "/", fresh=False, begun=NOON))
    await stores.staff.open(DIGEST, StaffSession(tenant, word, ("support",), NOON, NOON, NOON))
    await stores.buckets.take(tenant, [Need("user:ana", RATE)], NOON.timestamp())
    await stores.purse.hold(tenant, DAY, [Account("ana", 1000)], amount_of(tenant))


def amount_of(tenant: str) -> int:
    """Another one for nearly every tenant."""
    return int.from_bytes(sha256(tenant.encode()).digest()[:2]) % 900 + 1


async def _decide(stores: Stores, tenant: str, word: str) -> None:
    await stores.decisions.add(tenant, [replace(DECISION, tenant=tenant, evidence=(f"{word}#1",))])
    await stores.consents.record(replace(TRAINING, tenant=tenant, text_version=word))
    await stores.audit.write(replace(READ, tenant=tenant, request_id=word))
    await stores.holds.place(Hold(tenant, SUBJECT, NOON, "sam", word))


async def _document(stores: Stores, tenant: str, word: str) -> None:
    for path in (f"{word}.md", HIDDEN):
        stores.revocations.revoke(Revocation(tenant, PAGE, path, NOON))
    ChunkWriter(stores.engine, VERSION).put([page_of(tenant)])


Look = Callable[[Stores, str], Awaitable[object]]


async def _headers(stores: Stores, tenant: str) -> Mapping[str, str]:
    try:
        return await stores.credentials.headers(who_of(tenant), "shop")
    except ToolError:
        return {}


async def _action(stores: Stores, tenant: str) -> object:
    journal = stores.journal
    found: list[Action] = [await journal.action(tenant, each) for each in (action_of(tenant), LEFT)]
    keyed = await journal.by_key(tenant, "k1")
    return [*found, keyed, await journal.asked_for(tenant, SUBJECT)]


async def _receipts(stores: Stores, tenant: str) -> object:
    """With what they say in the clear."""
    found = [
        *await stores.journal.receipts(tenant),
        *await stores.journal.receipt_of(tenant, action_of(tenant)),
    ]
    return [(receipt, payload_of(receipt)) for receipt in found]


def _of_guided(look: guided.Look) -> Look:
    return lambda stores, tenant: look(stores.guided, tenant)


LOOKS: Mapping[str, Look] = {
    "conversation": lambda s, t: s.conversations.conversation(t, THREAD),
    "events": lambda s, t: s.conversations.events(t, THREAD),
    "held": lambda s, t: s.held.shown(t, SUBJECT, THREAD, "<EMAIL_ADDRESS_1>"),
    "held tokens": lambda s, t: s.held.known(t, THREAD),
    "credentials": _headers,
    "action": _action,
    "actions": lambda s, t: s.journal.actions(t),
    "approvals": lambda s, t: s.journal.approvals(t, action_of(t)),
    "approvals of a card": lambda s, t: s.journal.approvals(t, LEFT),
    "receipts": _receipts,
    "standing consents": lambda s, t: s.journal.consents(t, SUBJECT),
    "checkpoints": lambda s, t: s.checkpoints.of(t),
    "checkpoint": lambda s, t: s.checkpoints.newest(t),
    "erasures": lambda s, t: s.ledger.erasures(t),
    "session": lambda s, t: s.sessions.find(t, DIGEST, NOON),
    "sessions": lambda s, t: s.sessions.count(t, SUBJECT),
    "staff": lambda s, t: s.staff.find(t, DIGEST, NOON),
    "purse": lambda s, t: s.purse.spent(t, DAY, "ana"),
    "decision": lambda s, t: s.decisions.get(t, DECISION.id),
    "decisions": lambda s, t: s.decisions.query(t),
    "consent": lambda s, t: s.consents.trail(t, SUBJECT),
    "consents": lambda s, t: s.consents.of(t, SUBJECT),
    "audit": lambda s, t: s.audit.page(t),
    "audit of a person": lambda s, t: s.audit.naming(t, SUBJECT),
    "holds": lambda s, t: s.holds.all(t),
    "held back": lambda s, t: s.holds.holds(t, SUBJECT),
    "revocations": lambda s, t: _now(s.revocations.all(t)),
    "chunks": lambda s, t: _now(_chunks(s, t)),
    **{f"onboarding: {name}": _of_guided(look) for name, look in guided.LOOKS.items()},
}
"""What a tenant can read, by name."""


def _chunks(stores: Stores, tenant: str) -> object:
    return [
        stores.chunks.get(tenant, [page_of(tenant).id]),
        stores.chunks.page(tenant, page_of(tenant).doc_id),
        stores.chunks.count(tenant),
        stores.chunks.document_frequencies(tenant, ["invit", "link"]),
        stores.chunks.search_text(_REDACTOR.redact("invite").text, Scope(tenant), 9),
    ]


async def _now(value: Any) -> Any:
    return value


async def seen(stores: Stores, tenant: str) -> dict[str, str]:
    """Everything that the tenant can read, by name."""
    return {name: repr(await look(stores, tenant)) for name, look in LOOKS.items()}


async def guessed(stores: Stores, tenant: str, other: str) -> list[object]:
    """What the tenant gets for ids of another one that are not its own."""
    page, action_id = page_of(other), action_of(other)
    found: list[object] = []
    with suppress(UnknownActionError):
        found.append(await stores.journal.action(tenant, action_id))
    found.append(await stores.journal.approvals(tenant, action_id) or None)
    found.append(await stores.journal.receipt_of(tenant, action_id) or None)
    found.append(stores.chunks.get(tenant, [page.id]) or None)
    found.append(stores.chunks.page(tenant, page.doc_id) or None)
    return found


async def harm(stores: Stores, tenant: str) -> None:
    """Everything that a tenant can take away or change, with ids that fit others' rows as well."""
    left = await stores.journal.action(tenant, LEFT)
    await stores.journal.refuse(left, "denied", SUBJECT)
    await stores.journal.consent(tenant, SUBJECT, canary(tenant), given=False)
    await stores.journal.hush(tenant, THREAD)
    (note,) = await stores.checkpoints.of(tenant)
    await stores.checkpoints.told(note)
    await stores.sessions.close(tenant, DIGEST)
    await stores.sessions.close_all(tenant, SUBJECT)
    await stores.staff.take(tenant, "state", NOON)
    await stores.staff.close(tenant, DIGEST)
    await stores.purse.change(tenant, DAY, [Account("ana", 1000)], 7)
    await stores.purse.hold(tenant, "2026-01-02", [Account("ana", 1000)], 1)
    await stores.decisions.erase(tenant, SUBJECT)
    await stores.decisions.sweep(tenant, Kind.ANSWER, datetime(2027, 1, 1, tzinfo=UTC))
    await stores.consents.forget(tenant, SUBJECT, NOON)
    await stores.audit.erase(tenant, SUBJECT)
    await stores.audit.sweep(tenant, datetime(2027, 1, 1, tzinfo=UTC))
    await stores.holds.release(tenant, SUBJECT)
    stores.revocations.restore(tenant, PAGE, HIDDEN)
    talk = await stores.conversations.conversation(tenant, THREAD)
    assert talk is not None
    unanswered = talk.unanswered()
    assert unanswered is not None
    await stores.conversations.interrupt(unanswered, ())
    await stores.credentials.forget(who_of(tenant))
    await stores.credentials.revoke_all(tenant, "shop")
    await guided.harm(stores.guided, tenant)
    stores.held.erase(tenant, SUBJECT)
    stores.vault.destroy(tenant, SUBJECT)
