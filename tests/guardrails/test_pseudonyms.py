"""Tokens, shapes and parts: what may be known of a value, and what never is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from guardrails.patterns import PatternRedactor
from guardrails.pseudonyms import (
    MASK,
    TOKEN,
    part_of,
    pseudonymise,
    secret_answer,
    shape_of,
    token,
    unveiled,
    whole,
)

REDACTOR = PatternRedactor()


def test_every_span_is_named_where_it_stood() -> None:
    original = "invite ana@acme.io, then bob@acme.io"
    seen: list[tuple[str, str]] = []

    def named(type: str, value: str) -> str:
        seen.append((type, value))
        return token(type, len(seen))

    text = pseudonymise(original, REDACTOR.redact(original), named)
    assert text == "invite <EMAIL_ADDRESS_1>, then <EMAIL_ADDRESS_2>"
    assert seen == [("EMAIL_ADDRESS", "ana@acme.io"), ("EMAIL_ADDRESS", "bob@acme.io")]


@pytest.mark.parametrize("text", ["<EMAIL_ADDRESS_1>", "<URL_12.host>", "<API_KEY_3>"])
def test_tokens_are_known_by_their_form(text: str) -> None:
    assert TOKEN.fullmatch(text)


@pytest.mark.parametrize("text", ["<EMAIL_ADDRESS>", "<URL_0>", "<b>", "<URL_1.Host>", "URL_1"])
def test_other_brackets_are_no_tokens(text: str) -> None:
    assert TOKEN.fullmatch(text) is None


def test_a_part_belongs_to_its_whole() -> None:
    assert whole("<URL_1.host>") == ("<URL_1>", "host")
    assert whole("<URL_1>") == ("<URL_1>", "")


@pytest.mark.parametrize(
    ("type", "value", "shape"),
    [
        ("EMAIL_ADDRESS", "Ana@Acme.IO", {"domain": "acme.io"}),
        ("API_KEY", "rk_live_51Hxyzabcdefghij", {"prefix": "rk_live_", "issuer": "stripe"}),
        ("API_KEY", "pat-na1-1111-2222", {"prefix": "pat-na", "issuer": "hubspot"}),
        ("API_KEY", "sk-ant-api03-xyz", {"prefix": "sk-ant-", "issuer": "anthropic"}),
        ("API_KEY", "sk-proj-xyz", {"prefix": "sk-proj-", "issuer": "openai"}),
        ("API_KEY", "zz9_live_abcdef", {"prefix": "zz9_live_"}),
        ("PASSWORD", "hunter2", {}),
        ("URL", "https://x:y@[", {}),
    ],
)
def test_shapes(type: str, value: str, shape: Mapping[str, str]) -> None:
    assert dict(shape_of(type, value)) == shape


@pytest.mark.parametrize(
    ("link", "issuer", "parts"),
    [
        ("postgres://a:b@h/d", "postgresql", "username password host database"),
        ("jdbc:postgresql://a:b@h:1/d", "postgresql", "username password host port database"),
        ("mysql://a:b@h", "mysql", "username password host"),
        ("mongodb+srv://a:b@h/d", "mongodb", "username password host database"),
        ("https://a:b@h/p?q=1", None, "username password host path"),
    ],
)
def test_shapes_of_links_name_their_parts(link: str, issuer: str | None, parts: str) -> None:
    shape = shape_of("URL", link)
    assert shape.get("issuer") == issuer
    assert shape["parts"] == parts
    assert all(secret not in str(dict(shape)).split() for secret in ("a", "b", "d"))


def test_no_shape_holds_the_value() -> None:
    secret = "rk_live_8fKq2LmZx7Rt5Wv9Yb3Nc6Pd"
    assert "8fKq" not in str(shape_of("API_KEY", secret))
    assert "s3cret" not in str(shape_of("URL", "postgresql://u:s3cret@host/db"))
    assert "ana" not in str(shape_of("EMAIL_ADDRESS", "ana@acme.io"))


def test_parts_are_decoded() -> None:
    link = "postgresql://re%40der:p%3Aq@db.acme.io:5433/app"
    assert part_of("URL", link, "username") == "re@der"
    assert part_of("URL", link, "password") == "p:q"
    assert part_of("URL", link, "port") == 5433
    assert part_of("URL", link, "path") is None


def test_the_owner_never_sees_a_secret_again() -> None:
    assert unveiled("API_KEY", "sk_live_abc") == MASK
    assert unveiled("URL", "https://u:p@h/x") == f"https://u:{MASK}@h/x"
    assert unveiled("URL", "https://u:p@h/x", "password") == MASK
    assert unveiled("EMAIL_ADDRESS", "ana@acme.io") == "ana@acme.io"


def test_an_answer_to_a_question_for_a_secret_is_one() -> None:
    said = "  correct horse \n"
    redaction = secret_answer(said, REDACTOR.redact(said))
    assert redaction.text == "  <SECRET> \n"
    known = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
    assert secret_answer(known, REDACTOR.redact(known)).spans[0].type == "API_KEY"
    assert secret_answer("  ", REDACTOR.redact("  ")).spans == ()


@pytest.mark.parametrize(
    "key",
    [
        "rk_live_51Hxyzabcdefghij1234567890abcd",
        "pat-na1-11112222-3333-4444-5555-666677778888",
        "pat-eu1-a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "whsec_" + "8fKq2LmZx7Rt5Wv9Yb3Nc6Pd",
        "figd_" + "Ab3dEf6hIj9lMn2pQr5tUv8xYz1bCd4fGh7jKl0n",
    ],
)
def test_keys_of_usual_products_are_masked_in_a_chat(key: str) -> None:
    assert REDACTOR.redact(f"use {key} please").text == "use <API_KEY> please"


@pytest.mark.parametrize(
    "key", ["rk_live_51Hxyzabcdefghij1234567890abcd", "sk_test_xxxxxxxxxxxxxxx"]
)
def test_documentation_keeps_keys_that_are_examples(key: str) -> None:
    assert REDACTOR.redact_document(f"Set it to `{key}`.").text == f"Set it to `{key}`."
