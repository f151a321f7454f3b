"""What an ending does to the connection, to its slot, and what is said."""

from __future__ import annotations

import gc
import http.client
import warnings
from typing import TYPE_CHECKING, Any, Final

import psutil

from ._drivers import Driver, NoSlot

if TYPE_CHECKING:
    from collections.abc import Callable

_BIG: Final = "/bytes/2000000"


def _read(driver: Driver) -> Any:
    response = driver.open("/bytes/90000")
    driver.read(response)
    return response


def _unread(driver: Driver) -> None:
    driver.open(_BIG)


def _small(driver: Driver) -> None:
    driver.open("/bytes/10")


def _half(driver: Driver) -> None:
    driver.read_some(driver.open(_BIG))


def _all_but_the_end(driver: Driver) -> None:
    driver.read_some(driver.open("/bytes/1000"), 1000)


def _all_chunks_but_the_end(driver: Driver) -> None:
    driver.read_some(driver.open("/chunked/10"), 900)


def _closed(driver: Driver) -> Any:
    response = driver.open(_BIG)
    driver.close(response)
    return response


def _left(driver: Driver) -> None:
    driver.leave(_BIG)


def _given_back(driver: Driver) -> Any:
    response = driver.open(_BIG)
    driver.give_back(response)
    return response


def _timed_out(driver: Driver) -> Any:
    return _read_in_vain(driver, driver.open("/slow/for-good", patience=0.3))


def _cut(driver: Driver) -> Any:
    return _read_in_vain(driver, driver.open("/cut"))


def _read_in_vain(driver: Driver, response: Any) -> Any:
    """Whether an error says that it is not whole."""
    try:
        driver.read(response)
    except Exception:
        driver.heard = "raises"
    else:
        driver.heard = "no error"
    return response


def _redirected(driver: Driver) -> Any:
    if not driver.follows_redirects:
        raise NotImplementedError
    response = driver.open("/moved/2000000")
    driver.read(response)
    return response


def _head(driver: Driver) -> None:
    driver.open("/bytes/90000", "HEAD")


def _no_content(driver: Driver) -> None:
    driver.open("/status/204")


def _with_its_client(driver: Driver) -> None:
    driver.open(_BIG)
    driver.drop()


ENDINGS: Final[dict[str, Callable[[Driver], Any]]] = {
    "read to its end": _read,
    "unread, dropped": _unread,
    "unread, dropped; 10 bytes": _small,
    "unread, dropped; HEAD": _head,
    "unread, dropped; 204": _no_content,
    "half read, dropped": _half,
    "last byte read, not the end; dropped": _all_but_the_end,
    "last byte of the last chunk read; dropped": _all_chunks_but_the_end,
    "unread, `close()`": _closed,
    "unread, end of its `with`": _left,
    "unread, `release_conn()`, `release()`": _given_back,
    "a read times out, kept": _timed_out,
    "the server hangs up, kept": _cut,
    "redirect of 2 MB followed, then read": _redirected,
    "unread, dropped with its client": _with_its_client,
}


def measure(driver: Driver, ending: Callable[[Driver], Any]) -> str:
    """What happens, in the words of the table.

    Args:
        driver: Of a client that did nothing yet.
        ending: What a program does with its response; what it returns is kept.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            driver.warned = warned
            return ", ".join(filter(None, _measured(driver, ending)))
    finally:
        driver.done()
        if enabled:
            gc.enable()


def _measured(driver: Driver, ending: Callable[[Driver], Any]) -> list[str]:
    first = driver.peer()
    try:
        kept = ending(driver)
    except NotImplementedError:
        driver.shut()
        return ["n/a"]
    driver.settle()
    at_once = _open(driver)
    gc.collect()
    driver.settle()
    facts = [_connection(driver, first, at_once), driver.heard]
    gc.collect()
    if driver.complaints():
        facts.append("warns")
    del kept
    if driver.client is not None:
        driver.shut()
    gc.collect()
    driver.settle()
    if driver.complaints() and "warns" not in facts:
        facts.append("warns at the end")
    return facts


def _connection(driver: Driver, first: int, at_once: set[int]) -> str:
    """Where the connection went, and its slot."""
    collected = _open(driver)
    one = first if driver.keeps_connections else min(at_once, default=0)
    state = "open"
    if one not in collected:
        state = "closed by the collector" if one in at_once else "closed"
    if driver.client is None:
        return state
    try:
        then = driver.peer()
    except NoSlot:
        return f"{state}, slot lost"
    except http.client.HTTPException:
        return f"{state}, next request fails"
    if then == first:
        return "back"
    if state == "open" and one not in _open(driver):
        return "closed by the next request"
    return state


def _open(driver: Driver) -> set[int]:
    """The ports from which this process has connections to the server."""
    return {
        one.laddr.port
        for one in psutil.Process().net_connections("tcp")
        if one.raddr and one.raddr.port == driver.server.port
    }
