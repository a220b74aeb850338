from __future__ import annotations

from pathlib import Path

import pytest

from evals.corpus import CorpusError, load_corpus
from tests.evals.corpus_files import write_beir, write_plain


def test_the_layout_with_relevance(tmp_path: Path) -> None:
    corpus = load_corpus(write_beir(tmp_path))
    assert [question.id for question in corpus.answerable] == ["q1", "q2", "q3"]
    assert corpus.questions[0].answering == {"guides__invite"}
    assert corpus.questions[3].pages == {}
    assert corpus.leave_out == {"q2": {"guides__export"}}
    assert len(corpus.digest) == 12


def test_the_layout_of_questions_alone(tmp_path: Path) -> None:
    corpus = load_corpus(write_plain(tmp_path))
    first, _, filtered, follow_up = corpus.questions
    assert first.answering == {"guides__invite"}
    assert filtered.narrow == {"path": {"guides/alerts.md", "guides/none.md"}}
    assert follow_up.after == "q2"
    assert corpus.leave_out == {}


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    root = write_beir(tmp_path)
    (root / "qrels.tsv").unlink()
    with pytest.raises(CorpusError, match=r"qrels\.tsv is missing"):
        load_corpus(root)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("queries.jsonl", '{"_id": "x"}\n'),
        ("queries.jsonl", "[1]\n"),
        ("qrels.tsv", "q1\tp\ttwo\n"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, file: str, line: str) -> None:
    path = write_beir(tmp_path) / file
    with path.open("a", encoding="utf-8") as opened:
        opened.write(line)
    with pytest.raises(CorpusError, match=rf"{file}:5: "):
        load_corpus(tmp_path)


def test_a_follow_up_to_nothing_is_refused(tmp_path: Path) -> None:
    path = write_plain(tmp_path) / "questions.jsonl"
    path.write_text(path.read_text("utf-8").replace('"after": "q2"', '"after": "q9"'), "utf-8")
    with pytest.raises(CorpusError, match="f1 comes after 'q9'"):
        load_corpus(tmp_path)
