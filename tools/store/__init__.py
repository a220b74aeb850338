"""move -> rules over rows -> one transaction: what both journals share, and the rows in SQL."""
