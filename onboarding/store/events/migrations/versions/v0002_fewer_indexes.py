"""PostgreSQL: no index that nothing asks, and a small one of when events were received."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None
RECEIVED = "CREATE INDEX product_event_received ON product_event"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP INDEX product_event_message")
    op.execute("DROP INDEX product_event_received")
    op.execute(f"{RECEIVED} USING brin (received_at)")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP INDEX product_event_received")
    op.execute(f"{RECEIVED} (received_at)")
    message = "(tenant, message_id, received_at)"
    op.execute(f"CREATE INDEX product_event_message ON product_event {message}")
