"""Tokens of the provider are believed; 5,000 forged ones of every class are not."""

from __future__ import annotations

import hmac
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.staff.id_tokens import (
    OLDEST_S,
    TOLERANCE_S,
    Client,
    Expected,
    IdTokenError,
    read_keys,
    verify,
)
from tests.api.minting import NOW, base64url, encoded
from tests.api.staff.idp import CLIENT_ID, FIRST, Idp, SigningKey

FORGED, CONTROLS = 5000, 300
ISSUER = "https://id.example"
CLIENT = Client(ISSUER, CLIENT_ID, "https://copilot.example/v1/staff/callback")
IDP = Idp(lambda: NOW, issuer=ISSUER)
SECOND, THIEF = SigningKey("k2"), SigningKey("k1")
CURVE = SigningKey("k1", ec.generate_private_key(ec.SECP256R1()))
KEYS = read_keys({"keys": [FIRST.jwk, SECOND.jwk]}, "RS256")
NONCE, ACCESS = "n" * 43, "an access token"
EXPECTED = Expected(NONCE, ACCESS, NOW)
ISSUED = int(NOW.timestamp())
Forge = Callable[[random.Random], str]


def said(**changed: Any) -> dict[str, Any]:
    """The claims; one that is changed to None is left out."""
    claims = {**IDP.claims(NONCE, ACCESS), **changed}
    return {name: value for name, value in claims.items() if value is not None}


def head(**changed: Any) -> dict[str, Any]:
    return {"alg": "RS256", "kid": "k1", "typ": "JWT", **changed}


def by(rng: random.Random) -> SigningKey:
    return rng.choice((FIRST, SECOND))


def honest(rng: random.Random, **changed: Any) -> str:
    key = by(rng)
    return key.signed(head(kid=key.kid), said(**changed))


def without_algorithm(rng: random.Random) -> str:
    alg = rng.choice(("none", "None", "nOnE", "", None, 0, ["none"]))
    content = f"{encoded(head(alg=alg))}.{encoded(said())}"
    return f"{content}.{rng.choice(('', 'AA', base64url(FIRST.signature(content.encode()))))}"


def confused(rng: random.Random) -> str:
    """The public key, which everybody knows, as the secret of an HMAC; and other algorithms."""
    public = FIRST.private.public_key()
    forms = (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        CLIENT.secret.encode(),
        b"",
    )
    if rng.random() < 0.3:
        return CURVE.signed(head(alg=rng.choice(("ES256", "RS256"))), said())
    alg = rng.choice(("HS256", "HS256", "RS256", "PS256", "RS384"))
    content = f"{encoded(head(alg=alg))}.{encoded(said())}"
    mac = hmac.digest(rng.choice(forms), content.encode(), "sha256")
    return f"{content}.{base64url(mac)}"


def with_more_in_the_header(rng: random.Random) -> str:
    more: Any = rng.choice(
        (
            {"crit": ["exp"]},
            {"crit": []},
            {"b64": False, "crit": ["b64"]},
            {"jwk": THIEF.jwk},
            {"jku": "https://evil.example/jwks"},
            {"x5u": "https://evil.example/x"},
            {"x5c": ["AA"]},
            {"zip": "DEF"},
            {"typ": "at+jwt"},
        )
    )
    return rng.choice((FIRST, THIEF)).signed(head(**more), said())


def by_another_key(rng: random.Random) -> str:
    kid: Any = rng.choice(("k1", "k2", "k9", "", None, ["k1"], "../k1", "K1", "k1 "))
    return THIEF.signed(head(kid=kid), said())


def by_an_unnamed_key(rng: random.Random) -> str:
    return by(rng).signed({"alg": "RS256"}, said())


def at_another_time(rng: random.Random) -> str:
    ago = rng.randint(OLDEST_S, 10_000_000)
    ahead = ISSUED + rng.randint(TOLERANCE_S + 1, 10_000_000)
    changed: Any = rng.choice(
        (
            {"exp": ISSUED - rng.randint(TOLERANCE_S, 10_000_000)},
            {"iat": ISSUED - ago},
            {"iat": ahead},
            {"nbf": ahead},
            {"auth_time": ahead},
        )
    )
    return honest(rng, **changed)


def for_somebody_else(rng: random.Random) -> str:
    other = rng.choice((f"{CLIENT_ID}x", CLIENT_ID.upper(), "", "*", f" {CLIENT_ID}"))
    changed: Any = rng.choice(
        (
            {"aud": other},
            {"aud": [other]},
            {"aud": []},
            {"azp": other},
            {"aud": [CLIENT_ID, other]},
            {"aud": [CLIENT_ID, other], "azp": other},
            {"iss": rng.choice((f"{ISSUER}/", ISSUER.upper(), "https://id.example.evil", ""))},
        )
    )
    return honest(rng, **changed)


def of_another_sign_in(rng: random.Random) -> str:
    nonce = rng.choice(("", "m" * 43, NONCE[:-1], NONCE + "n", NONCE.upper()))
    name = rng.choice(("nonce", "at_hash"))
    return honest(rng, **{name: rng.choice((nonce, base64url(bytes(16))))})


def lacking(rng: random.Random) -> str:
    name = rng.choice(("iss", "sub", "aud", "exp", "iat", "nonce"))
    wrong: Any = rng.choice((None, [], {}, True, 1e300 if name in {"exp", "iat"} else 7, "\n"))
    claims, key = said(), by(rng)
    del claims[name]
    changed = claims if wrong is None else {**claims, name: wrong}
    return key.signed(head(kid=key.kid), changed)


