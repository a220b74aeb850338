"""`embark eval answers` through the front door: the product indexes, answers and is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from embark.cli import app
from tests.evals.corpus_files import write_beir, write_plain


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "embark.toml").write_text(
        'data_dir = "data"\n[encoder]\nbackend = "hash"\n[answer]\nthreshold = 0.0\n', "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluated(*args: str) -> Result:
    return CliRunner().invoke(app, ["eval", "answers", *args], catch_exceptions=False)


def document(*args: str) -> dict[str, Any]:
    done = evaluated(*args, "--json", "--no-ragas")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_figure_of_a_corpus_that_the_product_answers(here: Path) -> None:
    found = document("--corpus", str(write_beir(here / "tiny")))
    assert found["schema_version"] == 1
    assert (found["corpus"]["asked"], found["corpus"]["asked_left_out"]) == (4, 1)
    table = found["retrieval"]["all"]
    assert set(table) == {"product", "dense", "bm25", "rrf"}
    assert {name: of["hit@10"]["value"] for name, of in table.items()} == dict.fromkeys(table, 1.0)
    assert table["bm25"]["hit@1"]["value"] == 1.0
    cited = found["citations"]
    for name in ("quotes verbatim in the chunk", "quotes verbatim in the file", "units supported"):
        assert cited[name]["value"] == 1.0, found["faults"]
    assert cited["recall of all answerable"]["n"] == 3
    assert set(found["refusal"]["auroc"]) == {
        "off_topic", "left_out", "left_out, same questions",
    }  # fmt: skip
    assert set(found["refusal"]["rates"]) == {
        "answerable: faq", "unanswerable: off_topic", "unanswerable: left_out",
    }  # fmt: skip
    assert {"retrieve", "total"} <= set(found["timings_ms"])
    assert len(found["run"]["index_versions"]) == 1


def test_the_corpus_and_the_data_folder_are_left_as_they_were(here: Path) -> None:
    root = write_beir(here / "tiny")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    document("--corpus", str(root))
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert not (here / "data" / "index").exists()


def test_left_out_pages_cannot_be_found(here: Path) -> None:
    done = evaluated("--corpus", str(write_beir(here / "tiny")), "--no-ragas", "--out", "out")
    assert done.exit_code == 0, done.output
    lines = (here / "out" / "records.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    (gone,) = [record for record in records if record["left_out"]]
    assert gone["id"] == "q2"
    assert "guides__export" not in gone["pages"]
    whole = next(r for r in records if r["id"] == "q2" and not r["left_out"])
    assert "guides__export" in whole["pages"]


def test_the_report_stands_alone_and_escapes_what_it_shows(here: Path) -> None:
    root = write_beir(here / "tiny")
    queries = root / "queries.jsonl"
    text = queries.read_text("utf-8").replace("How do I invite teammates?", "Invite <b>teammates?")
    queries.write_text(text, "utf-8")
    evaluated("--corpus", str(root), "--no-ragas", "--out", str(here / "out"))
    page = (here / "out" / "answers.html").read_text("utf-8")
    assert page.count("<svg") == 3
    assert "Invite &lt;b&gt;teammates?" in page
    assert "<b>teammates" not in page
    assert "<script" not in page
    assert "src=" not in page
    stored = json.loads((here / "out" / "answers.json").read_text("utf-8"))
    assert stored["corpus"]["name"] == "tiny"


def test_a_follow_up_is_asked_in_the_conversation_it_continues(here: Path) -> None:
    root = write_plain(here / "plain")
    evaluated("--corpus", str(root), "--no-ragas", "--out", "out")
    lines = (here / "out" / "records.jsonl").read_text("utf-8").splitlines()
    records = {record["id"]: record for record in map(json.loads, lines)}
    assert records["f1"]["pages"][0] == "guides__export"
    assert records["q3"]["pages"] == ["guides__alerts"]  # the filter leaves nothing else


def test_a_limit_draws_the_same_questions_for_the_same_seed(here: Path) -> None:
    root = str(write_beir(here / "tiny"))
    one, two = (document("--corpus", root, "--limit", "2", "--no-leave-out") for _ in range(2))
    assert one["corpus"]["asked"] == 2
    assert one["corpus"]["asked_left_out"] == 0
    assert [s["id"] for s in one["samples"]] == [s["id"] for s in two["samples"]]
    assert one["retrieval"] == two["retrieval"]


def test_a_missed_threshold_ends_with_five(here: Path) -> None:
    (here / "hard.toml").write_text('["wording/words"]\nat_most = 0\n', "utf-8")
    root = str(write_beir(here / "tiny"))
    args = ("--corpus", root, "--no-ragas", "--gate", "--thresholds", "hard.toml")
    done = evaluated(*args)
    assert done.exit_code == 5
    assert "gate: wording/words is" in done.stderr


def test_a_folder_that_is_no_corpus_is_a_configuration_error(here: Path) -> None:
    done = evaluated("--corpus", str(here), "--no-ragas")
    assert done.exit_code == 3
    assert "docs is missing" in done.stderr


def test_ragas_without_a_model_runs_what_needs_none(here: Path) -> None:
    done = evaluated("--corpus", str(write_beir(here / "tiny")), "--json", "--no-leave-out")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["ragas"]
    assert found["version"] == "0.4.3"
    assert found["figures"]["id_based_context_recall"]["value"] == 1.0
    assert 0 < found["figures"]["non_llm_string_similarity"]["value"] <= 1
    assert found["skipped"]["faithfulness"] == "needs a judge: configure a model"
