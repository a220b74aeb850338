"""One Harbor and one server for all but those who publish."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.onboarding.stage import Running, running


@pytest.fixture(scope="package")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("onboarding")) as started:
        yield started
