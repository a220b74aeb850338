"""Harbor's own pages: what the server sends, and that the modules keep to the public API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harbor.running import ROOT, Harbor, running_harbor

STATIC = ROOT / "examples" / "harbor" / "harbor" / "web" / "static"
SOURCES = {p.relative_to(STATIC).as_posix(): p.read_text("utf-8") for p in STATIC.rglob("*.*")}
MODULES = {name: text for name, text in SOURCES.items() if name.endswith(".js")}
IMPORT = re.compile(r"""^(?:import|\}) ?[^;]*?from\s+"([^"]+)";""", re.MULTILINE)
CALL = re.compile(r"""\bcall\(\s*"([A-Z]+)",\s*"([^"]+)\"""")
LIST = re.compile(r"""\ball\(\s*"([^"]+)\"""")
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|javascript:|DOMParser"
    r"|\beval\(|new Function|setAttribute\(\"(?:on|style)|\son[a-z]+\s*=\s*[\"']|\sstyle\s*="
)
LONGEST = 250
ADDRESS = re.compile(r"https?://([a-z0-9.]+)")
ELSEWHERE = {
    "www.w3.org", "app.harbor.example", "api.harbor.example", "hooks.example.com",
    "accounts.google.com",
}  # fmt: skip
"""Hosts that a file may name: a namespace, Harbor's own, and examples in empty fields."""
POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
    "connect-src": "'self'", "img-src": "'self' data:", "base-uri": "'none'",
    "form-action": "'none'", "frame-ancestors": "'self'",
}  # fmt: skip


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as running:
        yield running


@pytest.fixture
def browser(harbor: Harbor) -> Iterator[httpx.Client]:
    """Cookies of its own, as a browser has them; nobody is signed in."""
    with httpx.Client(base_url=harbor.base_url, timeout=20) as client:
        yield client


def _sign_in(browser: httpx.Client, harbor: Harbor, role: str = "owner") -> httpx.Response:
    body = {"email": harbor.session["emails"][role], "password": harbor.session["password"]}
    return browser.post("/v1/sign-in", json=body)


def _document(harbor: Harbor) -> dict[str, Any]:
    found: dict[str, Any] = harbor.client.get("/openapi.json").json()
    return found


def _policy(answer: httpx.Response) -> dict[str, str]:
    parts = answer.headers["content-security-policy"].split("; ")
    return dict(part.split(" ", 1) for part in parts)


# --- what the server sends ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/app", "/app/connections", "/app/dashboards/dsh_1", "/join"])
def test_every_path_of_the_page_is_the_one_document_under_a_strict_policy(
    browser: httpx.Client, path: str
) -> None:
    answer = browser.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert _policy(answer) == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


def test_the_root_leads_to_the_page(browser: httpx.Client) -> None:
    answer = browser.get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/app")


def test_files_have_their_types_and_nothing_else_is_served(browser: httpx.Client) -> None:
    types = {"app.js": "text/javascript", "base.css": "text/css", "icon.svg": "image/svg+xml"}
    for name, kind in types.items():
        answer = browser.get(f"/app/static/{name}")
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("missing.js", "../pages.py", "%2e%2e/pages.py", "views", ""):
        refused = browser.get(f"/app/static/{path}")
        assert refused.status_code == 404 or "<!doctype html>" in refused.text


def test_pages_are_no_operations(harbor: Harbor) -> None:
    assert [p for p in _document(harbor)["paths"] if not p.startswith(("/v1/", "/scim/"))] == []


def test_a_fault_of_an_operation_leaves_the_page_alone(
    harbor: Harbor, browser: httpx.Client
) -> None:
    harbor.fault("get_me", "500", times=3)
    try:
        assert browser.get("/app").status_code == 200
        assert browser.get("/app/config.json").status_code == 200
    finally:
        harbor.no_faults()


def test_a_fault_of_any_operation_hits_operations_alone(
    harbor: Harbor, browser: httpx.Client
) -> None:
    harbor.fault("*", "500", times=2)
    try:
        for path in ("/app", "/app/config.json", "/app/static/app.js", "/join", "/openapi.json",
                     "/_sandbox/state", "/_sources/stripe/v1/account", "/nowhere"):  # fmt: skip
            assert browser.get(path).status_code != 500, path
        assert browser.get("/_sandbox/faults").json()[0]["times"] == 2
        assert browser.post("/app/sign-out").status_code == 204
        assert browser.get("/v1/me").status_code == 500
        assert browser.get("/v1/me").status_code == 500
        assert browser.get("/v1/me").status_code == 401
    finally:
        harbor.no_faults()


def test_the_configuration_tells_plans_and_roles_and_no_secret(browser: httpx.Client) -> None:
    found = browser.get("/app/config.json").json()

    assert found["copilot_url"] is None
    assert (found["sandbox"], found["signed_in"]) == (True, False)
    assert [plan["name"] for plan in found["plans"]] == ["free", "team", "growth", "enterprise"]
    assert "sso" in found["plans"][2]["features"]
    assert "members.invite" in found["roles"]["admin"]


