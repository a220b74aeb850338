"""Errors as RFC 9457 problem documents with Harbor's stable codes (FACTS.md, "Error codes")."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    status: int
    title: str


MEANINGS: dict[str, Meaning] = {
    "HBR-101": Meaning(422, "host not reachable"),
    "HBR-102": Meaning(422, "TLS refused or certificate not trusted"),
    "HBR-103": Meaning(422, "login refused"),
    "HBR-104": Meaning(422, "database or schema not found"),
    "HBR-105": Meaning(422, "no SELECT permission"),
    "HBR-106": Meaning(200, "warning: the user can write"),
    "HBR-107": Meaning(422, "query ran longer than 60 s"),
    "HBR-108": Meaning(422, "cursor column missing, null or not increasing"),
    "HBR-201": Meaning(422, "Stripe key invalid or revoked"),
    "HBR-202": Meaning(422, "Stripe key lacks a permission"),
    "HBR-203": Meaning(200, "warning: test-mode key"),
    "HBR-211": Meaning(422, "HubSpot authorisation expired or revoked"),
    "HBR-212": Meaning(422, "HubSpot scope missing"),
    "HBR-213": Meaning(409, "another HubSpot portal than before"),
    "HBR-221": Meaning(401, "webhook signature wrong"),
    "HBR-222": Meaning(401, "webhook timestamp too old"),
    "HBR-223": Meaning(422, "webhook payload refused"),
    "HBR-301": Meaning(503, "source rate limit"),
    "HBR-302": Meaning(503, "source daily quota used up"),
    "HBR-303": Meaning(429, "Harbor API rate limit"),
    "HBR-401": Meaning(422, "file not readable as UTF-8"),
    "HBR-402": Meaning(422, "header or required column missing"),
    "HBR-403": Meaning(422, "too many bad rows"),
    "HBR-404": Meaning(422, "column type changed"),
    "HBR-405": Meaning(504, "import ran longer than 6 hours"),
    "HBR-406": Meaning(403, "monthly event limit reached"),
    "HBR-407": Meaning(409, "an import of this connection is running"),
    "HBR-408": Meaning(413, "file too large"),
    "HBR-501": Meaning(410, "invite expired or revoked"),
    "HBR-502": Meaning(403, "e-mail domain not allowed"),
    "HBR-503": Meaning(403, "no free seat"),
    "HBR-504": Meaning(409, "already a member"),
    "HBR-505": Meaning(422, "more than 50 addresses"),
    "HBR-601": Meaning(401, "SAML signature invalid"),
    "HBR-602": Meaning(403, "e-mail missing or does not match"),
    "HBR-603": Meaning(401, "clock difference over 120 s"),
    "HBR-604": Meaning(403, "domain not verified"),
    "HBR-605": Meaning(401, "SCIM token invalid or expired"),
    "HBR-606": Meaning(409, "SCIM user exists with another id"),
    "HBR-611": Meaning(401, "MFA code wrong"),
    "HBR-612": Meaning(423, "MFA locked for 15 minutes"),
    "HBR-613": Meaning(403, "MFA enrolment required"),
    "HBR-701": Meaning(412, "object changed since it was read"),
    "HBR-702": Meaning(422, "idempotency key reused"),
    "HBR-703": Meaning(403, "key lacks the scope"),
    "HBR-704": Meaning(401, "key expired or revoked"),
    "HBR-705": Meaning(428, "`If-Match` missing"),
    "HBR-901": Meaning(403, "not in this plan"),
    # the sandbox's own, beyond the published table
    "not_found": Meaning(404, "no such object"),
    "forbidden": Meaning(403, "your role does not allow this"),
    "unauthenticated": Meaning(401, "sign in first"),
    "invalid": Meaning(422, "the request does not fit"),
    "conflict": Meaning(409, "the object is in a state that does not allow this"),
    "internal": Meaning(500, "something went wrong"),
}


class Problem(Exception):
    """One problem document. `detail` tells a person what to do about it."""

    def __init__(
        self, code: str, detail: str = "", *, retry_after: float | None = None, **more: object
    ) -> None:
        meaning = MEANINGS[code]
        super().__init__(f"{code}: {detail or meaning.title}")
        self.code = code
        self.status = meaning.status
        self.retry_after = retry_after
        self.body: dict[str, object] = {
            "type": f"https://docs.harbor.example/errors/{code}",
            "title": meaning.title,
            "status": meaning.status,
            "detail": detail or meaning.title,
            "code": code,
            **more,
        }
