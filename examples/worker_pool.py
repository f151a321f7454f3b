"""A worker pool with bounded concurrency: the practice, guarded.

A fixed number of workers, one Session for all of them, a connection pool with just
as many connections that makes a worker wait rather than open one more
(`pool_block=True`), `with` for each response, and the guard on with `max_open` at
the number of workers. 40 jobs run, and at no moment are more than 4 responses open.

Such a pool hangs when leaks have taken its last slot, with no hint of who took them.
The old job at the end takes one, and is named before it comes to that.

Run:  python examples/worker_pool.py
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests
from _server import serve
from requests.adapters import HTTPAdapter

import httpguard

WORKERS = 4
JOBS = 40


def make_session() -> requests.Session:
    """One session for all workers: a connection each, and never one more."""
    session = requests.Session()
    adapter = HTTPAdapter(pool_maxsize=WORKERS, pool_block=True)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def count_lines(session: requests.Session, url: str) -> int:
    """The job as it should be: streamed, and closed on every way out."""
    with session.get(url, stream=True, timeout=5) as response:
        response.raise_for_status()
        return sum(1 for _ in response.iter_lines())


def has_lines(session: requests.Session, url: str) -> bool:
    """The job as it was: content with the first line, it leaves the rest."""
    response = session.get(url, stream=True, timeout=5)  # LEAK
    return any(response.iter_lines())


def main() -> None:
    """Run the jobs, then the old one."""
    httpguard.install(max_open=WORKERS)
    session = make_session()
    with serve() as url, ThreadPoolExecutor(WORKERS, "worker") as workers:
        counts = workers.map(lambda _: count_lines(session, url), range(JOBS))
        print(f"{JOBS} jobs read {sum(counts)} lines")
        counters = httpguard.check().counters
        print("opened:", counters["opened"])
        print("given back:", counters["released"])
        print("too many open:", counters["too_many_open"])
        print("leaks:", counters["leaks"])
        print("the old job:", workers.submit(has_lines, session, url).result())
        snapshot = httpguard.check()
    for leak in snapshot.leaks:
        print(f"{leak.count} {leak.kind}, opened at line {leak.site.lineno}")
    for pool in snapshot.pools:
        print(f"slots lost: {pool.lost} of {pool.maxsize}")


if __name__ == "__main__":
    main()
