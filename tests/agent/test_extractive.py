"""The extractive answerer, its selection of units, and the words that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from agent.answerers.extractive import ExtractiveAnswerer
from agent.answerers.plain import plain
from agent.answerers.selection import SelectionPolicy, around_best, whole
from agent.types import Answerer, Block, Draft
from guardrails import Redacted, literal, stored
from retrieval.memory import HashEncoder
from retrieval.types import Passage, Vector
from retrieval.units import UnitKind, split
from tests.agent.shelf import passages
from tests.contracts.answerer import AnswererContract

LONG = "\n\n".join(
    (
        "Harbor keeps every import for thirty days. Old imports are listed under History.",
        "To rotate the key of a connector:",
        "1. Open **Connectors**.\n2. Choose the connector.\n3. Click **Rotate key**.",
        "```bash\nharbor connectors rotate --id 7\n```",
        *(f"Unrelated paragraph {n} about colours and fonts of the report." for n in range(20)),
    )
)


class CountingEncoder(HashEncoder):
    """Counts how many texts were encoded as passages."""

    encoded = 0

    @override
    def encode_passages(self, texts: Sequence[Redacted]) -> Vector:
        self.encoded += len(texts)
        return super().encode_passages(texts)


class TestExtractiveContract(AnswererContract):
    @pytest.fixture
    def answerer(self) -> Answerer:
        return ExtractiveAnswerer(HashEncoder())


def passage(text: str) -> Passage:
    shown = passages(0)[0]
    return replace(shown, chunk=replace(shown.chunk, text=stored(text)))


async def answer(
    question: str, *given_: Passage, encoder: HashEncoder | None = None
) -> list[Draft]:
    answerer = ExtractiveAnswerer(encoder or HashEncoder())
    return [d async for d in answerer.draft(stored(question), given_, ())]


async def test_a_short_chunk_is_shown_whole_without_encoding() -> None:
    encoder = CountingEncoder()
    drafts = await answer("How many people?", *passages(0), encoder=encoder)
    assert [d.block for d in drafts].count(Block.STEP) == 3
    assert drafts[-1].text == "The link works for seven days."
    assert encoder.encoded == 0


async def test_of_a_long_chunk_the_steps_with_lead_in_and_code_are_shown() -> None:
    drafts = await answer("How do I rotate the key of a connector?", passage(LONG))
    shown = [d.text for d in drafts]
    assert shown[:2] == ["To rotate the key of a connector:", "Open **Connectors**."]
    assert "harbor connectors rotate --id 7" in shown
    assert sum(map(len, shown)) <= SelectionPolicy().run_chars


async def test_a_passage_that_only_asks_is_passed_over() -> None:
    drafts = await answer("What is SSO?", passage("**What is single sign-on?**"), *passages(1))
    assert {d.markers for d in drafts} == {(2,)}


async def test_units_of_two_pages_are_never_woven_together() -> None:
    drafts = await answer("How do I export a dashboard and invite people?", *passages(2, 0))
    assert {d.markers for d in drafts} == {(1,)}


INTRO = "This sets up SAML between Okta and Harbor. You need to be an Okta administrator."
STEPS = "1. In Okta, add the Harbor app.\n2. Copy the metadata URL.\n3. Paste it into Harbor."


def of_page(ordinal: int, text: str) -> Passage:
    first = passage(text)
    return replace(first, chunk=replace(first.chunk, ordinal=ordinal))


async def test_who_asks_how_gets_the_steps_behind_the_introduction() -> None:
    page = (of_page(0, INTRO), of_page(7, "1. Remove it again."), of_page(2, STEPS))
    drafts = await answer("How do I set up SSO with Okta?", *page)
    assert [d.markers[0] for d in drafts] == [1, 1, 3, 3, 3]
    assert [d.block for d in drafts[2:]] == [Block.STEP] * 3


@pytest.mark.parametrize(
    ("question", "first"),
    [("What does SSO with Okta need?", 0), ("How do I set up SSO with Okta?", 4)],
)
async def test_otherwise_one_chunk_answers(question: str, first: int) -> None:
    drafts = await answer(question, of_page(first, INTRO), of_page(5, STEPS))
    assert {d.markers for d in drafts} == {(1,)}


async def test_code_keeps_its_language_and_lines() -> None:
    drafts = await answer("How do I enable SSO with Okta?", *passages(1))
    code = next(d for d in drafts if d.block is Block.CODE)
    assert (code.language, code.text) == ("bash", "harbor sso enable --provider okta")


async def test_code_and_tables_inside_a_list_lose_its_indent() -> None:
    nested = (
        "1. Map:\n\n   | a | b |\n   |---|---|\n   | 1 | 2 |\n\n"
        "2. Run:\n\n   ```yaml\n   job:\n     id: 7\n   ```\n3. Done."
    )
    drafts = {d.block: d.text for d in await answer("How do I map and run?", passage(nested))}
    assert drafts[Block.TABLE] == "| a | b |\n|---|---|\n| 1 | 2 |"
    assert drafts[Block.CODE] == "job:\n  id: 7"


def test_around_best_keeps_the_paragraph_and_stops_at_the_budget() -> None:
    units = split(stored(LONG))
    policy = SelectionPolicy(whole_chars=10, run_chars=120)
    run = around_best(units, [1.0, 0.9, *[0.0] * (len(units) - 2)], policy)
    assert (run.first, run.last) == (0, 1)


def test_whole_refuses_a_chunk_that_is_too_long() -> None:
    assert whole(split(stored(LONG)), SelectionPolicy(whole_chars=100)) is None


@given(st.integers(0, 40), st.integers(1, 2000))
def test_the_run_always_holds_the_best_unit(best: int, budget: int) -> None:
    units = split(stored(LONG))
    scores = [0.1] * len(units)
    scores[best % len(units)] = 1.0
    run = around_best(units, scores, SelectionPolicy(whole_chars=0, run_chars=budget))
    assert run.first <= best % len(units) <= run.last


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("See [RBAC](/gateway/rbac/) first.", "See RBAC first."),
        ("Call [`/admins`](/api#x) now.", "Call `/admins` now."),
        ("An ![icon](i.png) image", "An image"),
        ("Use <b>bold</b> and `<your-token>`.", "Use bold and `<your-token>`."),
        ("Replace <your-token> here.", "Replace <your-token> here."),
        ("> **Note:** two\n> lines", "**Note:** two lines"),
        ("[!WARNING] Beware", "**Warning:** Beware"),
        ("<https://a.example/b>", "https://a.example/b"),
        ("{% if x %}kept{% endif %}", "kept"),
        ("![only](x.png)", ""),
        (
            "to *editor*. A _viewer_ and **bold**, `a*b*c`",
            "to editor. A viewer and **bold**, `a*b*c`",
        ),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
    ],
)
def test_plain(markdown: str, shown: str) -> None:
    assert plain(markdown) == shown


@given(st.text(max_size=300))
def test_plain_is_one_line_and_never_raises(text: str) -> None:
    assert "\n" not in plain(text)


def test_a_list_item_has_no_marker_and_keeps_its_kind() -> None:
    kinds = {unit.kind for unit in split(literal("- one\n- two"))}
    assert kinds == {UnitKind.ITEM}
