"""Each cell of the table of facts is measured, with no guard, on real connections."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

import httpguard
from tests.program import ROOT
from tests.server import Server

from ._measure import ENDINGS, measure
from .table import FACTS, Subject, lines, subjects

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.fixture(scope="module")
def alone() -> Iterator[Server]:
    """A server to which nothing else has connections."""
    httpguard.uninstall()
    with Server() as running:
        yield running


@pytest.mark.parametrize("ending", FACTS)
@pytest.mark.parametrize("subject", [*subjects()], ids=lambda subject: subject.name)
def test_a_cell_is_true(subject: Subject, ending: str, alone: Server) -> None:
    driver = subject.driver(import_module(subject.module), alone)
    assert measure(driver, ENDINGS[ending]) == subject.expected(ending)


def test_the_page_has_the_table() -> None:
    page = (ROOT / "docs" / "what-really-happens.md").read_text("utf-8")
    assert "\n" + "\n".join(lines()) + "\n" in page
