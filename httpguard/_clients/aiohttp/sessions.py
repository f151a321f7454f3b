"""aiohttp's sessions: where they are made, and that they are closed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..gate import GATE
from ..importlib_bootstrap import made

if TYPE_CHECKING:
    from types import FrameType

    from ..._leases.client import Patcher
    from ..patching import Method
    from .client import Aiohttp


def patch(patcher: Patcher, client: Aiohttp) -> None:
    """Patch the beginning and the end of a session.

    Args:
        patcher: Of the process.
        client: Whose sessions they are.
    """
    from aiohttp import ClientSession

    note = partial(_note, client=client)
    patcher.wrap(ClientSession, "__init__", made("ClientSession", note))
    patcher.wrap(ClientSession, "close", _close)


def _note(session: Any, frame: FrameType, *, client: Aiohttp) -> None:
    """A session is made: remember where. `aiohttp.request` closes its own."""
    if frame.f_globals.get("__name__") != "aiohttp.client":
        GATE.session(session, client, frame)


def _close(wrapped: Method) -> Method:
    """A session is closed."""

    async def close(self: Any) -> None:
        GATE.owner_closed(self)
        await wrapped(self)

    return close
