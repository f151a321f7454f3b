"""What a process of a service has that asks with threads, greenlets or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import requests
import urllib3

from .work import Work

if TYPE_CHECKING:
    from .settings import Orders

# More than requests are under way at a time.
_CONNECTIONS: Final = 50


class SyncWork(Work):
    """Its sessions and pools.

    Args:
        orders: What the service was told.
    """

    def __init__(self, orders: Orders) -> None:
        super().__init__(orders)
        self.address = urlsplit(orders.url).netloc
        self.session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS)
        self.session.mount("http://", adapter)
        self.retrying = requests.Session()
        again = urllib3.Retry(2, status_forcelist=[503], backoff_factor=0)
        self.retrying.mount("http://", requests.adapters.HTTPAdapter(max_retries=again))
        self.pools = urllib3.PoolManager(maxsize=_CONNECTIONS)
        # Few slots: what is lost is missed at once.
        self.blocking = urllib3.PoolManager(maxsize=4, block=True)

    def tidy(self) -> None:
        """Close what was kept for long enough."""
        for one in self.shelf.due():
            one.close()
