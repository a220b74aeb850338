"""Connections that import by themselves, under the sandbox's clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.harbor.running import Harbor, running_harbor

LIVE, REVOKED = "rk_live_1", "rk_live_revoked_1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as harbor:
        yield harbor


@pytest.fixture
def harbor(running: Harbor) -> Harbor:
    running.reset()
    return running


class Connection:
    """A Stripe account that was imported in full, with its key and its schedule."""

    def __init__(self, harbor: Harbor, *, full: bool = True) -> None:
        self.harbor = harbor
        body = {"kind": "stripe", "credentials": {"restricted_key": LIVE}}
        self.id = harbor.call("POST", "/v1/connections", json=body).json()["id"]
        self.path = f"/v1/connections/{self.id}"
        harbor.call("POST", f"{self.path}/check").raise_for_status()
        self.imported("full" if full else "sample")
        self.ahead_s = 0.0

    def imported(self, mode: str) -> None:
        body = {"connection_id": self.id, "mode": mode}
        self.harbor.call("POST", "/v1/imports", json=body).raise_for_status()
        _until(lambda: all(i["ended_at"] for i in self.imports()))

    def changed(self, path: str, method: str = "PUT", **body: Any) -> None:
        headers = {"if-match": "*"}
        answer = self.harbor.call(method, self.path + path, json=body, headers=headers)
        answer.raise_for_status()

    def key(self, key: str) -> None:
        self.changed("", "PATCH", credentials={"restricted_key": key})

    def schedule(self) -> dict[str, Any]:
        found: dict[str, Any] = self.harbor.call("GET", f"{self.path}/runs").json()
        return found

    def next(self) -> datetime:
        return datetime.fromisoformat(self.schedule()["next_run_at"])

    def state(self) -> str:
        return str(self.harbor.call("GET", self.path).json()["state"])

    def imports(self) -> list[dict[str, Any]]:
        query = {"connection_id": self.id, "limit": 200}
        found = self.harbor.call("GET", "/v1/imports", params=query).json()["items"]
        return list(found)

    def runs(self) -> list[dict[str, Any]]:
        """Newest first."""
        return [i for i in self.imports() if i["scheduled_at"]]

    def at(self, seconds: float) -> datetime:
        """Harbor's clock runs on by so much."""
        self.ahead_s += seconds
        body = {"ahead_s": self.ahead_s}
        now = self.harbor.client.put("/_sandbox/clock", json=body).raise_for_status().json()["now"]
        if seconds > 3600:
            self.harbor.sign_in()
        return datetime.fromisoformat(now)

    def to(self, moment: datetime) -> None:
        now = self.at(0)
        self.at((moment - now).total_seconds() + 1)

    def due(self) -> dict[str, Any]:
        """The run that is next, brought about and ended."""
        before = len(self.runs())
        self.to(self.next())
        _until(lambda: len(self.runs()) > before and all(i["ended_at"] for i in self.runs()))
        assert len(self.runs()) == before + 1
        return self.runs()[0]


def _until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


def _settled() -> None:
    """Long enough for what must not happen to have happened."""
    time.sleep(1.5)


def test_what_is_due_is_imported_incrementally_and_known_rows_count_no_more(
    harbor: Harbor,
) -> None:
    connection = Connection(harbor)
    connection.changed("/schedule", every="15m")
    wait = connection.next() - datetime.now(UTC)
    assert timedelta(minutes=14) < wait <= timedelta(minutes=15)

    run = connection.due()
    assert (run["mode"], run["state"], run["started_by"]) == ("incremental", "succeeded", None)
    assert (run["read"], run["rows"]) == (120, 0)
    again = connection.next()
    assert connection.due()["state"] == "succeeded"
    assert timedelta(minutes=14) < connection.next() - again < timedelta(minutes=16)
    assert sum(harbor.effects()["scheduled_import"].values()) == 2


def test_runs_that_were_missed_are_one(harbor: Harbor) -> None:
    connection = Connection(harbor)
    connection.changed("/schedule", every="5m")
    connection.at(86400)
    _until(lambda: len(connection.runs()) == 1)
    _settled()

    assert len(connection.runs()) == 1


def test_nothing_runs_before_the_first_full_import_or_while_paused(harbor: Harbor) -> None:
    fresh, paused = Connection(harbor, full=False), Connection(harbor)
    for each in (fresh, paused):
        each.changed("/schedule", every="5m")
    paused.changed("/pause", "POST")
    assert fresh.schedule()["next_run_at"] is None
    assert paused.schedule()["next_run_at"] is None
    paused.at(600)
    _settled()

    assert (fresh.runs(), paused.runs()) == ([], [])
    paused.changed("/resume", "POST")
    assert paused.next() > paused.at(0)
    fresh.ahead_s = paused.ahead_s
    fresh.imported("full")
    assert fresh.due()["state"] == "succeeded"


def test_a_run_that_is_due_while_one_is_going_is_skipped(harbor: Harbor) -> None:
    connection = Connection(harbor)
    connection.changed("/schedule", every="5m")
    rows = "".join(f"opened,u{n},2026-11-01T00:00:00Z\n" for n in range(120_000))
    files = {"file": ("rows.csv", ("event,user_id,occurred_at\n" + rows).encode())}
    upload = harbor.call("POST", "/v1/uploads", files=files).json()["id"]
    long = harbor.call("POST", "/v1/imports", json={"upload_id": upload, "mode": "full"}).json()
    body = {"connection_id": connection.id, "mode": "full"}
    harbor.call("POST", "/v1/imports", json=body).raise_for_status()
    connection.to(connection.next())
    _until(lambda: connection.schedule()["skipped_at"] is not None)

    assert connection.runs() == []
    assert connection.next() > connection.at(0)
    harbor.call("POST", f"/v1/imports/{long['id']}/cancel").raise_for_status()
    _until(lambda: all(i["ended_at"] for i in connection.imports()))
    assert connection.due()["state"] == "succeeded"


