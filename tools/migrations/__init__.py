"""The revisions of the tables of acting."""
