"""From data to labelled sentences: split by template, changed with true offsets, scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from guardrails.names.augmentation import beside, filled, pools_of, recased, swapped
from guardrails.names.corpus import (
    Corpus,
    CorpusError,
    Labelled,
    Part,
    digest_of,
    name_types,
    of_part,
    read_presidio,
)
from guardrails.names.prose import read_corpus, sentences_of
from guardrails.names.scoring import Tally
from guardrails.types import Span
from tests.guardrails.names.data import write_data


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return read_corpus(write_data(tmp_path_factory.mktemp("data")))


def test_a_changed_label_changes_the_hash_of_the_data(corpus: Corpus) -> None:
    first = next(one for one in corpus.labelled if one.names)
    changed = [replace(first, names=()) if one is first else one for one in corpus.labelled]
    assert digest_of(changed) != digest_of(corpus.labelled)


def test_no_template_is_in_two_parts(tmp_path: Path) -> None:
    from_template: dict[str, set[Part]] = {}
    data = write_data(tmp_path, rows=3)
    rows = (data / "pii_presidio" / "sentences.jsonl").read_text().splitlines()
    for row, one in zip(rows, read_presidio(data, name_types(addresses=False)), strict=True):
        from_template.setdefault(row.split('"template_id": ')[1], set()).add(one.part)
    assert [parts for parts in from_template.values() if len(parts) > 1] == []
    assert len(set.union(*from_template.values())) > 1


def test_every_part_has_sentences_of_its_own(corpus: Corpus) -> None:
    texts = [{one.text for one in of_part(corpus.prose, part)} for part in Part]
    assert all(texts)
    assert not texts[0] & texts[1] | texts[1] & texts[2] | texts[0] & texts[2]


def test_a_missing_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"sentences\.jsonl"):
        read_corpus(tmp_path)


def test_prose_is_read_without_code_links_and_tables() -> None:
    page = (
        "---\ntitle: Maria Silva\n---\n# Set up the Gateway today\n\n"
        "Open the [Admin API](https://x.io/a) and **choose** `Plugins` now. See below.\n"
        "```\nsecret = code of four words\n```\n| a b c d | e f g h |\n"
    )
    assert list(sentences_of(page)) == [
        "Set up the Gateway today",
        "Open the Admin API and choose Plugins now.",
    ]


def test_swapped_filled_and_joined_sentences_keep_true_offsets(corpus: Corpus) -> None:
    rng = Random(1)
    sentences = of_part(corpus.labelled, Part.FIT)
    pools = pools_of(sentences)
    known = {*pools.persons, *pools.first, *pools.last, *pools.places, *pools.companies}
    prose = corpus.prose[0]
    for sentence in sentences[:100]:
        chat = filled("hey {F}, {P} of {O} is in {L}", pools, rng)
        for one in (swapped(sentence, pools, rng), chat, beside(chat, prose, rng)):
            values = [one.text[name.start : name.end] for name in one.names]
            assert all(v in known or set(v.split()) <= known for v in values)


def test_a_case_change_that_would_move_offsets_is_left_out() -> None:
    sentence = Labelled("Straße in Gießen", (Span(10, 16, "LOCATION", 1.0),), "x", Part.FIT)
    assert recased(sentence, str.upper) == sentence
    assert recased(sentence, str.lower).text == "straße in gießen"


@pytest.mark.parametrize(("strict", "right"), [(False, 2), (True, 1)])
def test_scores_count_overlap_or_equal_bounds(strict: bool, right: int) -> None:
    tally = Tally(strict)
    true = [Span(0, 5, "PERSON", 1), Span(10, 15, "PERSON", 1), Span(20, 25, "PERSON", 1)]
    tally.add(true, [Span(0, 5, "PERSON", 1), Span(12, 18, "PERSON", 1), Span(20, 25, "X", 1)])
    score = tally.score(["PERSON"])
    assert (score.n, score.precision, score.recall) == (3, right / 2, right / 3)
