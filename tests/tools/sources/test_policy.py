"""The policy file: mistakes with their lines, templates, and what lint finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from tests.tools.fleet.server import POLICY
from tests.tools.fleet.serving import parts
from tools.lint import Finding, lint
from tools.policy import PolicyError, load_policy
from tools.policy.mapping import MISSING, MappingError, at, fill, fill_all, placeholders, put
from tools.sources import open_sources

VALUES: dict[str, JsonValue] = {
    "args": {"email": "ana@acme.io", "count": 3, "on": True, "list": [1, 2], "a/b": "x"},
    "result": {"id": "p1", "items": [{"id": "a"}, {"no": 1}, {"id": "b"}], "none": None},
    "who": {"account": "org-1"},
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{email}", "ana@acme.io"),
        ("{args/count}", 3),
        ("{on}", True),
        ("{list}", [1, 2]),
        ("{list/1}", 2),
        ("{a~1b}", "x"),
        ("{result/items/*/id}", ["a", "b"]),
        ("{result/items/2/id}", "b"),
        ("{result/none}", None),
        ("{who/account}", "org-1"),
        ("to {email} x{count}, {on}", "to ana@acme.io x3, true"),
        ("{{{email}}}", "{ana@acme.io}"),
        ("{{email}}", "{email}"),
        ("plain", "plain"),
        (7, 7),
        (["{count}", "{gone}"], [3]),
        ({"a": {"b": "{email}", "c": "{gone}"}}, {"a": {"b": "ana@acme.io"}}),
    ],
)
def test_templates(template: JsonValue, value: JsonValue) -> None:
    assert fill(template, VALUES) == value


@pytest.mark.parametrize(
    "template",
    [
        "{gone}",
        "{before/name}",
        "{result/items/9}",
        "{email/x}",
        "a {gone}",
        "a {list}",
        "{result/x}",
    ],
)
def test_what_is_missing_is_left_out(template: str) -> None:
    assert fill(template, VALUES) is MISSING
    assert fill_all({"x": template, "y": 1}, VALUES) == {"y": 1}


@pytest.mark.parametrize("template", ["{email", "email}", "{}", "{a{b}}", "{{x}"])
def test_broken_templates_are_told(template: str) -> None:
    with pytest.raises(MappingError):
        list(placeholders(template))


@given(st.text())
def test_a_value_is_never_read_as_a_template(text: str) -> None:
    values: dict[str, JsonValue] = {"args": {"v": text, "secret": "s3cret"}}
    assert fill("{v}", values) == text
    assert fill("<{v}>", values) == f"<{text}>"


def test_put_makes_its_way() -> None:
    document: dict[str, JsonValue] = {}
    put(document, "/a/b", 1)
    put(document, "/a/c~1d", 2)
    assert document == {"a": {"b": 1, "c/d": 2}}
    assert at(document, "/a/c~1d") == 2
    with pytest.raises(MappingError, match="holds a value"):
        put(document, "/a/b/c", 3)


MISTAKES = [
    ("version: 1", "version: 2", 1, "version"),
    ("    kind: openapi", "    kind: soap", 3, "soap"),
    ("    envelope: /data", "    envelope: data", 10, "envelope"),
    ("    tier: R0", "    tier: R5", 20, "tier"),
    ("    effect: R\n", "", 25, "`effect` is missing"),
    ("ask: What shall it be called?, kind: name", "asks: What shall", 36, "asks"),
    ('"{attempt/action_id}"', '"{attempt/action_id"', 34, "brace"),
    ("source: fleet", "source: flet", 16, "flet"),
    ("      says: The project can be deleted.\n", "", 42, "`says` is missing"),
    ("    bulk: projects", "    bulk: project", 85, "no argument"),
    (
        "    undo: {none: A sent message cannot be called back.}",
        "    undo: {}",
        108,
        "either `tool`",
    ),
    ("tools:\n", "tools: [\n", 17, "expected"),
]


@pytest.mark.parametrize(("was", "becomes", "line", "message"), MISTAKES)
def test_mistakes_name_their_line(
    tmp_path: Path, was: str, becomes: str, line: int, message: str
) -> None:
    file = tmp_path / "tools.yaml"
    text = POLICY.read_text()
    assert was in text
    file.write_text(text.replace(was, becomes, 1))
    with pytest.raises(PolicyError) as mistakes:
        load_policy(file)
    assert any(message in problem for problem in mistakes.value.problems), mistakes.value.problems
    lines = [int(p.removeprefix(f"{file}:").partition(":")[0]) for p in mistakes.value.problems]
    assert any(abs(found - line) <= 1 for found in lines), (lines, mistakes.value.problems)


@pytest.mark.parametrize("content", ["", "a", "- x", "{}"])
def test_other_files_are_no_policy(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tools.yaml"
    file.write_text(content)
    with pytest.raises(PolicyError, match=r"tools\.yaml"):
        load_policy(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "gone.yaml")


READ_BACK = """\
    read_back:
      operation: listProjects
      find: {in: /data, where: {/attributes/externalRef: "{attempt/action_id}"}}
