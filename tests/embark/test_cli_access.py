"""`embark index revoke|restore|revoked|purge`: what is seen, and what stays on the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from embark.cli.output import ExitCode
from retrieval.probing import found_below
from retrieval.tags import tags_under
from retrieval.versions import EmbeddedLibrary
from tests.e2e.rights.canaries import files, hits
from tests.embark.project import run
from tests.retrieval.building import folder_in_memory

QUESTION = "How do I invite teammates?"
INVITE = "guides/invite.md"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder


def index(*args: str) -> Result:
    return run("index", *args)


def found() -> list[str]:
    done = run("search", QUESTION, "--json")
    assert done.exit_code == 0, done.output
    return [passage["path"] for passage in json.loads(done.stdout)["retrieved"]]


def test_a_revoked_page_is_not_found_and_comes_back(indexed: Path) -> None:
    assert INVITE in found()
    done = index("revoke", INVITE)
    assert (done.exit_code, done.stdout) == (0, f"revoked {INVITE}\n")
    assert "within 2 s" in done.stderr
    assert INVITE not in found()
    assert index("revoke", INVITE).stdout == f"unchanged {INVITE}\n"
    assert index("revoked").stdout.startswith(f"{INVITE}  20")
    assert index("restore", INVITE).stdout == f"restored {INVITE}\n"
    assert INVITE in found()
    again = index("restore", INVITE)
    assert again.exit_code == ExitCode.FAILED
    assert "embark index revoked" in again.stderr


def test_a_group_loses_its_access_and_staff_do_not(indexed: Path) -> None:
    def as_group() -> list[str]:
        done = run("search", "war room incident", "--as", "audience=staff", "--json")
        return [p["path"] for p in json.loads(done.stdout)["retrieved"]]

    assert "runbooks/outage.md" in as_group()
    done = index("revoke", "--label", "audience=staff", "--json")
    assert json.loads(done.stdout)["revoked"] == ["audience=staff"]
    assert "runbooks/outage.md" not in as_group()
    listed = json.loads(index("revoked", "--json").stdout)["revoked"]
    assert [(row["field"], row["value"]) for row in listed] == [("audience", "staff")]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("guides/invit.md",), "has no page guides/invit.md"),
        (("--label", "tenant=acme"), "one of audience, plan, role, version, locale"),
        (("--label", "plan"), "FIELD=VALUE"),
        ((), "name a page"),
    ],
)
def test_a_slip_revokes_nothing(indexed: Path, args: tuple[str, ...], said: str) -> None:
    done = index("revoke", *args)
    assert done.exit_code == ExitCode.USAGE
    assert said in done.stderr
    assert index("revoked").stdout == ""


def test_nothing_is_revoked_before_anything_is_indexed(project: Path) -> None:
    assert "nothing is revoked" in index("revoked").stderr
    assert not (project / "data" / "embark.sqlite").exists()


CANARY = "Zyxomma petiolatum flies at dusk over the weir"
TITLE = "Obsidianquartz"


def scan(project: Path) -> list[tuple[str, str, str, str]]:
    return hits({"page": (CANARY, TITLE)}, files(project / "data" / "index"))


def add_secret(project: Path) -> Path:
    secret = project / "docs" / "guides" / "secret.md"
    secret.write_text(f"# {TITLE}\n\n{CANARY}. Nobody else says so.\n\n## Also\n\nMore words.\n")
    assert index("run").exit_code == 0
    return secret


def test_a_page_that_was_removed_lies_nowhere_after_a_purge(indexed: Path) -> None:
    secret = add_secret(indexed)
    secret.unlink()
    assert index("run", "--prune").exit_code == 0
    assert scan(indexed), "the version before still holds it: the scan sees what it looks for"
    done = index("purge", "guides/secret.md", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["outcome"], report["left"], report["in_use"]) == ("published", {}, [])
    assert len(report["removed"]) == 3
    assert report["sought"] >= 3
    assert scan(indexed) == []
    assert found() != []
    folders = [
        p.name for p in (indexed / "data" / "index").iterdir() if p.name.startswith("docs__")
    ]
    assert folders == [report["version"]]
    assert index("rollback").exit_code == ExitCode.FAILED


def test_a_page_that_is_still_in_a_source_is_not_purged(indexed: Path) -> None:
    before = (indexed / "data" / "index" / "current").read_text()
    done = index("purge", INVITE)
    assert done.exit_code == ExitCode.CONFIGURATION
    assert "take it out there" in done.stderr
    assert (indexed / "data" / "index" / "current").read_text() == before


def test_a_version_that_somebody_has_open_is_named(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.purging.PATIENCE_S", 0.0)
    secret = add_secret(indexed)
    secret.unlink()
    key = (indexed / "data" / "keys" / "vault.key").read_bytes()
    library = EmbeddedLibrary(indexed / "data" / "index", tags_under(key))
    with library.lease() as leased:
        done = index("purge")
        assert done.exit_code == ExitCode.LOCKED
        assert leased.version in done.stderr
        assert scan(indexed)
    library.close()
    assert index("purge").exit_code == 0
    assert scan(indexed) == []


def test_the_probe_finds_what_lies_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.probing._BLOCK", 16)
    needle = b"a needle of many bytes"
    for at in range(40):
        (tmp_path / "file").write_bytes(b"." * at + needle + b"." * 9)
        assert found_below(tmp_path, [needle, b"short", b"another of many bytes"]) == {"file": 1}
    assert found_below(tmp_path, [b"not in there at all"]) == {}
    assert found_below(tmp_path, []) == {}
