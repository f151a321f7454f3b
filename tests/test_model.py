"""Random programs: the guard and an independent model must agree at every check.

``python -m tests.model --steps 50000`` runs many more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model import figures, run_programs

if TYPE_CHECKING:
    import pytest

    from tests.server import Server


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
