"""Sentences are released only when the passages that they cite support them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import pytest

from guardrails import GroundingPolicy, Redacted, Verdict, best_quote, stored, verify
from guardrails.claims import read_claim

PAGE = stored("""## Invite teammates

You can invite up to 50 people at once. Admins can't delete the workspace.
Exports are enabled for the Business plan, and files stay available for 7 days.

1. Open **Settings > Members**.
2. Click `Invite`. An invitation expires after 7 days.

| Plan | Storage |
| --- | --- |
| Starter | 5 GB |

See [SSO](https://docs.harborhq.com/sso) with `auth_type: oidc` and Okta. Use the
"Require SSO" switch. Imports must run before alerts. Set `maxRows` or `--max-rows`.
""")
OTHER = stored("Billing is monthly. Invoices are sent to the owner.")
SOURCES = {1: PAGE, 2: OTHER}


POLICY = GroundingPolicy(
    intercept=-7.0,
    weights={"similarity": 6.0, "coverage": 4.0, "passage_coverage": 1.0, "conflict": -6.0},
    threshold=0.5,
    origin="for the similarity below, which is no encoder",
)


class Overlap:
    """A similarity without a model: cosine of the sets of content stems."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(
        self, claims: Sequence[Redacted], evidence: Sequence[Redacted]
    ) -> Sequence[Sequence[float]]:
        self.asked.append(len(evidence))
        return [[_cosine(claim, text) for text in evidence] for claim in claims]


def _cosine(left: str, right: str) -> float:
    mine, theirs = read_claim(left).content, read_claim(right).content
    size = (len(mine) * len(theirs)) ** 0.5
    return len(mine & theirs) / size if size else 0.0


def check(sentence: str, markers: Sequence[int] = (1,), quote: str | None = None) -> Verdict:
    wanted = None if quote is None else stored(quote)
    return verify(stored(sentence), wanted, SOURCES, markers, POLICY, Overlap())


@pytest.mark.parametrize(
    "sentence",
    [
        "You can invite up to 50 people at once.",
        "Open **Settings > Members**.",
        "Open Settings > Members",
        "Open Settings > Members. Click `Invite`.",
        "An invitation expires after 7 days",
        "See SSO with `auth_type: oidc` and Okta.",
        "| Starter | 5 GB |",
    ],
)
def test_verbatim_sentences_are_supported_outright(sentence: str) -> None:
    assert check(sentence) == Verdict(True, 1.0)


@pytest.mark.parametrize(
    "sentence",
    [
        "Up to 50 people can be invited at once.",
        "You can invite up to fifty people at once.",
        "An invitation expires after seven days.",
        "Exports are enabled for the Business plan.",
        "Use the “Require SSO” switch.",
    ],
)
def test_close_paraphrases_are_supported(sentence: str) -> None:
    verdict = check(sentence)
    assert verdict.supported
    assert verdict.reason is None


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("You can invite up to 60 people at once.", "number"),
        ("You can invite up to 50 GB at once.", "number"),
        ("An invitation expires after 7 hours.", "number"),
        ("An invitation expires after 7%.", "number"),
        ("You can invite up to 500 people at once.", "number"),
        ("See SSO with Auth0 and Okta.", "name"),
        ("Exports are enabled for the Enterprise plan.", "name"),
        ("Azure supports invitations after 7 days.", "name"),
        ("Set `minRows` on the import.", "code"),
        ("Set the import with --min-rows today.", "code"),
        ("See SSO at https://evil.io/sso with Okta.", "url"),
        ("Use the “Allow SSO” switch.", "quote"),
        ("Admins can delete the workspace.", "negation"),
        ("You can't invite up to 50 people at once.", "negation"),
        ("Exports are disabled for the Business plan.", "negation"),
        ("Imports must run after alerts.", "negation"),
        ("Only admins invite up to 50 people at once.", "negation"),
        ("The owner rotates passwords monthly.", "support"),
        ("Yes.", "support"),
        ("", "support"),
    ],
)
def test_unsupported_sentences_say_why(sentence: str, reason: str) -> None:
    verdict = check(sentence)
    assert (verdict.supported, verdict.reason) == (False, reason)


def test_markers_must_exist() -> None:
    assert check("Billing is monthly.", markers=[]).reason == "no_citation"
    assert check("Billing is monthly.", markers=[2, 9]).reason == "unknown_citation"


def test_only_the_cited_passages_count() -> None:
    assert check("Billing is monthly.", markers=[2]).supported
    assert not check("Billing is monthly.", markers=[1]).supported
    assert check("Billing is monthly.", markers=[1, 2]).supported


def test_a_quote_must_be_verbatim() -> None:
    said = "An invitation expires after seven days."
    assert check(said, quote="An invitation expires after 7 days.").supported
    assert check(said, quote="An invitation expires after seven days.").reason == "quote"


def test_the_encoder_is_asked_once_and_for_little() -> None:
    similarity = Overlap()
    claim = stored("Up to 50 people can be invited at once.")
    verify(claim, None, SOURCES, [1], POLICY, similarity)
    assert len(similarity.asked) == 1
    assert similarity.asked[0] <= 9


@pytest.mark.alone
def test_one_check_is_fast() -> None:
    long = stored("\n\n".join([PAGE] * 4))
    claim = stored("Up to 50 people can be invited at once.")
    verify(claim, None, {1: long}, [1], POLICY, Overlap())
    started = time.perf_counter()
    for _ in range(50):
        verify(claim, None, {1: long}, [1], POLICY, lambda c, e: [[0.5] * len(e)])
    assert (time.perf_counter() - started) / 50 < 0.006


@pytest.mark.parametrize("text", ["[" * 5000, "a. " * 3000, "| " * 4000, "`" * 5000, "9 " * 4000])
@pytest.mark.alone
def test_hostile_text_does_not_stall(text: str) -> None:
    started = time.perf_counter()
    verify(stored(text), None, {1: stored(text * 2)}, [1], POLICY, Overlap())
    assert time.perf_counter() - started < 2.0


def test_best_quote_is_verbatim_and_carries_the_claim() -> None:
    quote = best_quote(stored("Invitations last seven days."), PAGE)
    assert quote == "An invitation expires after 7 days."
    assert quote in PAGE


def test_best_quote_takes_the_neighbour_that_adds_words() -> None:
    source = stored("Invites reach people by e-mail. Each one holds a secret link. Unrelated text.")
    quote = best_quote(stored("Invites by e-mail hold a secret link."), source)
    assert quote == "Invites reach people by e-mail. Each one holds a secret link."


def test_no_quote_where_no_word_is_shared() -> None:
    assert best_quote(stored("Zebras graze."), PAGE) is None


def test_the_shipped_policy_names_its_origin() -> None:
    policy = GroundingPolicy.fitted()
    assert "data" in policy.origin
    assert 0 < policy.threshold < 1


def test_a_policy_of_other_features_is_refused() -> None:
    text = json.dumps({"origin": "x", "intercept": 0, "threshold": 0.5, "weights": {"length": 1}})
    with pytest.raises(ValueError, match="weights for length"):
        GroundingPolicy.from_json(text)
