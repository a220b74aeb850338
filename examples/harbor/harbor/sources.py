"""A Stripe-like and a HubSpot-like service that Harbor's sandbox serves itself, seeded.

Keys say what they may do: `rk_live_…` all, `rk_test_…` test mode, `rk_live_noscope…` lacks a
permission, anything else is refused. HubSpot: `pat-…` all, `pat-noscope…` lacks a scope.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse

routes = APIRouter(prefix="/_sources", include_in_schema=False)
CUSTOMERS = 120
CONTACTS = 150
BEGIN = datetime(2026, 6, 1, tzinfo=UTC)


def _bearer(authorization: str | None) -> str:
    return (authorization or "").partition(" ")[2]


def _refusal(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "message": message}}, status)


def _limited(request: Request) -> JSONResponse | None:
    """The next calls of a source can be made to meet its rate limit."""
    left: int = request.app.state.source_limit
    if left <= 0:
        return None
    request.app.state.source_limit = left - 1
    return JSONResponse({"error": {"type": "rate_limit"}}, 429, {"retry-after": "1"})


@routes.put("/limit")
async def put_limit(request: Request, times: int) -> dict[str, int]:
    request.app.state.source_limit = times
    return {"times": times}


# --- Stripe -------------------------------------------------------------------------------------


def _stripe_key(key: str) -> bool:
    return key.startswith(("rk_live_", "rk_test_")) and "revoked" not in key


def _customers() -> list[dict[str, Any]]:
    rng = Random(7)
    found = []
    for number in range(CUSTOMERS):
        created = BEGIN + timedelta(hours=rng.randint(0, 24 * 150))
        yearly = rng.random() < 0.25
        amount = rng.choice((1900, 4900, 9900)) * (10 if yearly else 1)
        status = rng.choices(("active", "past_due", "canceled", "trialing"), (80, 5, 10, 5))[0]
        found.append(
            {"id": f"cus_{number:05d}", "created": created.isoformat(),
             "metadata": {"user_id": f"u_{number:04d}"},
             "subscription": {"id": f"sub_{number:05d}", "status": status, "amount": amount,
                              "interval": "year" if yearly else "month", "currency": "eur"}},
        )  # fmt: skip
    return found


@routes.get("/stripe/v1/account", response_model=None)
async def stripe_account(
    request: Request, authorization: str | None = Header(None)
) -> JSONResponse | dict[str, Any]:
    key = _bearer(authorization)
    if limited := _limited(request):
        return limited
    if not _stripe_key(key):
        return _refusal(401, "invalid_request_error", "Invalid API Key provided")
    scopes = ["customers", "charges"] if "noscope" in key else [
        "customers", "subscriptions", "invoices", "charges"]  # fmt: skip
    return {"id": "acct_1", "livemode": key.startswith("rk_live_"), "scopes": scopes}


@routes.get("/stripe/v1/customers", response_model=None)
async def stripe_customers(
    request: Request,
    authorization: str | None = Header(None),
    limit: int = 100,
    starting_after: str | None = None,
) -> JSONResponse | dict[str, Any]:
    if limited := _limited(request):
        return limited
    if not _stripe_key(_bearer(authorization)):
        return _refusal(401, "invalid_request_error", "Invalid API Key provided")
    found = _customers()
    start = next((i + 1 for i, c in enumerate(found) if c["id"] == starting_after), 0)
    return {"data": found[start : start + limit], "has_more": start + limit < len(found)}


# --- HubSpot ------------------------------------------------------------------------------------


@routes.get("/hubspot/oauth/v1/token", response_model=None)
async def hubspot_token(
    request: Request, authorization: str | None = Header(None)
) -> JSONResponse | dict[str, Any]:
    token = _bearer(authorization)
    if limited := _limited(request):
        return limited
    if not token.startswith("pat-"):
        return _refusal(401, "EXPIRED_AUTHENTICATION", "the token is expired or revoked")
    scopes = ["crm.objects.contacts.read"]
    if "noscope" not in token:
        scopes += ["crm.objects.companies.read", "crm.objects.deals.read"]
    return {"hub_id": 424242, "scopes": scopes}


@routes.get("/hubspot/crm/v3/objects/contacts", response_model=None)
async def hubspot_contacts(
    request: Request,
    authorization: str | None = Header(None),
    limit: int = 100,
    after: int = 0,
) -> JSONResponse | dict[str, Any]:
    if limited := _limited(request):
        return limited
    if not _bearer(authorization).startswith("pat-"):
        return _refusal(401, "EXPIRED_AUTHENTICATION", "the token is expired or revoked")
    rng = Random(11)
    found = []
    for number in range(CONTACTS):
        created = BEGIN + timedelta(hours=rng.randint(0, 3600))
        stage = rng.choice(("lead", "customer", "subscriber"))
        found.append(
            {"id": str(number), "createdAt": created.isoformat(),
             "properties": {"lifecyclestage": stage}},
        )  # fmt: skip
    following = {"paging": {"next": {"after": after + limit}}} if after + limit < CONTACTS else {}
    return {"results": found[after : after + limit], **following}
