"""Guides over HTTP: the one that applies, at the reader's skill and in their language, on every
device, and nothing while they are busy."""

from __future__ import annotations

import pytest

from tests.e2e.onboarding.people import Body, Someone, imports_csv, invited, signed_up
from tests.e2e.onboarding.stage import Running

HOME = "/app"


def shown(person: Someone, page: str = HOME, **query: str) -> Body:
    answer = person.embark("GET", "/v1/me/guides", params={"page": page, **query})
    found: Body = answer.raise_for_status().json()
    return found


def names(found: Body) -> list[str]:
    return [guide["guide"].partition("@")[0] for guide in found["guides"]]


def did(person: Someone, guide: str, what: str, **more: int) -> Body:
    answer = person.embark("POST", f"/v1/me/guides/{guide}", json={"did": what, **more})
    found: Body = answer.raise_for_status().json()
    return found


def guided(product: Running) -> Someone:
    owner = signed_up(product)
    owner.until(lambda standing: bool(standing["checklist"]))
    return owner


def test_one_at_a_time_and_over_on_every_device(product: Running) -> None:
    owner = guided(product)
    first = shown(owner)
    assert (first["guided"], first["paused"], names(first)) == (True, None, ["connect-source"])
    (guide,) = first["guides"]
    assert (guide["kind"], guide["depth"], guide["step"]) == ("tooltip", "intermediate", "connect")
    assert guide["text"].startswith("Connect a database")
    over = did(owner, guide["guide"], "dismissed")
    assert did(owner, guide["guide"], "dismissed") == over, "the same again changes nothing"
    assert did(owner, guide["guide"], "shown")["state"] == "dismissed"
    elsewhere = owner.signs_in_again()
    assert "connect-source" not in names(shown(elsewhere, all="true"))


def novice(product: Running) -> Someone:
    owner = guided(product)
    path = "/v1/me/profile/proficiency"
    owner.embark("PUT", path, json={"value": "novice"}).raise_for_status()
    return owner


def test_skill_and_language_are_the_readers(product: Running) -> None:
    owner = novice(product)
    german = {**owner.headers, "accept-language": "de"}
    found = product.server.get("/v1/me/guides", params={"page": HOME}, headers=german).json()
    (guide,) = found["guides"]
    assert (guide["depth"], guide["locale"]) == ("novice", "de")
    assert guide["text"].startswith("Harbor zeigt, was in Ihrem Produkt geschieht.")


def test_a_walkthrough_goes_on_where_it_stood(product: Running) -> None:
    owner = novice(product)
    imports_csv(owner)
    owner.until(lambda standing: any(s["state"] == "done" for s in standing["checklist"]))
    walk = next(g for g in shown(owner, all="true")["guides"] if g["kind"] == "walkthrough")
    assert walk["stop"] == 0
    assert len(walk["stops"]) == 3
    did(owner, walk["guide"], "shown")
    assert did(owner, walk["guide"], "reached", stop=2)["stop"] == 2
    assert did(owner, walk["guide"], "reached", stop=1)["stop"] == 2, "another device is behind"
    again = next(
        g
        for g in shown(owner.signs_in_again(), all="true")["guides"]
        if g["guide"] == walk["guide"]
    )
    assert again["stop"] == 2
    assert did(owner, walk["guide"], "done")["state"] == "done"
    assert walk["guide"] not in {g["guide"] for g in shown(owner, all="true")["guides"]}


def test_nothing_is_shown_to_who_is_busy(product: Running) -> None:
    owner = guided(product)
    busy = {"typing": True}
    owner.embark("PUT", "/v1/me/presence", json=busy).raise_for_status()
    paused = shown(owner)
    assert (paused["paused"], paused["guides"]) == ("typing", [])
    assert names(shown(owner, all="true")), "unless they ask"
    owner.embark("PUT", "/v1/me/presence", json={"typing": False}).raise_for_status()
    assert names(shown(owner)) == ["connect-source"]
    card = owner.embark("POST", "/v1/me/kits/saas-admin", json={}).raise_for_status().json()
    assert shown(owner)["paused"] == "approval"
    word = {"decision": "deny", "digest": card["digest"]}
    path = f"/v1/approvals/{card['actionId']}/decision"
    owner.embark("POST", path, json=word).raise_for_status()
    assert shown(owner)["paused"] is None


def test_who_did_not_agree_is_shown_and_remembered_nothing(product: Running) -> None:
    owner = guided(product)
    colleague = invited(owner, "viewer", "support")
    assert shown(colleague) == {"guided": False, "paused": None, "guides": []}
    path = "/v1/me/guides/connect-source@1"
    refused = colleague.embark("POST", path, json={"did": "shown"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_guided")


def test_what_is_remembered_is_theirs_to_have(product: Running) -> None:
    owner = guided(product)
    did(owner, "connect-source@1", "done")
    told = owner.embark("GET", "/v1/me/export").raise_for_status().text
    assert "connect-source@1" in told


def test_a_clip_has_captions_and_only_what_guides_name_is_served(product: Running) -> None:
    found = product.server.get("/v1/guides/media/media/starter-kit.en.vtt")
    assert found.text.startswith("WEBVTT")
    for name in ("connect-source.yaml", "../states.yaml", "media/draw.py", "%2e%2e/states.yaml"):
        assert product.server.get(f"/v1/guides/media/{name}").status_code == 404


@pytest.mark.parametrize(
    ("guide", "body", "status"),
    [
        ("connect-source@1", {"did": "reached"}, 422),
        ("connect-source@1", {"did": "done", "stop": 1}, 422),
        ("connect-source@1", {"did": "reached", "stop": 1}, 404),
        ("connect-source@7", {"did": "done"}, 404),
        ("none@1", {"did": "done"}, 404),
        ("connect-source", {"did": "done"}, 422),
        ("connect-source@1", {"did": "liked"}, 422),
    ],
)
def test_what_does_not_fit_is_refused(
    product: Running, guide: str, body: Body, status: int
) -> None:
    owner = signed_up(product)
    assert owner.embark("POST", f"/v1/me/guides/{guide}", json=body).status_code == status
