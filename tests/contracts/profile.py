"""What every store of profiles does: all that was stated is kept, once, and goes when it must."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from guardrails.consent import Purpose
from onboarding.profile.beliefs import Belief, Scored, SelfModel
from onboarding.profile.keeping import ProfileStore, StoredModel
from onboarding.profile.questions import Asked, Reply
from onboarding.types import Fact, Source

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ROLE = Fact(
    tenant="t",
    subject="ana",
    name="role",
    value="admin",
    confidence=0.82,
    source=Source.INFERRED,
    valid_from=NOON,
    evidence=("m-1", "m-2"),
    expires=NOON + 30 * DAY,
    odds={"admin": 0.82, "end_user": 0.18},
    reasons=("page=team", "pace"),
)
SAID = replace(
    ROLE, value="developer", confidence=1.0, source=Source.DECLARED, expires=None, odds={},
    reasons=(), evidence=(),
)  # fmt: skip
OFF = replace(SAID, name="~off", value="yes", purpose=Purpose.SUPPORT)
ASKED = Asked("role", "s1", NOON)
MODEL = StoredModel(
    NOON,
    SelfModel(
        (Belief("own_data", "own", 4.0, 1.0, NOON, 3, ("m-3",)),),
        (Scored("own_data", "m-3", 0.6, 0.5, True),),
        trusted=False,
    ),
)


class ProfileStoreContract:
    """Inherited by the test module of each implementation, which provides `store`."""

    @pytest.fixture
    def store(self) -> ProfileStore:
        raise NotImplementedError

    async def test_all_that_was_stated_is_kept_whole(self, store: ProfileStore) -> None:
        later = replace(SAID, valid_from=NOON + DAY)
        assert await store.add("t", [later, ROLE]) == 2
        assert await store.facts("t", "ana") == (ROLE, later)

    async def test_the_same_statement_is_one(self, store: ProfileStore) -> None:
        assert await store.add("t", [ROLE, ROLE]) == 1
        assert await store.add("t", [ROLE]) == 0
        assert await store.facts("t", "ana") == (ROLE,)

    async def test_subjects_and_tenants_are_apart(self, store: ProfileStore) -> None:
        await store.add("t", [ROLE])
        await store.ask("t", "ana", ASKED)
        await store.keep_model("t", "ana", MODEL)
        for who in (("t", "eve"), ("t2", "ana")):
            assert (await store.facts(*who), await store.asked(*who)) == ((), ())
            assert await store.model(*who) is None
            assert await store.count(*who) == await store.erase(*who) == 0
        assert await store.subjects("t2") == ()
        assert await store.count("t", "ana") == 3

    @pytest.mark.parametrize(
        "fact",
        [
            replace(ROLE, tenant="t2"),
            replace(ROLE, value="ana@acme.io"),
            replace(ROLE, value="Head of Sales"),
            replace(ROLE, name="what she said"),
            replace(ROLE, confidence=1.2),
            replace(ROLE, evidence=("an event",)),
            replace(ROLE, reasons=("title=head of sales",)),
            replace(ROLE, valid_from=NOON.replace(tzinfo=None)),
            replace(ROLE, evidence=tuple(f"m-{n}" for n in range(51))),
        ],
    )
    async def test_text_is_refused(self, store: ProfileStore, fact: Fact) -> None:
        with pytest.raises(ValueError, match=r".+"):
            await store.add("t", [SAID, fact])
        assert await store.facts("t", "ana") == ()

    async def test_what_is_removed_is_gone_whoever_said_it(self, store: ProfileStore) -> None:
        size = replace(ROLE, name="size", value="1-10")
        await store.add("t", [ROLE, SAID, size, OFF])
        assert await store.remove("t", "ana", ["role"]) == 2
        assert {fact.name for fact in await store.facts("t", "ana")} == {"size", "~off"}
        assert await store.remove("t", "ana", ["role"]) == 0

    async def test_of_one_source_alone(self, store: ProfileStore) -> None:
        await store.add("t", [ROLE, SAID])
        assert await store.remove("t", "ana", ["role"], Source.INFERRED) == 1
        assert await store.facts("t", "ana") == (SAID,)

    async def test_a_purpose_withdrawn_takes_its_facts_along(self, store: ProfileStore) -> None:
        mail = replace(ROLE, name="interest", value="reports", purpose=Purpose.MARKETING)
        await store.add("t", [ROLE, SAID, mail, OFF])
        await store.ask("t", "ana", ASKED)
        await store.keep_model("t", "ana", MODEL)
        assert await store.withdraw("t", "ana", Purpose.MARKETING) == 1
        assert await store.withdraw("t", "ana", Purpose.PRODUCT_ANALYTICS) == 4
        assert await store.withdraw("t", "ana", Purpose.SUPPORT) == 0
        assert await store.facts("t", "ana") == (OFF,)  # a wish protects: it stays
        assert (await store.asked("t", "ana"), await store.model("t", "ana")) == ((), None)

    async def test_whoever_something_is_kept_of_is_named(self, store: ProfileStore) -> None:
        await store.add("t", [replace(ROLE, subject=name) for name in ("cy", "ana", "bo")])
        await store.ask("t", "dan", ASKED)
        await store.keep_model("t", "eve", MODEL)
        await store.add("t2", [replace(ROLE, tenant="t2", subject="fay")])
        assert await store.subjects("t", limit=3) == ("ana", "bo", "cy")
        assert await store.subjects("t", after="cy") == ("dan", "eve")

    async def test_a_question_is_asked_once_a_session(self, store: ProfileStore) -> None:
        assert await store.ask("t", "ana", ASKED)
        assert not await store.ask("t", "ana", replace(ASKED, at=NOON + DAY))
        assert await store.ask("t", "ana", replace(ASKED, session="s2", at=NOON + DAY))
        assert [each.at for each in await store.asked("t", "ana")] == [NOON, NOON + DAY]

    async def test_a_question_is_replied_to_once(self, store: ProfileStore) -> None:
        await store.ask("t", "ana", ASKED)
        assert await store.reply("t", "ana", "s1", "role", Reply.SKIPPED)
        assert not await store.reply("t", "ana", "s1", "role", Reply.ANSWERED)
        assert not await store.reply("t", "ana", "s2", "role", Reply.ANSWERED)
        assert not await store.reply("t", "eve", "s1", "role", Reply.ANSWERED)
        assert await store.asked("t", "ana") == (replace(ASKED, reply=Reply.SKIPPED),)

    async def test_the_newest_self_model_is_kept(self, store: ProfileStore) -> None:
        await store.keep_model("t", "ana", MODEL)
        assert await store.model("t", "ana") == MODEL
        newer = StoredModel(NOON + DAY, SelfModel())
        await store.keep_model("t", "ana", newer)
        assert await store.model("t", "ana") == newer

    async def test_who_is_erased_leaves_nothing(self, store: ProfileStore) -> None:
        await store.add("t", [ROLE, SAID, OFF, replace(ROLE, subject="eve")])
        await store.ask("t", "ana", ASKED)
        await store.keep_model("t", "ana", MODEL)
        assert await store.count("t", "ana") == 5
        assert await store.erase("t", "ana") == 5
        assert await store.erase("t", "ana") == await store.count("t", "ana") == 0
        assert await store.facts("t", "eve") != ()

    async def test_what_is_old_goes_by_blocks_and_what_was_declared_stays(
        self, store: ProfileStore
    ) -> None:
        old = [replace(ROLE, valid_from=NOON - n * DAY, subject=f"u{n}") for n in range(1, 6)]
        said = replace(SAID, valid_from=NOON - 9 * DAY)
        await store.add("t", [*old, ROLE, said, replace(old[0], tenant="t", subject="held")])
        await store.ask("t", "ana", replace(ASKED, at=NOON - DAY))
        await store.keep_model("t", "bo", StoredModel(NOON - DAY, SelfModel()))
        keep = frozenset({"held"})
        assert await store.due("t", NOON, keep) == 7
        assert await store.due("t2", NOON, keep) == await store.sweep("t2", NOON, keep) == 0
        assert await store.sweep("t", NOON, keep, limit=4) == 4
        assert await store.sweep("t", NOON, keep, limit=4) == 3
        assert await store.sweep("t", NOON, keep) == await store.due("t", NOON, keep) == 0
        assert await store.facts("t", "ana") == (said, ROLE)
        assert await store.subjects("t") == ("ana", "held")
