from __future__ import annotations

import pytest

from agent.language import language
from agent.router import LONGEST_COMMAND, rule
from agent.types import RouteKind
from guardrails import stored

QUESTIONS = [
    "How do I connect Stripe?",
    "how do i invite a teammate",
    "Can I delete a workspace?",
    "Can you add two users to a project at once?",
    "Could you explain what a workspace is?",
    "Can you tell me how to cancel my subscription?",
    "connect Stripe",
    "install with docker",
    "reset password",
    "add a user",
    "create a dashboard",
    "rate limits",
    "import failed",
    "Thanks! And how do I remove a user?",
    "hi, how do I export my data?",
    "What should I do next when my import failed?",
    "What can I do next with a report?",
    "How do I contact support?",
    "Can an agent see my data?",
    "Where do I find the support team's address?",
    "help with SSO",
    "my dashboard is empty",
    "What happens when I delete my account?",
    "Is it possible to invite bob@example.com as a viewer?",
    "give me an example",
    "who can invite people",
    "Wie lade ich jemanden ein?",
    "",
    "???",
]
ACTIONS = [
    "invite bob@example.com",
    "Please invite <EMAIL_ADDRESS> as an admin.",
    "connect my Stripe account",
    "Connect Stripe for me",
    "Set up SSO for us please",
    "delete this dashboard",
    "Can you invite my colleague for me?",
    "could you please export the report",
    "I need you to reset my password",
    'I\'d like you to create a workspace called "Ops"',
    "go ahead and enable MFA",
    "cancel my subscription",
    "fix my import",
    "enable SSO now",
]
PROGRESS = [
    "what should I do next?",
    "What's my next step?",
    "ok, what should I do now",
    "what is left to do",
    "Where did I leave off?",
    "How far am I?",
    "show me my progress",
    "Am I done yet?",
]
HANDOVER = [
    "I want to talk to a human",
    "talk to support",
    "Can I talk to a person?",
    "can you connect me to an agent please",
    "Please let me speak to a real person now!",
    "human",
    "escalate this",
    "get me a support agent",
]
SMALL_TALK = [
    "hi",
    "Hello there!",
    "good morning",
    "thanks!",
    "Thank you so much, that helped.",
    "ok, great",
    "got it, thanks",
    "bye",
    "Who are you?",
    "what can you do for me?",
    "help",
    "How are you?",
]
CASES = [
    *((text, RouteKind.QUESTION) for text in QUESTIONS),
    *((text, RouteKind.ACTION) for text in ACTIONS),
    *((text, RouteKind.PROGRESS) for text in PROGRESS),
    *((text, RouteKind.HANDOVER) for text in HANDOVER),
    *((text, RouteKind.SMALL_TALK) for text in SMALL_TALK),
]


@pytest.mark.parametrize(("text", "kind"), CASES)
def test_kind(text: str, kind: RouteKind) -> None:
    assert rule(stored(text), language("en")).kind is kind


def test_a_long_text_is_a_question_however_it_begins() -> None:
    text = "please delete my workspace for me " + "because it is old " * 20
    assert len(text) > LONGEST_COMMAND
    assert rule(stored(text), language("en")).kind is RouteKind.QUESTION


def test_every_kind_but_a_question_has_a_reply_that_exists() -> None:
    for text, kind in CASES:
        ruling = rule(stored(text), language("en"))
        if kind is not RouteKind.QUESTION:
            assert ruling.reply is not None
            assert language("en").say(ruling.reply)


def test_patterns_end_quickly_on_hostile_text() -> None:
    """Alternatives inside a repetition must not blow up: 300 code points is all they see."""
    for piece in ("please ", "thanks ", "can you ", "the ", "to a ", "support "):
        text = (piece * 60)[: LONGEST_COMMAND - 1] + "!"
        rule(stored(text), language("en"))


def test_an_unknown_locale_falls_back_to_english() -> None:
    assert language("xx-YY") is language(None) is language("en-GB")