def test_a_failure_marks_the_connection_five_in_a_row_pause_it_and_resume_checks_first(
    harbor: Harbor,
) -> None:
    connection = Connection(harbor)
    connection.changed("/schedule", every="1h")
    connection.key(REVOKED)
    for failed in range(1, 5):
        assert connection.due()["error"]["code"] == "HBR-201"
        assert (connection.state(), connection.schedule()["failed_runs"]) == ("failing", failed)
    connection.key(LIVE)
    assert connection.due()["state"] == "succeeded"
    assert (connection.state(), connection.schedule()["failed_runs"]) == ("active", 0)

    connection.key(REVOKED)
    for _ in range(5):
        assert connection.due()["state"] == "failed"
    assert (connection.state(), connection.schedule()["failed_runs"]) == ("paused", 5)
    assert connection.schedule()["next_run_at"] is None
    connection.at(7200)
    _settled()
    assert len(connection.runs()) == 10

    refused = harbor.call("POST", f"{connection.path}/resume")
    assert (refused.status_code, refused.json()["code"]) == (422, "HBR-201")
    assert connection.state() == "paused"
    connection.key(LIVE)
    connection.changed("/resume", "POST")
    assert (connection.state(), connection.schedule()["failed_runs"]) == ("active", 0)
    assert connection.due()["state"] == "succeeded"


def test_the_plans_shortest_interval_holds_also_after_a_downgrade(harbor: Harbor) -> None:
    connection = Connection(harbor)
    connection.changed("/schedule", every="5m")
    body = {"plan": "team", "interval": "yearly"}
    harbor.call("PUT", "/v1/billing/plan", json=body).raise_for_status()
    changes = harbor.call("GET", "/v1/workspace").json()["next_plan_at"]
    connection.to(datetime.fromisoformat(changes))
    _until(lambda: harbor.call("GET", "/v1/me").json()["plan"] == "team")
    _until(lambda: [i["state"] for i in connection.runs()] == ["succeeded"])
    connection.due()

    now = connection.at(0)
    assert timedelta(minutes=55) < connection.next() - now <= timedelta(minutes=60)
    refused = harbor.call("PUT", f"{connection.path}/schedule", json={"every": "15m"},
                          headers={"if-match": "*"})  # fmt: skip
    assert refused.json()["code"] == "HBR-901"


BERLIN = ZoneInfo("Europe/Berlin")


def _daily(connection: Connection, at: str, **more: Any) -> list[datetime]:
    """The next two runs by the clock of Berlin."""
    connection.changed("/schedule", every="24h", at=at, timezone="Europe/Berlin", **more)
    first = connection.next()
    connection.due()
    return [each.astimezone(BERLIN) for each in (first, connection.next())]


def test_daily_runs_keep_to_the_clock_of_their_zone(harbor: Harbor) -> None:
    first, second = _daily(Connection(harbor), "07:30")

    assert (first.hour, first.minute) == (second.hour, second.minute) == (7, 30)
    assert second.date() - first.date() == timedelta(days=1)


def _before(connection: Connection, moment: datetime) -> None:
    connection.at((moment - connection.at(0)).total_seconds())


def test_an_hour_that_a_day_lacks_is_its_end_and_one_that_comes_twice_is_one_run(
    harbor: Harbor,
) -> None:
    connection = Connection(harbor)
    year = datetime.now(UTC).year + 1
    spring, autumn = (_last_sunday(year, month) for month in (3, 10))
    _before(connection, datetime(year, 3, spring, 0, 30, tzinfo=UTC))
    first, second = _daily(connection, "02:30")
    assert (first.day, first.hour, first.minute) == (spring, 3, 0)
    assert (second.day - first.day, second.hour, second.minute) in ((1, 2, 30), (-27, 2, 30))

    _before(connection, datetime(year, 10, autumn, 0, 10, tzinfo=UTC))
    first, second = _daily(connection, "02:31")
    assert (first.day, first.hour, first.minute, first.fold) == (autumn, 2, 31, 0)
    assert second.date() - first.date() == timedelta(days=1)


def _last_sunday(year: int, month: int) -> int:
    last = datetime(year, month, 31, tzinfo=UTC)
    return last.day - (last.weekday() + 1) % 7


def test_weekends_are_left_out_in_the_zone_of_the_schedule(harbor: Harbor) -> None:
    connection = Connection(harbor)
    now = connection.at(0)
    friday = now + timedelta(days=(4 - now.weekday()) % 7 + 7)
    _before(connection, friday.replace(hour=12, minute=0, second=0, microsecond=0))

    first, second = _daily(connection, "07:30", skip_weekends=True)
    assert [each.weekday() for each in (first, second)] == [0, 1]
    _before(connection, (first + timedelta(days=4)).replace(hour=23, minute=40).astimezone(UTC))
    connection.changed("/schedule", every="1h", timezone="Europe/Berlin", skip_weekends=True)
    assert connection.next().astimezone(BERLIN).weekday() == 0
