"""Nothing that a page could follow, load or hide is left of model-written text."""

from __future__ import annotations

import time

import pytest

from guardrails import sanitise, stored

SOURCE = stored(
    "Sign in at https://app.harborhq.com/login, or see [SSO](https://docs.harborhq.com)."
)

REMOVED = [
    ("See [the guide](https://evil.io/x?d=1).", "See the guide."),
    ("See [the guide][1].\n\n[1]: https://evil.io", "See the guide.\n\n"),
    ("See [a [nested](https://evil.io) one](https://evil.io).", "See a nested one."),
    ("![chart](https://evil.io/p.png)Done.", "Done."),
    ("![chart][ref] Done.", " Done."),
    ("[![x](https://evil.io/i)](https://evil.io) Done.", " Done."),
    ("Go to <https://evil.io/a>.", "Go to."),
    ("Go to https://evil.io/a?q=secret, now.", "Go to, now."),
    ("Go to www.evil.io now", "Go to now"),
    ("Run javascript:alert(1) now", "Run now"),
    ('Click <a href="https://evil.io">here</a>.', "Click here."),
    ("<img src=x onerror=alert(1)>Done.", "Done."),
    ("<script>fetch('//evil.io')</script>Done.", "Done."),
    ("<svg onload=alert(1)></svg>Done.", "Done."),
    ("Fine <!-- hidden -->text", "Fine text"),
    ("Fine[7] text [2].", "Fine text [2]."),
    ("a\u200bb\u202ec\u2066d\U000e0041e\x00f", "abcdef"),
]


@pytest.mark.parametrize(("written", "shown"), REMOVED)
def test_removes(written: str, shown: str) -> None:
    assert sanitise(written, markers=[2], sources=[SOURCE]) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Open **Settings > Members** and press `Invite`.",
        "Sign in at https://app.harborhq.com/login.",
        "Allow values < 5 and > 3.",
        "Use `[text](url)` and `<b>` in Markdown.",
        "```html\n<a href='https://x.io'>x</a>\n```",
        "1. Export\n2. Import\n   - each `array[0]`",
    ],
)
def test_leaves_alone(text: str) -> None:
    assert sanitise(text, sources=[SOURCE]) == text


def test_doing_it_twice_changes_nothing() -> None:
    for written, _ in REMOVED:
        once = sanitise(written, markers=[2], sources=[SOURCE])
        assert sanitise(once, markers=[2], sources=[SOURCE]) == once


@pytest.mark.parametrize("bomb", ["[", "![", "](", "<", "<!--", "<a ", "`", "http://", "[a](", "["])
@pytest.mark.alone
def test_cannot_be_stalled(bomb: str) -> None:
    started = time.perf_counter()
    sanitise(bomb * 4000)
    assert time.perf_counter() - started < 0.5
