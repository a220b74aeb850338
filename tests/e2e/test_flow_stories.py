"""What happens to a flow in the middle: refusals, waits, people who do it themselves, kills."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from tests.e2e.floor import Floor, open_floor
from tests.e2e.flow_cases import CASES, differences, live
from tests.e2e.flow_runs import doubled
from tests.harbor.running import ROOT, Harbor, running_harbor
from tools.acting import NoSuchToolError
from tools.journal import Action, ApprovalError, State
from tools.tool import Reminding

FLOWS = ROOT / "examples" / "harbor" / "flows"
ENDS_S = 60.0
STRIPE = CASES["stripe"].arguments


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as harbor:
        yield harbor


@pytest.fixture
def harbor(one: Harbor) -> Harbor:
    one.reset()
    return one


@asynccontextmanager
async def floor_of(harbor: Harbor, folder: Path, *, hurried: bool = False) -> AsyncIterator[Floor]:
    """`hurried`: the demo's flows with their waits of minutes cut to a third of a second."""
    more: dict[str, Any] = {}
    if hurried:
        flows = folder / "flows"
        flows.mkdir()
        for file in FLOWS.glob("*.yaml"):
            text = file.read_text("utf-8")
            for wait in ("after_s: 600", "after_s: 60"):
                text = text.replace(wait + "\n", "after_s: 0.3\n")
            (flows / file.name).write_text(text, "utf-8")
        more["actions__flows"] = str(flows)
    async with asyncio.timeout(ENDS_S), open_floor(harbor, folder, **more) as floor:
        yield floor


