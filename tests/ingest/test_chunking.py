from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunking import ChunkPolicy, Piece, chunk_page, pieces_of
from ingest.pages import load
from ingest.types import PageError, Severity
from retrieval.types import Chunk
from tests.ingest.reading import Pages, Plain, page, raw

WORDS = "An admin invites people from the settings page. "


def chunks(text: str, path: str = "guides/invite.md") -> list[Chunk]:
    return chunk_page(page(text, path), tenant="acme", source="docs", redactor=Plain())


def pieces(text: str, max_chars: int = 1000, min_chars: int = 0) -> list[Piece]:
    return pieces_of(page(text), ChunkPolicy(max_chars, min_chars))


def texts(text: str, max_chars: int = 1000, min_chars: int = 0) -> list[str]:
    return [piece.text for piece in pieces(text, max_chars, min_chars)]


def test_identity_headings_anchors_and_labels() -> None:
    source = (
        "---\nplan: pro\nupdated: 2026-11-02\n---\nLead.\n\n# Invite\n\nIntro.\n\n## Limits\n\n"
        "### Seats {#seats}\n\nFifty.\n\n## Limits\n\nNone.\n"
    )
    found = chunks(source)
    assert [(c.id, c.heading_path, c.anchor, c.text) for c in found] == [
        ("guides/invite#0", (), None, "Lead."),
        ("guides/invite#1", (), "invite", "Intro."),
        ("guides/invite#2", ("Limits", "Seats"), "seats", "Fifty."),
        ("guides/invite#3", ("Limits",), "limits-1", "None."),
    ]
    assert {(c.title, c.doc_id, c.path, c.source) for c in found} == {
        ("Invite", "guides/invite", "guides/invite.md", "docs")
    }
    assert found[0].labels.tenant == "acme"
    assert (found[0].labels.plan, found[0].labels.audience) == (("pro",), ("*",))
    assert found[0].doc_version == "2026-11-02"


def test_a_first_heading_that_is_not_the_title_stays_in_the_path() -> None:
    found = chunks("---\ntitle: Guide\n---\n# Invite\n\nText\n")
    assert (found[0].title, found[0].heading_path) == ("Guide", ("Invite",))


def test_titles_fall_back_to_the_file_name() -> None:
    assert chunks("text", "a/set-up_sso.md")[0].title == "Set up sso"
    assert chunks("text", "a/billing/index.md")[0].title == "Billing"
    assert chunks("text", "README.md")[0].title == "Home"


def test_text_title_and_headings_are_redacted() -> None:
    (chunk,) = chunks("# Title SECRET\n\n## Ask SECRET\n\nKey SECRET here\n")
    assert (chunk.title, chunk.heading_path) == ("Title <SECRET>", ("Ask <SECRET>",))
    assert chunk.text == "Key <SECRET> here"
    assert chunk.anchor == "ask-secret"  # as the published page has it


def test_hash_follows_what_vectors_depend_on_and_nothing_else() -> None:
    base = page("# T\n\n## H\n\ntext\n")

    def hashed(**fields: object) -> str:
        made = replace(base, **fields)  # type: ignore[arg-type]
        return chunk_page(made, tenant="t", source="s", redactor=Plain())[0].content_hash

    assert hashed(path="other.md", doc_version="2", url="https://x.example") == hashed()
    assert hashed(labels=page("---\nplan: pro\n---\nx").labels) == hashed()
    assert hashed(title="U") != hashed()
    assert chunks("# T\n\n## H\n\ntext!\n")[0].content_hash != hashed()
    assert chunks("# T\n\n## HH\n\ntext\n")[0].content_hash != hashed()
    assert chunks("# T\n\n## H\n\ntext\n", "elsewhere.md")[0].content_hash == hashed()


def test_a_blank_tenant_is_refused() -> None:
    with pytest.raises(ValueError, match="has no tenant"):
        chunk_page(page("text"), tenant=" ", source="s", redactor=Plain())


