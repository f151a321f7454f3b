"""What is done about a held response: look for what refers to it, and close it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._holders.search import held_by
from .readers import is_read_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.leak import Frame
    from .._model.settings import Settings
    from .lease import Lease
    from .registry import Registry

# Until it is found; and of so many sites.
_MOST_SEARCHES: Final = 3
_MOST_SITES: Final = 1000
_NOTE: Final = (
    "httpguard closed this response, since nothing was read from it for max_idle"
    " seconds: on_held='close' (HTTPGUARD_ON_HELD)"
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


def close_held(lease: Lease, registry: Registry) -> bool:
    """Close a held response for the program; whether that was done."""
    response = lease()
    if response is None or lease.ended or lease.closed is not None:
        return False
    if is_read_on(lease, response, registry.origins):
        return False
    # Before it gives its connection back: that is not the program's doing.
    lease.ended = True
    registry.discard(lease)
    if lease.client.close(response, _NOTE):
        return True
    lease.ended = False
    registry.leases[lease.key] = lease
    return False
