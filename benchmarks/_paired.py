"""Paired measurement: interleaved blocks, differences of neighbours, spread.

A machine that is busy with other things gets slower and faster over seconds.
Blocks of all variants therefore take turns in random order, each beside a block
without it, and only neighbours are compared; over the rounds the median is taken.
The interval beside it is a distribution-free 95 % confidence interval of that
median.
"""

from __future__ import annotations

import gc
import math
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from ._calls import Call
    from ._variants import Variant

Clock = Callable[[], float]
_T = TypeVar("_T")
Pair = tuple[_T, _T]
"""One block without and one with."""
Figures = dict[str, dict[str, list[Pair[_T]]]]
"""By kind and variant: one pair for each round."""
_BATCH: Final = 10


@dataclass(frozen=True, slots=True)
class Spread:
    """Many measurements of one thing.

    Args:
        median: Their median.
        low: Lower end of the median's 95 % confidence interval.
        high: Upper end.
        quartiles: The quartiles, between which half of the measurements lie.
        count: How many there are.
    """

    median: float
    low: float
    high: float
    quartiles: tuple[float, float]
    count: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def spread(values: Iterable[float]) -> Spread:
    """Median, its confidence interval, and the quartiles.

    Args:
        values: At least one.
    """
    ordered = sorted(values)
    count = len(ordered)
    # The ranks between which the median lies in 95 of 100 draws (binomial,
    # normal approximation).
    margin = 0.98 * math.sqrt(count)
    low = max(math.floor(count / 2 - margin), 0)
    high = min(math.ceil(count / 2 + margin), count - 1)
    quarter = (
        statistics.quantiles(ordered, n=4) if count > 1 else [ordered[0], 0, ordered[0]]
    )
    return Spread(
        statistics.median(ordered),
        ordered[low],
        ordered[high],
        (quarter[0], quarter[2]),
        count,
    )


def added(pairs: Iterable[Pair[float]]) -> Spread:
    """The spread of what was added, pair by pair.

    Args:
        pairs: At least one.
    """
    return spread(own - base for base, own in pairs)


def time_block(call: Call, *, warm_up: int, requests: int, clock: Clock) -> float:
    """Seconds a request over one block: the mean of its fastest ten in a row.

    What other programs do to a machine only ever adds time, in bursts; between
    the bursts lies the cost that repeats. Means of whole blocks show the same
    differences with up to four times the spread. The collector stays on and
    starts each block with nothing to do; in ten requests it hardly ever runs,
    but its share was under 0.6 us a request with every variant.

    Args:
        call: One request.
        warm_up: Requests before the clock starts: CPython specializes code
            anew after each patch.
        requests: Requests that count.
        clock: Wall or CPU time.
    """
    for _ in range(warm_up):
        call()
    gc.collect()
    batch = range(_BATCH)
    fastest = math.inf
    for _ in range(requests // _BATCH):
        begin = clock()
        for _ in batch:
            call()
        fastest = min(fastest, clock() - begin)
    return fastest / _BATCH


def run_rounds(
    variants: Mapping[str, Variant],
    kinds: Sequence[str],
    measure: Callable[[str], _T],
    rounds: int,
    progress: Callable[[], None] = lambda: None,
) -> Figures[_T]:
    """Every variant and kind once a round, in random order, each beside its base.

    Each variant's blocks have blocks without it next to them, before or after
    by chance. One installation serves all kinds: CPython from 3.13 on stops to
    cache the attributes of a class that was changed a thousand times.

    Args:
        variants: By name.
        kinds: What is measured under each of them.
        measure: Gets a kind; returns what it measured.
        rounds: How many.
        progress: Called after each round.

    Returns:
        By kind and variant: one pair for each round.
    """
    chance = random.Random(0)
    found: Figures[_T] = {kind: {name: [] for name in variants} for kind in kinds}
    # What is imported by now is nobody's garbage.
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name in chance.sample(list(variants), len(variants)):
            order = chance.sample(list(kinds), len(kinds))
            base_first = chance.random() < 0.5
            base = {kind: measure(kind) for kind in order} if base_first else {}
            with variants[name]():
                own = {kind: measure(kind) for kind in order}
            if not base_first:
                base = {kind: measure(kind) for kind in order}
            for kind in kinds:
                found[kind][name].append((base[kind], own[kind]))
        progress()
    gc.unfreeze()
    return found
