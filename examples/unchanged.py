"""A program that knows nothing of httpguard, with a worker process that leaks.

Run:  httpguard run --fail examples/unchanged.py
"""

from __future__ import annotations

from multiprocessing import Process

import requests
from _server import serve


def is_fresh(url: str) -> bool:
    """Look at a header alone; the body stays unread and the connection taken."""
    response = requests.get(url, stream=True, timeout=5)  # LEAK
    return "Age" not in response.headers


def is_fresh_repaired(url: str) -> bool:
    """The same, with the connection given back."""
    with requests.get(url, stream=True, timeout=5) as response:
        return "Age" not in response.headers


def check(url: str, times: int) -> None:
    """Ask both ways, again and again."""
    for _ in range(times):
        is_fresh(url)
        is_fresh_repaired(url)


def main() -> None:
    """Ask from this process and from another one."""
    with serve() as url:
        check(url, times=2)
        worker = Process(target=check, args=(url, 10))
        worker.start()
        worker.join()
    print("done")


if __name__ == "__main__":
    main()
