"""`python -m embark.cli`, for a shell that does not find the command."""

from embark.cli import app

app()
