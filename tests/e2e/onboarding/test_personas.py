"""From a new account to first value, by three people of one company: who sets up, who works with it
every day, and who decides by its figures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.onboarding.log import arrived, time_to_value
from tests.e2e.onboarding.people import (
    PROMISED_S,
    Body,
    Someone,
    actions,
    imports_csv,
    invited,
    joined,
    signed_up,
    states,
)
from tests.e2e.onboarding.stage import Running

pytestmark = pytest.mark.alone


def journey(standing: Body) -> str:
    return str(standing["journey"]).partition("@")[0]


async def shown_after(person: Someone, event: str, holds: Callable[[Body], bool]) -> Body:
    """Next steps once they are so: within a second of when Harbor's event arrived."""
    standing = person.until(holds)
    seen = datetime.now(UTC)
    late = (seen - await arrived(person, event)).total_seconds()
    assert late <= PROMISED_S, f"{event}: {late:.2f} s"
    return standing


def step_is(name: str, state: str) -> Callable[[Body], bool]:
    return lambda standing: states(standing).get(name) == state


async def with_data(product: Running) -> Someone:
    """An owner whose workspace has rows and a dashboard."""
    owner = signed_up(product)
    owner.until(step_is("connect", "open"))
    imports_csv(owner)
    owner.until(step_is("connect", "done"))
    owner.product("POST", "/v1/dashboards/day-one")
    owner.until(step_is("dashboard", "done"))
    return owner


async def test_who_sets_up(product: Running) -> None:
    owner = signed_up(product)
    first = owner.until(lambda standing: bool(standing["checklist"]))
    assert journey(first) == "first-steps"
    assert states(first)["connect"] == "open"
    assert states(first)["dashboard"] == states(first)["invite"] == "blocked"
    assert "day_one_dashboard" not in actions(first)
    imports_csv(owner)
    connected = await shown_after(owner, "Import Finished", step_is("connect", "done"))
    assert states(connected)["dashboard"] == "open"
    assert "connect_data" not in actions(connected)
    assert connected["share"] > first["share"]
    owner.product("POST", "/v1/dashboards/day-one")
    built = await shown_after(owner, "Dashboard Created", step_is("dashboard", "done"))
    assert built["reached"] is True
    assert "day_one_dashboard" not in actions(built)
    invite = {"email": "ben@northwind.example", "role": "viewer"}
    owner.product("POST", "/v1/invites", json=invite)
    # only who sets up for others invites them: it is known now who this is
    moved = owner.until(lambda standing: journey(standing) == "admin-first-value")
    assert owner.profile()["role"]["value"] == "admin"
    assert states(moved)["connect"] == states(moved)["dashboard"] == "done"
    assert states(moved)["invite"] == "open", "an invite is not yet a colleague"
    assert moved["reached"] is True
    invited(owner, "viewer")
    with_team = await shown_after(owner, "Member Joined", step_is("invite", "done"))
    assert "invite_team" not in actions(with_team)
    took = await time_to_value(owner, "Import Finished", "Dashboard Created", every=True)
    assert timedelta(0) < took < timedelta(minutes=2)


async def test_who_works_with_it_every_day(product: Running) -> None:
    owner = await with_data(product)
    link = owner.product("POST", "/v1/invite-links", json={"role": "editor"})
    colleague = joined(product, link["token"])
    said = colleague.embark("PUT", "/v1/me/profile/role", json={"value": "end_user"})
    said.raise_for_status()
    first = colleague.steps()  # their own word counts at once
    assert journey(first) == "end-user-quick-wins"
    assert states(first)["data"] == "done", "their colleague did that"
    assert next(s for s in first["checklist"] if s["id"] == "data")["colleague"] is True
    assert (states(first)["dashboard"], states(first)["share"]) == ("open", "blocked")
    assert first["reached"] is False
    made = colleague.product("POST", "/v1/dashboards", json={"name": "Mine"})
    await shown_after(colleague, "Dashboard Created", step_is("share", "open"))
    there = f"/v1/dashboards/{made['id']}/sharing"
    colleague.product("PUT", there, json={"visibility": "workspace"})
    shared = await shown_after(colleague, "Dashboard Shared", step_is("share", "done"))
    assert shared["reached"] is True
    assert "share_dashboard" not in actions(shared)
    alert = {"metric_id": "met_wau", "condition": "below", "threshold": 5}
    colleague.product("POST", "/v1/alerts", json=alert)
    done = await shown_after(colleague, "Alert Created", step_is("alert", "done"))
    assert set(states(done).values()) <= {"done", "skipped"}
    assert states(owner.steps())["connect"] == "done"
    took = await time_to_value(colleague, "Dashboard Shared", "Alert Created")
    assert timedelta(0) < took < timedelta(minutes=2)


async def test_who_decides_by_the_figures(product: Running) -> None:
    owner = await with_data(product)
    chief = invited(owner, "editor")
    chief.embark("PUT", "/v1/me/profile/role", json={"value": "executive"}).raise_for_status()
    first = chief.steps()
    assert journey(first) == "executive-value"
    assert states(first)["delegate"] == states(first)["value"] == "done", "others did that"
    assert states(first)["digest"] == states(first)["alert"] == "open"
    assert not {"connect_data", "day_one_dashboard"} & set(actions(first)), "no set-up work"
    assert first["reached"] is False
    dashboard = chief.product("GET", "/v1/dashboards")["items"][0]["id"]
    digest = {"frequency": "weekly", "recipients": [chief.email]}
    chief.product("PUT", f"/v1/dashboards/{dashboard}/digest", json=digest)
    done = await shown_after(chief, "Digest Scheduled", step_is("digest", "done"))
    assert done["reached"] is True
    assert "schedule_digest" not in actions(done)
    took = await time_to_value(chief, "Digest Scheduled", "Alert Created")
    assert timedelta(0) < took < timedelta(minutes=2)
