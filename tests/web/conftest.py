"""A page for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import httpguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpguard._web import Page


@pytest.fixture
def page() -> Iterator[Page]:
    with httpguard.serve() as served:
        yield served
