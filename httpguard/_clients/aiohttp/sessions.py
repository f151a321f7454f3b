"""aiohttp's sessions: where they are made, and that they are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..gate import GATE
from ..importlib_bootstrap import made
from .client import AIOHTTP

if TYPE_CHECKING:
    from types import FrameType

    from ..patching import Method, Patcher


def patch(patcher: Patcher) -> None:
    """Patch the beginning and the end of a session."""
    from aiohttp import ClientSession

    patcher.wrap(ClientSession, "__init__", made("ClientSession", _note))
    patcher.wrap(ClientSession, "close", _close)


def _note(session: Any, frame: FrameType) -> None:
    """A session is made: remember where. `aiohttp.request` closes its own."""
    if frame.f_globals.get("__name__") != "aiohttp.client":
        GATE.session(session, AIOHTTP, frame)


def _close(wrapped: Method) -> Method:
    """A session is closed."""

    async def close(self: Any) -> None:
        GATE.owner_closed(self)
        await wrapped(self)

    return close
