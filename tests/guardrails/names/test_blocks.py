"""Blocks cover the text, overlap, stay below their size and break between words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.names.blocks import Block, blocks_of


@given(st.text(max_size=600), st.integers(40, 90), st.integers(1, 9))
def test_blocks_cover_the_text_overlap_and_stay_small(text: str, size: int, overlap: int) -> None:
    blocks = list(blocks_of(text, size, overlap))
    assert all(len(text[b.start : b.end].encode("utf-8", "surrogatepass")) <= size for b in blocks)
    if text:
        assert (blocks[0].start, blocks[-1].end) == (0, len(text))
    for left, right in pairwise(blocks):
        assert left.start < right.start < left.end < right.end


def test_a_short_text_is_one_block() -> None:
    assert list(blocks_of("hello", 2048, 256)) == [Block(0, 5)]
    assert list(blocks_of("", 2048, 256)) == []


def test_a_name_of_two_words_stands_whole_in_some_block() -> None:
    text = "Maria Silva, " * 500
    blocks = [text[b.start : b.end] for b in blocks_of(text, 200, 40)]
    assert sum(block.count("Maria Silva") for block in blocks) >= 500
    assert all(block[0] in "MS" for block in blocks)


@pytest.mark.parametrize("text", ["." * 9000, "🎉" * 3000, "é" * 5000, "\ud800" * 4000, " " * 9000])
def test_a_text_without_words_is_cut_all_the_same(text: str) -> None:
    blocks = list(blocks_of(text, 2048, 256))
    assert blocks[-1].end == len(text)
    assert len(blocks) < 40
