"""`embark redact` keeps the batch contract and counts code points of the original."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from embark.cli import app

PLAIN = "\N{PARTY POPPER} Jörg: jörg@firma.de, Karte 4929 6617 9712 5431"
MASKED = "\N{PARTY POPPER} Jörg: <EMAIL_ADDRESS>, Karte <CREDIT_CARD>"


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMBARK_REDACTION__ENGINE", "patterns")
    return CliRunner()


def test_a_text_is_masked(runner: CliRunner) -> None:
    ran = runner.invoke(app, ["redact", PLAIN])
    assert (ran.exit_code, ran.stdout) == (0, MASKED + "\n")


def test_names_are_masked_by_default_and_product_terms_are_not(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMBARK_REDACTION__ENGINE")
    ran = runner.invoke(app, ["redact", "I am Maria Silva. How do I connect Stripe?"])
    assert (ran.exit_code, ran.stdout) == (0, "I am <PERSON>. How do I connect Stripe?\n")


def test_an_entity_that_the_policy_refuses_is_said_and_not_quoted(runner: CliRunner) -> None:
    refusing = ["--set", "redaction.entities.CREDIT_CARD=refuse", "redact", PLAIN]
    ran = runner.invoke(app, refusing)
    assert ran.exit_code == 1
    assert "CREDIT_CARD" in ran.stderr
    assert "4929" not in ran.stderr + ran.stdout


def test_json_has_spans_of_the_original(runner: CliRunner) -> None:
    ran = runner.invoke(app, ["redact", PLAIN, "--json"])
    found = json.loads(ran.stdout)
    assert found["text"] == MASKED
    assert [PLAIN[s["start"] : s["end"]] for s in found["spans"]] == [
        "jörg@firma.de",
        "4929 6617 9712 5431",
    ]


def test_documents_keep_their_examples(runner: CliRunner) -> None:
    asked = "Write to support@firma.de or 127.0.0.1"
    ran = runner.invoke(app, ["redact", "--document", asked])
    assert ran.stdout == asked + "\n"


def test_a_batch_goes_on_after_a_bad_line(runner: CliRunner, tmp_path: Path) -> None:
    lines = [json.dumps({"id": "a", "text": PLAIN}), "nonsense", '{"id": "b"}',
             json.dumps({"id": "c", "text": "nothing here"})]  # fmt: skip
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n")
    ran = runner.invoke(app, ["redact", "--batch", "in.jsonl"])
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.exit_code == 1
    assert [record["id"] for record in records] == ["a", None, "b", "c"]
    assert [set(record) for record in records[:2]] == [{"id", "text", "spans"}, {"id", "error"}]
    assert set(records[0]["spans"][0]) == {"start", "end", "type", "score"}
    assert records[3] == {"id": "c", "text": "nothing here", "spans": []}


@pytest.mark.parametrize("arguments", [["redact"], ["redact", "x", "--batch", "in.jsonl"]])
def test_exactly_one_source_of_text(runner: CliRunner, arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2
