"""What was judged: the counts by kind, and what was excused."""

from __future__ import annotations

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
    from .._model.settings import Settings
    from .lease import Lease
    from .registry import Registry
    from .sessions import SessionRef

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
