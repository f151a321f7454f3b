"""What was judged: the counts by kind, what was excused, and what a report needs."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from .._holders.search import held_by
from .._model.leak import LeakKind
from .._model.tally import Tally
from .._stacks.ownership import module_matches, module_of
from .._stacks.sites import filenames, frame_at, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.leak import Frame
    from .._model.scope import Scope
    from .._model.settings import Settings
    from .._stacks.raw import Place, RawStack
    from .client import Client
    from .lease import Lease
    from .registry import Registry
    from .sessions import SessionRef
    from .threads import Runner

# Until it is found; and of so many sites.
_MOST_SEARCHES: Final = 3
_MOST_SITES: Final = 1000


class Verdicts:
    """The counts of one guard."""

    def __init__(self, registry: Registry, settings: Callable[[], Settings]) -> None:
        self._registry = registry
        self._settings = settings
        self.counts = dict.fromkeys(LeakKind, 0)
        self.total = 0
        self.excused = 0
        # How often more than `max_open` were open; any thread counts.
        self.overruns = Tally()
        # Held responses that were closed for the program.
        self.shut = 0

    def count(self, kind: LeakKind, leaked: Lease | SessionRef) -> bool:
        """Count a leak, once; False: `allow` or `ignore` excuses it."""
        leaked.judged = True
        if self.excuses(leaked):
            self.excused += 1
            return False
        leaked.kind = kind
        self.counts[kind] += 1
        self.total += 1
        origins = self._registry.origins
        place = place_of(leaked.stack or (), origins)
        leaked.site = frame_at(place, origins)
        self._registry.proven.distrust(place)
        return True

    def excuses(self, leaked: Lease | SessionRef) -> bool:
        """Whether `allow` or `ignore` says that it is not to be judged."""
        if leaked.scope is not None and leaked.scope.allowed is not None:
            return True
        return any(_matches(leaked, pattern) for pattern in self._settings().ignore)

    def crowd(self) -> list[Lease]:
        """The leases that count against ``max_open``."""
        return [
            lease
            for lease in self._registry.open_leases()
            if not lease.reading and not self.excuses(lease)
        ]


@dataclass(slots=True, eq=False)
class Finding:
    """What a report needs of a leak; the lease may go. Times are seconds.

    Args:
        runner: What opened it; `thread` is the name of the thread.
        age: At the judgement, as is `idle`: without progress, or without a request.
        lost_in: Code and offset that lost the response, where that is not the site.
        lost_by: What that code is.
        alive: Of a session: those of its line that keep sockets, so many `sockets`.
        held_by: What refers to it, where that was searched for and found.
        raised: A LeakError has carried it: it is raised once.
    """

    kind: LeakKind
    client: Client
    stack: RawStack
    site: Frame
    scope: Scope | None
    runner: Runner
    thread: str
    url: str
    age: float
    context: dict[str, Any]
    pool: str
    idle: float
    # Of the request; a session has none of these.
    method: str = ""
    status: int = 0
    length: int | None = None
    bytes_read: int = 0
    block: bool = False
    lost_in: Place = ()
    lost_by: str = ""
    alive: int = 0
    sockets: int = 0
    held_by: str | None = None
    raised: bool = False

    @classmethod
    def of_response(cls, kind: LeakKind, lease: Lease, now: float) -> Finding:
        found = cls._of(kind, lease, lease.pool.name, now, lease.active)
        found.method = lease.method
        found.status = lease.status
        found.length = lease.announced
        found.bytes_read = lease.bytes_read
        found.block = bool(lease.pool.block)
        if kind is LeakKind.DROPPED:
            found.lost_in, found.lost_by = lease.lost_in, lease.lost_by
        return found

    @classmethod
    def of_session(cls, kind: LeakKind, session: SessionRef, now: float) -> Finding:
        active = max((pool.active for pool in session.pools), default=now)
        found = cls._of(kind, session, session.name, now, active)
        found.alive, found.sockets = session.alive, session.sockets
        return found

    @classmethod
    def _of(
        cls,
        kind: LeakKind,
        leaked: Lease | SessionRef,
        pool: str,
        now: float,
        active: float,
    ) -> Finding:
        return cls(
            kind=kind,
            client=leaked.client,
            stack=leaked.stack or (),
            site=leaked.site,
            scope=leaked.scope,
            runner=leaked.runner,
            thread=leaked.thread,
            url=leaked.absolute_url,
            age=now - leaked.opened,
            context={} if leaked.context is None else leaked.context(),
            pool=pool,
            idle=now - active,
        )


def _matches(leaked: Lease | SessionRef, pattern: str) -> bool:
    """Whether a URL pattern (it has a slash) or a module pattern fits."""
    if "/" in pattern:
        url = leaked.absolute_url
        return fnmatchcase(url, pattern) or fnmatchcase(url.partition("?")[0], pattern)
    return any(
        module_matches(module_of(filename), pattern)
        for filename in filenames(leaked.stack or ())
    )


class Explainer:
    """Searches for what refers to a response. One thread at a time."""

    def __init__(self, registry: Registry, settings: Callable[[], Settings]) -> None:
        self._registry = registry
        self._settings = settings
        # How often it was searched for, by site.
        self._searches: dict[Frame, int] = {}

    def explain(self, lease: Lease, response: Any) -> str | None:
        """What refers to a response, where that is searched for and found.

        It may have been found when the lease was adopted.
        """
        origins = self._registry.origins
        chain = lease.held_by
        if chain:
            return chain
        try:
            site = lease.site
            tries = self._searches.get(site, 0)
            if tries < _MOST_SEARCHES and len(self._searches) <= _MOST_SITES:
                chain = held_by(response, origins, self._settings().explain)
                self._searches[site] = _MOST_SEARCHES if chain else tries + 1
        except Exception as error:
            # The leak is reported all the same.
            self._registry.faults.append(("explain", error.with_traceback(None)))
        return chain
