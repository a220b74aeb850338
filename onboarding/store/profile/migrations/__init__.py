"""Revisions of the tables of profiles."""