def maimed(rng: random.Random) -> str:
    good = honest(rng)
    header, body, signature = good.split(".")
    at = rng.randrange(len(good))
    return rng.choice(
        (
            good[:at],
            f"{good}=",
            f"{good}\n",
            f"{header}.{encoded(said(sub='somebody'))}.{signature}",
            f"{header}..{signature}",
            f"{header}.{body}.{base64url(bytes(256))}",
            f"{header}.{body}.{signature[:-4]}",
            f"{header}.{body}.{signature}.{signature}",
            f"{good}{'A' * 20_000}",
        )
    )


CLASSES: dict[Forge, set[str]] = {
    without_algorithm: {"no_token", "bad_header", "wrong_algorithm"},
    confused: {"wrong_algorithm", "bad_signature"},
    with_more_in_the_header: {"bad_header"},
    by_another_key: {"bad_signature", "unknown_key", "bad_header"},
    by_an_unnamed_key: {"unknown_key"},
    at_another_time: {"expired", "not_yet"},
    for_somebody_else: {"wrong_audience", "wrong_party", "wrong_issuer", "bad_claims"},
    of_another_sign_in: {"wrong_nonce", "wrong_access_token"},
    lacking: {"bad_claims", "wrong_nonce", "wrong_issuer", "wrong_audience"},
    maimed: {"no_token", "bad_signature", "bad_header", "unknown_key"},
}
"""How a token is forged, and why it is refused: for that, and not for a slip of the forger."""


def refusal(token: str, keys: Any = KEYS, expected: Expected = EXPECTED) -> str | None:
    try:
        verify(token, keys, CLIENT, expected)
    except IdTokenError as error:
        return error.reason
    return None


def test_of_5000_forged_tokens_none_is_accepted() -> None:
    seed = secrets.randbelow(2**32)
    rng, ways = random.Random(seed), list(CLASSES)
    why: defaultdict[Forge, Counter[str | None]] = defaultdict(Counter)
    for number in range(FORGED):
        forge = ways[number % len(ways)]
        why[forge][refusal(forge(rng))] += 1
    assert sum(count.total() for count in why.values()) == FORGED
    for forge, reasons in why.items():
        assert None not in reasons, f"seed {seed}: {forge.__name__} was believed"
        assert set(reasons) <= CLASSES[forge], f"seed {seed}: {forge.__name__}: {reasons}"


def test_every_honest_token_is_accepted() -> None:
    rng = random.Random(secrets.randbelow(2**32))
    for _ in range(CONTROLS):
        changed: dict[str, Any] = {
            "iat": ISSUED + rng.randint(1 - OLDEST_S, TOLERANCE_S),
            "exp": ISSUED + rng.randint(1 - TOLERANCE_S, 10_000),
            "at_hash": rng.choice((None, said()["at_hash"])),
            "auth_time": rng.choice((None, ISSUED - 30)),
            "roles": ["a", "b"],
            **rng.choice(
                (
                    {"aud": CLIENT_ID},
                    {"aud": [CLIENT_ID]},
                    {"aud": CLIENT_ID, "azp": CLIENT_ID},
                    {"aud": ["other", CLIENT_ID], "azp": CLIENT_ID},
                )
            ),
        }
        claims = verify(honest(rng, **changed), KEYS, CLIENT, EXPECTED)
        assert (claims.subject, claims.roles) == ("7f3a", ("a", "b"))
        since = changed["auth_time"]
        assert claims.auth_time == (None if since is None else NOW - timedelta(seconds=30))


def test_roles_are_where_the_settings_say() -> None:
    places: dict[str, dict[str, Any]] = {
        "/realm_access/roles": {"realm_access": {"roles": ["x"]}},
        "/https:~1~1id.example~1roles": {"https://id.example/roles": ["x"]},
        "/groups": {"groups": "x"},
    }
    for pointer, claim in places.items():
        client = Client(ISSUER, CLIENT_ID, "", roles=pointer)
        assert verify(IDP.token(said(**claim)), KEYS, client, EXPECTED).roles == ("x",)
        assert verify(IDP.token(said()), KEYS, client, EXPECTED).roles == ()


def test_one_key_needs_no_name() -> None:
    token = FIRST.signed({"alg": "RS256"}, said())
    assert refusal(token) == "unknown_key"
    assert refusal(token, KEYS[:1]) is None


def test_a_provider_may_name_its_certificate() -> None:
    assert refusal(FIRST.signed(head(x5t="AA", **{"x5t#S256": "AA"}), said())) is None


@pytest.mark.parametrize("algorithm", ["ES256", "PS256"])
def test_only_keys_that_fit_the_pinned_algorithm_count(algorithm: Any) -> None:
    curve, plain = CURVE.jwk, {**FIRST.jwk, "alg": None}
    del plain["alg"]
    short = SigningKey("k3", rsa.generate_private_key(65537, 1024)).jwk
    private = {**curve, "d": base64url(bytes(32))}
    odd: list[Any] = [
        7,
        None,
        {},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC", "crv": "P-256", "x": "A"},
    ]
    found = read_keys(
        {"keys": [FIRST.jwk, curve, plain, short, private, {**curve, "use": "enc"}, *odd]},
        algorithm,
    )
    assert [key.kid for key in found] == ["k1"]
    assert found[0].key.key_type == ("EC" if algorithm == "ES256" else "RSA")
    assert read_keys([], algorithm) == read_keys({"keys": 7}, algorithm) == ()


def test_a_token_on_the_curve() -> None:
    client = Client(ISSUER, CLIENT_ID, "", algorithm="ES256")
    keys = read_keys({"keys": [CURVE.jwk]}, "ES256")
    token = CURVE.signed(head(alg="ES256"), said())
    assert verify(token, keys, client, EXPECTED).subject == "7f3a"
    with pytest.raises(IdTokenError, match="wrong_algorithm"):
        verify(token, keys, CLIENT, EXPECTED)
