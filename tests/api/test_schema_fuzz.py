"""Requests made from our own OpenAPI document, valid and not, by every kind of caller: no 5xx, and
no answer that the document does not describe.

`EMBARK_TEST_FUZZ` sets the examples an operation and caller (default 12).
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent import MemoryConversations
from api import Acts
from api.admission import Admission
from api.events import EventDesk, WriteKeys
from api.hooks import HostHooks
from api.staff import RIGHTS, StaffDoor
from api.staff.desk import StaffDesk, StaffPorts
from api.staff.id_tokens import Client
from api.staff.local import LocalStaff
from api.staff.provider import Ports, Provider
from api.staff.sessions_memory import MemoryStaff
from guardrails.audit.memory import MemoryAudit
from guardrails.consent import CachedConsents, ConsentDesk
from guardrails.consent.memory import MemoryConsents
from guardrails.decisions.memory import MemoryDecisions
from guardrails.retention import MemoryHolds
from onboarding.interventions import Standing
from onboarding.interventions.channel import Sent
from onboarding.store.interventions import Claim
from onboarding.types import Person
from retrieval.types import Scope
from tests.agent.acting_floor import TENANT, Stage
from tests.api.acting import PEOPLE
from tests.api.privacy import identify
from tests.api.serving import app_of, serving
from tests.contracts.consent import KEY
from tests.onboarding.engine.doors import guidance_of, messages_of
from tests.onboarding.engine.floor import Clock as GuidedClock
from tests.onboarding.engine.floor import Floor as Guided
from tests.onboarding.interventions.making import message
from tests.tools.acting.floor import START, Clock, Floor
from tools.connectors import Connector, ConnectorDesk, MemorySwitches
from tools.credentials import MemoryCredentials
from tools.http import Incoming, Outgoing
from tools.journal_memory import MemoryJournal
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import JwsSealer
from tools.store.engine import open_engine
from tools.webhooks import Secrets, SeenMessages, prepare

EXAMPLES = int(os.environ.get("EMBARK_TEST_FUZZ", "6"))
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
STAFF = "staff"
CALLERS = ("", "ana", "bo", "eve", "old", "alien", "sam", STAFF, "nobody-knows")
# their frames have a contract of their own: OpenAPI 3.1 has no schema of a stream's events
STREAMS = {"/v1/agui/threads/{thread_id}/events"}


async def _used(stage: Stage) -> None:
    """Somebody has asked, done one thing, taken it back, and left a card open."""
    await stage.says("How many people can admins invite at once?")
    await stage.approves(await stage.says("set lamp to red"))
    await stage.approves(await stage.says("undo that"))
    await stage.says("set shade to blue")


def _app(stage: Stage, ring: KeyRing, guided: Guided) -> FastAPI:
    floor, consents = stage.floor, guided.consents
    acts = Acts(
        identify,
        floor.desk,
        stage.journal,
        floor.shelf,
        ring,
        decisions=MemoryDecisions(),
        consents=ConsentDesk(consents, CachedConsents(consents), floor.clock),
        audit=MemoryAudit(floor.clock),
        holds=MemoryHolds(),
        connectors=_connectors(floor.clock),
        hooks=_hooks(floor.clock),
        **_guided(guided, floor.clock),
    )
    admission = Admission(staff=_staff(floor.clock))
    return app_of(stage.copilot, acts=acts, admission=admission, viewer=Scope(TENANT))


def _guided(guided: Guided, clock: Clock) -> dict[str, Any]:
    """Profiles, next steps, messages and the intake of events over memory, with Harbor's files."""
    keys = WriteKeys(["a-write-key-of-the-host"])
    return {
        "profiles": guided.engine.profiles,
        "guide": guidance_of(guided),
        "messages": messages_of(guided),
        "events": EventDesk(TENANT, guided.intake, keys, clock, identify),
    }


