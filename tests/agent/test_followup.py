"""Two-turn conversations: what the second turn means, and which turns are left alone."""

from __future__ import annotations

import pytest

from agent.followup import stand_alone
from agent.language import language
from guardrails import literal, stored

WORDS = language("en").followup
REWRITTEN = [
    # a value takes the place of another
    ("How do I set up SSO with Azure AD?", "and for Okta?", "How do I set up SSO for Okta?"),
    ("How do I set up SSO with Azure AD?", "What about Okta?", "How do I set up SSO with Okta?"),
    ("How do I connect Stripe?", "what about PayPal?", "How do I connect PayPal?"),
    ("How do I connect Stripe?", "and HubSpot", "How do I connect HubSpot?"),
    (
        "Is there a limit on the Pro plan?",
        "what about the free plan?",
        "Is there a limit on the free plan?",
    ),
    (
        "How much does the Team plan cost?",
        "and the Enterprise plan?",
        "How much does the Enterprise plan cost?",
    ),
    (
        "What is the seat limit?",
        "And on the business plan?",
        "What is the seat limit on the business plan?",
    ),
    (
        "How do I install the agent on Linux?",
        "On Windows?",
        "How do I install the agent on Windows?",
    ),
    (
        "How do I install the agent on Linux?",
        "and with Docker?",
        "How do I install the agent with Docker?",
    ),
    ("How do I configure OIDC in Gateway?", "in Konnect?", "How do I configure OIDC in Konnect?"),
    ("How do I enable MFA for admins?", "for everyone?", "How do I enable MFA for everyone?"),
    ("How do I enable MFA for admins?", "same for viewers?", "How do I enable MFA for viewers?"),
    ("How do I export a dashboard?", "as PDF?", "How do I export a dashboard as PDF?"),
    (
        "How do I send mail with Python?",
        "with attachments?",
        "How do I send mail with Python with attachments?",
    ),
    # a pronoun
    ("How do I set up SSO?", "how long does it take?", "how long does it take to set up SSO?"),
    ("How do I rotate a key?", "Can I undo it?", "Can I undo it (rotate a key)?"),
    ("What is SCIM?", "Does it work with Okta?", "Does SCIM work with Okta?"),
    ("What is SCIM?", "how do I enable it?", "how do I enable SCIM?"),
    ("Which connectors are available?", "how do I add them?", "how do I add connectors?"),
    (
        "What does the rate limiting plugin do?",
        "what are its defaults?",
        "what are the defaults of the rate limiting plugin?",
    ),
    (
        "What does the rate limiting plugin do?",
        "Does it support Redis?",
        "Does the rate limiting plugin support Redis?",
    ),
    ("How do I invite teammates?", "who can do that?", "who can do that (invite teammates)?"),
    (
        "How do I delete a workspace?",
        "is that reversible?",
        "is that reversible (delete a workspace)?",
    ),
    ("What is a workspace?", "how do I create one?", "how do I create one (a workspace)?"),
    # a place in the answer
    (
        "How do I create an alert?",
        "what does step 2 mean?",
        "what does step 2 mean (create an alert)?",
    ),
    (
        "How do I create an alert?",
        "where do I find that setting?",
        "where do I find that setting (create an alert)?",
    ),
    # nothing of its own
    ("How do I rotate a key?", "Which role do I need?", "Which role do I need to rotate a key?"),
    (
        "How do I create an alert?",
        "what permissions are needed?",
        "what permissions are needed to create an alert?",
    ),
    (
        "How do I import a file?",
        "what is the maximum size?",
        "what is the maximum size (import a file)?",
    ),
    (
        "How do I import a file?",
        "what happens if it fails?",
        "what happens if it fails (import a file)?",
    ),
    # bare question words
    ("Can I schedule a report?", "How?", "How do I schedule a report?"),
    ("Can I schedule a report?", "why not?", "Why not: Can I schedule a report?"),
    ("How can I verify my domain?", "Why?", "Why: How can I verify my domain?"),
]
LEFT_ALONE = [
    "How do I invite teammates?",
    "What is an API key?",
    "Is it possible to export dashboards?",
    "How long does it take to import a CSV file?",
    "If I delete a dashboard, can I restore it?",
    "How do I make sure that users can log in?",
    "What are the limits of the free plan?",
    "Which plans are there?",
    "I get this error when importing a CSV: column missing",
    "Where can I see my invoices?",
    "Can I use more than one workspace?",
    "And how do I configure alerts?",
    "What is the difference between viewers and editors?",
    "On which plans are alerts available?",
    "In which file do I set the log level?",
    "rate limits",
    "Is there a free trial?",
    "Can my IT department manage updates?",
    "Can one OIDC plugin validate tokens of several IdPs?",
    "What are credentials, and why do I need them?",
    "What is reranking and why is it useful?",
]


@pytest.mark.parametrize(("before", "text", "meant"), REWRITTEN)
def test_the_conversation_completes_the_question(before: str, text: str, meant: str) -> None:
    assert stand_alone(stored(text), [stored(before)], WORDS) == meant


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_a_question_that_stands_alone_is_left_alone(text: str) -> None:
    assert stand_alone(stored(text), [literal("How do I set up SSO?")], WORDS) == text


@pytest.mark.parametrize("text", [text for _, text, _ in REWRITTEN])
def test_nothing_is_added_without_a_conversation(text: str) -> None:
    assert stand_alone(stored(text), [], WORDS) == text


def test_a_chain_of_follow_ups_keeps_its_topic() -> None:
    before = [literal("How do I set up SSO with Azure AD?"), literal("and for Okta?")]
    meant = stand_alone(literal("how long does it take?"), before, WORDS)
    assert meant == "how long does it take to set up SSO for Okta?"


def test_a_new_topic_replaces_the_old_one() -> None:
    before = [literal("How do I set up SSO?"), literal("How do I export a dashboard?")]
    assert "dashboard" in stand_alone(literal("how long does it take?"), before, WORDS)
    assert "SSO" not in stand_alone(literal("how long does it take?"), before, WORDS)
