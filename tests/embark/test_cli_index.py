"""`embark index` through the command: output, exit codes, JSON, and what the next run knows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from embark.cli.output import ExitCode
from embark.cli.progress import watching
from retrieval.folders import Folders
from tests.embark.project import run
from tests.retrieval.building import folder_in_memory


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory: each run syncs a version to disk."""
    with folder_in_memory() as folder:
        yield folder


def index(*args: str) -> Result:
    return run("index", *args)


def document(result: Result) -> dict[str, object]:
    found = json.loads(result.stdout)
    assert found["schema_version"] == 1
    return found  # type: ignore[no-any-return]


def test_a_first_run_prints_the_version_and_the_next_command(project: Path) -> None:
    done = index("run")
    assert done.exit_code == 0, done.output
    version = done.stdout.strip()
    assert version.startswith("docs__")
    assert (project / "data" / "index" / "current").read_text().strip() == version
    assert "pages: 3 added" in done.stderr
    assert "embark ask" in done.stderr


def test_a_second_run_does_nothing(indexed: Path) -> None:
    before = (indexed / "data" / "index" / "current").read_text().strip()
    done = index("run", "--json")
    assert done.exit_code == 0
    report = document(done)
    assert (report["outcome"], report["version"], report["encoded"]) == ("unchanged", before, 0)


def test_plan_says_what_a_run_would_do_and_how_long(project: Path) -> None:
    plan = document(index("plan", "--json"))
    assert plan["pages"] == {"added": 3, "changed": 0, "removed": 0, "unchanged": 0}
    estimate = plan["estimate"]
    assert isinstance(estimate, dict)
    assert estimate["chunks"] >= 3
    assert estimate["tokens"] > estimate["chunks"]
    shown = index("plan")
    assert "to embed:" in shown.stdout
    assert "embark index run" in shown.stderr
    assert not (project / "data" / "index" / "current").exists()
    assert index("run", "--dry-run").exit_code == 0
    assert not (project / "data" / "index" / "current").exists()


def test_diff_lists_pages_and_exits_ten_on_changes(indexed: Path) -> None:
    assert index("diff", "--exit-code").exit_code == 0
    docs = indexed / "docs"
    (docs / "guides/new.md").write_text("# New\n\nSomething new.\n")
    (docs / "guides/export.md").unlink()
    (docs / "guides/invite.md").write_text("# Invite\n\nInvite people from the side bar.\n")
    shown = index("diff", "--exit-code")
    assert shown.exit_code == ExitCode.CHANGES
    assert shown.stdout.splitlines() == [
        "- docs/guides/export.md",
        "~ docs/guides/invite.md",
        "+ docs/guides/new.md",
    ]
    assert index("diff").exit_code == 0


def test_a_broken_page_is_named_with_its_line_and_the_rest_goes_on(project: Path) -> None:
    (project / "docs/guides/broken.md").write_text("---\ntitle: [\n---\n# Broken\n\nText.\n")
    done = index("run")
    assert done.exit_code == ExitCode.FAILED
    assert "guides/broken.md:" in done.stderr
    assert done.stdout.startswith("docs__")
    report = document(index("run", "--json"))
    plan = report["plan"]
    assert isinstance(plan, dict)
    (problem,) = plan["problems"]
    assert problem["path"] == "guides/broken.md"
    assert problem["severity"] == "error"
    assert isinstance(problem["line"], int)
    assert problem["hint"]


def test_too_many_deletions_exit_five_and_change_nothing(indexed: Path) -> None:
    before = (indexed / "data/index/current").read_text()
    shutil.rmtree(indexed / "docs/guides")
    stopped = index("run")
    assert stopped.exit_code == ExitCode.GATE
    assert "2 of 3 pages" in stopped.stderr
    assert "--prune" in stopped.stderr
    assert (indexed / "data/index/current").read_text() == before
    told = index("run", "--json")
    assert told.exit_code == ExitCode.GATE
    assert document(told)["outcome"] == "stopped"
    assert index("run", "--max-delete-ratio", "0.7").exit_code == 0


def test_the_gate_refuses_with_exit_five_and_keeps_its_report(indexed: Path) -> None:
    before = (indexed / "data/index/current").read_text()
    (indexed / "golden.jsonl").write_text('{"text": "how are refunds paid", "path": "refunds.md"}')
    (indexed / "docs/guides/invite.md").write_text("# Invite\n\nInvite people from the side bar.\n")
    refused = index("run")
    assert refused.exit_code == ExitCode.GATE
    assert "gate: recall: golden questions: 0 of 1" in refused.stderr
    assert (indexed / "data/index/current").read_text() == before
    versions = document(index("status", "--json"))["versions"]
    assert isinstance(versions, list)
    assert [v["state"] for v in versions] == ["refused", "published"]
    assert versions[0]["gate"]["passed"] is False