def test_a_policy_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="min_chars 10"):
        ChunkPolicy(max_chars=10, min_chars=10)


def test_a_table_stays_whole_with_its_lead_in() -> None:
    table = "| Plan | Seats |\n|---|---|\n" + "\n".join(f"| p{n} | {n} |" for n in range(10))
    source = f"{WORDS * 2}\n\nLimits by plan:\n\n{table}\n\nAfter it.\n"
    whole = f"Limits by plan:\n\n{table}"
    assert texts(source, len(whole)) == [(WORDS * 2).strip(), whole, "After it."]


def test_a_long_table_repeats_its_header_and_is_flagged() -> None:
    rows = [f"| plan {n} | {n} seats |" for n in range(20)]
    found = pieces(
        "These are the limits by plan:\n\n| Plan | Seats |\n|---|---|\n" + "\n".join(rows) + "\n",
        150,
    )
    assert all(piece.text.count("| Plan | Seats |\n|---|---|\n") == 1 for piece in found)
    assert all(piece.parted and len(piece.text) <= 150 for piece in found)
    assert found[0].text.startswith("These are the limits by plan:\n\n| Plan")
    kept = [line for piece in found for line in piece.text.split("\n") if "seats" in line]
    assert kept == rows


def test_long_code_repeats_its_fence_and_is_flagged() -> None:
    lines = [f"echo step {n}" for n in range(30)]
    found = pieces("Run this on the host:\n\n```bash\n" + "\n".join(lines) + "\n```\n\nEnd.\n", 120)
    assert found[0].text.startswith("Run this on the host:\n\n```bash\necho step 0")
    code = [piece for piece in found if piece.parted]
    assert len(code) > 2
    for piece in code:
        assert piece.text.count("```bash\n") == 1
        assert piece.text.count("\n```") >= 1
    assert [x for piece in code for x in piece.text.split("\n") if x.startswith("echo")] == lines


def test_steps_stay_together_where_they_fit_and_part_between_items_where_not() -> None:
    steps = [f"{n}. Open page {n} and choose **Save**." for n in range(1, 9)]
    together = texts(f"{WORDS * 4}\n\nDo this:\n\n" + "\n".join(steps) + "\n", 400)
    assert together[1] == "Do this:\n\n" + "\n".join(steps)
    parted = texts("Do this:\n\n" + "\n".join(steps) + "\n", 120)
    assert [line for text in parted for line in text.split("\n") if line[:1].isdigit()] == steps
    assert all(len(text) <= 120 for text in parted)


def test_the_rest_of_a_cut_item_is_dedented() -> None:
    code = "\n".join(f"   echo {n}" for n in range(12))
    found = texts(f"1. First do this.\n\n   ```bash\n{code}\n   ```\n\n2. Then that.\n", 110)
    assert found[1].startswith("```bash\necho")
    assert "\n   echo" not in found[1]


def test_long_prose_parts_between_sentences() -> None:
    found = texts(WORDS * 30, 300)
    assert all(len(text) <= 300 and text.endswith(".") for text in found)
    assert " ".join(found) == (WORDS * 30).strip()


def test_words_part_only_where_nothing_else_can() -> None:
    found = texts("word " * 100, 60)
    assert all(len(text) <= 60 for text in found)
    assert " ".join(found) == ("word " * 100).strip()
    assert texts("x" * 500, 60) == ["x" * 500]


def test_a_chunk_never_crosses_a_heading() -> None:
    found = pieces(f"# T\n\n## A\n\n{WORDS * 5}\n\n### B\n\nshort\n\n## C\n\nshort\n", 1000, 200)
    assert [piece.heading_path for piece in found] == [("A",), ("A", "B"), ("C",)]


