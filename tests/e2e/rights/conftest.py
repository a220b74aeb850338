"""One Harbor for the folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harbor.running import Harbor, running_harbor


@pytest.fixture(scope="package")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbor]:
    with running_harbor(tmp_path_factory.mktemp("harbor")) as running:
        yield running
