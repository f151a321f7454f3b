from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.testing.suites import Suite

if TYPE_CHECKING:
    from tests.server import Server


@pytest.fixture
def suite(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, server: Server
) -> Suite:
    return Suite(pytester, monkeypatch, server.url("/bytes/90000"))