"""


async def found(
    tmp_path: Path, was: str = "", becomes: str = "", document: str = ""
) -> list[Finding]:
    document = document or (POLICY.parent / "openapi.yaml").read_text()
    (tmp_path / "openapi.yaml").write_text(document)
    text = POLICY.read_text()
    assert was in text
    (tmp_path / "tools.yaml").write_text(text.replace(was, becomes, 1))
    file = load_policy(tmp_path / "tools.yaml")
    opened = await open_sources(file, parts("http://127.0.0.1:1"))
    await opened.aclose()
    return lint(file, opened.by_key)


async def test_a_sound_file_has_no_errors(tmp_path: Path) -> None:
    assert [f for f in await found(tmp_path) if f.level == "error"] == []


LINTED = [
    ("    undo: {none: A sent message cannot be called back.}\n", "", "announce", "reversible"),
    ('name: "{before/name}"', 'name: "{before/title}"', "rename_project", "before/title"),
    (READ_BACK, "", "create_project", "`read_back` is missing"),
    ("tier: R2\n    effect: O", "tier: R0\n    effect: O", "announce", "without asking"),
    ("tier: R3\n    effect: N", "tier: R1\n    effect: N", "delete_project", "deletes"),
    ("vin: {label: VIN, ask: Which VIN?}", "vin: {label: VIN}", "register_truck", "`ask`"),
    ("effect: O", "effect: K", "announce", "idempotency key"),
    ("choices: {tool: list_projects", "choices: {tool: announce", "rename_project", "reading tool"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "becomes", "tool", "message"), LINTED)
async def test_lint_finds(tmp_path: Path, was: str, becomes: str, tool: str, message: str) -> None:
    errors = [f for f in await found(tmp_path, was, becomes) if f.level == "error"]
    assert [f.tool for f in errors if message in f.message][:1] == [tool], errors
    assert all(int(f.where.rpartition(":")[2]) > 1 for f in errors)


async def test_an_unmarked_secret_is_found(tmp_path: Path) -> None:
    document = (POLICY.parent / "openapi.yaml").read_text()
    secret = document.replace("note: {type: string}", "note: {type: string, format: password}")
    findings = await found(tmp_path, document=secret)
    assert [f.tool for f in findings if "secret: true" in f.message] == ["upload_manifest"]
    marked = await found(tmp_path, "{label: Note}", "{label: Note, secret: true}", secret)
    assert not any("secret: true" in f.message for f in marked)


HARBOR = Path(__file__).parents[3] / "examples" / "harbor" / "tools.yaml"


def test_harbors_file_is_sound() -> None:
    file = load_policy(HARBOR)
    assert len(file.policy.tools) >= 80
    assert all(
        1 <= len(entry.phrases) <= 3 for entry in file.policy.tools.values() if not entry.hidden
    )
