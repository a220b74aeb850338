from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.embark.project import PAGES, records, run, write_lines

KEYS = [
    "id",
    "answer",
    "refused",
    "reason",
    "confidence",
    "citations",
    "retrieved",
    "timings_ms",
]


def test_an_answer_shows_its_sources(indexed: Path) -> None:
    said = run("ask", "How do I invite teammates?")
    assert said.exit_code == 0
    assert "[1]" in said.stdout
    assert "guides/invite.md#invite-teammates" in said.stdout
    assert "embark search --explain" in said.stderr


def test_json_is_one_object_of_the_documented_keys(indexed: Path) -> None:
    said = json.loads(run("ask", "--json", "How do I invite teammates?").stdout)
    assert list(said) == ["schema_version", *KEYS[1:]]
    assert said["refused"] is False


def test_a_batch_keeps_keys_order_and_verbatim_quotes(indexed: Path) -> None:
    lines = [{"id": f"q{n}", "text": "How do I resend an invitation?"} for n in range(9)]
    done = run("ask", "--batch", str(write_lines(indexed / "in.jsonl", *lines)))
    assert done.exit_code == 0
    found = records(done)
    assert [record["id"] for record in found] == [line["id"] for line in lines]
    for record in found:
        assert list(record) == KEYS
        assert record["reason"] is None
        assert isinstance(record["citations"], list)
        for citation in record["citations"]:
            assert list(citation) == ["marker", "chunk_id", "path", "title", "anchor", "quote"]
            assert citation["quote"] in PAGES[citation["path"]]
        assert isinstance(record["timings_ms"], dict)
        assert "total" in record["timings_ms"]


def test_bad_lines_are_records_and_the_batch_ends_with_one(indexed: Path) -> None:
    file = write_lines(
        indexed / "in.jsonl",
        {"id": "good", "text": "How do I invite teammates?"},
        "{broken",
        {"id": 5, "text": "t"},
        {"id": "colour", "text": "t", "filter": {"colour": "red"}},
        {"id": "last", "text": "How do I export a dashboard?"},
    )
    done = run("ask", "--batch", str(file))
    assert done.exit_code == 1
    good, broken, number, colour, last = records(done)
    assert "answer" in good
    assert "answer" in last
    assert broken["id"] is None
    assert number["id"] is None
    assert set(broken) == set(number) == set(colour) == {"id", "error"}
    assert colour["id"] == "colour"
    assert "unknown filter field 'colour'" in str(colour["error"])


def test_retrieved_is_there_when_the_turn_is_refused(indexed: Path) -> None:
    file = write_lines(indexed / "in.jsonl", {"id": "a", "text": "Invite bob to my team please"})
    (record,) = records(run("--set", "answer.threshold=1", "ask", "--batch", str(file)))
    assert record["refused"] is True
    assert isinstance(record["reason"], str)
    assert record["retrieved"]
    assert record["citations"] == []
    assert record["answer"]


def test_a_filter_narrows_a_line(indexed: Path) -> None:
    question = {"id": "a", "text": "invite or export", "filter": {"path": "guides/export.md"}}
    file = write_lines(indexed / "in.jsonl", question)
    (record,) = records(run("search", "--batch", str(file)))
    assert isinstance(record["retrieved"], list)
    assert {seen["path"] for seen in record["retrieved"]} == {"guides/export.md"}


def test_a_batch_from_stdin(indexed: Path) -> None:
    done = run("search", "--batch", "-", stdin='{"id":"a","text":"invite"}\n')
    (record,) = records(done)
    assert list(record) == ["id", "retrieved", "timings_ms"]


@pytest.mark.parametrize(
    ("options", "sees"),
    [((), True), (("--as", "plan=growth"), False), (("--as", "audience=staff"), True)],
)
def test_staff_see_everything_unless_told_otherwise(
    indexed: Path, options: tuple[str, ...], sees: bool
) -> None:
    found = run("search", "--json", *options, "outage incident commander war room").stdout
    assert ("runbooks/outage.md" in found) is sees


def test_a_configured_viewer_and_the_way_back_to_staff(indexed: Path) -> None:
    viewer = ("--set", 'viewer={"audience": ["user"]}', "search", "--json", "outage incident")
    assert "runbooks/outage.md" not in run(*viewer).stdout
    assert "runbooks/outage.md" in run(*viewer, "--as", "staff").stdout


def test_explain_shows_scores_and_confidence(indexed: Path) -> None:
    shown = run("search", "--explain", "invite teammates").stdout
    assert "cosine" in shown
    assert "confidence" in shown
    explained = json.loads(run("search", "--explain", "--json", "invite teammates").stdout)
    assert {"confidence", "features", "index_version"} <= set(explained)


@pytest.mark.parametrize("verb", ["ask", "search"])
@pytest.mark.parametrize("args", [(), ("text", "--batch", "x.jsonl"), ("--batch", "none.jsonl")])
def test_what_is_asked_must_be_clear(project: Path, verb: str, args: tuple[str, ...]) -> None:
    assert run(verb, *args).exit_code == 2


@pytest.mark.parametrize("verb", ["ask", "search"])
def test_without_an_index_the_batch_does_not_begin(project: Path, verb: str) -> None:
    file = write_lines(project / "in.jsonl", {"id": "a", "text": "t"})
    done = run(verb, "--batch", str(file))
    assert done.exit_code == 3
    assert done.stdout == ""
    assert "nothing is indexed yet" in done.stderr


def test_a_label_that_does_not_exist_is_a_usage_error(project: Path) -> None:
    done = run("ask", "--as", "colour=red", "t")
    assert done.exit_code == 2
    assert "fields: audience, plan, role, version, locale" in done.stderr
