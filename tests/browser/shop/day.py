"""A day of the shop, and an hour's log of it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import urllib3

from . import orders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server import Server

# Kind, file, line, function, and how many there are after so many minutes.
SITES: list[tuple[str, str, int, str, Callable[[int], int]]] = [
    ("dropped", "orders.py", 18, "is_in_stock", lambda m: 1 + m * (m > 20)),
    ("held", "orders.py", 22, "keep_invoice", lambda m: 1 + m // 10),
    ("unreleased", "stock.py", 26, "reserve", lambda m: 1 + m * m // 60),
    ("session", "orders.py", 31, "ask", lambda m: 20 + m // 6),
]
CALLERS = [
    {"filename": "/srv/shop/app.py", "lineno": 9, "function": "handle"}
    | {"application": True},
    {"filename": "/usr/lib/python3/flask/app.py", "lineno": 917}
    | {"function": "dispatch_request", "application": False},
]
CLIENT = {"filename": "/usr/lib/python3/requests/api.py", "lineno": 87} | {
    "function": "get",
    "application": False,
}


def leak(server: Server, pool: urllib3.HTTPConnectionPool) -> None:
    """Leak in four kinds."""
    for _ in range(12):
        orders.is_in_stock(server.url("/bytes/90000"))
    for number in range(3):
        orders.keep_invoice(server.url(f"/bytes/{70000 + number}"))
    for _ in range(pool.pool.maxsize if pool.pool else 0):
        orders.reserve(pool, "/bytes/90000?customer=7")
    for _ in range(5):
        orders.ask(server.url("/bytes/9"))


@contextmanager
def waiting(pool: urllib3.HTTPConnectionPool) -> Iterator[None]:
    """Three customers wait for a connection."""

    def pay() -> None:
        with suppress(urllib3.exceptions.HTTPError):
            orders.pay(pool, "/bytes/9")

    threads = [
        threading.Thread(target=pay, name=f"customer-{number}") for number in range(3)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        # A slot each, so that they end.
        for _ in threads:
            pool._put_conn(None)
        for thread in threads:
            thread.join()


def write_log(path: Path) -> Path:
    """An hour of three processes, minute by minute."""
    begin = datetime(2026, 11, 28, 9, 0, tzinfo=timezone.utc)
    lines = []
    for process in range(3):
        for kind, file, number, function, counted in SITES:
            site = {"filename": f"/srv/shop/{file}", "lineno": number}
            for minute in range(process * 7, 60):
                time = begin + timedelta(minutes=minute)
                fields = {"kind": kind, "count": counted(minute), "pid": 100 + process}
                lines.append(_line(time, {**site, "function": function}, fields))
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def _line(
    time: datetime, site: dict[str, Any], fields: dict[str, Any]
) -> dict[str, Any]:
    """A line of the log."""
    stamp = time.isoformat(timespec="microseconds")
    held = "orders.INVOICES (module global) -> [cut: dict['a']]"
    return {
        "schema": 1,
        "timestamp": stamp,
        "level": "warning",
        "event": "httpguard.leak",
        "run": f"run{fields['pid']}",
        "host": "web-1",
        "program": "shop",
        "site": {**site, "application": True},
        "stack": [*CALLERS, {**site, "application": True}, CLIENT],
        "resolved": 0,
        "method": "GET",
        "url": "http://stock.local/items?item=…",
        "status": 200,
        "client": "requests",
        "pool": "http://stock.local:80",
        "thread": "worker-1",
        "first_seen": stamp,
        "last_seen": stamp,
        "age": 61.0,
        "idle": 61.0,
        "bytes_read": 0,
        "length": 90000,
        "open_now": 1,
        "leaks_total": 1,
        "context": {},
        "hint": "open it with `with requests.get(..., stream=True) as response:`",
        "held_by": held if fields["kind"] == "held" else None,
    } | fields
