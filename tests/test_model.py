"""Random programs: the guard and an independent model must agree at every check.

``python -m tests.model --steps 50000`` runs many more.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.model import figures, run_programs

if TYPE_CHECKING:
    from tests.server import Server


@pytest.mark.timeout(600)  # Most of a minute, where nothing else runs.
def test_the_guard_and_the_model_agree(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    figures()
    try:
        run_programs(server, programs=120, length=40)
    finally:
        done = figures()
        with capsys.disabled():
            print(f"\nmodel: {done}")  # noqa: T201
    # What they are about did happen.
    assert done["steps"] > 1500
    for fact in ("dropped", "held", "unreleased", "open", "resolved", "excused"):
        assert done[fact], fact


@pytest.mark.parametrize("client", ["httpx", "aiohttp"])
def test_the_guard_and_the_model_of_tasks_agree(
    client: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec(client) is None:
        pytest.skip(f"{client} is not installed")
    figures()
    try:
        run_programs(server, programs=15, length=20, client=client)
    finally:
        done = figures()
        with capsys.disabled():
            print(f"\nmodel of {client}: {done}")  # noqa: T201
    for fact in ("dropped", "held", "released", "resolved", "comparisons"):
        assert done[fact], fact
