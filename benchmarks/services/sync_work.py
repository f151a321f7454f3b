"""What a process of a service has that asks with threads, greenlets or neither."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import requests
import urllib3

import httpguard
from benchmarks._kept import kept

from .clock import Clock
from .schedule import Schedule
from .shelf import Shelf
from .sync_innocent_lines import FAULTS, INNOCENT, RARE
from .sync_leaky_lines import LEAKS
from .truth import Diary

if TYPE_CHECKING:
    from .settings import Orders

# More than requests are under way at a time.
_CONNECTIONS: Final = 50
# httpguard's containers are counted once in so many steps of a process.
_MEASURED: Final = 500
LINES: Final = {**LEAKS, **FAULTS, **INNOCENT, **RARE}
RATES: Final = {
    name: times
    for lines in (LEAKS, FAULTS, INNOCENT)
    for name, (_, times) in lines.items()
}


class SyncWork:
    """The sessions, pools and kept responses of a process, and its steps.

    Args:
        orders: What the service was told.
    """

    def __init__(self, orders: Orders) -> None:
        self.url = orders.url
        self.late = f"{orders.url}/late/{1.5 * orders.max_idle}"
        self.stalled = orders.url + "/stall"
        self.address = urlsplit(orders.url).netloc
        self.diary = Diary(orders.diary)
        self.shelf = Shelf(self.diary, orders.kept)
        self.clock = Clock(orders.seed + os.getpid())
        self.session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS)
        self.session.mount("http://", adapter)
        self.retrying = requests.Session()
        again = urllib3.Retry(2, status_forcelist=[503], backoff_factor=0)
        self.retrying.mount("http://", requests.adapters.HTTPAdapter(max_retries=again))
        self.pools = urllib3.PoolManager(maxsize=_CONNECTIONS)
        # Few slots: what is lost is missed at once.
        self.blocking = urllib3.PoolManager(maxsize=4, block=True)
        self._schedule = Schedule(orders.seed, RATES, tuple(RARE))
        self._measured = 0
        self._lock = threading.Lock()

    def do(self, part: int) -> None:
        """The steps of a part of the schedule."""
        names = self._schedule.part(part)
        for name in names:
            self._tidy()
            try:
                LINES[name][0](self)
            except Exception as error:
                self.diary.failed(name, error)
        self._measure(self.diary.did(len(names)))

    def end(self) -> None:
        """Wait until all that is kept is a leak, close it, and say that it is over."""
        while (seconds := self.shelf.left()) is not None:
            time.sleep(seconds)
            self._tidy()
        counters = httpguard.check().counters
        self.diary.ended(counters["errors"])

    def _tidy(self) -> None:
        for one in self.shelf.due():
            one.close()

    def _measure(self, done: int) -> None:
        with self._lock:
            if done < self._measured + _MEASURED:
                return
            self._measured = done
        self.diary.measured(sum(kept().values()))
