"""Consent withdrawn: nothing is shown from then on, and what was known is gone within a minute."""

from __future__ import annotations

import time

from tests.e2e.onboarding.people import Someone, imports_csv, signed_up, states
from tests.e2e.onboarding.stage import Running

PROMISED_S = 60.0
AT_ONCE_S = 2.0


def facts(person: Someone) -> list[str]:
    return sorted(person.profile())


def test_what_is_withdrawn_is_gone(product: Running) -> None:
    owner = signed_up(product)
    owner.until(lambda standing: bool(standing["checklist"]))
    imports_csv(owner)
    owner.until(lambda standing: states(standing)["connect"] == "done")
    said = owner.embark("PUT", "/v1/me/profile/role", json={"value": "executive"})
    said.raise_for_status()
    assert "role" in facts(owner)
    owner.agrees("product_analytics", "support", given=False)
    withdrawn = time.monotonic()
    while (standing := owner.steps())["guided"]:
        assert time.monotonic() - withdrawn < AT_ONCE_S
    assert standing["checklist"] == standing["cards"] == standing["muted"] == []
    while facts(owner):
        assert time.monotonic() - withdrawn < PROMISED_S, facts(owner)
        time.sleep(0.2)
    refused = owner.embark("PUT", "/v1/me/mode", json={"mode": "advanced"})
    assert refused.status_code == 409
    # what Harbor goes on to tell is not kept for guidance either
    owner.product("POST", "/v1/dashboards", json={"name": "Afterwards"})
    time.sleep(1.5)
    assert owner.steps()["guided"] is False
    assert facts(owner) == []
