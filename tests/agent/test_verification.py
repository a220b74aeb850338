from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.render import Unit
from agent.types import Block, Draft
from agent.verification import LONGEST_QUOTE, MOST_UNITS, Verifier
from guardrails import stored
from retrieval.types import Evidence, Passage
from tests.agent.shelf import CHUNKS, VERSION, evidence, grounding, renamed


def draft(text: str, *markers: int, block: Block = Block.SENTENCE) -> Draft:
    return Draft(stored(text), markers, block)


def verifier(*which: int) -> Verifier:
    return Verifier(grounding(), evidence(*which))


def over(*texts: str) -> Verifier:
    found = tuple(Passage(renamed(CHUNKS[i], text), 1, 1, 1) for i, text in enumerate(texts))
    return Verifier(grounding(), Evidence(VERSION, found, found, 0.9, {}))


def shown(check: Verifier, *drafts: Draft) -> list[str]:
    return [unit.text for each in drafts for unit in check.check(each)]


def test_a_supported_sentence_is_cited_with_a_verbatim_quote() -> None:
    check = verifier(0)
    (unit,) = check.check(draft("Up to 50 people can be invited at once by admins.", 1))
    assert unit.markers == (1,)
    (citation,) = check.citations
    assert citation.quote == "Admins can invite up to 50 people at once."
    assert (citation.chunk_id, citation.anchor) == ("guides/invite#0", "send-invites")
    assert citation.index_version == VERSION


@pytest.mark.parametrize(
    ("text", "markers", "reason"),
    [
        ("Admins can invite up to 51 people at once.", (1,), "number"),
        ("Admins can invite up to 50 people at once.", (), "no_citation"),
        ("Admins can invite up to 50 people at once.", (3,), "unknown_citation"),
        ("Salesforce can invite up to 50 people at once.", (1,), "name"),
        ("Run `harbor nuke` to invite people.", (1,), "code"),
        ("Bananas grow well in warm places.", (1,), "support"),
        ("Admins invite people [here](https://a.example).", (1,), "url"),
        ("![](x)", (1,), "url"),
        ("...", (1,), "empty"),
    ],
)
def test_what_is_not_supported_is_dropped_and_says_why(
    text: str, markers: tuple[int, ...], reason: str
) -> None:
    check = verifier(0, 1)
    assert shown(check, draft(text, *markers)) == []
    assert dict(check.dropped) == {reason: 1}
    assert check.citations == ()


def test_numbers_are_given_by_first_use() -> None:
    check = verifier(0, 1, 2)
    units = [
        *check.check(draft("A dashboard can be exported as PDF or as CSV.", 3)),
        *check.check(draft("Admins can invite up to 50 people at once.", 1)),
        *check.check(draft("Exports are kept for 30 days.", 3)),
    ]
    assert [unit.markers for unit in units] == [(1,), (2,), (1,)]
    assert [c.title for c in check.citations] == ["Export a dashboard", "Invite teammates"]
    assert all(c.quote in CHUNKS[i].text for c, i in zip(check.citations, (2, 0), strict=True))


def test_a_quote_grows_over_neighbours_but_not_over_a_page() -> None:
    far = "Admins can invite people." + " Filler words stand here." * 40 + " Links last seven days."
    check = over(far)
    shown(check, draft("Admins can invite people.", 1), draft("Links last seven days.", 1))
    assert [c.quote for c in check.citations] == [
        "Admins can invite people.",
        "Links last seven days.",
    ]
    assert len(far) > LONGEST_QUOTE
    near = over("Admins can invite people. Links last seven days.")
    shown(near, draft("Admins can invite people.", 1), draft("Links last seven days.", 1))
    assert [c.quote for c in near.citations] == ["Admins can invite people. Links last seven days."]


def test_code_shares_the_citation_of_the_sentence_above_it() -> None:
    code = "\n".join(f"harbor step {n} --with-a-long-flag" for n in range(20))
    page = f"Run these commands in order:\n\n```\n{code}\n```\n"
    check = over(page)
    shown(check, draft("Run these commands in order:", 1), draft(code, 1, block=Block.CODE))
    (citation,) = check.citations
    assert citation.quote.startswith("Run these")
    assert citation.quote.endswith("step 19 --with-a-long-flag")


def test_a_unit_of_two_sentences_loses_the_one_that_does_not_hold() -> None:
    check = verifier(0)
    both = draft("Admins can invite up to 50 people at once. It costs 9 dollars.", 1)
    assert shown(check, both) == ["Admins can invite up to 50 people at once."]
    assert dict(check.dropped) == {"number": 1}


