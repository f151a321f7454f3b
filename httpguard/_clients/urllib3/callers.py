"""Whose call it is: the functions of urllib3 and requests in a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..._stacks.variables import UNREADABLE, variable
from .client import URLLIB3, Urllib3

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from ..._leases.client import Client


class Codes:
    """The code by which the wrappers recognise a caller; None: not imported yet.

    There is one for each copy of urllib3, with that of requests above it.
    """

    __slots__ = (
        "adapter_send",
        "client",
        "dispatch_hook",
        "manager_urlopen",
        "new_pool",
        "own_send",
        "own_urlopen",
        "session_send",
        "urllib3",
        "urlopen",
    )

    def __init__(self, urllib3: Urllib3) -> None:
        self.urllib3 = urllib3
        self.session_send: CodeType | None = None
        self.adapter_send: CodeType | None = None
        self.dispatch_hook: CodeType | None = None
        self.urlopen: CodeType | None = None
        self.manager_urlopen: CodeType | None = None
        # In which a manager makes a pool.
        self.new_pool: CodeType | None = None
        # Our own functions around the adapter's and the pool's.
        self.own_send: CodeType | None = None
        self.own_urlopen: CodeType | None = None
        # Whose responses those are that sessions are given: requests', if it is there.
        self.client: Client = urllib3


CODES: Final = Codes(URLLIB3)
"""Of urllib3 itself."""


def outermost(frame: FrameType, codes: Codes) -> FrameType:
    """Who called ``urlopen``, which calls itself to retry or to follow a redirect."""
    while frame.f_code is codes.urlopen:
        ours = frame.f_back
        caller = None if ours is None else ours.f_back
        if ours is None or ours.f_code is not codes.own_urlopen or caller is None:
            break
        frame = caller
    return frame


def session_above(frame: FrameType | None, codes: Codes) -> FrameType | None:
    """The call of ``Session.send`` for which a request is made, or None.

    None where a response hook of the application makes a request of its own.
    """
    while frame is not None and codes.session_send is not None:
        if frame.f_code is codes.session_send:
            return frame
        if frame.f_code is codes.dispatch_hook:
            return None
        frame = frame.f_back
    return None


def is_module(name: Any, known: str) -> bool:
    """Whether it is the name of a module, or of a copy of it in another package."""
    return type(name) is str and (name == known or name.endswith(f".{known}"))


def above(session: FrameType) -> FrameType:
    """Who called ``Session.send``: it has nothing to say itself."""
    return session.f_back or session


def reads_body(session: FrameType) -> bool:
    """Whether requests reads the body before it returns: no ``stream=True``."""
    stream = variable(session, "stream")
    # Where that is not known, the application is not blamed for what requests left.
    return stream is UNREADABLE or not stream


def is_api(frame: FrameType) -> bool:
    """Whether it is a function such as `requests.get`, which makes itself a session."""
    return frame.f_code.co_name == "request" and is_module(
        frame.f_globals.get("__name__"), "requests.api"
    )