def test_signing_out_ends_the_session_itself(harbor: Harbor, browser: httpx.Client) -> None:
    cookie = _sign_in(browser, harbor).cookies["harbor_session"]
    assert browser.get("/app/config.json").json()["signed_in"] is True

    assert browser.post("/app/sign-out").status_code == 204
    assert "harbor_session" not in browser.cookies

    browser.cookies.set("harbor_session", cookie)
    assert browser.get("/v1/me").status_code == 401


def test_a_cookie_that_is_no_longer_good_is_taken_away(browser: httpx.Client) -> None:
    answer = browser.get("/app/config.json", headers={"cookie": "harbor_session=stale"})

    assert answer.json()["signed_in"] is False
    assert 'harbor_session=""' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]


def test_a_user_token_is_no_session(harbor: Harbor, browser: httpx.Client) -> None:
    cookie = {"cookie": f"harbor_session={harbor.session['token']}"}

    assert browser.get("/app/config.json", headers=cookie).json()["signed_in"] is False
    browser.post("/app/sign-out", headers=cookie)
    assert harbor.call("GET", "/v1/me").status_code == 200


# --- what the modules are -----------------------------------------------------------------------


def _imports(name: str) -> set[str]:
    folder = (STATIC / name).parent
    return {
        (folder / found).resolve().relative_to(STATIC).as_posix()
        for found in IMPORT.findall(MODULES[name])
    }


def test_all_that_is_referenced_is_served_and_all_that_is_there_is_referenced(
    browser: httpx.Client,
) -> None:
    page = browser.get("/app").text
    linked = {
        path.removeprefix("/app/static/") for path in re.findall(r'(?:src|href)="([^"]+)"', page)
    }
    reached: set[str] = set()
    waiting = set(linked)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        assert browser.get(f"/app/static/{name}").status_code == 200, name
        if name in MODULES:
            waiting |= _imports(name) - reached

    assert reached == set(SOURCES) - {"index.html"}


def test_names_that_are_imported_are_exported() -> None:
    pattern = re.compile(r'import \{([^}]+)\}\s+from "([^"]+)";')
    for name, text in MODULES.items():
        for names, path in pattern.findall(text):
            source = (STATIC / name).parent.joinpath(path).resolve().read_text("utf-8")
            for each in filter(None, (n.strip() for n in names.split(","))):
                said = rf"export (?:async )?(?:const|let|function|class) {each}\b"
                assert re.search(said, source), f"{name} imports {each} of {path}"


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_no_markup_from_strings_and_no_inline_script_or_style(name: str) -> None:
    assert FORBIDDEN.findall(SOURCES[name]) == []
    assert "<style" not in SOURCES[name]
    assert len(SOURCES[name].splitlines()) <= LONGEST
    assert set(ADDRESS.findall(SOURCES[name])) - ELSEWHERE == set()


def test_the_document_has_no_script_of_its_own() -> None:
    page = SOURCES["index.html"]

    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == [""]


def test_the_modules_call_only_what_the_api_offers(harbor: Harbor) -> None:
    paths = _document(harbor)["paths"]
    offered = {(method.upper(), path) for path, item in paths.items() for method in item}
    calls = {found for text in MODULES.values() for found in CALL.findall(text)}
    calls |= {("GET", path) for text in MODULES.values() for path in LIST.findall(text)}

    assert len(calls) > 70
    assert calls - offered == set()


def test_every_call_is_written_so_that_it_can_be_found() -> None:
    """A path in a variable would escape the test above; only the helper of lists has one."""
    hidden = re.compile(r"""\bcall\((?!\s*"[A-Z]+",\s*")[^)]*\)""")
    found = {name: hidden.findall(text) for name, text in MODULES.items() if hidden.search(text)}

    assert found == {
        "api.js": ["call(method, path, given = {})", 'call("GET", path, { ...given, query })']
    }


def test_permissions_and_features_that_the_page_names_exist(browser: httpx.Client) -> None:
    found = browser.get("/app/config.json").json()
    permissions = {p for role in found["roles"].values() for p in role}
    features = {f for plan in found["plans"] for f in plan["features"]}
    text = "\n".join(MODULES.values())

    for pattern, known in ((r'(?:needs: |may\()"([^"]+)"', permissions),
                           (r'feature: "([^"]+)"', features)):  # fmt: skip
        assert set(re.findall(pattern, text)) - known == set()


def test_each_code_of_the_api_has_words_on_what_to_do(harbor: Harbor) -> None:
    text = str(_document(harbor))
    codes = set(re.findall(r"HBR-\d{3}", text))
    known = set(re.findall(r'"(HBR-\d{3})"', MODULES["mend.js"]))

    assert codes - known - {"HBR-605", "HBR-606"} == set()


def test_each_view_has_a_title() -> None:
    views = [Path(name) for name in MODULES if name.startswith("views/")]

    assert len(views) >= 14
    for view in views:
        assert 'h("h1"' in MODULES[view.as_posix()], view
