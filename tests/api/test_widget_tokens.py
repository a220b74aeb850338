"""Tokens of the host's backend are believed; 5,000 forged ones of every class are not."""

from __future__ import annotations

import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from api.widget_tokens import (
    LONGEST_LIFE_S,
    TOLERANCE_S,
    KeyRecordError,
    TokenError,
    WidgetTokens,
    read_key,
)
from tests.api.minting import (
    AUDIENCE,
    ISSUER,
    NOW,
    ORIGIN,
    PUBLIC,
    SECRET,
    SHARED,
    TENANT,
    Signer,
    base64url,
    by_secret,
    encoded,
    payload,
    verifier,
)

FORGED, CONTROLS = 5000, 500
STRANGER = Signer("key-3")
"""Of another tenant, whose keys the same verifier knows."""
THIEF = Signer("key-1")
"""The right kid and the wrong key."""
ISSUED = int(NOW.timestamp())
Forge = Callable[[random.Random, str], str]


def signer(rng: random.Random) -> Signer:
    return rng.choice((PUBLIC, SHARED))


def without_algorithm(rng: random.Random, jti: str) -> str:
    by = signer(rng)
    alg = rng.choice(("none", "None", "NONE", "nOnE", "", None, 0, False, ["none"]))
    head, body = encoded(by.header(alg=alg)), encoded(payload(jti))
    honest = base64url(by.signature(f"{head}.{body}".encode()))
    return f"{head}.{body}.{rng.choice(('', 'AA', honest))}"


def confused(rng: random.Random, jti: str) -> str:
    """The public key, which everybody knows, as the secret of an HMAC; and the reverse."""
    numbers = PUBLIC.private.public_key()
    forms = (
        PUBLIC.pem.encode(),
        PUBLIC.pem.strip().encode(),
        numbers.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        numbers.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        numbers.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
        b"",
    )
    if rng.random() < 0.2:
        return THIEF.signed({"alg": "ES256", "kid": SHARED.kid}, payload(jti))
    alg = rng.choice(("HS256", "HS256", "ES256", "HS384", "hs256"))
    content = f"{encoded(PUBLIC.header(alg=alg))}.{encoded(payload(jti))}"
    return f"{content}.{base64url(by_secret(rng.choice(forms), content.encode()))}"


def critical(rng: random.Random, jti: str) -> str:
    crit: Any = rng.choice((["exp"], ["b64"], ["x"], [], "b64", 5, None, {}, [["a"]], ["alg"]))
    more = rng.choice(({}, {"b64": False}, {"b64": True}, {"x": 1}, {"exp": 1}))
    by = signer(rng)
    return by.signed(by.header(crit=crit, **more), payload(jti))


def named_otherwise(rng: random.Random, jti: str) -> str:
    """A kid that points elsewhere, or a header that brings its own key along."""
    by, own = signer(rng), Signer("key-1")
    kids: tuple[Any, ...] = (
        "../../etc/passwd",
        "key-1' OR '1'='1",
        "key-1\0",
        "KEY-1",
        "",
        "key-9",
        None,
        ["key-1"],
        {"kid": "key-1"},
        1,
        "/dev/null",
        " key-1",
    )
    if rng.random() < 0.5:
        return by.signed(by.header(kid=rng.choice(kids)), payload(jti))
    point = own.private.public_key().public_numbers()
    key = {
        "kty": "EC",
        "crv": "P-256",
        "x": base64url(point.x.to_bytes(32)),
        "y": base64url(point.y.to_bytes(32)),
    }
    brought: Any = rng.choice(
        ({"jwk": key}, {"jku": "https://evil.example/k"}, {"x5u": "https://e.example"}, {"x5c": []})
    )
    return rng.choice((own, by)).signed(by.header(**brought), payload(jti))


def expired(rng: random.Random, jti: str) -> str:
    ago = rng.randint(900 + TOLERANCE_S, 10_000_000)
    return signer(rng).token(jti, NOW - timedelta(seconds=ago))


def of_the_future(rng: random.Random, jti: str) -> str:
    ahead = rng.randint(TOLERANCE_S + 1, 10_000_000)
    if rng.random() < 0.3:
        return signer(rng).token(jti, nbf=ISSUED + ahead)
    return signer(rng).token(jti, NOW + timedelta(seconds=ahead))


def lives_wrongly(rng: random.Random, jti: str) -> str:
    """For more than an hour, for no time at all, or until what is no time."""
    over = ISSUED + rng.randint(LONGEST_LIFE_S + 1, 10_000_000)
    until: Any = rng.choice(
        (over, float(over), ISSUED, ISSUED - 1, str(ISSUED + 900), True, [], 1e300, -1)
    )
    if rng.random() < 0.2:
        return signer(rng).token(jti, exp=float("inf"), iat=rng.choice((ISSUED, float("nan"))))
    return signer(rng).token(jti, exp=until)


