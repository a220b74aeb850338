"""`embark decisions`, `audit` and `retention`; every command that reads of people leaves a row."""

from __future__ import annotations

import asyncio
import json
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from embark.cli.output import ExitCode
from embark.records import open_books
from embark.retention_parts import open_sweeper
from embark.settings import DecisionDays, RetentionSettings, Settings
from guardrails.audit import Entry
from guardrails.decisions import Decision, Kind, Outcome
from tests.contracts.decisions import ANSWER, HELPFUL, id_of
from tests.embark.project import run
from tests.embark.test_cli_receipts import acted as acted  # noqa: PLC0414  # a fixture

DAY = timedelta(days=1)


def settings_in(project: Path) -> Settings:
    return Settings(data_dir=project / "data")


def kept(project: Path, *rows: Decision) -> None:
    async def add() -> None:
        with open_books(settings_in(project)) as books:
            await books.decisions.add("default", [replace(row, tenant="default") for row in rows])
            told = replace(HELPFUL, tenant="default")
            await books.decisions.add("default", [told])

    asyncio.run(add())


def rows(project: Path) -> list[tuple[str, str, str | None, str]]:
    """Who, what, whom and by which command, oldest first."""

    async def read() -> tuple[Entry, ...]:
        with open_books(settings_in(project)) as books:
            return await books.audit.page("default", limit=500)

    notes = [entry.note for entry in reversed(asyncio.run(read()))]
    return [(note.who, note.what.value, note.whom, note.route) for note in notes]


@pytest.fixture
def decided(project: Path) -> Path:
    refusal = replace(
        ANSWER,
        id=id_of("refusal"),
        kind=Kind.REFUSAL,
        subject="bo",
        at=ANSWER.at + DAY,
        outcome=Outcome.SHOWN,
        reason="low_confidence",
    )
    kept(project, ANSWER, refusal)
    return project


def test_decisions_are_listed_newest_first(decided: Path) -> None:
    listed = json.loads(run("decisions", "list", "--json").stdout)["decisions"]
    assert [line["kind"] for line in listed] == ["refusal", "answer"]
    assert listed[1]["outcome"] == "helpful"
    said = run("decisions", "list", "--limit", "1")
    assert "refusal    shown      low_confidence" in said.stdout
    assert "there are more" in said.stderr


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (("--kind", "answer"), ["answer"]),
        (("--subject", "bo"), ["refusal"]),
        (("--since", "2026-03-03"), ["refusal"]),
        (("--since", "2026-03-02T12:00:01", "--kind", "answer"), []),
    ],
)
def test_decisions_are_found(decided: Path, options: tuple[str, ...], kinds: list[str]) -> None:
    listed = json.loads(run("decisions", "list", "--json", *options).stdout)["decisions"]
    assert [line["kind"] for line in listed] == kinds
    exported = run("decisions", "export", *options).stdout.splitlines()
    assert [json.loads(line)["kind"] for line in exported] == kinds


def test_a_decision_is_shown(decided: Path) -> None:
    shown = json.loads(run("decisions", "show", ANSWER.id, "--json").stdout)["decision"]
    assert (shown["id"], shown["model_version"]) == (ANSWER.id, "gpt-5")
    assert [update["outcome"] for update in shown["updates"]] == ["helpful"]
    said = run("decisions", "show", ANSWER.id).stdout
    assert '  evidence        ["start/setup#3","start/setup#4"]' in said
    missing = run("decisions", "show", "x" * 22)
    assert missing.exit_code == ExitCode.USAGE


def test_an_export_is_for_its_owner_alone(decided: Path) -> None:
    assert run("decisions", "export", "--to", "d.jsonl").exit_code == 0
    file = decided / "d.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text("utf-8").splitlines()) == 2
    assert run("decisions", "export", "--to", "d.jsonl").exit_code == ExitCode.USAGE


def test_reading_decisions_leaves_rows(decided: Path) -> None:
    run("decisions", "list", "--subject", "bo")
    run("decisions", "show", ANSWER.id)
    run("decisions", "export")
    assert rows(decided) == [
        ("operator", "read_decisions", "bo", "embark decisions list"),
        ("operator", "read_decisions", "ana", "embark decisions show"),
        ("operator", "export_decisions", None, "embark decisions export"),
    ]


def test_commands_on_receipts_leave_rows(acted: Path) -> None:
    run("receipts", "list")
    run("receipts", "show", "rcpt_1")
    run("receipts", "export", "r.jsonl", "--journal", "j.jsonl")
    run("receipts", "rotate", "--overlap-hours", "0")
    assert [row[1:3] for row in rows(acted)] == [
        ("read_receipts_of_other", None),
        ("read_receipts_of_other", "ada"),
        ("export_receipts", None),
        ("key_change", None),
    ]


def test_commands_on_people_leave_rows(acted: Path) -> None:
    assert run("subjects", "export", "ada", "--by", "sam").exit_code == 0
    assert run("subjects", "erase", "ada", "--yes").exit_code == 0
    assert run("subjects", "show-erasure").exit_code == 0
    export, erase, shown = rows(acted)
    assert export[:2] == ("sam", "export_subject")
    assert erase[1] == "erase_subject"
    assert str(export[2]).startswith("erased.")
    assert str(erase[2]).startswith("erased.")
    assert shown[1:3] == ("read_erasure", None)


