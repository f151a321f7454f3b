"""The detector of sessions: crowds in, findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._model.leak import LeakKind
from .._model.scope import is_within
from .lease import Finding
from .threads import is_alive, strand_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._model.scope import Scope
    from .._model.settings import Settings
    from .registry import Registry
    from .sessions import SessionRef
    from .table import Verdicts
    from .threads import Strand


class SessionDetector:
    """Judges sessions. Its caller lets one thread in at a time."""

    def __init__(
        self,
        registry: Registry,
        settings: Callable[[], Settings],
        verdicts: Verdicts,
        found: Callable[[Finding], None],
    ) -> None:
        self._sessions, self._pools = registry.sessions, registry.pools
        self._settings = settings
        self._verdicts = verdicts
        self._found = found

    def sweep(
        self, now: float, scope: Scope | None = None, *, ended: bool = False
    ) -> None:
        """Judge the sessions of a line that has made too many, all or those of a scope.

        Where that, or the process, has ended, nobody waits until they have been idle.
        """
        if scope is not None or ended:  # Else the sweep has looked.
            self._pools.look(now)
        self._resolve_idle()
        for crowd in self._crowds(now, scope, ended=ended):
            for session in crowd:
                if not session.judged and self._verdicts.count(
                    LeakKind.SESSION, session
                ):
                    self._found(Finding.of_session(LeakKind.SESSION, session, now))

    def is_crowded(self, scope: Scope, now: float) -> bool:
        """Whether a scope that ends has left more sessions than it may."""
        return any(self._crowds(now, scope, ended=True))

    def _crowds(
        self, now: float, scope: Scope | None, *, ended: bool
    ) -> Iterator[list[SessionRef]]:
        """The sessions of a line that keep sockets nobody uses, if they are too many.

        Those beyond the limit, with `alive` and `sockets` filled in.
        """
        settings = self._settings()
        limit = settings.max_sessions
        if limit is None:
            return
        idle = 0.0 if ended or scope is not None else settings.max_idle
        if self._sessions.dead:
            self._sessions.forget_dead()
        for line in list(self._sessions.lines.values()):
            if len(line) <= limit:
                continue
            unused = [
                ref
                for ref in list(line.values())
                if _belongs(ref, scope)
                and min((now - pool.active for pool in list(ref.pools)), default=0.0)
                >= idle
            ]
            if len(unused) <= limit:
                continue
            crowd = sorted(filter(_keeps, unused), key=lambda ref: ref.opened)
            spare = _without_one_a_thread(crowd)
            if len(crowd) <= limit or len(spare) < limit:
                continue
            sockets = sum(ref.sockets for ref in crowd)
            for ref in crowd:
                ref.alive, ref.sockets = len(crowd), sockets
            yield [ref for ref in crowd[limit:] if id(ref) in spare]

    def _resolve_idle(self) -> None:
        """Say of judged ones that keep no sockets any more that they ended well."""
        for line in list(self._sessions.lines.values()):
            for ref in list(line.values()):
                judged = ref.kind is not None and not ref.ended
                if judged and ref.closed and not any(p.idle for p in list(ref.pools)):
                    ref.ended = True
                    self._sessions.resolved.append(ref)


def _keeps(ref: SessionRef) -> bool:
    """Whether a session keeps idle sockets, and no request of it is under way."""
    pools = list(ref.pools)
    if any(pool.in_use for pool in pools):
        return False
    ref.sockets = sum(pool.idle for pool in pools)
    return ref.sockets > 0


def _without_one_a_thread(crowd: list[SessionRef]) -> set[int]:
    """The ids of those that are not the one session of a live thread, the oldest first.

    A session is not to be shared by threads, so that each may have one: that which it
    uses, whoever has made it.
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


def _belongs(ref: SessionRef, scope: Scope | None) -> bool:
    """Whether a session is judged with a scope; with None, with no scope's end."""
    if scope is None:
        return ref.scope is None or ref.scope.promise is None
    return is_within(ref.scope, scope)