def test_a_step_whose_first_sentence_does_not_hold_is_dropped_whole() -> None:
    check = verifier(0)
    step = draft("Pay 9 dollars. Click Invite people.", 1, block=Block.STEP)
    assert shown(check, step) == []


def test_a_passage_that_adds_nothing_is_not_cited() -> None:
    check = verifier(1, 0)
    (unit,) = check.check(draft("Admins can invite up to 50 people at once.", 1, 2))
    assert unit.markers == (1,)
    assert [c.title for c in check.citations] == ["Invite teammates"]


def test_a_passage_that_only_sounds_alike_is_not_cited() -> None:
    check = over("Admins can invite up to 50 people at once.", "Admins can remove people at once.")
    (unit,) = check.check(draft("Admins can invite up to 50 people at once.", 2, 1))
    assert unit.markers == (1,)
    assert [c.quote for c in check.citations] == ["Admins can invite up to 50 people at once."]


def test_code_and_tables_are_the_pages_own() -> None:
    check = verifier(1)
    code = draft("harbor sso enable --provider okta", 1, block=Block.CODE)
    table = draft("| Provider | Protocol |\n|---|---|\n| Okta | SAML |", 1, block=Block.TABLE)
    forged = draft("harbor sso enable --provider evil", 1, block=Block.CODE)
    assert len(shown(check, code, table, forged)) == 2
    assert dict(check.dropped) == {"code": 1}


def test_a_tables_links_are_text() -> None:
    check = over("| Name |\n| --- |\n| [x](https://evil.example) ![p](https://evil.example/p) |")
    table = "| [x](https://evil.example) ![p](https://evil.example/p) |"
    (text,) = shown(check, draft(table, 1, block=Block.TABLE))
    assert "evil" not in text
    assert "x" in text


def test_a_lead_in_waits_for_what_it_leads_to() -> None:
    check = verifier(2)
    assert check.check(draft("Formats", 1, block=Block.HEADING)) == ()
    assert check.check(draft("Exports are kept for 31 days.", 1)) == ()
    units = check.check(draft("Exports are kept for 30 days.", 1))
    assert [unit.block for unit in units] == [Block.HEADING, Block.SENTENCE]
    assert units[0] == Unit("Formats", Block.HEADING, (), "guides/export#0")


def test_a_lead_in_that_no_page_has_is_dropped() -> None:
    check = verifier(2)
    check.check(draft("Cheap formats", 1, block=Block.HEADING))
    assert dict(check.dropped) == {"heading": 1}


def test_a_quote_that_is_not_the_pages_words_is_replaced_or_refused() -> None:
    check = verifier(0)
    lying = Draft(stored("Admins can invite up to 50 people at once."), (1,), quote=stored("Lies."))
    assert shown(check, lying) == []
    loose = Draft(
        stored("Admins can invite up to 50 people at once."),
        (1,),
        quote=stored("admins can  invite up to 50 people at once"),
    )
    assert shown(check, loose)
    assert all(c.quote in CHUNKS[0].text for c in check.citations)


def test_an_answer_has_an_end() -> None:
    check = verifier(0)
    endless = [draft("Admins can invite up to 50 people at once.", 1)] * (MOST_UNITS + 3)
    assert len(shown(check, *endless)) == MOST_UNITS
    assert dict(check.dropped) == {"too_many": 3}


POOL = (
    draft("Admins can invite up to 50 people at once.", 1),
    draft("The link works for seven days.", 1),
    draft("Click Invite people.", 1, block=Block.STEP),
    draft("Owners turn it on under Security.", 2),
    draft("harbor sso enable --provider okta", 2, block=Block.CODE),
    draft("Exports are kept for 30 days.", 3, 1),
    draft("Exports are kept for 31 days.", 3),
    draft("Formats", 3, block=Block.HEADING),
    draft("PDF keeps the layout.", 9),
)


@given(st.lists(st.sampled_from(POOL), max_size=8))
def test_whatever_the_order_every_marker_has_a_verbatim_quote(drafts: list[Draft]) -> None:
    check = verifier(0, 1, 2)
    units = [unit for each in drafts for unit in check.check(each)]
    used = list(dict.fromkeys(marker for unit in units for marker in unit.markers))
    assert used == sorted(used) == [c.marker for c in check.citations]
    texts = {c.id: c.text for c in CHUNKS}
    assert all(c.quote and c.quote in texts[c.chunk_id] for c in check.citations)
    headings = sum(unit.block is Block.HEADING for unit in units)
    waiting = sum(d.block is Block.HEADING for d in drafts) - headings
    assert len(units) + check.dropped.total() + waiting == len(drafts)
