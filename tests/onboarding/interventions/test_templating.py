"""Templates: every mistake has its line, values are escaped, every language is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboarding.interventions.templating import (
    FOLDER,
    LOCALES,
    LONGEST,
    Looks,
    TemplateError,
    Templates,
    spoken,
)
from onboarding.interventions.types import Value
from onboarding.rules import DataFileError

TEMPLATES = Templates.load()
LOOKS = Looks("https://app.example", "Acme & Sons", unsubscribe="https://app.example/u?a=1&b=2")
GOOD = """\
template: hello
placeholders: {who: text, n: number, at: time}
link: /start
texts:
  en: {subject: "Hi {who}", body: "{n} left at {at}", button: Go}
  de: {subject: "Hallo {who}", body: "{n} um {at}", button: Los}
"""
VALUES: dict[str, Value] = {"who": "Ana", "n": 1234.5, "at": "2026-03-29T00:30:00+00:00"}


def loaded(folder: Path, text: str = GOOD, name: str = "hello") -> Templates:
    (folder / f"{name}.yaml").write_text(text)
    return Templates.load((folder,))


def test_the_shipped_ones_speak_every_language() -> None:
    assert len(TEMPLATES.names) >= 14
    for name in TEMPLATES.names:
        values = dict.fromkeys(TEMPLATES.placeholders(name), "2026-03-03T12:00:00Z")
        values = {k: "3" if k == "count" else v for k, v in values.items()}
        texts = {TEMPLATES.fill(name, values, Looks("http://x", locale=loc)) for loc in LOCALES}
        assert len(texts) == len(LOCALES)
        for text in texts:
            assert "{" not in f"{text.subject}{text.body}{text.html}"


def test_values_are_written_as_the_reader_expects(tmp_path: Path) -> None:
    templates = loaded(tmp_path)
    english = templates.fill("hello", VALUES, LOOKS)
    assert english.body == "1,234.5 left at 2026-03-29 00:30 (UTC)"
    german = templates.fill(
        "hello", VALUES, Looks("http://x", locale="de_AT", zone="Europe/Vienna")
    )
    assert german.body == "1.234,5 um 29.03.2026, 01:30 Uhr (CET)"
    assert english.link == "https://app.example/start"


def test_what_is_filled_in_is_never_markup_or_a_header() -> None:
    bad = {"step": "<script>alert(1)</script>\r\nBcc: x@y\x00\u2028{about}"}
    text = TEMPLATES.fill("connect-help", bad, LOOKS)
    assert text.html is not None
    assert "<script>" not in text.html
    assert "&lt;script&gt;" in text.html
    assert "\n" not in text.subject
    assert "\r" not in text.subject
    assert "{about}" in text.subject


@given(st.text(max_size=400))
def test_any_value_at_all(value: str) -> None:
    text = TEMPLATES.fill("connect-help", {"step": value}, LOOKS)
    assert text.subject.isprintable() or " " in text.subject
    assert not set(text.subject) & set("\r\n\0")
    assert text.html is not None
    assert len(text.html) < 2000 + 12 * LONGEST
    plain = TEMPLATES.fill("connect-help", {"step": "x"}, LOOKS).html
    assert plain is not None
    assert text.html.count("<") == plain.count("<")


def test_the_way_out_stands_in_both_parts() -> None:
    text = TEMPLATES.fill("connect-help", {"step": "x"}, LOOKS)
    assert text.html is not None
    assert 'href="https://app.example/u?a=1&amp;b=2"' in text.html
    assert "Acme &amp; Sons" in text.html
    assert text.footer.endswith("https://app.example/u?a=1&b=2")
    without = TEMPLATES.fill("connect-help", {"step": "x"}, Looks("http://x"))
    assert (without.footer, "unsubscribe" in str(without.html)) == ("", False)


def test_nothing_is_loaded_when_a_mail_is_opened() -> None:
    loads = ("<img", "<script", "<link", "url(", "src=")
    for name in TEMPLATES.names:
        values = dict.fromkeys(TEMPLATES.placeholders(name), "2026-03-03T12:00:00Z")
        if name == "digest":
            values["count"] = "2"
        html = str(TEMPLATES.fill(name, values, LOOKS).html)
        assert not any(each in html for each in loads)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "has no value for at, n, who"),
        ({**VALUES, "n": "many"}, "wrong type"),
        ({**VALUES, "at": "soon"}, "wrong type"),
    ],
)
def test_values_that_do_not_fit(tmp_path: Path, values: dict[str, str], said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        loaded(tmp_path).fill("hello", values, LOOKS)


def test_a_template_that_is_not_there() -> None:
    with pytest.raises(TemplateError, match="did you mean connect-help"):
        TEMPLATES.fill("conect-help", {}, LOOKS)
    assert TEMPLATES.misfits("digst", frozenset()) == (
        "there is no template digst; did you mean digest?",
    )
    assert len(TEMPLATES.misfits("digest", frozenset({"count", "itens"}))) == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("  de: {", "  fr: {", 4, "missing translation: there is no de"),
        ("Hi {who}", "Hi {whom}", 5, "unknown placeholder whom; did you mean who?"),
        ("Hi {who}", "Hi {who!r}", 5, "takes no format"),
        ("Hi {who}", "Hi {who.name}", 5, "unknown placeholder who.name"),
        ("Hi {who}", "Hi {who", 5, "brace"),
        ("Hi {who}", "Hi", 2, "placeholder who is not used in en"),
        ("who: text", "who: words", 2, "text"),
        (", button: Los", "", 4, "a button stands in every language"),
        ("link: /start\n", "", 3, "with a link"),
        ("template: hello", "template: hallo", 1, "the name of the file"),
        ("link: /start", "link: https://evil.example", 3, "pattern"),
        ("subject: ", "subjekt: ", 5, "no such key"),
    ],
)
def test_mistakes_have_their_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    with pytest.raises(DataFileError) as raised:
        loaded(tmp_path, GOOD.replace(old, new, 1))
    assert said in str(raised.value)
    assert f"hello.yaml:{line}:" in str(raised.value)


def test_every_mistake_of_every_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("template: one\n")
    (tmp_path / "two.yaml").write_text("- x\n")
    with pytest.raises(DataFileError) as raised:
        Templates.load((tmp_path,))
    assert len(raised.value.problems) >= 2


def test_a_hosts_template_takes_the_place_of_ours(tmp_path: Path) -> None:
    mine = GOOD.replace("template: hello", "template: next-step")
    (tmp_path / "next-step.yaml").write_text(mine)
    both = Templates.load((FOLDER, tmp_path))
    assert both.placeholders("next-step") == {"who", "n", "at"}
    assert "digest" in both.names


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("de", "de"), ("de-AT", "de"), ("DE_ch", "de"), ("fr", "en"), ("", "en"), ("en-GB", "en")],
)
def test_the_nearest_language(wanted: str, found: str) -> None:
    assert spoken(wanted, ("de", "en")) == found
