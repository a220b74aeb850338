"""Harbor's data: sources that are really read, imports that come and go, figures that are right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.harbor.running import Harbor, running_harbor

LIVE, NO_SCOPE = "rk_live_51HdV2pQsX8mKf4GtYwZ6aBc", "rk_live_noscope_51HdV2pQsX8mKf4G"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as harbor:
        yield harbor


@pytest.fixture
def harbor(running: Harbor) -> Harbor:
    running.reset()
    return running


def _stripe(harbor: Harbor, key: str = LIVE) -> str:
    body = {"kind": "stripe", "credentials": {"restricted_key": key}}
    made = harbor.call("POST", "/v1/connections", json=body).json()
    assert key not in str(made)
    return str(made["id"])


def _import(harbor: Harbor, **body: Any) -> dict[str, Any]:
    started = harbor.call("POST", "/v1/imports", json={"mode": "full", **body})
    assert started.status_code == 202, started.text
    return _ended(harbor, started.json()["id"])


def _ended(harbor: Harbor, import_id: str) -> dict[str, Any]:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        found: dict[str, Any] = harbor.call("GET", f"/v1/imports/{import_id}").json()
        if found["state"] not in ("queued", "running"):
            return found
        time.sleep(0.02)
    raise TimeoutError(import_id)


def _upload(harbor: Harbor, text: str) -> str:
    files = {"file": ("rows.csv", text.encode())}
    return str(harbor.call("POST", "/v1/uploads", files=files).json()["id"])


def _metric(harbor: Harbor, metric: str) -> int:
    items = harbor.call("GET", "/v1/metrics").json()["items"]
    return int(next(item["value"] for item in items if item["id"] == metric))


@pytest.mark.parametrize(
    ("key", "code"),
    [(NO_SCOPE, "HBR-202"), ("sk_wrong_kind_1234", "HBR-201"), ("rk_live_revoked_1", "HBR-201")],
)
def test_credentials_that_do_not_do_are_refused_with_their_code(
    harbor: Harbor, key: str, code: str
) -> None:
    answer = harbor.call("POST", f"/v1/connections/{_stripe(harbor, key)}/check")

    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_stripe_is_read_page_by_page_and_its_revenue_is_right(harbor: Harbor) -> None:
    connection = _stripe(harbor)
    assert harbor.call("POST", f"/v1/connections/{connection}/check").json()["state"] == "checked"
    sample = _import(harbor, connection_id=connection, mode="sample")
    done = _import(harbor, connection_id=connection)

    assert (sample["state"], done["state"], done["rows"]) == ("succeeded", "succeeded", 120)
    bearer = {"authorization": f"Bearer {LIVE}"}
    customers = harbor.client.get("/_sources/stripe/v1/customers?limit=200", headers=bearer).json()
    plans = [customer["subscription"] for customer in customers["data"]]
    active = [plan for plan in plans if plan["status"] == "active"]
    old = all(c["created"] < (datetime.now(UTC) - timedelta(days=14)).isoformat()
              for c in customers["data"] if c["subscription"]["status"] == "past_due")  # fmt: skip
    assert old, "past due subscriptions count for 14 days: choose older ones for this test"
    monthly = sum(p["amount"] / (12 if p["interval"] == "year" else 1) for p in active)
    assert _metric(harbor, "met_mrr") == round(monthly)


def test_a_rate_limit_of_the_source_is_told(harbor: Harbor) -> None:
    connection = _stripe(harbor)
    harbor.client.put("/_sources/limit?times=1").raise_for_status()
    answer = harbor.call("POST", f"/v1/connections/{connection}/check")

    assert (answer.status_code, answer.json()["code"]) == (503, "HBR-301")
    assert answer.headers["retry-after"] == "1"
    assert harbor.call("POST", f"/v1/connections/{connection}/check").status_code == 200


def test_hubspot_wants_its_scopes(harbor: Harbor) -> None:
    body = {"kind": "hubspot", "credentials": {"authorization_code": "pat-noscope-1"}}
    poor = harbor.call("POST", "/v1/connections", json=body).json()["id"]
    assert harbor.call("POST", f"/v1/connections/{poor}/check").json()["code"] == "HBR-212"
    body = {"kind": "hubspot", "credentials": {"authorization_code": "pat-eu1-1"}}
    rich = harbor.call("POST", "/v1/connections", json=body).json()["id"]
    assert harbor.call("POST", f"/v1/connections/{rich}/check").status_code == 200
    assert _import(harbor, connection_id=rich)["rows"] == 150


@pytest.fixture
def schema() -> Iterator[str]:
    """A schema of our own in the local PostgreSQL, with one table of events."""
    name = "harbor_test"
    with psycopg.connect("host=127.0.0.1 dbname=test user=root", autocommit=True) as database:
        database.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
        database.execute(f"CREATE SCHEMA {name}")
        database.execute(
            f"CREATE TABLE {name}.events (event text, user_id text, occurred_at timestamptz)"
        )
        database.execute(
            f"INSERT INTO {name}.events SELECT 'opened', 'u' || n, '2026-11-01'::timestamptz"
            " + n * interval '1 hour' FROM generate_series(1, 1200) n"
        )
        yield name
        database.execute(f"DROP SCHEMA {name} CASCADE")


def test_postgresql_is_checked_discovered_and_read(harbor: Harbor, schema: str) -> None:
    config = {"host": "127.0.0.1", "database": "test", "username": "root", "schema": schema}
    body = {"kind": "postgresql", "config": config, "credentials": {"password": "any"}}
    made = harbor.call("POST", "/v1/connections", json=body).json()["id"]
    assert harbor.call("POST", f"/v1/connections/{made}/check").json()["warnings"] == ["HBR-106"]
    tables = harbor.call("POST", f"/v1/connections/{made}/discover").json()["items"]
    assert [table["name"] for table in tables] == ["events"]
    sample = _import(harbor, connection_id=made, table="events", mode="sample")
    done = _import(harbor, connection_id=made, table="events")

    assert (sample["rows"], done["rows"]) == (1000, 1200)
    missing = _import(harbor, connection_id=made, table="nothing")
    assert (missing["state"], missing["error"]["code"]) == ("failed", "HBR-104")


@pytest.mark.parametrize(
    ("change", "code"),
    [({"schema": "not_there"}, "HBR-104"), ({"port": 1}, "HBR-101"),
     ({"database": "not_there"}, "HBR-104")],
)  # fmt: skip
def test_what_is_wrong_with_a_database_is_told(
    harbor: Harbor, change: dict[str, object], code: str
) -> None:
    config = {"host": "127.0.0.1", "database": "test", "username": "root", **change}
    body = {"kind": "postgresql", "config": config, "credentials": {"password": "any"}}
    made = harbor.call("POST", "/v1/connections", json=body).json()["id"]

    assert harbor.call("POST", f"/v1/connections/{made}/check").json()["code"] == code


def test_a_file_without_its_columns_is_refused_at_once(harbor: Harbor) -> None:
    files = {"file": ("rows.csv", b"event,when\nx,2026-11-01\n")}
    answer = harbor.call("POST", "/v1/uploads", files=files)
    assert (answer.status_code, answer.json()["code"]) == (422, "HBR-402")
    files = {"file": ("rows.csv", b"\xff\xfe")}
    assert harbor.call("POST", "/v1/uploads", files=files).json()["code"] == "HBR-401"


HEAD = "event,user_id,occurred_at\n"


def test_a_few_bad_rows_are_left_out_and_many_stop_the_import(harbor: Harbor) -> None:
    good = "".join(f"opened,u{n},2026-11-01T00:00:00Z\n" for n in range(99))
    few = _import(harbor, upload_id=_upload(harbor, HEAD + good + "opened,u1,never\n"))
    many = _import(harbor, upload_id=_upload(harbor, HEAD + "opened,,x\n" * 5 + good))

    assert (few["state"], few["rows"], few["bad_rows"]) == ("partial", 99, 1)
    rejected = harbor.call("GET", f"/v1/imports/{few['id']}/rejected").text
    assert "100," in rejected
    assert (many["state"], many["error"] and many["error"]["code"]) in {
        ("partial", None), ("failed", "HBR-403"),
    }  # fmt: skip
    worse = _import(harbor, upload_id=_upload(harbor, HEAD + "opened,,x\n" * 9 + good))
    assert (worse["state"], worse["error"]["code"]) == ("failed", "HBR-403")


def test_rolling_back_brings_overwritten_rows_back(harbor: Harbor) -> None:
    first = HEAD.replace("\n", ",event_id\n") + "old,u1,2026-11-01T00:00:00Z,e1\n"
    second = HEAD.replace("\n", ",event_id\n") + "new,u1,2026-11-02T00:00:00Z,e1\n"
    _import(harbor, upload_id=_upload(harbor, first))
    done = _import(harbor, upload_id=_upload(harbor, second))
    made = harbor.call("POST", "/v1/dashboards/day-one").json()
    path = f"/v1/dashboards/{made['id']}/data"

    def names() -> list[str]:
        tiles = harbor.call("GET", path).json()["tiles"]
        return [row["event"] for row in next(t["data"] for t in tiles if t["kind"] == "bar")]

    assert names() == ["new"]
    assert (
        harbor.call("POST", f"/v1/imports/{done['id']}/rollback").json()["state"] == "rolled_back"
    )
    assert names() == ["old"]


def test_an_import_that_stopped_halfway_goes_on_where_it_stopped(harbor: Harbor) -> None:
    rows = "".join(f"opened,u{n},2026-11-01T00:00:00Z\n" for n in range(1300))
    harbor.fault("start_import", "partial")
    failed = _import(harbor, upload_id=_upload(harbor, HEAD + rows))
    assert (failed["state"], failed["error"]["code"], failed["rows"]) == ("failed", "HBR-107", 500)
    again = harbor.call("POST", f"/v1/imports/{failed['id']}/retry")
    assert again.status_code == 202
    done = _ended(harbor, failed["id"])
    assert (done["state"], done["rows"]) == ("succeeded", 1300)
    assert _metric(harbor, "met_events") == 1300


def test_active_users_and_the_funnel_count_people_not_events(harbor: Harbor) -> None:
    rows = [
        ("signed_up", "a", "2026-11-10T00:00:00Z"), ("invited", "a", "2026-11-10T01:00:00Z"),
        ("paid", "a", "2026-11-12T00:00:00Z"), ("signed_up", "b", "2026-11-10T00:00:00Z"),
        ("paid", "b", "2026-11-11T00:00:00Z"), ("signed_up", "c", "2026-11-01T00:00:00Z"),
        ("invited", "c", "2026-11-19T00:00:00Z"), ("system.ping", "d", "2026-11-19T00:00:00Z"),
    ]  # fmt: skip
    _import(harbor, upload_id=_upload(harbor, HEAD + "".join(",".join(r) + "\n" for r in rows)))
    tile = {"kind": "funnel", "title": "F", "query": "funnel",
            "options": {"steps": ["signed_up", "invited", "paid"]}}  # fmt: skip
    made = harbor.call("POST", "/v1/dashboards", json={"name": "F", "tiles": [tile]}).json()
    data = harbor.call("GET", f"/v1/dashboards/{made['id']}/data").json()["tiles"][0]["data"]

    assert [step["users"] for step in data] == [3, 1, 1]
    assert _metric(harbor, "met_mau") == 3
    assert _metric(harbor, "met_wau") == 1


def test_a_kit_is_applied_and_what_nobody_edited_goes_again(harbor: Harbor) -> None:
    kit = harbor.call("POST", "/v1/kits/fintech/apply").json()
    board = kit["dashboards"][0]
    edit = {"if-match": "*"}
    harbor.call("PATCH", f"/v1/dashboards/{board}", json={"name": "Mine"}, headers=edit)
    alerts = harbor.call("GET", "/v1/alerts").json()["items"]
    assert {alert["state"] for alert in alerts} == {"muted"}

    assert harbor.call("DELETE", f"/v1/kits/{kit['id']}").json()["kept"] == [board]
    left = harbor.call("GET", "/v1/dashboards").json()["items"]
    assert [dashboard["name"] for dashboard in left] == ["Mine"]
    assert harbor.call("GET", "/v1/alerts").json()["items"] == []


def test_a_kit_that_was_made_piece_by_piece_counts_and_is_forgotten(harbor: Harbor) -> None:
    board = harbor.call("POST", "/v1/dashboards", json={"name": "Mine"}).json()["id"]
    parts = {"name": "saas", "dashboards": [board], "alerts": []}
    kit = harbor.call("POST", "/v1/kits/applied", json=parts).json()["id"]
    (found,) = harbor.call("GET", "/v1/kits/applied").json()["items"]
    assert (found["id"], found["name"], found["dashboards"]) == (kit, "saas", [board])
    unknown = {**parts, "dashboards": ["dsh_0123456789abcdef"]}
    assert harbor.call("POST", "/v1/kits/applied", json=unknown).status_code == 404

    assert harbor.call("DELETE", f"/v1/kits/applied/{kit}").status_code == 204
    assert harbor.call("GET", "/v1/kits/applied").json()["items"] == []
    assert harbor.call("GET", f"/v1/dashboards/{board}").status_code == 200
