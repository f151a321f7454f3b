"""Where requests are made: how deep, in what, and of which pools."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal

from ._stacks import DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Circumstance:
    """One of them.

    Args:
        depth: Frames on the stack.
        block: Whether pools make requests wait.
        within: What runs the requests.
    """

    depth: int = DEPTH
    block: bool = False
    within: Literal["the main thread", "a thread", "a task", "a greenlet"] = (
        "the main thread"
    )

    def run(self, work: Callable[[], None]) -> None:
        """Do the work within what runs it.

        Args:
            work: Makes the requests.
        """
        if self.within == "a thread":
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        elif self.within == "a task":

            async def task() -> None:  # It blocks its loop.
                work()

            asyncio.run(task())
        elif self.within == "a greenlet":
            import_module("greenlet").greenlet(work).switch()
        else:
            work()


ORDINARY: Final = "ordinary"
CIRCUMSTANCES: Final = {
    ORDINARY: Circumstance(),
    "a pool that blocks": Circumstance(block=True),
    "5 frames deep": Circumstance(depth=5),
    "100 frames deep": Circumstance(depth=100),
    "in a thread": Circumstance(within="a thread"),
    "in an asyncio task": Circumstance(within="a task"),
    "in a greenlet": Circumstance(within="a greenlet"),
}