def for_somebody_else(rng: random.Random, jti: str) -> str:
    name, right = rng.choice((("aud", AUDIENCE), ("iss", ISSUER)))
    wrong: Any = rng.choice(
        (f"{right}/", right.upper(), right[:-1], f" {right}", "", "*", [], [f"{right}x"], {}, 0)
    )
    by = signer(rng)
    return by.signed(by.header(), {**payload(jti), name: wrong})


def lacking(rng: random.Random, jti: str) -> str:
    name = rng.choice(("iss", "aud", "sub", "iat", "exp", "jti", "account", "roles"))
    wrong = (
        rng.choice((None, "", "\n", 7, {}, {"a": 1}))
        if name != "roles"
        else rng.choice((None, "admin", [1], [""], {}, 7, ["r"] * 65))
    )
    if name in {"iat", "exp"}:
        wrong = rng.choice((None, "soon", [], {}, False))
    body = payload(jti)
    del body[name]
    by = signer(rng)
    return by.signed(by.header(), body if wrong is None else {**body, name: wrong})


def maimed(rng: random.Random, jti: str) -> str:
    """Cut, changed by a character, filled up, or put together of two."""
    good = signer(rng).token(jti)
    at = rng.randrange(len(good))
    other = signer(rng).token(jti, sub="usr_2")
    head, body, signature = good.split(".")
    flipped = rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    if good[at] in {flipped, "."}:
        at, flipped = 0, "~"
    return rng.choice(
        (
            good[:at],
            good[:at] + flipped + good[at + 1 :],
            f"{good}=",
            f"{good}\n",
            f" {good}",
            f"{good}.",
            f"{head}.{other.split('.')[1]}.{signature}",
            f"{head}..{signature}",
            f"{head}.{body}",
            f"{head}.{body}.{base64url(bytes(64))}",
            f"{head}.{body}.{signature[: len(signature) // 2]}",
            f"{head}.{body}.{signature}{signature}",
            good[:at] + "\n" + good[at:] if at else "\u00e9" * 40,
        )
    )


def by_another_key(rng: random.Random, jti: str) -> str:
    """Another tenant's good key, under its own kid and under ours; and a key of one's own."""
    by = rng.choice((STRANGER, THIEF, Signer("key-2", "HS256", secrets.token_hex(32))))
    return by.signed(by.header(kid=rng.choice((by.kid, "key-1", "key-2"))), payload(jti))


CLASSES: dict[Forge, set[str]] = {
    without_algorithm: {"no_token", "bad_header", "wrong_algorithm"},
    confused: {"wrong_algorithm", "bad_signature"},
    critical: {"bad_header"},
    named_otherwise: {"unknown_key", "bad_header"},
    expired: {"expired"},
    of_the_future: {"not_yet"},
    lives_wrongly: {"wrong_lifetime", "bad_claims"},
    for_somebody_else: {"wrong_issuer", "wrong_audience", "bad_claims"},
    lacking: {"bad_claims", "wrong_issuer", "wrong_audience"},
    maimed: {"bad_signature", "no_token", "unknown_key", "bad_header", "wrong_algorithm"},
    by_another_key: {"wrong_algorithm", "unknown_key", "bad_signature"},
}
"""How a token is forged, and why it is refused: for that, and not for a slip of the forger."""


def forged(rng: random.Random, count: int) -> Iterator[tuple[Forge, str]]:
    ways = list(CLASSES)
    for number in range(count):
        forge = ways[number % len(ways)]
        yield forge, forge(rng, f"f{number}")


def refusal(tokens: WidgetTokens, token: str) -> str | None:
    try:
        tokens.verify(TENANT, token, NOW)
    except TokenError as error:
        return error.reason
    return None


def test_of_5000_forged_tokens_none_is_accepted() -> None:
    seed = secrets.randbelow(2**32)
    tokens = verifier(STRANGER.record("globex"))
    why: defaultdict[Forge, Counter[str | None]] = defaultdict(Counter)
    for forge, token in forged(random.Random(seed), FORGED):
        why[forge][refusal(tokens, token)] += 1
    assert sum(count.total() for count in why.values()) == FORGED
    for forge, reasons in why.items():
        assert None not in reasons, f"seed {seed}: {forge.__name__} was believed"
        assert set(reasons) <= CLASSES[forge], f"seed {seed}: {forge.__name__}: {reasons}"


