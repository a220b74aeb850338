"""Alerts over time: fired at a check, told once and again, resolved after two; what is usual."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from types import ModuleType
from typing import Any

import pytest

from tests.harbor.receiving import Receiver, receiving
from tests.harbor.running import ROOT, Harbor, running_harbor

HEAD = "event,user_id,occurred_at,event_id\n"
END = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as harbor:
        yield harbor


@pytest.fixture
def harbor(running: Harbor) -> Harbor:
    running.reset()
    return running


@pytest.fixture
def receiver(harbor: Harbor) -> Iterator[Receiver]:
    """Told of every alert."""
    with receiving() as found:
        body = {"url": found.url, "events": ["alert.fired", "alert.resolved"]}
        harbor.call("POST", "/v1/webhooks", json=body).raise_for_status()
        yield found


def _import(harbor: Harbor, rows: list[tuple[str, str, datetime]], name: str = "e") -> str:
    """Returns its id when it has ended."""
    lines = [f"{event},{user},{at.isoformat()},{name}{n}\n" for n, (event, user, at) in
             enumerate(rows)]  # fmt: skip
    files = {"file": ("rows.csv", (HEAD + "".join(lines)).encode())}
    upload = harbor.call("POST", "/v1/uploads", files=files).json()["id"]
    started = {"upload_id": upload, "mode": "full"}
    made = str(harbor.call("POST", "/v1/imports", json=started).json()["id"])
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        state = harbor.call("GET", f"/v1/imports/{made}").json()["state"]
        if state == "succeeded":
            return made
        assert state in ("queued", "running")
        time.sleep(0.05)
    raise TimeoutError(made)


def _people(count: int, name: str = "u", at: datetime = END) -> list[tuple[str, str, datetime]]:
    return [("opened", f"{name}{n}", at) for n in range(count)]


def _alert(harbor: Harbor, **body: Any) -> str:
    given = {"metric_id": "met_events", "condition": "above", "threshold": 5, **body}
    made = harbor.call("POST", "/v1/alerts", json=given)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def _get(harbor: Harbor, alert: str) -> dict[str, Any]:
    found: dict[str, Any] = harbor.call("GET", f"/v1/alerts/{alert}").json()
    return found


def _history(harbor: Harbor, alert: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = harbor.call("GET", f"/v1/alerts/{alert}/history").json()["items"]
    return found


def _checked(harbor: Harbor, alert: str, **ahead: float) -> dict[str, Any]:
    """After the check that is due by then."""
    before = _get(harbor, alert)["checked_at"]
    harbor.ahead(**ahead)
    return _checked_after(harbor, alert, before)


def _checked_after(harbor: Harbor, alert: str, before: str | None) -> dict[str, Any]:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        found = _get(harbor, alert)
        if found["checked_at"] != before:
            return found
        time.sleep(0.02)
    raise TimeoutError(alert)


def _told(receiver: Receiver) -> list[tuple[str, Any]]:
    bodies = [json.loads(sent.body) for sent in receiver.got]
    return [(body["type"], body["data"].get("reminder")) for body in bodies]


def test_an_alert_fires_is_told_and_is_resolved_after_two_normal_checks(
    harbor: Harbor, receiver: Receiver
) -> None:
    alert = _alert(harbor)
    assert _checked_after(harbor, alert, None)["state"] == "normal"
    rows = _import(harbor, _people(9))
    assert _checked(harbor, alert, minutes=15.1)["state"] == "fired"
    receiver.wait(1)
    harbor.call("POST", f"/v1/imports/{rows}/rollback").raise_for_status()
    assert _checked(harbor, alert, minutes=30.2)["state"] == "fired", "one normal check"
    assert _checked(harbor, alert, minutes=45.3)["state"] == "resolved"
    receiver.wait(2)

    assert _told(receiver) == [("alert.fired", False), ("alert.resolved", None)]
    data = json.loads(receiver.got[0].body)["data"]
    assert (data["alert_id"], data["value"], data["threshold"]) == (alert, 9, 5)
    history = _history(harbor, alert)
    assert [(h["state"], h["value"], h["told"]) for h in history] == [
        ("resolved", 0, True), ("fired", 9, True),
    ]  # fmt: skip


def test_between_two_messages_lies_the_cooldown_and_one_reminder_is_sent(
    harbor: Harbor, receiver: Receiver
) -> None:
    rows = _import(harbor, _people(9))
    alert = _alert(harbor, cooldown_minutes=40)
    _checked_after(harbor, alert, None)
    receiver.wait(1)
    for minutes in (15.1, 30.2):
        _checked(harbor, alert, minutes=minutes)
    assert len(_told(receiver)) == 1
    _checked(harbor, alert, minutes=45.3)
    receiver.wait(2)
    for minutes in (100, 200):
        _checked(harbor, alert, minutes=minutes)
    assert _told(receiver) == [("alert.fired", False), ("alert.fired", True)]
    harbor.call("POST", f"/v1/imports/{rows}/rollback").raise_for_status()
    for minutes in (216, 232):
        _checked(harbor, alert, minutes=minutes)
    receiver.wait(3)
    assert _told(receiver)[2] == ("alert.resolved", None)


def test_firing_again_within_the_cooldown_is_recorded_and_told_when_it_is_over(
    harbor: Harbor, receiver: Receiver
) -> None:
    alert = _alert(harbor)
    _checked_after(harbor, alert, None)
    rows = _import(harbor, _people(9))
    _checked(harbor, alert, minutes=15.1)
    harbor.call("POST", f"/v1/imports/{rows}/rollback").raise_for_status()
    for minutes in (30.2, 45.3):
        _checked(harbor, alert, minutes=minutes)
    _import(harbor, _people(9, "again"), "again")
    _checked(harbor, alert, minutes=60.4)
    receiver.wait(2)
    assert [h["told"] for h in _history(harbor, alert)] == [False, True, True]
    _checked(harbor, alert, minutes=75.5)
    receiver.wait(3)

    assert _told(receiver) == [
        ("alert.fired", False), ("alert.resolved", None), ("alert.fired", False),
    ]  # fmt: skip
    assert [h["told"] for h in _history(harbor, alert)] == [True, True, True]


def test_a_muted_alert_is_checked_and_says_nothing(harbor: Harbor, receiver: Receiver) -> None:
    alert = _alert(harbor)
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    harbor.call("POST", f"/v1/alerts/{alert}/mute", json={"until": until}).raise_for_status()
    _checked_after(harbor, alert, None)
    _import(harbor, _people(9))
    _checked(harbor, alert, minutes=16)
    assert [(h["state"], h["told"]) for h in _history(harbor, alert)] == [("fired", False)]
    assert _get(harbor, alert)["state"] == "muted"
    _checked(harbor, alert, minutes=130)
    receiver.wait(1)
    assert _told(receiver) == [("alert.fired", False)]


def test_checks_leave_the_version_of_an_alert_alone(harbor: Harbor) -> None:
    _import(harbor, _people(9))
    made = harbor.call("POST", "/v1/alerts", json={"metric_id": "met_events", "condition": "above",
                                                   "threshold": 5})  # fmt: skip
    alert = made.json()["id"]
    _checked_after(harbor, alert, None)
    assert len(_history(harbor, alert)) == 1
    change = {"threshold": 50}
    headers = {"if-match": made.headers["etag"]}
    answer = harbor.call("PATCH", f"/v1/alerts/{alert}", json=change, headers=headers)

    assert answer.status_code == 200
    assert answer.json()["state"] == "fired", "until two checks were normal"
    harbor.call("DELETE", f"/v1/alerts/{alert}", headers={"if-match": "*"}).raise_for_status()
    assert harbor.call("GET", f"/v1/alerts/{alert}/history").status_code == 404


@pytest.mark.parametrize(
    ("percent", "before", "now", "state"),
    [(20, 10, 13, "fired"), (20, 10, 11, "normal"), (20, 10, 7, "fired"), (-20, 10, 7, "fired"),
     (-20, 10, 13, "normal")],
)  # fmt: skip
def test_a_change_is_against_the_week_before(
    harbor: Harbor, percent: int, before: int, now: int, state: str
) -> None:
    old = _people(before, "old", END - timedelta(days=7, hours=2))
    _import(harbor, old + _people(now, "new"))
    alert = _alert(harbor, metric_id="met_wau", condition="change_percent", threshold=percent)

    assert _checked_after(harbor, alert, None)["state"] == state


# --- anomalies ----------------------------------------------------------------------------------


def _days(days: int, last: int) -> list[tuple[str, str, datetime]]:
    """Some hundred events a day, fewer at weekends; `last` on the last whole day."""
    rng = Random(3)
    rows: list[tuple[str, str, datetime]] = []
    for back in range(days, 0, -1):
        day = END - timedelta(days=back)
        usual = (40 if day.weekday() > 4 else 100) + rng.randint(-6, 6)
        count = last if back == 1 else usual
        rows += [("opened", f"u{n}", day + timedelta(minutes=n)) for n in range(count)]
    return [*rows, ("opened", "u0", END + timedelta(hours=1))]


@pytest.mark.parametrize(
    ("days", "last", "more", "state"),
    [(35, 41, {}, "normal"), (35, 100, {}, "fired"), (35, 100, {"direction": "down"}, "normal"),
     (35, 5, {}, "fired"), (20, 100, {}, "learning"),
     (35, 100, {"excluded_dates": ["2026-11-15"]}, "normal")],
)  # fmt: skip
def test_a_day_is_compared_with_the_same_weekday(
    harbor: Harbor, days: int, last: int, more: dict[str, Any], state: str
) -> None:
    _import(harbor, _days(days, last))
    body = {"metric_id": "met_events", "period": "day", **more}
    made = harbor.call("POST", "/v1/alerts/anomaly", json=body)
    assert made.status_code == 201, made.text
    found = _checked_after(harbor, made.json()["id"], None)

    assert (found["state"], found["value"]) == (state, last)
    history = _history(harbor, found["id"])
    assert len(history) == (state == "fired")
    assert all(h["low"] < 40 < h["high"] < 100 for h in history)


def test_an_hour_is_compared_with_the_same_hour_of_the_week(harbor: Harbor) -> None:
    rng = Random(5)
    rows = [("opened", f"u{n}", END - timedelta(hours=back) + timedelta(seconds=n))
            for back in range(30 * 24) for n in range(10 + rng.randint(-2, 2))]  # fmt: skip
    body = {"metric_id": "met_dau", "sensitivity": "low"}
    _import(harbor, rows)
    alert = harbor.call("POST", "/v1/alerts/anomaly", json=body).json()["id"]
    assert _checked_after(harbor, alert, None)["state"] == "normal"
    burst = [("opened", f"b{n}", END + timedelta(minutes=30)) for n in range(60)]
    _import(harbor, [*burst, ("opened", "u1", END + timedelta(hours=1))], "burst")

    assert _checked(harbor, alert, minutes=16)["state"] == "fired"


def test_anomaly_alerts_watch_what_has_hours_and_no_threshold(harbor: Harbor) -> None:
    path = "/v1/alerts/anomaly"
    assert harbor.call("POST", path, json={"metric_id": "met_mrr"}).status_code == 422
    made = harbor.call("POST", path, json={"metric_id": "met_dau"})
    assert (made.json()["condition"], made.json()["threshold"]) == ("anomaly", None)
    headers = {"if-match": made.headers["etag"]}
    change = f"/v1/alerts/{made.json()['id']}"
    answer = harbor.call("PATCH", change, json={"threshold": 3}, headers=headers)
    assert answer.status_code == 422


def _anomaly() -> ModuleType:
    file = ROOT / "examples" / "harbor" / "harbor" / "anomaly.py"
    spec = importlib.util.spec_from_file_location("harbor_anomaly", file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["harbor_anomaly"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("share", "freedom", "value"), [(0.975, 21, 2.080), (0.995, 21, 2.831), (0.999, 504, 3.107)]
)
def test_quantiles_are_those_of_the_tables(share: float, freedom: int, value: float) -> None:
    assert _anomaly().student(share, freedom) == pytest.approx(value, abs=0.004)


@pytest.mark.parametrize("rate", [15, 200])
@pytest.mark.parametrize(("slots", "per_day"), [(7, 1), (168, 24)])
def test_false_alarms_are_about_as_many_as_promised(rate: int, slots: int, per_day: int) -> None:
    anomaly = _anomaly()
    rng = Random(11)
    share = anomaly.ALARMS_A_DAY["high"] / per_day

    def count() -> int:
        return max(round(rng.gauss(rate, rate**0.5)), 0)

    tries = 3000 if slots == 7 else 300
    alarms = 0
    checks = 0
    for _ in range(tries):
        history = [(n % slots, count()) for n in range(4 * slots)]
        for slot in range(min(slots, 20)):
            found = anomaly.usual(history, slot, share, "both")
            alarms += found.leaves(count(), "both")
            checks += 1
    assert alarms / checks == pytest.approx(share, rel=0.35)


def test_the_request_of_the_guide_is_one_that_the_api_takes(harbor: Harbor) -> None:
    guide = ROOT / "examples" / "harbor" / "docs" / "guides" / "alerts" / "create-an-alert.md"
    body = json.loads(guide.read_text("utf-8").partition("-d '")[2].partition("'\n")[0])
    made = harbor.call("POST", "/v1/alerts", json=body)

    assert made.status_code == 201
    assert body.items() <= made.json().items()
    fields = harbor.client.get("/openapi.json").json()["components"]["schemas"]["NewAlert"]
    assert set(fields["properties"]) == set(body)
