"""A shop's nightly job: leaky.py with its four leaks repaired.

Nothing is open for longer than it is needed, and httpguard stays silent.
`httpguard demo` runs both.
"""

from __future__ import annotations

import json
import logging
import sys

import requests
import urllib3

import httpguard

log = logging.getLogger("shop")


def is_open(session: requests.Session, shop: str) -> bool:
    """Repaired: `with` gives the connection back, body unread or not."""
    with session.get(f"{shop}/status", stream=True) as response:
        return response.ok


def has_stock(session: requests.Session, shop: str) -> bool:
    """`with` gives the connection back."""
    with session.get(f"{shop}/stock", stream=True) as response:
        return response.ok


def reserve(pool: urllib3.PoolManager, shop: str) -> int:
    """Repaired: a blocking pool needs the release after the close."""
    response = pool.request("POST", f"{shop}/reservations", preload_content=False)
    try:
        return response.status
    finally:
        response.close()
        response.release_conn()


def confirm(pool: urllib3.PoolManager, shop: str) -> int:
    """Closed, and then released."""
    response = pool.request("POST", f"{shop}/confirm", preload_content=False)
    try:
        return response.status
    finally:
        response.close()
        response.release_conn()


@httpguard.no_leaks()
def export_orders(session: requests.Session, shop: str) -> int:
    """Repaired: returns what was read, not what is to be read."""
    with session.get(f"{shop}/orders.csv", stream=True) as response:
        return sum(1 for _ in response.iter_lines())


@httpguard.no_leaks()
def export_customers(session: requests.Session, shop: str) -> int:
    """Reads to the end before the promise falls due."""
    response = session.get(f"{shop}/customers.csv", stream=True)
    return sum(1 for _ in response.iter_lines())


def prefetch(session: requests.Session, shop: str) -> list[bytes]:
    """Repaired: keeps the invoice, not the response."""
    with session.get(f"{shop}/invoice.pdf", stream=True) as response:
        return [response.content]


def follow_prices(session: requests.Session, shop: str) -> int:
    """Open for long, and read all the time."""
    with session.get(f"{shop}/prices", stream=True) as response:
        return sum(1 for _ in response.iter_lines())


def work(shop: str) -> None:
    """The night's work."""
    with (
        requests.Session() as session,
        urllib3.PoolManager(maxsize=4, block=True) as pool,
    ):
        log.info("open: %s", is_open(session, shop))
        log.info("in stock: %s", has_stock(session, shop))
        log.info("reserved: %s", reserve(pool, shop))
        log.info("confirmed: %s", confirm(pool, shop))
        log.info("orders: %d", export_orders(session, shop))
        log.info("customers: %d", export_customers(session, shop))
        invoices = prefetch(session, shop)
        log.info("price changes: %d", follow_prices(session, shop))
        counters = httpguard.check().counters
        log.info("done, %d invoices at hand", len(invoices))
        json.dump(dict(counters), sys.stdout)


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    # Impatient, for a program that takes a second: the defaults are 60 and 5 s.
    httpguard.install(max_idle=0.4, check_interval=0.1)
    work(sys.argv[1])
