"""What features are made of, in SQL: memories of each subject, and events as they were known."""