async def until(holds: Callable[[], bool], within_s: float = 90.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  # of another process
            await asyncio.sleep(0.02)


async def taken_back(floor: Floor, done: Action, before: dict[str, object]) -> None:
    undone = await floor.undo(done)
    assert (undone.state, undone.detail) == (State.SUCCEEDED, "")
    assert differences(before, live(floor.harbor.state())) == []


async def test_refused_credentials_leave_nothing_and_offer_another_way(
    harbor: Harbor, tmp_path: Path
) -> None:
    before = live(harbor.state())
    async with floor_of(harbor, tmp_path) as floor:
        done = await floor.do(
            "connect_data", {"source": "stripe", "restricted_key": "rk_live_revoked_1234"}
        )
        tool = floor.hands.registry.tool("connect_data")

    assert (done.state, done.reason) == (State.FAILED, "HBR-201")
    assert "CSV" in done.detail
    assert tool is not None
    assert tool.manifest.remedies["HBR-201"] == "connect_data"
    assert differences(before, live(harbor.state())) == []


async def test_who_lacks_the_right_is_told_before_anything_happens(
    harbor: Harbor, tmp_path: Path
) -> None:
    before = harbor.state()
    async with floor_of(harbor, tmp_path) as floor:
        with pytest.raises(NoSuchToolError):
            await floor.ask("connect_data", STRIPE, role="viewer")

    assert (harbor.state(), harbor.effects()) == (before, {})


async def test_security_needs_two_people_who_have_just_signed_in(
    harbor: Harbor, tmp_path: Path
) -> None:
    harbor.call("GET", "/v1/security").raise_for_status()
    before = live(harbor.state())
    async with floor_of(harbor, tmp_path) as floor:
        card = await floor.ask(
            "secure_workspace",
            {"domain": "x.example", "provider": "none", "require_mfa": True},
        )
        owner, admin = await floor.person("owner"), await floor.person("admin")
        assert owner.auth_time is not None
        stale = replace(owner, auth_time=owner.auth_time - timedelta(hours=1))
        for person, code in ((stale, "stale_sign_in"), (await floor.person("editor"), "")):
            with pytest.raises(ApprovalError) as refused:
                await floor.decide(card, person)
            assert refused.value.code == (code or "wrong_person")
        once = await floor.decide(card, owner)
        assert (once.state, harbor.effects()) == (State.PENDING, {})
        with pytest.raises(ApprovalError) as again:
            await floor.decide(once, owner)
        assert again.value.code in {"already_decided", "self_approval"}
        assert live(harbor.state()) == before
        twice = await floor.decide(once, admin)
        assert twice.state is State.APPROVED


async def test_a_domain_waits_for_its_record_and_goes_on_by_itself(
    harbor: Harbor, tmp_path: Path
) -> None:
    harbor.call("GET", "/v1/security").raise_for_status()
    before = live(harbor.state())
    asked: dict[str, JsonValue] = {
        "domain": "new.example",
        "provider": "none",
        "scim": True,
        "require_mfa": True,
    }
    async with floor_of(harbor, tmp_path, hurried=True) as floor:
        ending = asyncio.create_task(floor.do("secure_workspace", asked))
        await until(lambda: bool(harbor.call("GET", "/v1/domains").json()["items"]))
        (domain,) = harbor.call("GET", "/v1/domains").json()["items"]
        record = {"name": "new.example", "txt": domain["record"]}
        harbor.client.put("/_sandbox/dns", json=record).raise_for_status()
        done = await ending
        assert done.state is State.SUCCEEDED
        assert done.result["open"] == ["sso", "sso_required"]
        assert str(done.effect_ref).startswith("sha256:")
        await taken_back(floor, done, before)
    assert doubled(harbor) == []


async def test_what_security_leaves_open_is_seen_in_harbor_as_it_is_now(
    harbor: Harbor, tmp_path: Path
) -> None:
    async with floor_of(harbor, tmp_path) as floor:
        case = CASES["security"]
        assert case.prepare is not None
        await case.prepare(harbor)
        asked = {name: case.arguments[name] for name in ("domain", "issuer", "client_id")}
        asked |= {"provider": "oidc", "client_secret": case.arguments["client_secret"]}
        done = await floor.do("secure_workspace", asked)
        tool = floor.hands.registry.tool("secure_workspace")
        assert isinstance(tool, Reminding)

        async def still_open() -> list[tuple[str, str]]:
            found = await tool.still_open(done.call, done.who)
            return [(item.id, item.risk) for item in found]

        left = [("mfa", "high"), ("sso_required", "medium"), ("scim", "low")]
        assert await still_open() == left
        wanted = {"required": True, "grace_days": 7}
        harbor.call("PUT", "/v1/mfa", json=wanted).raise_for_status()
        assert await still_open() == left[1:]
        harbor.call("POST", "/v1/scim-tokens").raise_for_status()
        assert await still_open() == left[1:2]


async def test_while_dns_is_missing_the_flow_says_what_it_waits_for(
    harbor: Harbor, tmp_path: Path
) -> None:
    async with floor_of(harbor, tmp_path) as floor:
        card = await floor.ask("secure_workspace", {"domain": "new.example", "provider": "none"})
        waiting = await floor.end(await floor.approve(card), 10)

        assert (waiting.state, waiting.reason) == (State.STARTED, "HBR-604")
        assert "every ten minutes" in waiting.detail
        assert waiting.lease_until is not None
        now = await floor.hands.journal.now()
        assert 500 < (waiting.lease_until - now).total_seconds() <= 600


async def test_a_rate_limit_is_waited_out_with_word_of_when(harbor: Harbor, tmp_path: Path) -> None:
    harbor.fault("start_import", "partial")
    async with floor_of(harbor, tmp_path) as floor:
        card = await floor.ask("connect_data", STRIPE)
        waiting = await floor.end(await floor.approve(card), 10)

        assert (waiting.state, waiting.reason) == (State.STARTED, "HBR-107")
        assert "asks to wait" in waiting.detail
        assert waiting.lease_until is not None
        now = await floor.hands.journal.now()
        assert 30 < (waiting.lease_until - now).total_seconds() <= 60


async def test_a_half_import_is_imported_again_and_undone_whole(
    harbor: Harbor, tmp_path: Path
) -> None:
    before = live(harbor.state())
    harbor.fault("start_import", "partial")
    async with floor_of(harbor, tmp_path, hurried=True) as floor:
        done = await floor.do("connect_data", STRIPE)
        assert (done.state, done.result["state"]) == (State.SUCCEEDED, "succeeded")
        assert harbor.state()["event"][0]["n"] == harbor.state()["event"][0]["users"]
        await taken_back(floor, done, before)


async def test_what_the_user_did_meanwhile_counts_as_done(harbor: Harbor, tmp_path: Path) -> None:
    asked = {"name": "Launch", "visibility": "workspace"}
    await_sample = CASES["dashboard"].prepare
    assert await_sample is not None
    await await_sample(harbor)
    async with floor_of(harbor, tmp_path) as floor:
        made = harbor.call("POST", "/v1/dashboards/day-one", json={})
        made.raise_for_status()
        done = await floor.do("day_one_dashboard", asked)

    assert done.state is State.SUCCEEDED
    assert all(tile["why"] for tile in tiles_of(done))
    dashboards = live(harbor.state())["dashboard"]
    assert [(d["name"], d["visibility"]) for d in dashboards] == [("Launch", "workspace")]


async def test_what_somebody_changed_is_left_alone_and_named(
    harbor: Harbor, tmp_path: Path
) -> None:
    prepare = CASES["dashboard"].prepare
    assert prepare is not None
    await prepare(harbor)
    async with floor_of(harbor, tmp_path) as floor:
        done = await floor.do("day_one_dashboard", {"name": "Launch"})
        path = f"/v1/dashboards/{done.result['dashboard_id']}"
        found = harbor.call("GET", path)
        etag = {"if-match": found.headers["etag"]}
        harbor.call("PATCH", path, json={"name": "Ours"}, headers=etag).raise_for_status()
        undone = await floor.undo(done)

    assert (undone.state, undone.reason) == (State.FAILED, "not_all_undone")
    assert undone.result["still_there"] == ["Give it its name: target_changed"]
    assert harbor.call("GET", path).json()["name"] == "Ours"


@pytest.mark.parametrize("seen", ["create_connection", "start_import"])
async def test_a_killed_flow_goes_on_and_doubles_nothing(
    harbor: Harbor, tmp_path: Path, seen: str
) -> None:
    before = live(harbor.state())
    harbor.fault("check_connection", "slow", delay_ms=400)
    harbor.fault("get_import", "slow", delay_ms=400)
    async with open_floor(harbor, tmp_path, working=False) as floor:
        action = await floor.approve(await floor.ask("connect_data", STRIPE))
        first = working(harbor, tmp_path)
        try:
            await until(lambda: reached(harbor, seen))
        finally:
            first.kill()
            first.wait(10)
        assert (await floor.action(action)).state is State.STARTED
        second = working(harbor, tmp_path)
        try:
            async with asyncio.timeout(90):
                while not (now := await floor.action(action)).ended:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        finally:
            second.kill()
            second.wait(10)
        assert now.state is State.SUCCEEDED, now.detail
        assert doubled(harbor) == []
        assert len(harbor.effects()["start_import"]) == 2  # the sample, and everything
        await taken_back(floor, now, before)


def tiles_of(done: Action) -> list[dict[str, Any]]:
    tiles = done.result["tiles"]
    assert isinstance(tiles, list)
    assert tiles
    return [dict(tile) for tile in tiles if isinstance(tile, dict)]


def working(harbor: Harbor, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.e2e.flow_worker", "--harbor", harbor.base_url]
    return subprocess.Popen([*command, "--folder", str(folder)], cwd=ROOT)


def reached(harbor: Harbor, what: str) -> bool:
    return bool(harbor.effects().get(what))
