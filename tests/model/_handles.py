"""What a random program has in hands, and what it does with that."""

from __future__ import annotations

import contextvars
import http.client
import inspect
import io
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

import requests
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

if TYPE_CHECKING:
    from ._ledger import Entry

# What clients raise for bodies that are cut, closed, or read in two ways at once.
# AttributeError: urllib3's own, of a stream whose response was closed under it.
MISHAPS: Final = (
    AttributeError,
    HTTPError,
    OSError,
    RuntimeError,
    ValueError,
    http.client.HTTPException,
    requests.RequestException,
)
WORKER: Final = "worker"


@dataclass(eq=False)
class Handle:
    """A reference to a response, direct or by a generator or file object.

    Args:
        thing: What the program has.
        entry: The response it leads to.
    """

    thing: Any
    entry: Entry

    @property
    def is_stream(self) -> bool:
        """Whether it is a generator of pieces."""
        return isinstance(self.thing, Generator)

    @property
    def is_file(self) -> bool:
        """Whether it is one of io's wrappers."""
        return isinstance(self.thing, (io.BufferedReader, io.TextIOWrapper))

    @property
    def is_response(self) -> bool:
        """Whether it is a response of requests or urllib3."""
        return isinstance(self.thing, (requests.Response, HTTPResponse))

    @property
    def is_error(self) -> bool:
        """Whether it is an exception, whose traceback has the reference."""
        return isinstance(self.thing, BaseException)

    @property
    def raw(self) -> Any:
        """The response of urllib3."""
        return raw_of(self.thing)

    @property
    def refers(self) -> bool:
        """Whether it keeps its response alive: a generator's end lets go."""
        return not self.is_stream or self.thing.gi_frame is not None

    @property
    def in_chunks(self) -> bool:
        """Whether it is a generator that waits inside of a chunked body.

        Dropped there, it gives the connection back.
        """
        return (
            self.entry.chunked
            and self.is_stream
            and inspect.getgeneratorstate(self.thing) == inspect.GEN_SUSPENDED
        )


class Knot:
    """A cycle that only the collector unties."""

    def __init__(self, thing: Any) -> None:
        """Refer to the thing, and to itself."""
        self.thing = thing
        self.myself = self


def raw_of(thing: Any) -> Any:
    """The urllib3 response of a response of either library."""
    return thing.raw if isinstance(thing, requests.Response) else thing


def run(
    action: Callable[[], Any], where: str | contextvars.Context
) -> tuple[Any, BaseException | None]:
    """Run a piece of the program here, or in a thread to its end.

    Args:
        action: What to run.
        where: ``here``, ``thread``, ``context`` (a thread that context variables
            were carried to), or a context to run it in.

    Returns:
        What it returned, and what it raised.
    """
    outcome: list[Any] = [None, None]

    def attempt() -> None:
        try:
            outcome[0] = action()
        except BaseException as error:
            outcome[1] = error.with_traceback(None)

    if where == "here":
        attempt()
    elif isinstance(where, contextvars.Context):
        where.run(attempt)
    else:
        carried = contextvars.copy_context() if where == "context" else None
        target = attempt if carried is None else partial(carried.run, attempt)
        thread = threading.Thread(target=target, name=WORKER)
        thread.start()
        thread.join()
    # Tracebacks may keep this frame, which shall keep nothing.
    outcome, ended = [], tuple(outcome)
    try:
        return ended
    finally:
        del ended


def failure(thing: Any) -> BaseException:
    """An error whose traceback refers to a thing."""
    try:
        _fail(thing)
    except ValueError as error:
        return error


def _fail(thing: Any) -> NoReturn:
    """Raise where the thing is a variable."""
    raise ValueError
