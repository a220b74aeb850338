"""Who may approve what, how fresh their sign-in must be, and for how long a card stands.

Pure functions: the desk asks `judge` before it writes an approval, the executor asks `objection`
before it acts. What they return or raise is all that an approval means.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import JsonValue

from tools.canonical import digest_of
from tools.journal import Action, Approval, ApprovalError
from tools.types import Actor, Arguments, Manifest, Tier


class Approvers(StrEnum):
    POLICY = "policy"  # no person
    SELF = "self"  # the user whose rights are used
    HOLDER = "holder"  # the user with the right, or another person with it
    TWO = "two"  # the requester, and another person with the right


@dataclass(frozen=True, slots=True)
class Rule:
    """What a tier asks for. `login_age_s` None: any sign-in that still counts as one."""

    approvers: Approvers
    login_age_s: float | None
    expires_s: float
    standing: bool = False  # "always allow" may be offered


RULES: Mapping[Tier, Rule] = {
    Tier.R0: Rule(Approvers.POLICY, None, 900),
    Tier.R1: Rule(Approvers.SELF, None, 900, standing=True),
    Tier.R2: Rule(Approvers.HOLDER, None, 900),
    Tier.R3: Rule(Approvers.HOLDER, 300, 300),
    Tier.R4: Rule(Approvers.TWO, 300, 300),
}
"""Safety reference, section 6."""
LIFT_BEYOND = 25
"""Targets beyond which the tier rises by one (same section)."""
POLICY = "policy"
"""Approver and channel of an approval that no person gave."""
FLOW = "flow"
"""Channel of an approval that was given for a whole flow."""


def lifts(manifest: Manifest, arguments: Arguments) -> tuple[str, ...]:
    """Why the call weighs more than its tool, in words; empty when it does not."""
    if manifest.reads_only:
        return ()
    reasons = []
    if targets(manifest, arguments) > LIFT_BEYOND:
        reasons.append(f"more than {LIFT_BEYOND} at once")
    for name, values in manifest.admin_values.items():
        if any(_same(leaf, value) for leaf in _leaves(arguments.get(name)) for value in values):
            reasons.append(f"{_label(manifest, name)} gives administrator rights")
    return tuple(reasons)


def effective_tier(manifest: Manifest, arguments: Arguments) -> Tier:
    """The tool's tier, one higher for bulk and administrator values."""
    lifted = manifest.tier + bool(lifts(manifest, arguments))
    return Tier(min(lifted, Tier.R4))


def targets(manifest: Manifest, arguments: Arguments) -> int:
    """How many things the call touches."""
    bulk = arguments.get(manifest.bulk) if manifest.bulk else None
    return len(bulk) if isinstance(bulk, list) else 1


def _label(manifest: Manifest, name: str) -> str:
    return manifest.arguments[name].label if name in manifest.arguments else name


def _leaves(value: JsonValue) -> Iterator[JsonValue]:
    match value:
        case dict():
            for inner in value.values():
                yield from _leaves(inner)
        case list():
            for inner in value:
                yield from _leaves(inner)
        case _:
            yield value


def _same(one: JsonValue, other: JsonValue) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.strip().casefold() == other.strip().casefold()  # hosts often ignore case
    return type(one) is type(other) and one == other


def digest_now(action: Action) -> str:
    """The digest over what is stored now; differs from `action.digest` once anything changed."""
    return digest_of(
        who=action.who,
        call=action.call,
        etag=action.etag,
        policy_version=action.policy_version,
        tier=action.tier,
        nonce=action.nonce,
        expires=action.expires.astimezone(UTC).isoformat(timespec="microseconds"),
    )


def equal_digests(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def may_decide(action: Action, manifest: Manifest, person: Actor) -> bool:
    """Whether this person's word on the action counts at all."""
    if person.tenant != action.who.tenant:
        return False
    if person.subject == action.who.subject:
        return True
    theirs = person.principal.account == action.who.account or person.staff
    routed = RULES[action.tier].approvers in {Approvers.HOLDER, Approvers.TWO}
    return routed and theirs and manifest.rights <= person.rights


def judge(
    action: Action,
    manifest: Manifest,
    approver: Actor,
    earlier: Sequence[Approval],
    now: datetime,
) -> bool:
    """Whether this person's yes is the last one needed. Raises ApprovalError."""
    rule = RULES[action.tier]
    if not may_decide(action, manifest, approver) or not manifest.rights <= approver.rights:
        raise ApprovalError("wrong_person", "this is not for you to approve")
    given = {approval.approver for approval in earlier}
    requester = action.who.subject
    if approver.subject in given:
        if rule.approvers is Approvers.TWO and approver.subject == requester:
            raise ApprovalError("self_approval", "a second person with the right must approve")
        raise ApprovalError("already_decided", "you have approved this already")
    if not fresh(rule, approver.auth_time, now):
        raise ApprovalError(
            "stale_sign_in", f"sign in again: within {rule.login_age_s:g} s before approving"
        )
    return rule.approvers is not Approvers.TWO or _two_people(requester, given | {approver.subject})


def fresh(rule: Rule, auth_time: datetime | None, now: datetime) -> bool:
    """A sign-in in the future is no sign-in."""
    if rule.login_age_s is None:
        return True
    return auth_time is not None and 0 <= (now - auth_time).total_seconds() <= rule.login_age_s


def _two_people(requester: str, given: set[str]) -> bool:
    people = given - {POLICY}
    return requester in people and len(people) > 1


def objection(action: Action, approvals: Sequence[Approval]) -> str:
    """Why these approvals are no leave to act; empty when they are."""
    if not equal_digests(digest_now(action), action.digest):
        return "digest_mismatch"
    if any(
        approval.action_id != action.id or not equal_digests(approval.digest, action.digest)
        for approval in approvals
    ):
        return "digest_mismatch"
    return "" if approvals and _covers(action, approvals) else "not_approved"


def _covers(action: Action, approvals: Sequence[Approval]) -> bool:
    if any(approval.channel == FLOW for approval in approvals):
        return action.parent is not None  # the executor looks at the flow's own approval
    given = {approval.approver for approval in approvals}
    by_policy = any(approval.channel == POLICY for approval in approvals)
    match RULES[action.tier].approvers:
        case Approvers.POLICY:
            return by_policy
        case Approvers.SELF:
            return by_policy or given == {action.who.subject}
        case Approvers.HOLDER:
            return not by_policy and POLICY not in given
        case Approvers.TWO:
            return not by_policy and _two_people(action.who.subject, given)
