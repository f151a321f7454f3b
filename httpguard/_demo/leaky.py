"""A shop's nightly job, written as such jobs are. Four of its lines leak.

Beside each stands a twin that does nearly the same and is innocent. fixed.py is
this program with the four repaired. `httpguard demo` runs both.
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
    """Looks at the status alone, and forgets the response with its body unread."""
    response = session.get(f"{shop}/status", stream=True)  # LEAK dropped
    return response.ok


def has_stock(session: requests.Session, shop: str) -> bool:
    """The innocent twin: `with` gives the connection back."""
    with session.get(f"{shop}/stock", stream=True) as response:
        return response.ok


def reserve(pool: urllib3.PoolManager, shop: str) -> int:
    """Closes the response; the blocking pool waits for a release all the same."""
    with pool.request(  # LEAK unreleased
        "POST", f"{shop}/reservations", preload_content=False
    ) as response:
        return response.status


def confirm(pool: urllib3.PoolManager, shop: str) -> int:
    """The innocent twin: closed, and then released."""
    response = pool.request("POST", f"{shop}/confirm", preload_content=False)
    try:
        return response.status
    finally:
        response.close()
        response.release_conn()


@httpguard.no_leaks()
def export_orders(session: requests.Session, shop: str) -> requests.Response:
    """Promises to leave nothing open, and returns an open response."""
    return session.get(f"{shop}/orders.csv", stream=True)  # LEAK open


@httpguard.no_leaks()
def export_customers(session: requests.Session, shop: str) -> int:
    """The innocent twin: reads to the end before the promise falls due."""
    response = session.get(f"{shop}/customers.csv", stream=True)
    return sum(1 for _ in response.iter_lines())


def prefetch(session: requests.Session, shop: str) -> list[requests.Response]:
    """Opens an invoice for later; later never comes."""
    return [session.get(f"{shop}/invoice.pdf", stream=True)]  # LEAK held


def follow_prices(session: requests.Session, shop: str) -> int:
    """The innocent twin: open just as long, and read all the time."""
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
        try:
            export_orders(session, shop)
        except httpguard.LeakError as error:
            log.warning("no orders exported: %s", str(error).splitlines()[0])
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
