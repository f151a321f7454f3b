"""The end of a `no_leaks` scope: whom it waits for, and what it could not see."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from .._model.errors import HTTPGuardError
from .._process import installing as _installing
from .._process import process as _process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._model.scope import Scope

# Work of the scope in other threads gets this many seconds to end.
_PATIENCE: Final = 1.0
_PAUSE: Final = 0.005
_MOST_NAMES: Final = 5


def refuse_what_is_unguarded() -> None:
    """A client that is left alone may leak what it will.

    Raises:
        HTTPGuardError: There is one.
    """
    for (client, _), reason in _installing.patches().unguarded.items():
        raise HTTPGuardError(
            f"no_leaks() cannot watch {client}, and would prove nothing: {reason}"
        )


def pauses(
    scope: Scope,
    *,
    looping: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[float]:
    """Seconds to sleep while threads work for a scope, and its patience is not over.

    Args:
        scope: It ends.
        looping: Whether a loop goes on meanwhile, and with it what it takes in.
        clock: The real one: a test may have stopped that of `time`.
    """
    deadline = clock() + _PATIENCE
    while not scope.waited:
        guard = _process.PROCESS.guard
        scope.waited = (
            guard is None
            or not (
                guard.scopes.unfinished(scope)
                or (looping and guard.scopes.is_arriving(scope))
            )
            or clock() >= deadline
        )
        if not scope.waited:
            yield _PAUSE


async def sleep(seconds: float) -> None:
    """Let the tasks of the loop run meanwhile.

    By a thread: a test may have stopped the clock of the loop, or put another
    function in the place of `asyncio.sleep`.
    """
    import asyncio  # 14 ms.

    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    timer = threading.Timer(seconds, loop.call_soon_threadsafe, [woken.set])
    timer.daemon = True
    timer.start()
    try:
        await woken.wait()
    finally:
        timer.cancel()
        timer.join()


def say_unfinished(names: list[str]) -> None:
    """What these threads open later is judged as if there had been no scope."""
    if names:
        logging.getLogger("httpguard").warning(
            "no_leaks() has ended while other threads still work for it, and did not"
            " see what they open from now on: %s",
            ", ".join(sorted(names)[:_MOST_NAMES]),
        )