async def _lived(consents: MemoryConsents) -> tuple[Guided, dict[str, list[str]]]:
    """Ana has begun, got a message and was asked something; ids of what was shown to her."""
    guided = await Guided.open(clock=GuidedClock(START), consents=consents, tenant=TENANT)
    await guided.agrees("ana")
    await guided.identifies("ana", role="owner", plan="team")
    standing = await guidance_of(guided).standing(PEOPLE["ana"], "en")
    assert standing is not None
    assert standing.question is not None
    made = message("a", Person(TENANT, "ana", "acme"), template="next-step", values={"step": "x"})
    (delivery,) = await guided.deliveries.plan([made], START)
    claim = await guided.deliveries.claim(delivery, Standing(zone="UTC"), START)
    assert isinstance(claim, Claim)
    await guided.deliveries.settle(claim.delivery, Sent("p-1"), START, Random(1))
    return guided, {
        "decision": [card.decision for card in standing.cards],
        "action": [card.action for card in standing.cards],
        "question": [standing.question.id],
        "delivery": [made.id],
    }


def _connectors(clock: Clock) -> ConnectorDesk:
    connectors = [Connector("shop", "Shop")]
    return ConnectorDesk(MemorySwitches(clock), MemoryCredentials(clock), connectors)


def _hooks(clock: Clock) -> HostHooks:
    async def done(_about: str) -> None:
        return None

    engine = open_engine("sqlite://")
    prepare(engine)
    return HostHooks(Secrets((bytes(32),)), SeenMessages(engine), clock, done, done, done)


def _staff(clock: Clock) -> StaffDoor:
    """Local tokens beside a provider that says where it is, and nothing more."""
    issuer = "https://id.example"
    places = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    said = {"issuer": issuer, "id_token_signing_alg_values_supported": ["RS256"]}
    document = json.dumps(said | dict.fromkeys(places, f"{issuer}/x")).encode()

    async def answered(_out: Outgoing) -> Incoming:
        return Incoming(200, body=document)

    client = Client(issuer, "embark", "https://copilot.example/v1/staff/callback")
    provider = Provider(client, Ports(answered, lambda: clock().timestamp()))
    everything = {"admin": frozenset(RIGHTS)}
    ports = StaffPorts(clock, secrets.token_bytes)
    desk = StaffDesk(TENANT, client, provider, MemoryStaff(), everything, ports)
    return StaffDoor("https://copilot.example", desk, _local(clock))


def _local(clock: Clock) -> LocalStaff:
    return LocalStaff(TENANT, lambda: bytes(32), {"admin": frozenset(RIGHTS)}, clock)


class Served:
    """The acting application on a loop of its own thread."""

    def __init__(self, keys: Path) -> None:
        self.url = ""
        self.known = {
            "connector": ["shop", "*"],
            "thread_id": ["t1", "t2"],
            "receipt_id": ["rcpt_1", "rcpt_2", "rcpt_9"],
        }
        self._keys = keys
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        ring = KeyRing.open(self._keys, START)
        journal = MemoryJournal(JwsSealer(ring, Clock()), Clock())
        stage = Stage(floor=Floor(journal=journal), conversations=MemoryConversations())
        await _used(stage)
        self.known["action_id"] = [action.id for action in await stage.actions()]
        guided, shown = await _lived(MemoryConsents(KEY))
        self.known |= shown
        async with serving(_app(stage, ring, guided)) as client:
            self.url = str(client.base_url).rstrip("/")
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("keys")) as served:
        yield served


@pytest.mark.parametrize("caller", CALLERS)
def test_every_operation_answers_as_its_document_says(served: Served, caller: str) -> None:
    known = {name: st.sampled_from(ids) for name, ids in served.known.items()}
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    token = _local(Clock()).token("admin") if caller == STAFF else caller
    headers = {"authorization": f"Bearer {token}"} if caller else {}
    fuzzed = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        kinds = [found.ok().as_strategy(generation_mode=mode) for mode in GenerationMode]
        cases = st.one_of(kinds)

        @settings(
            max_examples=EXAMPLES,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, there=st.fixed_dictionaries(known), real=st.booleans())
        def fuzz(case: schemathesis.Case[Any], there: dict[str, str], real: bool) -> None:
            if real and case.path_parameters:
                names = case.path_parameters.keys() & there.keys()
                case.path_parameters.update({name: there[name] for name in names})
            if case.path in STREAMS:
                case.query = {**(case.query or {}), "follow": "false"}
            response = case.call(headers={**headers}, timeout=15, allow_redirects=False)
            streamed = "event-stream" in "".join(response.headers.get("content-type", []))
            case.validate_response(response, checks=list(CHECKS[:3] if streamed else CHECKS))

        fuzz()
        fuzzed += 1
    assert fuzzed > 20
    assert caller in {"", "sam", STAFF, "nobody-knows"} or caller in PEOPLE
