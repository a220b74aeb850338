"""One provider's server for all tests here: starting one takes half a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.staff.idp import Place


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    with Place() as place:
        yield place