READING = (
    ("decisions", "list"),
    ("decisions", "show", ANSWER.id),
    ("decisions", "export"),
    ("audit", "list"),
    ("audit", "export"),
    ("receipts", "list"),
    ("receipts", "show", "rcpt_1"),
    ("subjects", "export", "ada"),
)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_nothing_is_shown_that_cannot_be_written_down(
    acted: Path, command: tuple[str, ...]
) -> None:
    """The journal with its receipts answers; the books do not."""
    away = "database.url=postgresql+psycopg://nobody@127.0.0.1:1/none"
    broken = run("--set", away, *command)
    assert (broken.exit_code, broken.stdout) == (ExitCode.UNREACHABLE, "")


def test_the_audit_log_is_listed_and_exported(decided: Path) -> None:
    run("decisions", "list", "--subject", "bo")
    listed = json.loads(run("audit", "list", "--whom", "bo", "--json").stdout)["entries"]
    assert [(entry["what"], entry["whom"]) for entry in listed] == [
        ("read_audit", "bo"),
        ("read_decisions", "bo"),
    ]
    said = run("audit", "list", "--what", "read_decisions")
    assert "operator  read_decisions  bo  embark decisions list" in said.stdout
    assert run("audit", "list", "--before", "2", "--limit", "1").stdout.split()[0] == "1"
    exported = run("audit", "export").stdout.splitlines()
    assert json.loads(exported[0])["what"] == "export_audit"
    assert len(exported) == len(rows(decided))


def test_periods_and_holds_are_shown(project: Path) -> None:
    assert run("retention", "hold", "ana", "--reason", "case-7").exit_code == 0
    shown = json.loads(run("--set", "retention.audit=9", "retention", "show", "--json").stdout)
    assert shown["days"]["audit"] == 9
    assert shown["days"]["conversations"] == 180
    assert [hold["subject"] for hold in shown["holds"]] == ["ana"]
    assert "hold  ana  since" in run("retention", "show").stdout
    assert run("retention", "release", "ana").exit_code == 0
    assert run("retention", "release", "ana").exit_code == ExitCode.USAGE
    kinds = [row[1] for row in rows(project)]
    assert kinds == ["hold", "read_subject", "read_subject", "release", "release"]


def test_a_hold_takes_a_code(project: Path) -> None:
    refused = run("retention", "hold", "ana", "--reason", "because of the trial")
    assert refused.exit_code == ExitCode.USAGE
    assert rows(project) == []


def test_who_is_held_is_neither_erased_nor_swept(decided: Path) -> None:
    run("retention", "hold", "ana", "--reason", "case-7")
    refused = run("subjects", "erase", "ana", "--yes")
    assert refused.exit_code == ExitCode.FAILED
    assert "legal hold" in refused.stderr
    old = "--set", 'retention.decisions={"answer":1,"refusal":1}'
    due = json.loads(run(*old, "retention", "run", "--dry-run", "--json").stdout)
    assert due["items"]["decisions.answer"] == 0
    assert due["items"]["decisions.refusal"] == 1
    gone = json.loads(run(*old, "retention", "run", "--json").stdout)
    assert gone["items"] == due["items"]
    run("retention", "release", "ana")
    assert "decisions.answer             1" in run(*old, "retention", "run").stdout
    assert json.loads(run("decisions", "list", "--json").stdout)["decisions"] == []
    assert [row[1] for row in rows(decided)].count("retention") == 2


def test_what_is_over_its_period_is_nowhere_on_the_disk(project: Path) -> None:
    """While databases are open, as in a server: nobody closes their logs."""
    kept(project, replace(ANSWER, subject="canary-9z"))
    periods = RetentionSettings(decisions=DecisionDays(answer=1))
    settings = settings_in(project).model_copy(update={"retention": periods})
    with open_books(settings) as books, open_sweeper(settings, books) as sweeper:
        asyncio.run(books.decisions.add("default", [replace(ANSWER, tenant="default")]))
        assert _holding(project / "data", b"canary-9z") != []
        gone = asyncio.run(sweeper.run("operator", "embark retention run", "req-1"))
        assert gone["decisions.answer"] == 1
        assert _holding(project / "data", b"canary-9z") == []


def _holding(folder: Path, canary: bytes) -> list[str]:
    files = [file for file in folder.iterdir() if file.is_file()]
    return [file.name for file in files if canary in file.read_bytes()]


def test_a_server_without_periods_does_not_start(project: Path) -> None:
    there = ("--set", "database.url=postgresql://nobody@127.0.0.1:1/none")
    refused = run(*there, "serve", "--port", "0")
    assert refused.exit_code == ExitCode.CONFIGURATION
    assert "retention.held_values is needed with PostgreSQL" in refused.stderr


def test_doctor_says_what_is_pinned_and_what_is_missing(project: Path) -> None:
    def finding(*options: str) -> dict[str, str]:
        found = json.loads(run(*options, "doctor", "--json").stdout)
        (privacy,) = [each for each in found["checks"] if each["name"] == "privacy"]
        return dict(privacy)

    assert finding()["state"] == "ok"
    assert "no region is set" in finding()["detail"]
    there = ("--set", "database.url=postgresql://nobody@127.0.0.1:1/none", "--set", "region=eu")
    red = finding(*there)
    assert red["state"] == "red"
    assert "database.region is needed" in red["detail"]


def test_with_postgres_every_period_has_to_be_said(project: Path) -> None:
    there = ("--set", "database.url=postgresql://nobody@127.0.0.1:1/none")
    refused = run(*there, "--set", "retention.audit=30", "retention", "show")
    assert refused.exit_code == ExitCode.CONFIGURATION
    assert "retention.conversations is needed with PostgreSQL" in refused.stderr
    assert "retention.decisions.nudge = 395" in refused.stderr
    assert "retention.audit is" not in refused.stderr
