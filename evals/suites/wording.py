"""How much of the gold answer an answer holds, how long it is, and what markup is left in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from evals.answers import Evaluation
from evals.intervals import Figure, mean_of
from evals.suites.words import content, rouge_l

_MARKER = re.compile(r"\s?\[\d+\]")
_FENCE_LINE = re.compile(r"^\s*(`{3,}|~{3,})[\w+#.-]*\s*$", re.MULTILINE)
_FENCED = re.compile(r"^(`{3,})[^\n]*\n.*?^\1\s*$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`[^`\n]+`")
LEFTOVERS: Mapping[str, re.Pattern[str]] = {
    "raw HTML": re.compile(r"</?[a-zA-Z][\w-]*(?:\s[^<>]*)?/?>|<!--"),
    "Liquid or template": re.compile(r"\{%|%\}|\{\{|\}\}|\{:"),
    "dangling link": re.compile(r"\]\(|\]\[[^\]\d]|!\["),
    "admonition fence": re.compile(r"^:::|^> \[!", re.MULTILINE),
}


def wording(evaluation: Evaluation) -> Mapping[str, Figure]:
    """Over answered answerable questions with a gold answer; leftovers over every answer shown.

    Gold words are distinct stemmed content words; `words` counts the answer's own, with code.
    """
    seed = evaluation.options.seed
    shown = [one for one in evaluation.asked if one.answered]
    gold = [
        (unmarked(one.answer.text), one.question.answer)
        for one in shown
        if one.answerable and content(one.question.answer)
    ]
    figures = {
        "gold words held (recall)": mean_of([shared(text, of) for text, of in gold], seed),
        "answer words in gold (precision)": mean_of([shared(of, text) for text, of in gold], seed),
        "ROUGE-L F1": mean_of([rouge_l(text, of) for text, of in gold], seed),
        "words": mean_of([len(unmarked(one.answer.text).split()) for one in shown], seed),
    }
    left = [leftovers(one.answer.text) for one in shown]
    figures["with leftovers of markup"] = mean_of([bool(of) for of in left], seed)
    for name in (*LEFTOVERS, "unbalanced fence"):
        figures[f"with {name}"] = mean_of([name in of for of in left], seed)
    return figures


def unmarked(markdown: str) -> str:
    """Without the citation markers."""
    return _MARKER.sub("", markdown)


def shared(held: str, wanted: str) -> float:
    """Share of the content words of `wanted` that stand in `held`; 0 when it has none."""
    words = content(wanted)
    return len(words & content(held)) / len(words) if words else 0.0


def leftovers(markdown: str) -> frozenset[str]:
    """Kinds of markup that a reader would see as such; what stands in code is meant to be seen."""
    prose = _SPAN.sub("", _FENCED.sub("", markdown))
    found = {name for name, pattern in LEFTOVERS.items() if pattern.search(prose)}
    if _FENCE_LINE.search(prose):
        found.add("unbalanced fence")
    return frozenset(found)