def test_every_honest_token_is_accepted() -> None:
    rng = random.Random(secrets.randbelow(2**32))
    tokens = verifier(STRANGER.record("globex"))
    for number in range(CONTROLS):
        life = rng.randint(1, LONGEST_LIFE_S)
        issued = ISSUED + rng.randint(1 - life - TOLERANCE_S, TOLERANCE_S)
        by = rng.choice((PUBLIC, SHARED))
        aud = rng.choice((AUDIENCE, [AUDIENCE], ["other", AUDIENCE]))
        token = by.token(f"c{number}", iat=issued, exp=issued + life, aud=aud, extra={"a": [1]})
        claims = tokens.verify(TENANT, token, NOW)
        assert (claims.subject, claims.account, claims.roles) == ("usr_1", "ws_1", ("admin",))
        assert (claims.jti, claims.key.kid) == (f"c{number}", by.kid)


def test_the_other_tenant_is_let_in_at_its_own_door() -> None:
    tokens = verifier(STRANGER.record("globex"))
    assert tokens.verify("globex", STRANGER.token(), NOW).key.tenant == "globex"
    with pytest.raises(TokenError, match="unknown_key"):
        tokens.verify(TENANT, STRANGER.token(), NOW)


def test_plan_and_sign_in_come_along() -> None:
    claims = verifier().verify(TENANT, PUBLIC.token(plan="growth", auth_time=ISSUED - 30), NOW)
    assert (claims.plan, claims.auth_time) == ("growth", NOW - timedelta(seconds=30))
    with pytest.raises(TokenError, match="not_yet"):
        verifier().verify(TENANT, PUBLIC.token(auth_time=ISSUED + 61), NOW)


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (timedelta(seconds=900 + TOLERANCE_S), "expired"),
        (timedelta(seconds=-TOLERANCE_S, microseconds=-1), "not_yet"),
    ],
)
def test_clocks_may_be_a_minute_apart_and_no_more(at: timedelta, reason: str) -> None:
    tick = timedelta(microseconds=1)
    inside = NOW + at + (tick if at < timedelta() else -tick)
    assert verifier().verify(TENANT, PUBLIC.token(), inside).subject == "usr_1"
    with pytest.raises(TokenError, match=reason):
        verifier().verify(TENANT, PUBLIC.token(), NOW + at)


def test_an_hour_is_the_longest_life() -> None:
    whole = PUBLIC.token(exp=ISSUED + LONGEST_LIFE_S)
    assert verifier().verify(TENANT, whole, NOW).expires == NOW + timedelta(hours=1)
    with pytest.raises(TokenError, match="wrong_lifetime"):
        verifier().verify(TENANT, PUBLIC.token(exp=ISSUED + LONGEST_LIFE_S + 1), NOW)


def test_the_reason_never_repeats_the_token() -> None:
    for _, token in forged(random.Random(1), 200):
        with pytest.raises(TokenError) as refused:
            verifier().verify(TENANT, token, datetime.now(UTC))
        assert str(refused.value).replace("_", "").isalpha()
        assert len(str(refused.value)) < 20


def test_a_secret_is_long_and_no_public_key() -> None:
    assert read_key("HS256", "x" * 32).is_private
    for short in ("", "x" * 31, "é" * 15):
        with pytest.raises(KeyRecordError, match="32 bytes"):
            read_key("HS256", short)
    with pytest.raises(KeyRecordError, match="no PEM"):
        read_key("HS256", PUBLIC.pem)


def test_a_public_key_is_public_and_on_the_right_curve() -> None:
    private = PUBLIC.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyRecordError, match="private key"):
        read_key("ES256", private.decode())
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(KeyRecordError, match="P-256"):
        read_key("ES256", pem)
    for wrong in ("", "no key", SECRET, "{}"):
        with pytest.raises(KeyRecordError, match="PEM or JWK"):
            read_key("ES256", wrong)


def test_two_keys_of_a_workspace_are_live_and_no_third() -> None:
    with pytest.raises(KeyRecordError, match="more than 2"):
        verifier(Signer("key-3").record())
    with pytest.raises(KeyRecordError, match="share a kid"):
        WidgetTokens([PUBLIC.record(), THIEF.record(workspace="w2")])
    WidgetTokens([PUBLIC.record(), THIEF.record("globex")])


def test_the_origins_are_those_of_the_tenants_workspaces() -> None:
    more = STRANGER.record("globex", origins=frozenset({"https://globex.example"}))
    assert verifier(more).origins(TENANT) == (ORIGIN,)
    assert verifier(more).origins("globex") == ("https://globex.example",)
