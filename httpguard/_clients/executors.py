"""concurrent.futures: where work for a thread pool comes from.

``asyncio.to_thread``, ``loop.run_in_executor`` and requests-futures submit to the
same class.
"""

from __future__ import annotations

import sys
from typing import Any

from .._stacks.capture import capture
from .._stacks.submission import DEPTH, Followed, submission
from .patching import STATE, Method, step_aside, wrap


def apply() -> None:
    """Patch what `concurrent.futures.thread` defines."""
    from concurrent.futures import ThreadPoolExecutor

    wrap(ThreadPoolExecutor, "submit", _submit)


def _submit(wrapped: Method) -> Method:
    """Remember who submits."""

    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        registry = STATE.registry
        if registry.follow:
            try:
                frame = sys._getframe(1)
                here = capture(frame, DEPTH, registry.origins)
                fn = Followed(fn, here + submission(frame))
            except Exception as error:
                step_aside("follow_executors", error)
        return wrapped(self, fn, *args, **kwargs)

    return submit
