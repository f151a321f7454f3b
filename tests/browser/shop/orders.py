"""Orders: each function leaks, but for the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    import urllib3

INVOICES: dict[str, requests.Response] = {}
SESSIONS: list[requests.Session] = []


def is_in_stock(url: str) -> bool:
    return requests.get(f"{url}?item=17", stream=True).ok


def keep_invoice(url: str) -> None:
    INVOICES[url] = requests.get(url, stream=True)


def reserve(pool: urllib3.HTTPConnectionPool, path: str) -> int:
    with pool.request("POST", path, preload_content=False) as answer:
        return answer.status


def ask(url: str) -> str:
    session = requests.Session()
    SESSIONS.append(session)
    return session.get(url).text


def pay(pool: urllib3.HTTPConnectionPool, path: str) -> int:
    return pool.request("GET", path).status
