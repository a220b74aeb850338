"""An edited journey, published while the server runs: nobody loses what they finished, nobody is
moved who was not to be, and who is new gets the new one."""

from __future__ import annotations

from tests.e2e.onboarding.people import (
    Body,
    Someone,
    imports_csv,
    invited,
    signed_up,
    states,
)
from tests.e2e.onboarding.stage import Running

NAME = "executive-value"
MORE = """  - id: tell
    action: share_dashboard
    effort: 1
    minutes: 2
    after: [value]
    title: {en: Show it to your team, de: Dem Team zeigen}
    why: {en: Two people act on what they see., de: Zwei setzen um was sie sehen.}
    done: {event: Dashboard Shared}
"""


def publish(product: Running, before: int, *, migrate: bool = False) -> None:
    """The next version, with a step more; `migrate` also for those on the one before."""
    file = product.stage.onboarding / "journeys" / f"{NAME}.yaml"
    text = file.read_text("utf-8").replace(f"version: {before}\n", f"version: {before + 1}\n")
    steps, caps, rest = text.partition("caps:")
    if "id: tell" not in steps:
        steps += MORE
    told = f"migrate: {{from: {before - 1}}}\n" if migrate else ""
    file.write_text(f"{steps}{told}{caps}{rest}", "utf-8")
    said = product.stage.embark("journeys", "publish", "--yes", "--note", "a step more")
    assert "is current" in said


def chief(owner: Someone) -> Someone:
    found = invited(owner, "editor")
    found.embark("PUT", "/v1/me/profile/role", json={"value": "executive"}).raise_for_status()
    return found


def on_version(number: int, person: Someone) -> Body:
    """Their next steps, on this version of the journey."""
    found = person.steps()
    assert found["journey"] == f"{NAME}@{number}", found["journey"]
    return found


def test_who_is_under_way_keeps_what_they_began(product: Running) -> None:
    owner = signed_up(product)
    owner.until(lambda standing: bool(standing["checklist"]))
    imports_csv(owner)
    owner.product("POST", "/v1/dashboards/day-one")
    owner.until(lambda standing: states(standing)["dashboard"] == "done")
    finished, going = chief(owner), chief(owner)
    (dashboard,) = owner.product("GET", "/v1/dashboards")["items"]
    digest = {"frequency": "weekly", "recipients": [finished.email]}
    finished.product("PUT", f"/v1/dashboards/{dashboard['id']}/digest", json=digest)
    alert = {"metric_id": "met_wau", "condition": "below", "threshold": 5}
    finished.product("POST", "/v1/alerts", json=alert)
    closed = finished.until(lambda found: set(states(found).values()) <= {"done", "skipped"})
    open_ = on_version(1, going)
    assert "open" in states(open_).values()
    publish(product, 1)
    new = chief(owner)
    assert states(on_version(2, new))["tell"] == "open"
    assert "tell" not in states(on_version(1, going))
    assert states(on_version(1, finished)) == states(closed)
    publish(product, 2, migrate=True)
    _moved(going, new, finished, closed)


def _moved(going: Someone, new: Someone, finished: Someone, closed: Body) -> None:
    """Version 3 says `migrate: {from: 1}`."""
    moved = states(on_version(3, going))
    assert moved["tell"] == "open"
    assert moved["value"] == "done", "what was done stays done"
    assert "tell" in states(on_version(2, new))
    still = finished.steps()
    assert not {"open", "blocked"} & set(states(still).values()), "a finished list stays closed"
    assert still["reached"] is closed["reached"] is True
