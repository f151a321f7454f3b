"""Which sessions of a line are too many: those that keep sockets nobody uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._model.scope import is_within
from .threads import is_alive, strand_of

if TYPE_CHECKING:
    from .._model.scope import Scope
    from .session import SessionRef
    from .threads import Strand


def keeps(ref: SessionRef) -> bool:
    """Whether a session keeps idle sockets, and no request of it is under way."""
    pools = list(ref.pools)
    if any(pool.in_use for pool in pools):
        return False
    ref.sockets = sum(pool.idle for pool in pools)
    return ref.sockets > 0


def without_one_a_thread(crowd: list[SessionRef]) -> set[int]:
    """The ids of those that are not the one session of a live thread.

    A session is not to be shared by threads, so that each may have one: that which it
    uses, whoever has made it.

    Args:
        crowd: The oldest first.
    """
    served: set[Strand] = set()
    spare = set()
    for ref in crowd:
        strand = strand_of(ref.user)
        alive = not ref.closed and ref() is not None and is_alive(strand)
        if alive and strand not in served:
            served.add(strand)
        else:
            spare.add(id(ref))
    return spare


def belongs(ref: SessionRef, scope: Scope | None) -> bool:
    """Whether a session is judged with a scope; with None, with no scope's end."""
    if scope is None:
        return ref.scope is None or ref.scope.promise is None
    return is_within(ref.scope, scope)
