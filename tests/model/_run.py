"""Runs random programs until there were enough of them."""

from __future__ import annotations

import gc
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from ._ending import Ending
from ._keeping import Keeping
from ._opening import Opening
from ._reading import Reading
from ._statistics import STATISTICS
from ._tasks import SIDES, TaskProgram
from ._telling import Telling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Address

# The loggers that would tell of every mishap and every leak.
_LOGGERS: Final = ("httpguard", "urllib3")


class RandomProgram(Opening, Reading, Ending, Keeping, Telling):
    """All the steps."""


def run_programs(
    server: Address,
    *,
    programs: int,
    length: int,
    seed: int | None = None,
    client: str | None = None,
) -> None:
    """Run random programs, and stop at the first that the two do not agree on.

    Args:
        server: Whom they ask.
        programs: How many.
        length: How many steps each has, beside those that it begins with.
        seed: Of their choice; None: the same ones every time.
        client: ``httpx`` or ``aiohttp``, for programs of coroutines; None: those of
            urllib3 and requests.

    Raises:
        DifferenceError: The guard and the model do not agree. Its notes are the
            program, as short as hypothesis could make it.
    """

    def begin() -> RandomProgram | TaskProgram:
        """A program that has not begun."""
        if client is not None:
            return TaskProgram(server, SIDES[client]())
        return RandomProgram(server)

    factory: Any = begin if seed is None else hypothesis.seed(seed)(begin)
    chosen = settings(
        max_examples=programs,
        stateful_step_count=length,
        derandomize=seed is None,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    with _quiet(), _spared_heap():
        run_state_machine_as_test(factory, settings=chosen)


def figures() -> dict[str, int]:
    """What has been done since the last call, and what the ledger counted in it."""
    counted = dict(STATISTICS)
    STATISTICS.clear()
    return counted


@contextmanager
def _spared_heap() -> Iterator[None]:
    """Spare every collection inside the look at all that was there before."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.collect()


@contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing of what the programs do."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
