"""The fixed loops whose instructions are counted, in a process of their own.

A call of ``getppid``, which nothing else makes, has callgrind write down what it has
counted since the one before, and begin anew.

Run by `benchmarks.instructions`: ``python -m benchmarks._counted VARIANT CIRCUMSTANCE
LOOPS``.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ._calls import KINDS, memory_client
from ._circumstances import CIRCUMSTANCES, Circumstance
from ._stacks import deepened
from ._variants import BESIDE, CONTROL, beside, own_variants

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._calls import Call
    from ._variants import Variant

MARK: Final = "getppid"
# No sweep in the middle: valgrind is slow, and the clock is the wall's.
NEVER: Final = 3600


@dataclass(frozen=True, slots=True)
class Loops:
    """How often each kind of request is made.

    Args:
        warm_up: Before anything is counted: the first sixteen leases of a line keep
            their whole stack, and CPython specializes code meanwhile.
        short: In the shorter loop.
        long: In the longer one.
        rounds: How often one runs after the other.
    """

    warm_up: int
    short: int
    long: int
    rounds: int

    def to_text(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))


def main() -> None:
    """Run the loops of one variant."""
    name, where, text, *checkout = sys.argv[1:]
    loops = Loops(**json.loads(text))
    circumstance = CIRCUMSTANCES[where]
    with _variant(name, checkout)():
        circumstance.run(partial(_make_requests, circumstance, loops))
        sys.stdout.flush()
        os._exit(0)  # What an exit costs is no part of it.


def _make_requests(circumstance: Circumstance, loops: Loops) -> None:
    """Of every kind, in turn."""
    calls = memory_client(block=circumstance.block).calls()
    for kind in KINDS:
        call = deepened(calls[kind], circumstance.depth)
        count(partial(_repeat, call), loops)


def _repeat(call: Call, times: int) -> None:
    for _ in range(times):
        call()


def _variant(name: str, checkout: list[str]) -> Variant:
    own = own_variants(check_interval=NEVER)
    if name == BESIDE:
        return beside(Path(checkout[0]), check_interval=NEVER)
    return own[name or CONTROL]


def count(many: Callable[[int], None], loops: Loops) -> None:
    """Run both loops in turns, a mark before, between and after them.

    Args:
        many: Makes so many requests.
        loops: How many.
    """
    many(loops.warm_up)
    # It would run whenever enough was allocated, in the middle of either loop.
    gc.collect()
    gc.freeze()
    gc.disable()
    os.getppid()
    for length in (loops.short, loops.long) * loops.rounds:
        many(length)
        os.getppid()
    gc.enable()


if __name__ == "__main__":
    main()
