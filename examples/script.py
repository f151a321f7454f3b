"""A plain script: one of its lines leaks, and stderr names it.

There is no logging set-up here, as in most scripts; the report comes all the same.

Run:  python examples/script.py
"""

from __future__ import annotations

import requests
from _server import serve

import httpguard


def is_up(url: str) -> bool:
    """Look at the status alone; the body stays unread and the connection taken."""
    response = requests.get(url, stream=True, timeout=5)  # LEAK
    return response.ok


def is_up_repaired(url: str) -> bool:
    """The same, closed at the end of the block."""
    with requests.get(url, stream=True, timeout=5) as response:
        return response.ok


def main() -> None:
    """Ask both ways."""
    httpguard.install()
    with serve() as url:
        print("up:", is_up(url))
        print("up:", is_up_repaired(url))
        snapshot = httpguard.check()
    for leak in snapshot.leaks:
        print(f"{leak.count} {leak.kind}, opened at line {leak.site.lineno}")
    print("opened:", snapshot.counters["opened"])
    print("closed:", snapshot.counters["closed"])


if __name__ == "__main__":
    main()
