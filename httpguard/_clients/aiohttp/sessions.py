"""aiohttp's sessions: where they are made, and that they are closed."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from ..gate import GATE
from ..urllib3.managers import maker

if TYPE_CHECKING:
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

    patcher.wrap(ClientSession, "__init__", partial(_init, client=client))
    patcher.wrap(ClientSession, "close", _close)


def _init(wrapped: Method, *, client: Aiohttp) -> Method:
    """A session is made: remember where."""

    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807
        wrapped(self, *args, **options)
        guard = GATE.guard
        if guard is None or not guard.judges_sessions:
            return
        try:
            frame = maker(self, sys._getframe(1))
            # `aiohttp.request` closes the one that it makes for itself.
            if (
                frame is not None
                and frame.f_globals.get("__name__") != "aiohttp.client"
            ):
                GATE.session(self, client, frame)
        except Exception as error:
            GATE.fault("ClientSession", error)

    return __init__


def _close(wrapped: Method) -> Method:
    """A session is closed."""

    async def close(self: Any) -> None:
        GATE.owner_closed(self)
        await wrapped(self)

    return close
