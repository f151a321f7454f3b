"""Whether anybody has a response of aiohttp: dropped ones are never collected.

A connection's protocol and parser keep the body of the response that comes in, the
body keeps the response by a callback for its end, and the connector keeps the protocol.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..._leases.lease import Lease
from ..._leases.references import references

if TYPE_CHECKING:
    from ..._leases.client import Reference

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"


class References:
    """How many references aiohttp itself has to the body of an open response."""

    def __init__(self) -> None:
        # None: not to be known, so that nobody is accused.
        self.to_body: int | None = None

    def calibrate(self) -> None:
        """Count those of an answer that we make, with what is installed."""
        self.to_body = None
        with suppress(Exception):  # Of a version that is built otherwise.
            protocol = _answered()
            counts = references([_result(protocol.read())[1]])
            if counts is not None:
                # `ClientResponse.content` is one more.
                self.to_body = counts[0] + 1


def is_forgotten(reference: Reference, known: References) -> bool:
    """Whether nobody has a response, nor its body or connection. About 1 us.

    Whoever keeps only the body reads on. One that will arrive by itself, since it is
    short enough, gives its connection back then: nobody has to do anything.
    """
    if known.to_body is None:
        return False
    own = _own(reference)
    counts = references(_parts(reference)) if own else None
    return counts == [own, known.to_body, 1] and not _is_arriving(reference)


def _own(reference: Reference) -> int:
    """The references of aiohttp's callbacks to a response; 0: it is not open."""
    response = reference()
    if response is None or response._connection is None:
        return 0
    callbacks = getattr(response.content, "_eof_callbacks", ())
    count = sum(getattr(one, "__self__", None) is response for one in list(callbacks))
    # The task that sends the request calls it when that is done.
    writer = getattr(response, "_writer", None)
    return count + (count > 0 and writer is not None and not writer.done())


def _parts(reference: Reference) -> list[Any]:
    """A response, its body and its connection, in no variable."""
    response = reference()
    if response is None:
        return []
    return [response, response.content, response._connection]


def _is_arriving(reference: Reference) -> bool:
    """Whether more of a body came in since the last look, and all of it will."""
    response = reference()
    if response is None or not isinstance(reference, Lease):
        return False
    content = response.content
    length = reference.length
    if (
        (length or 0) > getattr(content, "_high_water", 0)
        # It is full: nothing comes in before somebody reads.
        or getattr(content._protocol, "_reading_paused", False)
    ):
        return False
    before, reference.arrived = reference.arrived, content.total_bytes
    return length is not None and before not in {None, reference.arrived}


def _answered() -> Any:
    """A protocol that has the head of an answer."""
    from aiohttp.client_proto import ResponseHandler

    protocol = ResponseHandler(loop=_Loop())  # type: ignore[arg-type]  # enough of one
    protocol.set_response_params()
    protocol.data_received(_HEAD)
    return protocol


def _result(coroutine: Any) -> Any:
    """What a coroutine returns that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    finally:
        coroutine.close()
    raise RuntimeError


class _Loop:
    """As much of a loop as a protocol needs that is not connected."""

    def create_future(self) -> None:
        """Nobody waits."""

    def get_debug(self) -> bool:
        """Nothing is traced."""
        return False
