"""The log of events in SQL: SQLite by default, PostgreSQL by URL."""
