"""What the tests of the journal propose and approve, a clock in their hand, and a real sealer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import JsonValue

from tools.canonical import b64url, canonical, new_id
from tools.journal import Action, Approval, Claim, Ending, Journal, NewAction, State
from tools.receipts.sealing import header
from tools.types import Card, CardField, Done, Principal, Tier, ToolCall

NOON = datetime(2026, 1, 1, 12, 30, 15, 250, tzinfo=UTC)
ADA = Principal("acme", "ada", "acme-1")
BOB = Principal("acme", "bob", "acme-1")
EVE = Principal("umbrella", "ada", "umbrella-1")
CALL = ToolCall("invite", "3", {"email": "ann@example.com", "roles": ["viewer"], "days": 3})
CARD = Card(
    "Invite people",
    (
        CardField("email", "E-mail", "ann@example.com", before=None, origin="profile"),
        CardField("key", "Key", "", secret=True),
    ),
    Tier.R2,
    count=2,
    list_hash="abc",
    who="Acme",
    undo="The invitation is withdrawn.",
    notes=("Sends mail.",),
    steps=("first", "second"),
)
UNDO = ToolCall("withdraw", "1", {"invitation": "inv_1"})
DONE = Done({"id": "inv_1", "sent": True}, effect_ref="inv_1", etag="v2", undo=UNDO)
SUCCEEDED = Ending(State.SUCCEEDED, DONE)
FAILED = Ending(State.FAILED, reason="not_allowed", detail="no such plan")
UNKNOWN = Ending(State.UNKNOWN, reason="no_answer")


@dataclass
class Hands:
    """A clock that stands still until it is moved."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Seal:
    """Signs and keeps what it signed; one key for as long as the process lives."""

    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    sealed: list[Mapping[str, JsonValue]] = field(default_factory=list)

    def seal(self, payload: Mapping[str, JsonValue]) -> str:
        self.sealed.append(payload)
        signed = f"{header('Ed25519', 'test')}.{b64url(canonical(payload))}"
        return f"{signed}.{b64url(self.private.sign(signed.encode()))}"

    @property
    def public(self) -> Ed25519PublicKey:
        return self.private.public_key()


def new(
    key: str | None = None,
    *,
    who: Principal = ADA,
    call: ToolCall = CALL,
    tier: Tier = Tier.R2,
    expires_s: float = 900.0,
    **links: str | None,
) -> NewAction:
    made = new_id()
    return NewAction(
        id=made,
        idem_key=key or made,
        who=who,
        call=call,
        tier=tier,
        policy_version="p1",
        etag="v1",
        expires_s=expires_s,
        thread_id=links.get("thread_id"),
        parent=links.get("parent"),
        step=links.get("step") or "",
        undoes=links.get("undoes"),
    )


def yes(action: Action, approver: str = "ada", channel: str = "user") -> Approval:
    return Approval(
        id=new_id(),
        action_id=action.id,
        digest=action.digest,
        approver=approver,
        channel=channel,
        auth_time=NOON,
        policy_hash="hash-of-policy",
    )


def other_call(name: str) -> ToolCall:
    return ToolCall(CALL.tool, CALL.version, {"email": f"{name}@example.com"})


async def pending(journal: Journal, wanted: NewAction | None = None) -> Action:
    return await journal.present(await journal.propose(wanted or new()), CARD)


async def approved(journal: Journal, wanted: NewAction | None = None) -> Action:
    action = await pending(journal, wanted)
    return await journal.approve(action, yes(action), last=True)


async def started(
    journal: Journal, wanted: NewAction | None = None, worker: str = "w1", lease_s: float = 30.0
) -> Claim:
    action = await approved(journal, wanted)
    claim = await journal.claim(worker, lease_s, action.id)
    assert claim is not None
    return claim


async def succeeded(journal: Journal, wanted: NewAction | None = None) -> Action:
    return await journal.settle(await started(journal, wanted), SUCCEEDED)


async def undoing(journal: Journal, done: Action) -> Claim:
    assert done.undo is not None
    wanted = new(call=done.undo, undoes=done.id)
    return await started(journal, wanted)
