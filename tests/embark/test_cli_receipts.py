"""`embark receipts` on a journal in the data folder."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from embark.cli.output import ExitCode
from embark.receipts_parts import make_journal, open_journal_engine, open_receipts, open_ring
from embark.settings import Settings
from tests.embark.project import run
from tests.tools.journal.making import FAILED, SUCCEEDED, new, started, succeeded
from tools.receipts.checkpoints import Checkpointer, Pace
from tools.receipts.export import to_folder
from tools.types import Principal

ADA = Principal("default", "ada", "acme-1")


async def _act(settings: Settings, outside: Path) -> None:
    """Four receipts: done, failed, the undo, undone; and checkpoints told outside."""
    async with open_receipts(settings) as receipts:
        journal = receipts.journal
        done = await succeeded(journal, new(who=ADA))
        await journal.settle(await started(journal, new(who=ADA)), FAILED)
        assert done.undo is not None
        undo = new(who=ADA, call=done.undo, undoes=done.id)
        await journal.settle(await started(journal, undo), SUCCEEDED)
        making = Checkpointer(
            journal, receipts.checkpoints, receipts.ring, [to_folder(outside)], Pace(2, 0.0)
        )
        await making.visit("default", datetime.now(UTC))


@pytest.fixture
def acted(project: Path) -> Path:
    asyncio.run(_act(Settings(data_dir=project / "data"), project / "outside"))
    return project


def test_receipts_are_listed_in_order(acted: Path) -> None:
    listed = json.loads(run("receipts", "list", "--json").stdout)
    assert listed["schema_version"] == 1
    assert [line["id"] for line in listed["receipts"]] == ["rcpt_1", "rcpt_2", "rcpt_3", "rcpt_4"]
    assert [line["outcome"] for line in listed["receipts"]][:2] == ["succeeded", "failed"]
    said = run("receipts", "list", "--after", "1", "--limit", "1")
    assert said.stdout.split()[0] == "rcpt_2"
    assert "--after 2" in said.stderr


def test_an_empty_journal_says_so(project: Path) -> None:
    said = run("receipts", "list")
    assert (said.exit_code, said.stdout) == (0, "")
    assert "no receipts yet" in said.stderr


def test_a_receipt_is_shown_to_people(acted: Path) -> None:
    said = run("receipts", "show", "rcpt_1").stdout
    for part in ("Invite people", "succeeded", "approved by  ada", "inv_1", "undone", "(secret)"):
        assert part in said
    shown = json.loads(run("receipts", "show", "rcpt_1", "--json").stdout)["receipt"]
    assert shown["fields"][0] == {"label": "E-mail", "value": "ann@example.com"}
    assert (shown["can_undo"], shown["undo"]) == (False, "undone")
    assert shown["payload"]["seq"] == 1


def test_a_receipt_that_is_not_there_is_named(acted: Path) -> None:
    said = run("receipts", "show", "rcpt_99")
    assert said.exit_code == ExitCode.USAGE
    assert "there is no receipt rcpt_99" in said.stderr


def test_an_export_is_verified_offline_and_a_cut_is_found(acted: Path) -> None:
    done = run("receipts", "export", "r.jsonl", "--keys", "jwks.json", "--journal", "dump.jsonl")
    assert done.exit_code == 0, done.output
    assert "r.jsonl: 6 lines" in done.stderr
    assert stat.S_IMODE((acted / "dump.jsonl").stat().st_mode) == 0o600
    given = ["receipts", "verify", "r.jsonl", "--keys", "jwks.json", "--journal", "dump.jsonl"]
    kept = sorted((acted / "outside").rglob("*.note"))[-1]
    whole = json.loads(run(*given, "--checkpoint", str(kept), "--json").stdout)
    assert (whole["ok"], whole["receipts"], whole["signatures_checked"]) == (True, 4, 0)
    assert json.loads(run(*given, "--every-signature", "--json").stdout)["signatures_checked"] == 4
    lines = (acted / "r.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (acted / "r.jsonl").write_text("".join(lines[:2]), encoding="utf-8")
    cut = run("receipts", "verify", "r.jsonl", "--checkpoint", str(kept), "--json")
    assert cut.exit_code == ExitCode.FAILED
    assert {failure["class"] for failure in json.loads(cut.stdout)["failures"]} == {"cut_tail"}


def test_our_own_keys_are_taken_when_none_are_named(acted: Path) -> None:
    run("receipts", "export", "r.jsonl")
    said = run("receipts", "verify", "r.jsonl")
    assert (said.exit_code, said.stdout.splitlines()[-1].split(":")[0]) == (0, "everything holds")
    assert "kept elsewhere" in said.stderr


def test_what_cannot_be_read_is_usage(acted: Path) -> None:
    assert run("receipts", "verify", "missing.jsonl").exit_code == ExitCode.USAGE
    assert run("receipts", "verify", "x", "--keys", "missing").exit_code == ExitCode.USAGE
    run("receipts", "export", "r.jsonl")
    assert "name a new file" in run("receipts", "export", "r.jsonl").stderr
    assert run("receipts", "export", "no/such/r.jsonl").exit_code == ExitCode.USAGE


def test_a_rotated_key_verifies_what_the_old_one_signed(acted: Path) -> None:
    turned = json.loads(run("receipts", "rotate", "--overlap-hours", "0", "--json").stdout)
    settings = Settings(data_dir=acted / "data")
    asyncio.run(_act(settings, acted / "outside"))
    run("receipts", "export", "r.jsonl")
    verified = json.loads(
        run("receipts", "verify", "r.jsonl", "--every-signature", "--json").stdout
    )
    assert (verified["ok"], verified["heads"], turned["keys"]) == (True, {"default": 8}, 2)


def test_keys_that_others_may_read_are_a_matter_of_configuration(acted: Path) -> None:
    (acted / "data" / "keys" / "vault.key").chmod(0o644)
    said = run("receipts", "show", "rcpt_1")
    assert said.exit_code == ExitCode.CONFIGURATION
    assert "chmod 600" in said.stderr


def test_a_journal_that_does_not_answer_is_unreachable(project: Path) -> None:
    url = f"sqlite:///{project}/no/such/folder.db"
    said = run("--set", f"actions.url={url}", "receipts", "list")
    assert said.exit_code == ExitCode.UNREACHABLE


def test_the_journal_is_a_file_of_its_own(project: Path) -> None:
    settings = Settings(data_dir=project / "data")
    ring = open_ring(settings)
    engine = open_journal_engine(settings)
    journal = make_journal(settings, engine, ring)
    asyncio.run(journal.close())
    assert (project / "data" / "journal.sqlite").is_file()