def test_a_folder_is_indexed_by_its_path_and_remembered(project: Path, tmp_path: Path) -> None:
    (project / "embark.toml").write_text('data_dir = "data"\n[encoder]\nbackend = "hash"\n')
    nothing = index("run")
    assert nothing.exit_code == ExitCode.CONFIGURATION
    assert "embark index run PATH" in nothing.stderr
    folder = tmp_path / "Hand Book"
    folder.mkdir()
    (folder / "start.md").write_text("# Start\n\nPress the green button to start.\n")
    done = index("run", str(folder))
    assert done.exit_code == 0, done.output
    (folder / "stop.md").write_text("# Stop\n\nPress the red button to stop.\n")
    assert index("diff").stdout == "+ hand-book/stop.md\n"
    assert "pages: 1 added, 1 unchanged" in index("run").stderr
    other = tmp_path / "elsewhere" / "Hand Book"
    other.mkdir(parents=True)
    (other / "three.md").write_text("# Three\n\nThree is the number after two.\n")
    clash = index("run", str(other))
    assert clash.exit_code == ExitCode.CONFIGURATION
    assert "--source ID" in clash.stderr
    assert index("run", str(other), "--source", "second").exit_code == 0
    pages = document(index("plan", "--json"))["pages"]
    assert pages == {"added": 0, "changed": 0, "removed": 0, "unchanged": 3}


def test_an_unknown_source_is_named(indexed: Path) -> None:
    done = index("run", "--source", "blog")
    assert done.exit_code == ExitCode.CONFIGURATION
    assert "known: docs" in done.stderr


def test_a_missing_folder_is_a_usage_error(indexed: Path) -> None:
    assert index("run", "no/such/folder").exit_code == ExitCode.USAGE


def test_a_configured_folder_that_is_gone_says_so(indexed: Path) -> None:
    shutil.rmtree(indexed / "docs")
    done = index("run")
    assert done.exit_code == ExitCode.CONFIGURATION
    assert "does not exist" in done.stderr


def test_a_held_lock_exits_six_and_names_the_holder(indexed: Path) -> None:
    with Folders(indexed / "data/index").writing():
        for verb in (["run"], ["rollback"], ["gc"]):
            done = index(*verb)
            assert done.exit_code == ExitCode.LOCKED
            assert "process" in done.stderr
        writer = document(index("status", "--json"))["writer"]
        assert isinstance(writer, dict)
        assert writer["pid"] > 0


def test_rollback_and_gc(indexed: Path) -> None:
    versions = [(indexed / "data/index/current").read_text().strip()]
    for number in range(3):
        (indexed / "docs/guides/new.md").write_text(f"# New\n\nText number {number}.\n")
        versions.append(index("run").stdout.strip())
    assert index("rollback").stdout.strip() == versions[2]
    assert index("gc", "--keep", "2").stdout.splitlines() == [
        f"removed {versions[3]}",
        f"removed {versions[0]}",
    ]
    status = document(index("status", "--json"))
    assert (status["current"], status["rollback"]) == (versions[2], versions[1])
    assert document(index("rollback", "--json"))["current"] == versions[1]
    assert index("rollback").exit_code == ExitCode.FAILED
    assert index("rollback", "--to", versions[2]).stdout.strip() == versions[2]


def test_status_shows_versions_and_holders(indexed: Path) -> None:
    shown = index("status")
    version = (indexed / "data/index/current").read_text().strip()
    assert version in shown.stdout
    assert "current" in shown.stdout
    status = document(index("status", "--json"))
    versions = status["versions"]
    assert isinstance(versions, list)
    (record,) = versions
    assert record["pages"] == 3
    assert record["size_bytes"] > 0
    assert record["age_s"] >= 0
    assert status["holders"] == []


def test_status_before_anything_is_indexed(project: Path) -> None:
    shown = index("status")
    assert shown.exit_code == 0
    assert "nothing is indexed yet" in shown.stderr
    assert not (project / "data").exists()


def test_a_change_of_label_rules_takes_effect(indexed: Path) -> None:
    (indexed / "embark-labels.toml").write_text('[[rule]]\nmatch = "guides/**"\nplan = "pro"\n')
    report = document(index("run", "--json"))
    assert report["outcome"] == "published"
    assert report["encoded"] == 0


def test_progress_off_a_terminal_is_a_line_per_five_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    time_s = 0.0
    with watching(clock=lambda: time_s) as tell:
        for done in range(12):
            time_s = float(done)
            tell("encode", done, 12)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line for line in shown.err.splitlines() if line] == [
        "embedding chunks: 5 of 12",
        "embedding chunks: 10 of 12",
    ]
