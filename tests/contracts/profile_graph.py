"""What every store of the graph does: edges once, paths within tenant, purpose and time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from guardrails.consent import Purpose
from onboarding.profile.graph import Edge, End, GraphQueries, GraphStore, Invites, Route, inverses

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = NOON + DAY


def edge(src: str, rel: str, dst: str, event: str, subject: str | None = None) -> Edge:
    who = subject or (src.partition(":")[2] if src.startswith("user:") else None)
    return Edge("t", src, rel, dst, event, NOON, who)


TEAM = inverses(
    [
        edge("user:ana", "member_of", "account:acme", "m1"),
        edge("user:bo", "member_of", "account:acme", "m2"),
        edge("user:cy", "member_of", "account:acme", "m3"),
        edge("user:eve", "member_of", "account:other", "m4"),
        edge("user:bo", "finished", "step:connect", "m5"),
        edge("user:eve", "finished", "step:connect", "m6"),
        edge("user:ana", "has_role", "role:admin", "m7"),
        edge("user:bo", "open_to", "domain:d1", "m8"),
        edge("user:fay", "open_to", "domain:d1", "m9"),
        edge("error:shopify/E42", "solved_by", "action:reconnect", "m10", "bo"),
        edge("error:shopify/E42", "solved_by", "action:reconnect", "m11", "eve"),
        edge("error:shopify/E42", "solved_by", "action:import_csv", "m12", "cy"),
        edge("error:stripe/E42", "solved_by", "action:rotate_key", "m13", "cy"),
        replace(
            edge("step:connect", "cites", "page:guides/connect", "m14"), purpose=Purpose.SUPPORT
        ),
    ]
)


class GraphStoreContract:
    """Inherited by the test module of each implementation, which provides `graph`."""

    @pytest.fixture
    def graph(self) -> GraphStore:
        raise NotImplementedError

    async def test_adding_twice_adds_nothing(self, graph: GraphStore) -> None:
        assert await graph.add("t", TEAM) == len(TEAM)
        before = await graph.of("t", "bo")
        assert await graph.add("t", [*reversed(TEAM)]) == 0
        assert await graph.of("t", "bo") == before != ()

    async def test_colleagues_who_finished_a_step(self, graph: GraphStore) -> None:
        await graph.add("t", TEAM)
        queries = GraphQueries(graph)
        assert await queries.who_finished("t", "ana", "connect", NOW) == ("bo",)
        assert await queries.who_finished("t", "bo", "connect", NOW) == ()
        assert await queries.who_finished("t", "ana", "invite", NOW) == ()

    async def test_whom_to_invite_next(self, graph: GraphStore) -> None:
        await graph.add("t", TEAM)
        wanted = await GraphQueries(graph).whom_to_invite("t", "acme", ["developer", "admin"], NOW)
        assert wanted == Invites(("developer",), ("fay",))

    async def test_what_solved_an_error_in_its_integration(self, graph: GraphStore) -> None:
        await graph.add("t", TEAM)
        queries = GraphQueries(graph)
        assert await queries.what_solved("t", "E42", "shopify", NOW) == (
            End("action:reconnect", 2, ("m10", "m11")),
            End("action:import_csv", 1, ("m12",)),
        )
        assert [e.node for e in await queries.what_solved("t", "E42", "stripe", NOW)] == [
            "action:rotate_key"
        ]

    async def test_of_a_hub_the_newest_edges_count(self, graph: GraphStore) -> None:
        hub = [
            replace(
                edge("error:E1", "solved_by", f"action:x{n // 10}", f"m{n}", f"u{n}"),
                valid_from=NOON - n * DAY,
            )
            for n in range(30)
        ]
        await graph.add("t", hub)
        whole = Route("error:E1", ("solved_by",), NOW)
        assert [e.people for e in await graph.walk("t", whole)] == [10, 10, 10]
        newest = await graph.walk("t", replace(whole, widest=12))
        assert [(e.node, e.people) for e in newest] == [("action:x0", 10), ("action:x1", 2)]

    async def test_pages_that_helped_on_a_step(self, graph: GraphStore) -> None:
        await graph.add("t", TEAM)
        (page,) = await GraphQueries(graph).pages_cited("t", "connect", NOW)
        assert page == End("page:guides/connect", 1, ("m14",))

    async def test_tenant_purpose_and_time_hold_in_every_hop(self, graph: GraphStore) -> None:
        await graph.add("t", TEAM)
        way = Route("user:ana", ("member_of", "has_member", "finished"), NOW)
        assert [end.node for end in await graph.walk("t", way)] == ["step:connect"]
        assert await graph.walk("t2", way) == ()
        other = frozenset({Purpose.MARKETING})
        assert await graph.walk("t", replace(way, purposes=other)) == ()
        assert await graph.walk("t", replace(way, now=NOON - DAY)) == ()
        foreign = [replace(each, tenant="t2") for each in TEAM[5:6]]
        await graph.add("t2", foreign)
        assert await graph.walk("t2", way) == ()

    async def test_a_hop_of_another_purpose_is_no_bridge(self, graph: GraphStore) -> None:
        mixed = [
            replace(each, purpose=Purpose.MARKETING) if each.rel == "has_member" else each
            for each in TEAM
        ]
        await graph.add("t", mixed)
        assert await GraphQueries(graph).who_finished("t", "ana", "connect", NOW) == ()

    async def test_what_ended_leads_nowhere(self, graph: GraphStore) -> None:
        await graph.add("t", TEAM)
        assert await graph.end("t", "bo", "finished", "step:connect", NOON + DAY / 2) == 1
        assert await graph.end("t", "bo", "finished", "step:connect", NOW) == 0
        queries = GraphQueries(graph)
        assert await queries.who_finished("t", "ana", "connect", NOW) == ()
        assert await queries.who_finished("t", "ana", "connect", NOON + DAY / 4) == ("bo",)

    async def test_what_lasts_is_one_edge_with_its_earliest_event(self, graph: GraphStore) -> None:
        first = edge("user:ana", "member_of", "account:acme", "m5")
        other = [
            replace(first, evidence="m9", valid_from=NOON + DAY),
            replace(first, evidence="m1", valid_from=NOON - DAY),
            replace(first, evidence="m0", valid_from=NOON - DAY),
        ]
        assert await graph.add("t", [first]) == 1
        for each in other:
            assert await graph.add("t", [each]) == 0
        assert await graph.of("t", "ana") == (other[2],)

    async def test_what_is_counted_is_an_edge_an_event(self, graph: GraphStore) -> None:
        hit = edge("user:ana", "hit", "error:E1", "m1")
        assert await graph.add("t", [hit, replace(hit, evidence="m2"), hit]) == 2

    async def test_what_ended_is_open_again_after_a_later_event(self, graph: GraphStore) -> None:
        await graph.add("t", TEAM)
        await graph.end("t", "bo", "finished", "step:connect", NOON + DAY / 2)
        early = edge("user:bo", "finished", "step:connect", "m30")
        queries = GraphQueries(graph)
        await graph.add("t", inverses([replace(early, valid_from=NOON + DAY / 4)]))
        assert await queries.who_finished("t", "ana", "connect", NOW) == ()
        await graph.add("t", inverses([replace(early, valid_from=NOON + DAY * 0.6)]))
        assert await queries.who_finished("t", "ana", "connect", NOW) == ("bo",)

    async def test_an_edge_leads_back_to_its_event(self, graph: GraphStore) -> None:
        await graph.add("t", TEAM)
        assert {e.rel for e in await graph.shown_by("t", "m5")} == {"finished", "finished_by"}
        assert await graph.shown_by("t2", "m5") == ()

    @pytest.mark.parametrize(
        "bad",
        [
            edge("ana", "member_of", "account:acme", "m1"),
            edge("user:ana", "member of", "account:acme", "m1"),
            edge("user:ana", "member_of", "account:the acme company", "m1"),
            replace(TEAM[0], tenant="t2"),
        ],
    )
    async def test_what_is_no_node_is_refused(self, graph: GraphStore, bad: Edge) -> None:
        with pytest.raises(ValueError, match=r".+"):
            await graph.add("t", [TEAM[1], bad])
        assert await graph.of("t", "bo") == ()

    async def test_who_is_erased_leaves_nothing(self, graph: GraphStore) -> None:
        led = edge("user:ana", "uses", "user:bo", "m20")
        await graph.add("t", [*TEAM, led])
        assert await graph.count("t", "bo") == 9
        assert await graph.erase("t", "bo") == 9
        assert await graph.erase("t", "bo") == await graph.count("t", "bo") == 0
        assert await GraphQueries(graph).who_finished("t", "ana", "connect", NOW) == ()
        assert await graph.of("t", "eve") != ()

    async def test_a_purpose_withdrawn_takes_its_edges_along(self, graph: GraphStore) -> None:
        bought = replace(TEAM[0], evidence="m21", purpose=Purpose.MARKETING)
        await graph.add("t", [*TEAM, bought])
        assert await graph.withdraw("t", "ana", Purpose.PRODUCT_ANALYTICS) == 3
        assert await graph.of("t", "ana") == (bought,)

    async def test_old_edges_go_by_blocks(self, graph: GraphStore) -> None:
        await graph.add("t", TEAM)
        keep = frozenset({"ana"})
        due = len(TEAM) - 3
        assert await graph.due("t", NOW, keep) == due
        assert await graph.sweep("t", NOW, keep, limit=5) == 5
        assert await graph.sweep("t", NOW, keep) == due - 5
        assert await graph.sweep("t", NOW, keep) == 0
        assert await graph.sweep("t", NOON, frozenset()) == 0
