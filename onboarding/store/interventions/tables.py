"""The tables of deliveries; `migrations/` makes them. Times are ISO 8601 in UTC with microseconds.

No address stands in any of them: `address` is a keyed hash. `message` is JSON.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text

VERSION_TABLE = "intervention_schema_version"
metadata = MetaData()

delivery = Table(
    "intervention_delivery",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("account", Text),
    Column("channel", Text, nullable=False),
    Column("name", Text, nullable=False),  # of the journey, without its version
    Column("step", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("exclusive", Text),
    Column("not_before", Text),
    Column("message", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("planned_at", Text, nullable=False),
    Column("due", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("begun", Boolean, nullable=False),
    Column("lease_until", Text),
    Column("sent_at", Text),
    Column("provider_id", Text),
    Column("changed_at", Text, nullable=False),
    Column("part_of", Text),  # the digest that it went out with
    Column("achieved_at", Text),
)
Index("intervention_delivery_due", delivery.c.tenant, delivery.c.state, delivery.c.due)
Index("intervention_delivery_person", delivery.c.tenant, delivery.c.subject, delivery.c.state)
Index("intervention_delivery_provider", delivery.c.tenant, delivery.c.provider_id)
Index("intervention_delivery_part", delivery.c.tenant, delivery.c.part_of)

token = Table(
    "intervention_token",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("delivery", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("account", Text),
    Column("journey", Text, nullable=False),
    Column("counts", Boolean, nullable=False),
)
Index("intervention_token_person", token.c.tenant, token.c.subject, token.c.at)
Index("intervention_token_account", token.c.tenant, token.c.account, token.c.channel, token.c.at)

outbox = Table(
    "intervention_outbox",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("delivery", Text, nullable=False),
    Column("at", Text, nullable=False),
)
Index("intervention_outbox_delivery", outbox.c.tenant, outbox.c.delivery)

choice = Table(
    "intervention_choice",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("wish", Text, primary_key=True),
    Column("channel", Text, primary_key=True),  # empty: every one
    Column("at", Text, nullable=False),
    Column("until", Text),
)

silence = Table(
    "intervention_silence",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("silence", Text, primary_key=True),
    Column("until", Text, nullable=False),
)

refused = Table(
    "intervention_refused",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", Text, nullable=False),
)

watch = Table(
    "intervention_watch",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("account", Text),
    Column("state", Text, nullable=False),
    Column("due", Text),
    Column("changed_at", Text, nullable=False),
)
Index("intervention_watch_due", watch.c.tenant, watch.c.due)

fix = Table(
    "intervention_fix",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("detector", Text, primary_key=True),
    Column("about", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("fix", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("ended_at", Text),
    Column("worked", Boolean),
)
TABLES = tuple(metadata.tables)
OF_PERSON = (delivery, token, choice, silence, watch, fix)
"""With a subject; the outbox goes with its deliveries."""
