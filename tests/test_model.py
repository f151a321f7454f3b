"""Random programs: the guard and an independent model must agree at every check.

``HYPOTHESIS_PROFILE=long python -m pytest tests/test_model.py`` runs many more.
"""

from __future__ import annotations

import gc
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model import STATISTICS, RandomProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Server

_COMMON: dict[str, Any] = {
    "database": None,
    "deadline": None,
    "phases": [Phase.generate, Phase.shrink],
    "print_blob": False,
    "suppress_health_check": list(HealthCheck),
}
settings.register_profile(
    "ci", max_examples=120, stateful_step_count=40, derandomize=True, **_COMMON
)
settings.register_profile("long", max_examples=1500, stateful_step_count=60, **_COMMON)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")


@pytest.fixture
def spared_heap() -> Iterator[None]:
    """Spare every collection below the look at all that was there before."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.timeout(0 if PROFILE == "long" else 120)
def test_the_guard_and_the_model_agree(
    server: Server,
    spared_heap: None,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "httpguard")
    caplog.set_level(logging.CRITICAL, "urllib3")
    STATISTICS.clear()
    try:
        run_state_machine_as_test(
            lambda: RandomProgram(server),  # type: ignore[arg-type]  # any factory does
            settings=settings.get_profile(PROFILE),
        )
    finally:
        with capsys.disabled():
            print(f"\nmodel: {dict(STATISTICS)}")  # noqa: T201
