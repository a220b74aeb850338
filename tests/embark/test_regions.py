"""Everything stays in its region: a start is refused, and a call that would leave is not made.

A fault is a configuration that no start has seen. Calls are counted at the server that would have
been called.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from agent import Ask, Copilot, MemoryConversations
from agent.types import Answer, MessageFinished
from api import IdentityUnavailableError
from embark.cli.output import ExitCode
from embark.host_identity import Host, HostIdentity, WhoAmI, host_client
from embark.layers import ConfigurationError, load_settings
from embark.parts import open_finder
from embark.region_parts import check_regions, model_client, pin_of, pinned
from embark.settings import ActionSettings, DatabaseSettings, IndexSettings, ModelSettings, Settings
from embark.settings_people import IdentitySettings, OidcSettings, StaffSettings, WebhookSettings
from embark.webhook_parts import reach_of
from embark.wiring import make_deps
from retrieval.types import Scope
from tests.agent.scripted_provider import Finish, provider, sentence, units
from tests.api.serving import serving
from tests.contracts.retention import NOON
from tests.embark.project import run
from tests.tools.fleet.server import POLICY, Fleet
from tests.tools.fleet.serving import WHO, parts, running, trying
from tools.credentials import MemoryCredentials
from tools.http import Outbound, OutboundError, Outgoing
from tools.policy import load_policy
from tools.registry import Registry
from tools.sources import SourceError, open_sources
from tools.tool import ToolError
from tools.types import ToolCall

TRUE = sentence("Open Settings and press Invite.", 1)


def settings(**given: Any) -> Settings:
    return Settings(region="eu", **given)


ELSEWHERE: dict[str, dict[str, Any]] = {
    "model.region": {"model": ModelSettings(base_url="https://m.example/v1", name="x")},
    "index.region": {"index": IndexSettings(kind="server", url="http://q.example", region="us")},
    "database.region": {"database": DatabaseSettings(url="postgresql://db.example/x")},
    "actions.region": {"actions": ActionSettings(url="postgresql://db.example/j", region="us")},
    "webhooks[0].region": {
        "webhooks": (WebhookSettings(url="https://hook.example", secrets_env="X"),)
    },
    "staff.oidc.region": {
        "staff": StaffSettings(
            url="https://copilot.example",
            oidc=OidcSettings(issuer="https://id.example", client_id="x", region="us"),
            roles={"admin": ("audit:read",)},
        )
    },
    "actions.regions.harbor": {
        "identity": IdentitySettings(url="https://h.example/me", target="harbor"),
        "actions": ActionSettings(regions={"harbor": "us"}),
    },
}


@pytest.mark.parametrize("setting", ELSEWHERE)
def test_a_start_names_each_place_that_is_elsewhere(setting: str) -> None:
    given = ELSEWHERE[setting]
    check_regions(Settings(**given))  # nothing is pinned
    with pytest.raises(ConfigurationError) as refused:
        check_regions(settings(**given))
    (problem,) = refused.value.problems
    assert problem.startswith(setting)
    assert "'eu'" in problem


def test_a_source_of_the_policy_file_has_a_region() -> None:
    policy = load_policy(POLICY)
    with pytest.raises(ConfigurationError) as refused:
        check_regions(settings(), policy)
    assert all(p.startswith("actions.regions.fleet is needed") for p in refused.value.problems)
    check_regions(settings(actions=ActionSettings(regions={"fleet": "eu"})), policy)


def test_files_of_ones_own_have_no_region() -> None:
    check_regions(settings(database=DatabaseSettings(url="sqlite:///x.sqlite")))


def test_the_command_says_it(indexed: Path) -> None:
    model = ("--set", "model.base_url=http://127.0.0.1:9/v1", "--set", "model.name=x")
    refused = run("--set", "region=eu", *model, "--set", "model.region=us", "ask", "How?")
    assert refused.exit_code == ExitCode.CONFIGURATION
    assert "model.region: the chat model is in 'us'" in refused.stderr


async def asked(chosen: Settings) -> Answer:
    """Without the check of a start."""
    with open_finder(chosen) as finder:
        copilot = Copilot(make_deps(chosen, finder, MemoryConversations()))
        ask = Ask("default", "t", "r", "m", "How do I invite teammates?", Scope("default"))
        found = [e.event async for e in copilot.ask(ask) if isinstance(e.event, MessageFinished)]
        await copilot.close()
    return found[0].answer


@pytest.mark.parametrize(("where", "calls"), [("eu", 1), ("us", 0), (None, 0)])
async def test_no_question_leaves_for_another_region(
    indexed: Path, where: str | None, calls: int
) -> None:
    async with provider(units(TRUE), Finish()) as scripted:
        model = ModelSettings(base_url=scripted.base_url, name="tiny", region=where, retries=0)
        chosen = load_settings().settings.model_copy(update={"region": "eu", "model": model})
        answer = await asked(chosen)
    assert len(scripted.requests) == calls
    assert answer.answerer == ("tiny" if calls else "extractive")


async def test_no_redirect_leads_out_of_the_region() -> None:
    async with counting() as elsewhere, counting(elsewhere.url) as here:
        model = ModelSettings(base_url=here.url, name="tiny", region="eu")
        async with model_client(pin_of(settings(model=model))) as client:
            with pytest.raises(Exception, match="is no place that the settings name"):
                await client.post(f"{here.url}/chat/completions", json={"text": "secret"})
    assert (here.requests, elsewhere.requests) == (["/chat/completions"], [])


@pytest.mark.parametrize(("where", "calls"), [("eu", 1), ("us", 0), (None, 0)])
async def test_no_tool_is_called_in_another_region(where: str | None, calls: int) -> None:
    fleet = Fleet()
    async with running(fleet) as base:
        regions = {} if where is None else {"fleet": where}
        chosen = settings(actions=ActionSettings(regions=regions, addresses={"fleet": base}))
        policy = load_policy(POLICY)
        opening = replace(parts(base), pin=pin_of(chosen, policy).check)
        opened = await open_sources(policy, opening)
        tool = Registry(opened.tools).tool("fleet_create_project")
        assert tool is not None
        call = ToolCall(tool.manifest.name, tool.manifest.version, {"name": "Ana's"})
        with nullcontext() if calls else pytest.raises(ToolError, match="host_refused"):
            await tool.run(call, WHO, trying())
        await opened.aclose()
    assert (bool(fleet.requests), len(fleet.effects)) == (bool(calls), calls)


async def test_a_document_in_another_region_is_not_read(tmp_path: Path) -> None:
    async with counting() as elsewhere:
        text = POLICY.read_text("utf-8").replace("openapi.yaml", f"{elsewhere.url}/openapi.yaml")
        (tmp_path / "tools.yaml").write_text(text, "utf-8")
        policy = load_policy(tmp_path / "tools.yaml")
        chosen = settings(actions=ActionSettings(regions={"fleet": "us"}))
        opening = replace(parts(elsewhere.url), pin=pin_of(chosen, policy).check)
        with pytest.raises(SourceError):
            await open_sources(policy, opening)
    assert elsewhere.requests == []


@pytest.mark.parametrize(("where", "calls"), [("eu", 1), ("us", 0)])
async def test_no_token_is_shown_to_another_region(where: str, calls: int) -> None:
    async with counting() as host:
        chosen = settings(
            identity=IdentitySettings(url=f"{host.url}/me", target="harbor"),
            actions=ActionSettings(regions={"harbor": where}),
        )
        async with pinned(host_client(), pin_of(chosen)) as client:
            me = WhoAmI(url=f"{host.url}/me")
            credentials = MemoryCredentials(lambda: NOON)
            identify = HostIdentity(Host("t", "harbor", me), client, credentials, lambda: 0.0)
            with pytest.raises(IdentityUnavailableError):  # its answer names nobody
                await identify("token")
    assert len(host.requests) == calls


OPENS = ("Outbound(", "httpx.AsyncClient(", "httpx2.AsyncClient(", "host_client(", "httpx.get(")
MAKES = {"embark/host_identity.py", "embark/region_parts.py"}
"""Of clients that others open, and pin."""


def test_whoever_opens_a_client_pins_it() -> None:
    """A new place that data goes to is asked for too, or this names its module."""
    root = Path(__file__).parents[2]
    texts = {
        str(file.relative_to(root)): file.read_text("utf-8")
        for file in (root / "embark").rglob("*.py")
    }
    opening = {name for name, text in texts.items() if any(each in text for each in OPENS)}
    assert opening >= {"embark/acting.py", "embark/staff_parts.py", "embark/webhook_parts.py"}
    assert {name for name in opening - MAKES if "pin_of(settings" not in texts[name]} == set()


async def test_no_notice_leaves_for_another_region() -> None:
    async with counting() as elsewhere:
        place = elsewhere.url.removeprefix("http://")
        for where, calls in (("us", 0), ("eu", 1)):
            chosen = settings(
                webhooks=(WebhookSettings(url=elsewhere.url, region=where, secrets_env="X"),),
                actions=ActionSettings(private_hosts=(place,)),
            )
            async with Outbound(reach_of(chosen)) as outbound:
                sending = outbound.send(Outgoing("POST", elsewhere.url, {}, b"{}"))
                with nullcontext() if calls else pytest.raises(OutboundError, match="host_refused"):
                    await sending
            assert len(elsewhere.requests) == calls


@dataclass
class Counting:
    url: str = ""
    requests: list[str] = field(default_factory=list)


@asynccontextmanager
async def counting(onwards: str = "") -> AsyncIterator[Counting]:
    """A server that counts, and sends everybody on to another where one is named."""
    counted, app = Counting(), FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def anything(path: str, request: Request) -> Response:
        counted.requests.append(request.url.path)
        if onwards:
            return Response(status_code=307, headers={"location": f"{onwards}/{path}"})
        return Response("[]", media_type="application/json")

    async with serving(app) as client:
        counted.url = str(client.base_url).rstrip("/")
        yield counted
