"""concurrent.futures: where work for a thread pool comes from.

``asyncio.to_thread``, ``loop.run_in_executor`` and requests-futures submit to the
same class.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from .._stacks.capture import capture
from .._stacks.submission import DEPTH, Followed, submission
from .gate import GATE

if TYPE_CHECKING:
    from .patching import Method, Patcher

EXECUTORS: Final = "concurrent.futures.thread"


def patch_executors(patcher: Patcher) -> None:
    """Remember who submits."""
    from concurrent.futures import ThreadPoolExecutor

    def submit(wrapped: Method) -> Method:
        def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            registry = GATE.registry
            if registry.submissions:
                try:
                    frame = sys._getframe(1)
                    here = capture(frame, DEPTH, registry.origins)
                    fn = Followed(fn, here + submission(frame))
                except Exception as error:
                    GATE.fault("follow_executors", error)
            return wrapped(self, fn, *args, **kwargs)

        return submit

    patcher.wrap(ThreadPoolExecutor, "submit", submit)
