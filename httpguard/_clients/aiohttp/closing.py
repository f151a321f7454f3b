"""Responses of aiohttp that are closed for the program: in the thread of their loop."""

from __future__ import annotations

from functools import partial
from sys import modules
from typing import TYPE_CHECKING, Any

from ..gate import GATE

if TYPE_CHECKING:
    from collections.abc import Callable


def close(response: Any, note: str) -> bool:
    """Have a response closed that nobody reads, so that a later read says why.

    Returns:
        False: its loop is closed.
    """
    return ask(
        response._loop, partial(_close, response, response.content._cursor, note)
    )


def _close(response: Any, taken: int, note: str) -> None:
    """Close it, unless somebody reads it after all."""
    content = response.content
    if content._waiter is not None or content._cursor != taken or response._closed:
        return
    from aiohttp import ClientConnectionError

    error = ClientConnectionError("Connection closed")
    if hasattr(error, "add_note"):  # CPython 3.11 and later.
        error.add_note(note)
    content.set_exception(error)
    response.close()


def ask(loop: Any, action: Callable[[], None]) -> bool:
    """Have a loop do something: now if it runs here, else as soon as it can.

    Returns:
        False: it is closed.
    """
    events = modules.get("asyncio.events")
    if events is not None and events._get_running_loop() is loop:
        _do(action)
        return True
    try:
        loop.call_soon_threadsafe(_do, action)
    except RuntimeError:
        return False
    return True


def _do(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception as error:
        GATE.fault("aiohttp", error)
