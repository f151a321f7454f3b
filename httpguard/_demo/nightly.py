"""A shop's nightly job, written as such jobs are. Four of its lines leak.

Below each leaky function stands its innocent twin, which does the same. The job calls
both; with `--repaired` it calls the twins alone. `httpguard demo` runs it both ways.
"""

from __future__ import annotations

import json
import logging
import sys

import requests
import urllib3

import httpguard

log = logging.getLogger("shop")


def is_there(session: requests.Session, url: str) -> bool:
    """Looks at the status alone, and forgets the response with its body unread."""
    response = session.get(url, stream=True)  # LEAK dropped
    return response.ok


def is_there_repaired(session: requests.Session, url: str) -> bool:
    """`with` gives the connection back, body unread or not."""
    with session.get(url, stream=True) as response:
        return response.ok


def send(pool: urllib3.PoolManager, url: str) -> int:
    """Closes the response; the blocking pool waits for a release all the same."""
    with pool.request(  # LEAK unreleased
        "POST", url, preload_content=False
    ) as response:
        return response.status


def send_repaired(pool: urllib3.PoolManager, url: str) -> int:
    """Closed, and then released."""
    response = pool.request("POST", url, preload_content=False)
    try:
        return response.status
    finally:
        response.close()
        response.release_conn()


@httpguard.no_leaks()
def export(session: requests.Session, url: str) -> requests.Response:
    """Promises to leave nothing open, and returns an open response."""
    return session.get(url, stream=True)  # LEAK open


@httpguard.no_leaks()
def export_repaired(session: requests.Session, url: str) -> int:
    """Reads to the end before the promise falls due, and returns what was read."""
    with session.get(url, stream=True) as response:
        return sum(1 for _ in response.iter_lines())


def prefetch(session: requests.Session, url: str) -> list[requests.Response]:
    """Opens an invoice for later; later never comes."""
    return [session.get(url, stream=True)]  # LEAK held


def prefetch_repaired(session: requests.Session, url: str) -> list[bytes]:
    """Keeps the invoice, not the response."""
    with session.get(url, stream=True) as response:
        return [response.content]


def follow(session: requests.Session, url: str) -> int:
    """Another innocent twin: open just as long, and read all the time."""
    with session.get(url, stream=True) as response:
        return sum(1 for _ in response.iter_lines())


def work(shop: str, *, repaired: bool) -> None:
    """The night's work."""
    with (
        requests.Session() as session,
        urllib3.PoolManager(maxsize=4, block=True) as pool,
    ):
        look = is_there_repaired if repaired else is_there
        log.info("open: %s", look(session, f"{shop}/status"))
        log.info("in stock: %s", is_there_repaired(session, f"{shop}/stock"))
        post = send_repaired if repaired else send
        log.info("reserved: %s", post(pool, f"{shop}/reservations"))
        log.info("confirmed: %s", send_repaired(pool, f"{shop}/confirm"))
        try:
            exporting = export_repaired if repaired else export
            log.info("orders: %s", exporting(session, f"{shop}/orders.csv"))
        except httpguard.LeakError as error:
            log.warning("no orders exported: %s", str(error).splitlines()[0])
        log.info("customers: %d", export_repaired(session, f"{shop}/customers.csv"))
        fetch = prefetch_repaired if repaired else prefetch
        invoices = fetch(session, f"{shop}/invoice.pdf")
        log.info("price changes: %d", follow(session, f"{shop}/prices"))
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
    work(sys.argv[1], repaired="--repaired" in sys.argv)