def test_small_siblings_are_joined_and_named() -> None:
    small = "# T\n\n## Roles\n\n### Owner\n\nAll.\n\n### Admin\n\nMost.\n\n### Guest\n\n"
    source = f"{small}{WORDS * 5}\n"
    found = pieces(source, 1000, 200)
    assert [(p.heading_path, p.anchor) for p in found] == [
        (("Roles", "Owner / Admin"), "owner"),
        (("Roles", "Guest"), "guest"),
    ]
    assert found[0].text == "All.\n\nMost."


def test_a_small_rest_is_evened_out() -> None:
    paragraphs = [f"{n} {WORDS * 4}".strip() for n in range(5)]
    sizes = [len(text) for text in texts("\n\n".join(paragraphs), 900, 300)]
    assert min(sizes) >= 300


def test_two_pages_that_differ_by_suffix_keep_their_own_ids() -> None:
    found = list(load(Pages([raw("a", "x.adoc"), raw("b", "x.md")])))
    assert [p.doc_id for p in found if not isinstance(p, PageError)] == ["x", "x.md"]
    (note,) = [p for p in found if isinstance(p, PageError)]
    assert (note.path, note.severity) == ("x.md", Severity.WARNING)


# --- nothing is lost ---------------------------------------------------------------------------

LETTERS = string.ascii_letters + string.digits + "äß.,:;!?()'\"-_*`|&%$"
word = st.text(LETTERS, min_size=1, max_size=12).filter(lambda text: not text.startswith("`"))
line = st.lists(word, min_size=1, max_size=30).map(lambda words: "w " + " ".join(words))
prose = st.lists(line, min_size=1, max_size=6).map("\n".join)
code = st.lists(st.text(LETTERS + " #<>", max_size=60), max_size=40).map(
    lambda lines: "```py\n" + "\n".join(f"c {text}" for text in lines) + "\n```"
)
cell = st.text(string.ascii_letters + " ", max_size=20)
table = st.lists(st.tuples(cell, cell), max_size=30).map(
    lambda rows: "| A | B |\n|---|---|\n" + "\n".join(f"| r {a} | {b} |" for a, b in rows)
)
steps = st.lists(line, min_size=1, max_size=12).map(
    lambda items: "\n".join(f"{n}. {text}" for n, text in enumerate(items, 1))
)
nested = st.lists(st.tuples(line, line), min_size=1, max_size=6).map(
    lambda items: "\n".join(f"* {a}\n\n  ```\n  {b}\n  ```\n  * {b}" for a, b in items)
)
quote = st.lists(line, min_size=1, max_size=4).map(lambda x: "\n".join(f"> {y}" for y in x))
heading = st.tuples(st.integers(1, 4), st.text(string.ascii_letters + " ", min_size=1)).map(
    lambda pair: f"{'#' * pair[0]} h{pair[1]}"
)
markdown = st.lists(
    st.one_of(prose, code, table, steps, nested, quote, heading), min_size=1, max_size=12
).map("\n\n".join)


@settings(max_examples=60)
@given(markdown, st.integers(80, 1200), st.integers(0, 79))
def test_every_line_below_a_heading_is_in_the_chunks_in_order(
    source: str, max_chars: int, min_chars: int
) -> None:
    """White space aside: a line longer than a chunk goes on in the next one."""
    wanted = [" ".join(x.split()) for x in source.split("\n") if x.strip() and x[0] != "#"]
    if not wanted:
        return
    found = " ".join(" ".join(texts(source, max_chars, min_chars)).split())
    at = 0
    for text in wanted:
        place = found.find(text, at)
        assert place >= 0, (text, found[at : at + 200])
        at = place + len(text)


@settings(max_examples=40)
@given(markdown, st.integers(80, 1200))
def test_chunks_keep_to_their_size(source: str, max_chars: int) -> None:
    if all(not x.strip() or x[0] == "#" for x in source.split("\n")):
        return
    for piece in pieces(source, max_chars, 0):
        longest = max(len(x) for x in piece.text.split("\n"))
        assert len(piece.text) <= max_chars or longest > max_chars - 60
