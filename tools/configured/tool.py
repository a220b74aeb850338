"""A tool made of a policy entry: look, run, read back, and the call that undoes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from tools.configured.backend import Backend, Reply, Sending, Shape, StatusError
from tools.configured.reading import GONE, NOT_FOUND, Found, holds, read
from tools.policy.mapping import MISSING, Missing, Values, at, fill, fill_all, placeholders
from tools.policy.types import Look, ToolEntry
from tools.tool import (
    DriftError,
    NotSentError,
    PartialError,
    RejectedError,
    ToolError,
    UncertainError,
)
from tools.types import Attempt, Done, Manifest, Principal, Target, ToolCall

STATE_ETAG = "state:"
"""Before an etag that is a hash of what was seen: the target has none of its own."""

NOTHING_TO_RESTORE = "Nothing was set here before, so this time it cannot be put back."


@dataclass(frozen=True, slots=True)
class _Try:
    """One call under way. `before` is the state that it changes, None when it is not known."""

    call: ToolCall
    who: Principal
    attempt: Attempt
    before: Mapping[str, JsonValue] | None = None
    etag: str | None = None
    number: int = -1  # of the element, where the tool goes over a list

    @property
    def key(self) -> str:
        action = self.attempt.action_id
        return action if self.number < 0 else f"{action}.{self.number}"


class ConfiguredTool:
    """One entry over a backend. `siblings` are the tools of the same file by their key there; undos
    are looked up in it."""

    def __init__(
        self,
        manifest: Manifest,
        entry: ToolEntry,
        backend: Backend,
        shape: Shape,
        siblings: Mapping[str, ConfiguredTool],
    ) -> None:
        self._manifest = manifest
        self._entry = entry
        self._backend = backend
        self._shape = shape
        self._siblings = siblings
        self._timeout_s = entry.timeout_s or manifest.timeout_s  # of one request
        self._fields = {name: each.field or name for name, each in entry.arguments.items()}
        self._defaults = {
            name: each.default for name, each in entry.arguments.items() if each.default is not None
        }

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def entry(self) -> ToolEntry:
        """As in the file, its operation and timeout filled in."""
        return self._entry

    async def look(self, call: ToolCall, who: Principal) -> Target:
        return (await self._seen(call, who))[0]

    async def _seen(self, call: ToolCall, who: Principal) -> tuple[Target, str | None]:
        """The target, and its own version where it has one."""
        notes = self._notes(call)
        look = self._entry.look
        if look is None:
            return Target(notes=notes), None
        values = self._values(call, who)
        found = await read(self._backend, look, values, who, self._timeout_s)
        if found is None and look.may_be_absent:
            return Target(notes=notes), None
        if found is None:
            raise StatusError("not_found", "there is no such thing (any more)", NOT_FOUND)
        target = _target(look, found, notes)
        if self._nothing_to_restore(target):
            target = replace(target, notes=(*notes, NOTHING_TO_RESTORE))
        return target, found.etag

    def _nothing_to_restore(self, target: Target) -> bool:
        """Whether a value that the undo needs is not set yet."""
        undo = self._entry.undo
        if undo is None or undo.tool is None:
            return False
        needed = self._siblings[undo.tool].required()
        restoring = {name: t for name, t in undo.arguments.items() if name in needed}
        return any(
            at(dict(target.state), pointer) in (MISSING, None)
            for root, pointer in placeholders(restoring)
            if root == "before"
        )

    def _notes(self, call: ToolCall) -> tuple[str, ...]:
        return tuple(
            f"{self._entry.arguments[name].label}: {_shown(value)} (default)"
            for name, value in self._defaults.items()
            if name not in call.arguments
        )

    async def run(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done:
        if self._manifest.reads_only:
            reply = await self._send(_Try(call, who, attempt))
            return Done(self._result(reply.body))
        job = await self._prepared(call, who, attempt)
        if self._entry.each:
            return await self._over_each(job)
        reply, already = await self._sent(job)
        return await self._done(job, self._result(reply.body), reply.etag, already=already)

    async def read_back(self, call: ToolCall, who: Principal, attempt: Attempt) -> Done | None:
        entry = self._entry.read_back
        if entry is None:
            raise UncertainError("no_read_back", "the target cannot be asked whether it happened")
        values = self._values(call, who, attempt)
        found = await read(self._backend, entry, values, who, self._timeout_s)
        job = _Try(call, who, attempt, attempt.before)
        if entry.gone:
            return await self._done(job, {}, None) if found is None else None
        if found is None or not holds(found.item, entry.expect, values):
            return None
        return await self._done(job, self._result(found.item), found.etag)

    # --- before ---------------------------------------------------------------------------------

    async def _prepared(self, call: ToolCall, who: Principal, attempt: Attempt) -> _Try:
        """Looks once more where an undo or a condition needs what is there now.

        After a try that may have had its effect, what is there may be that effect: it counts as the
        earlier state only when it is the one that was approved.
        """
        if self._entry.look is None or not self._needs_look(attempt):
            own = attempt.etag and not attempt.etag.startswith(STATE_ETAG)
            return _Try(call, who, attempt, attempt.before, attempt.etag if own else None)
        target, version = await self._looked(call, who)
        same = attempt.etag is None or target.etag == attempt.etag
        if not same and not attempt.resumed:
            raise DriftError("target_changed", "it is not what was approved any more")
        before = attempt.before or (target.state if same else None)
        return _Try(call, who, attempt, before, version)

    async def _looked(self, call: ToolCall, who: Principal) -> tuple[Target, str | None]:
        try:
            return await self._seen(call, who)
        except StatusError as failure:
            if failure.status == NOT_FOUND and self._shape.deletes:
                return Target(etag=None), None  # already gone: the call will say so
            raise

    def _needs_look(self, attempt: Attempt) -> bool:
        undo, etag = self._entry.undo, attempt.etag
        restores = undo is not None and "{before/" in json.dumps(dict(undo.arguments))
        own = etag is not None and not etag.startswith(STATE_ETAG)
        return (restores and attempt.before is None) or (self._shape.takes_etag and not own)

    # --- sending --------------------------------------------------------------------------------

    async def _sent(self, job: _Try) -> tuple[Reply, bool]:
        """The answer, and whether the target says that it had been done before."""
        try:
            return await self._send(job), False
        except StatusError as refusal:
            if not self._counts_as_done(refusal):
                raise
        found = await self._there_already(job)
        return Reply(found.item if found else {}, found.etag if found else None), True

    def _counts_as_done(self, refusal: StatusError) -> bool:
        if self._shape.deletes and refusal.status in (NOT_FOUND, GONE):
            return True
        return any(rule.fits(refusal.status, refusal.code) for rule in self._entry.already)

    async def _there_already(self, job: _Try) -> Found | None:
        entry = self._entry.read_back
        if entry is None or entry.gone:
            return None
        values = self._values(job.call, job.who, job.attempt)
        try:
            return await read(self._backend, entry, values, job.who, self._timeout_s)
        except ToolError:
            return None  # that it is there is known; what it is like is not

    async def _send(self, job: _Try) -> Reply:
        sending = Sending(
            self._timeout_s,
            writes=not self._manifest.reads_only,
            key=job.key,
            etag=job.etag if self._shape.takes_etag else None,
        )
        operation = self._entry.operation
        return await self._backend.call(operation, self._inputs(job), job.who, sending)

    def _inputs(self, job: _Try) -> dict[str, JsonValue]:
        values = self._values(job.call, job.who, job.attempt)
        inputs = fill_all(self._entry.fixed, values)
        for name, value in {**self._defaults, **job.call.arguments}.items():
            inputs[self._fields[name]] = value
        for many, one in self._entry.each.items():
            items = inputs.pop(self._fields[many])
            assert isinstance(items, list)
            inputs[one] = items[job.number]
        return inputs

    def _values(self, call: ToolCall, who: Principal, attempt: Attempt | None = None) -> Values:
        values: dict[str, JsonValue] = {
            "args": dict(call.arguments),
            "who": {"tenant": who.tenant, "subject": who.subject, "account": who.account},
        }
        if attempt is not None:
            values["attempt"] = {"action_id": attempt.action_id}
        return values

    # --- after ----------------------------------------------------------------------------------

    def _result(self, body: JsonValue) -> dict[str, JsonValue]:
        if self._entry.result:
            picked = {name: at(body, pointer) for name, pointer in self._entry.result.items()}
            return {n: v for n, v in picked.items() if not isinstance(v, Missing)}
        match body:
            case dict():
                return body
            case list():
                return {"items": body}
            case None:
                return {}
            case _:
                return {"value": body}

    async def _done(
        self, job: _Try, result: dict[str, JsonValue], etag: str | None, *, already: bool = False
    ) -> Done:
        # what somebody else had done before is not ours to take back
        undo = None if already else self._undo(job, result)
        reference = at(result, self._entry.effect_ref)
        done = Done(
            result,
            effect_ref=str(reference) if isinstance(reference, str | int) else "",
            etag=await self._etag_after(job, undo) if undo else etag,
            undo=undo,
            already=already,
        )
        if self._entry.partial is not None and not already:
            self._check_parts(result, done)
        return done

    def _check_parts(self, result: dict[str, JsonValue], done: Done) -> None:
        """Raises RejectedError when no part was done, PartialError when some were."""
        rule = self._entry.partial
        items = at(result, rule.items) if rule else None
        if rule is None or not isinstance(items, list) or not items:
            return
        good = [i for i in items if all(at(i, p) in ok for p, ok in rule.ok.items())]
        if len(good) == len(items):
            return
        told = f"{len(good)} of {len(items)} were done"
        if not good:
            raise RejectedError("nothing_done", told)
        raise PartialError("partly_done", told, done)

    def _undo(self, job: _Try, result: dict[str, JsonValue]) -> ToolCall | None:
        undo = self._entry.undo
        if undo is None or undo.tool is None:
            return None
        tool = self._siblings[undo.tool]
        values: dict[str, JsonValue] = {**self._values(job.call, job.who), "result": result}
        if job.before is not None:
            values["before"] = dict(job.before)
        arguments = {
            name: value
            for name, value in fill_all(undo.arguments, values).items()
            if value is not None or tool.nullable(name)
        }
        if not tool.required() <= arguments.keys():
            return None
        return ToolCall(tool.manifest.name, tool.manifest.version, arguments)

    def required(self) -> frozenset[str]:
        """Arguments that a call must have."""
        listed = self._manifest.schema.get("required")
        return frozenset(map(str, listed)) if isinstance(listed, list) else frozenset()

    def nullable(self, name: str) -> bool:
        entry = self._entry.arguments.get(name)
        return entry is not None and entry.nullable

    async def _etag_after(self, job: _Try, undo: ToolCall) -> str | None:
        """What the undo will find if nobody changes anything until then; None when that cannot be
        read now, which must not make a success a failure."""
        assert self._entry.undo is not None
        assert self._entry.undo.tool is not None
        try:
            return (await self._siblings[self._entry.undo.tool].look(undo, job.who)).etag
        except ToolError:
            return None

    async def _over_each(self, job: _Try) -> Done:
        """One request an element; stops where one fails and says how far it came."""
        (many,) = self._entry.each
        items = job.call.arguments.get(many)
        assert isinstance(items, list)
        results: list[JsonValue] = []
        for number, item in enumerate(items):
            one = _Try(job.call, job.who, job.attempt, job.before, None, number)
            try:
                reply, _ = await self._sent(one)
            except RejectedError as refusal:
                if not results:
                    raise
                told = f"{len(results)} of {len(items)} were done, then: {refusal.detail}"
                raise PartialError(refusal.code, told, Done({"done": results})) from refusal
            except NotSentError as unsent:
                if not results:
                    raise
                raise UncertainError(unsent.code, "only a part was sent") from unsent
            results.append({"of": item, **self._result(reply.body)})
        return Done({"done": results})


def _target(look: Look, found: Found, notes: tuple[str, ...]) -> Target:
    shown = {name: at(found.item, pointer) for name, pointer in look.shown.items()}
    state = {name: value for name, value in shown.items() if not isinstance(value, Missing)}
    label = fill(look.label, {"item": found.item}, default="item")
    return Target(
        state=state,
        etag=(found.etag if look.version == "target" else None) or _state_etag(state),
        label="" if isinstance(label, Missing) or label is None else str(label),
        notes=notes,
    )


def _state_etag(state: Mapping[str, JsonValue]) -> str:
    plain = json.dumps(state, sort_keys=True, ensure_ascii=True)
    return STATE_ETAG + hashlib.sha256(plain.encode()).hexdigest()[:32]


def _shown(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
