"""Responses that the collector has taken, and that an event loop revives.

An async generator that is collected while it is suspended goes to its loop, which
closes it at a later turn, and by that what its blocks hold. Weak references to all of
that are cleared by then, as if it were gone.
"""

from __future__ import annotations

from inspect import CO_ASYNC_GENERATOR
from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

from .._model.scope import is_within
from .._stacks.heap import objects
from .threads import runner, strand_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._model.scope import Scope
    from .lease import Lease

_SUSPENDING: Final = (CoroutineType, GeneratorType)
_CLOSES: Final = frozenset({"close", "aclose"})


class Revived:
    """The collected responses of which a look has yet to tell whether they are gone."""

    def __init__(self) -> None:
        self._doubtful: list[Lease] = []

    def gone(
        self, dead: Iterable[Lease], now: float, patience: float | None
    ) -> Iterator[Lease]:
        """Those that are gone: nothing revived them, or nobody has closed them since.

        Args:
            dead: Leases whose response was collected.
            now: Seconds of the guard's clock.
            patience: Seconds that a loop has to close what it revived. None: those that
                an async generator has opened are left to the next look, which costs
                about 60 ns for each object of the heap, if there are any.
        """
        for lease in dead:
            if lease.ended or lease.closed is not None or not _is_of_generator(lease):
                yield lease
            else:
                self._doubtful.append(lease)
        if patience is None or not self._doubtful:
            return
        doubtful, self._doubtful = self._doubtful, []
        living = _living({lease.key for lease in doubtful})
        for lease in doubtful:
            lease.revived = lease.key in living and lease.has_key()
            if lease.revived and not lease.ended and now - lease.active < patience:
                self._doubtful.append(lease)
            else:
                yield lease

    def left(self, scope: Scope) -> list[Lease]:
        """Those of a scope that ends in this thread, whose loop runs no more."""
        here = runner()
        left = [
            lease
            for lease in self._doubtful
            if is_within(lease.scope, scope) and strand_of(lease.runner) == here
        ]
        self._doubtful = [lease for lease in self._doubtful if lease not in left]
        return left


def _is_of_generator(lease: Lease) -> bool:
    codes: Any = (lease.stack or ())[::2]
    return any(code.co_flags & CO_ASYNC_GENERATOR for code in codes)


def _living(keys: set[int]) -> set[int]:
    """The ids at which there is something that can be closed, as a connection can."""
    return {
        id(one)
        for one in objects()
        if id(one) in keys
        # By type(), not isinstance: that would run a proxy's __class__.
        and not issubclass(type(one), _SUSPENDING)
        and any(not _CLOSES.isdisjoint(vars(kind)) for kind in type.mro(type(one)))
    }
