"""Revisions of the tables of journeys."""
