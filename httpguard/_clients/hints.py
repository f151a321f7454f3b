"""How to fix a leak: for this one, by what the application holds and can call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._model.leak import LeakKind
from .._stacks.sites import ENTERING

if TYPE_CHECKING:
    from .._leases.client import Facts
    from .._model.leak import Frame

# A rest of a body that is cheaper to read than a connection is to make, in bytes.
_SHORT: Final = 64 * 1024
# Packages whose streams, of either kind, are what the application holds.
_STREAMING: Final = frozenset({"aiobotocore", "boto3", "botocore"})
_STREAMS: Final = {
    "StreamingBody": "read the `StreamingBody` to its end",
    "EventStream": "iterate over the `EventStream` to its end",
}
# Packages whose `close()` leaves the connection to the cycle collector.
_CLOSING_NOTHING: Final = frozenset({"mechanize", "pydruid"})
# "101 Switching Protocols": from there on no body tells where it ends.
_SWITCHING: Final = 101
# How an error of requests is named in what holds a response.
_OF_ERROR: Final = "HTTPError.response"
_TOUCH: Final = "if it is still needed, say so with `httpguard.touch(response)`"
_SHORTCUTS: Final = frozenset({"delete", "get", "options", "patch", "post", "put"})

_URLLIB3: Final = {
    LeakKind.SESSION: (
        "make one PoolManager and use it for all requests; or make it with"
        " `with urllib3.PoolManager() as http:`, or call `clear()` at the end"
    ),
    LeakKind.UNRELEASED: (
        "call `release_conn()` after `close()`: closing alone, as `with` does, does not"
        " give the slot of a blocking pool back"
    ),
}
_REQUESTS: Final = {
    LeakKind.SESSION: (
        "make one Session, use it for all requests, and close it at the end; or"
        " make it with `with requests.Session() as session:`"
    ),
    LeakKind.UNRELEASED: (
        "close the requests response itself, not its `.raw`: only that gives the slot"
        " of a blocking pool back; who has the `.raw` alone calls `release_conn()`"
        " after `close()`"
    ),
}
_HTTP_CLIENT: Final = {
    LeakKind.DROPPED: (
        "read it to its end, or call `close()` on it in a `finally:`, before the last"
        " reference goes"
    ),
    LeakKind.HELD: (
        "read it to its end, or call `close()` on it and on its connection when done"
        f" with it; {_TOUCH}"
    ),
    LeakKind.OPEN: (
        "read it to its end, or close it and its connection, before the scope ends: a"
        " connection that is used after a response that was closed unread fails"
    ),
    LeakKind.SESSION: (
        "keep one connection to each host and use it again, or call `close()` on each"
        " when done with it"
    ),
}
# Who calls a `ServerProxy` never has a response.
_XMLRPC: Final = (
    "xmlrpc.client leaves an error's body in chunks unread, and then fails the next"
    ' call: where a call raises `ProtocolError`, call `proxy("close")()` on its'
    " `ServerProxy`"
)
_XMLRPC_SESSION: Final = (
    "keep one `ServerProxy` and use it for all calls; or make it with `with"
    " ServerProxy(...) as proxy:`"
)
_URLOPEN: Final = "`with urllib.request.urlopen(...) as response:`"


def http_client_hint(facts: Facts) -> str:
    """For whoever holds a response or a connection of http.client."""
    if facts.package == "xmlrpc":
        return _XMLRPC_SESSION if facts.kind is LeakKind.SESSION else _XMLRPC
    hint = of_library(facts, "`close()`") or _HTTP_CLIENT.get(facts.kind, "")
    return hint or "call `close()` on it"


def urllib_request_hint(facts: Facts) -> str:
    """For whoever holds a response of urllib.request, or the error that has it."""
    hint = by_block(facts.kind, _URLOPEN)
    if facts.kind is not LeakKind.HELD:
        hint += "; an `HTTPError` is a response too, and has `close()`"
    elif "HTTPError." in (facts.held_by or ""):
        end = (
            "call `close()` on the `HTTPError` that is held, or keep what it says alone"
        )
        hint = f"{end}; {_TOUCH}"
    return of_library(facts, "`close()`") or hint


def by_block(
    kind: LeakKind, block: str, close: str = "call `close()`", rest: str = ""
) -> str:
    """Of a response that is closed as a block ends; what is dropped has a `rest`."""
    if kind is LeakKind.HELD:
        return f"{close} when done with it, or open it with {block}; {_TOUCH}"
    if kind is LeakKind.OPEN:
        return f"close it before the scope ends: {block}"
    if kind is LeakKind.UNRELEASED:
        return close
    return f"open it with {block}{rest}"


def urllib3_hint(facts: Facts) -> str:
    """For whoever holds a response of urllib3."""
    found = of_library(facts, "`close()` and then `release_conn()`")
    return found or _URLLIB3.get(facts.kind) or _for_urllib3(facts)


def _for_urllib3(facts: Facts) -> str:
    """What the application calls on its response of urllib3."""
    if facts.method.upper() == "HEAD":
        return "leave out `preload_content=False`: an answer to HEAD has no body"
    hint = f"read it to its end, or call {_end(facts)} in a `finally:`"
    if facts.kind is LeakKind.HELD:
        hint = f"call {_end(facts)} when done with it; {_TOUCH}"
    elif facts.kind is LeakKind.OPEN:
        hint = f"read it to its end, or call {_end(facts)}, before the scope ends"
    return hint + _at_its_end(facts)


def requests_hint(facts: Facts) -> str:
    """For whoever holds a response of requests."""
    found = of_library(facts, "`close()`") or _REQUESTS.get(facts.kind)
    if found:
        return found
    hint = _for_response(facts)
    if facts.between and facts.kind is not LeakKind.OPEN:
        hint += f"; if the call raised, {facts.between} has lost it, should close it,"
        hint += " and is to be told"
    return hint


def _for_response(facts: Facts) -> str:
    """What the application calls on its response of requests, or on the ``.raw``."""
    if facts.held_by and ".raw" not in facts.held_by:
        return (
            "what is held is the `.raw`: call `close()` and then `release_conn()` on"
            f" it when done with it; {_TOUCH}"
        )
    if facts.method.upper() == "HEAD":
        return "leave out `stream=True`: an answer to HEAD has no body"
    if facts.kind is LeakKind.HELD and _OF_ERROR in (facts.held_by or ""):
        return (
            "what is held is an error: call `close()` on its `response` when done with"
            f" it, or keep what it says alone; {_TOUCH}"
        )
    block = f"`with {_call(facts.method)} as response:`"
    rest = ", or read it to its end, before the last reference goes"
    return by_block(facts.kind, block, rest=rest) + _at_its_end(facts)


def _call(method: str) -> str:
    """How a streamed request of a method is written."""
    if method.lower() in _SHORTCUTS:
        return f"requests.{method.lower()}(..., stream=True)"
    return "requests.request(..., stream=True)"


def _end(facts: Facts) -> str:
    """What ends a response of urllib3 that was not read to its end.

    `release_conn` alone would leave the rest to the next request, which fails by it,
    and `drain_conn` of an endless body does not return.
    """
    if facts.length is not None and facts.length - facts.bytes_read <= _SHORT:
        return "`drain_conn()`"
    return "`close()` and then `release_conn()`"


def _at_its_end(facts: Facts) -> str:
    """A word for those who have read all of it."""
    if not facts.bytes_read:
        return ""
    if facts.length is None:
        return (
            "; a body without a length ends when a read returns nothing: where all"
            " of it was read, one more `read()` ends it"
        )
    if facts.bytes_read >= facts.length:
        return "; all of it was read, and one more `read()` ends it"
    return ""


def of_library(facts: Facts, calls: str) -> str:
    """Where code between the application's line and the client is concerned."""
    if facts.culprit is not None:
        return _lost(facts, facts.culprit)
    package = facts.package
    if not package:
        return ""
    if facts.kind is LeakKind.SESSION:
        return (
            f"keep {_product(facts)} and use it for all requests, or close it when"
            f" done with it: what is left open was made by {package}"
        )
    after = ""
    if facts.kind is LeakKind.HELD:
        after = " when done with it"
    elif facts.kind is LeakKind.OPEN:
        after = " before the scope ends"
    if package in _STREAMING:
        return _for_stream(facts, after)
    if facts.status == _SWITCHING:
        return (
            f"`{facts.function}` of {package} speaks another protocol on this"
            f" connection: close the socket or stream that it returned{after}; if it"
            " returned neither, it has read the socket and forgotten the response,"
            f" which {package} should close, and is to be told"
        )
    return _of_block_or_call(facts, after, calls)


def _of_block_or_call(facts: Facts, after: str, calls: str) -> str:
    """What ends a response that a library has opened."""
    if facts.package in _CLOSING_NOTHING:
        return (
            f"read to its end {_product(facts)}{after}: its `close()` leaves the"
            " connection open until the cycle collector comes"
        )
    if facts.function not in ENTERING:
        return (
            f"read to its end {_product(facts)}, or close it"
            f"{after} (a response: {calls}); if that was no response and no stream,"
            f" {facts.package} should do so, and is to be told"
        )
    word = "async with" if facts.function == "__aenter__" else "with"
    return (
        f"leave the block of {facts.package} that is entered here{after}: `{word} ..."
        " as ...:` does so at its end, and an exit stack when it is closed; where the"
        f" response stays open even then, {facts.package} should close it, and is to"
        " be told"
    )


def _for_stream(facts: Facts, after: str) -> str:
    """What ends a `StreamingBody` or an `EventStream` of botocore."""
    held_by = facts.held_by or ""
    known = [read for name, read in _STREAMS.items() if name in held_by]
    read = " or ".join(known or _STREAMS.values())
    touch = _TOUCH.replace("response", "stream")
    touch = f"; {touch}" if facts.kind is LeakKind.HELD else ""
    return f"{read}, or call its `close()`{after or ' in a `finally:`'}{touch}"


def _product(facts: Facts) -> str:
    """What the library has given to the application's line."""
    if facts.function == "__init__":
        return f"the object of {facts.package} that is made here"
    if facts.function in ENTERING:
        return f"the object of {facts.package} whose block is entered here"
    return f"what `{facts.function}` of {facts.package} returned"


def _lost(facts: Facts, culprit: Frame) -> str:
    """Where code between the application's line and the client lost it."""
    what, meanwhile = {
        "hook": (
            "the response in whose place it puts another one, or before it raises",
            "have a hook before it read `response.content`",
        ),
        "adapter": (
            "the answer that it does not hand on, or before it raises",
            "derive from it, and close the answer there",
        ),
        "middleware": (
            "each answer after which it asks again",
            "have one after it in `middlewares` `await response.read()` of a refusal",
        ),
    }.get(
        facts.lost_by,
        (
            "each response after which it tries again",
            "turn its retries off, or derive from it, and close the response there",
        ),
    )
    hint = f"`{culprit.function}` should read or close {what}; the line that asked has"
    hint += " nothing to close"
    if not culprit.application:
        hint += f". Until it does, {meanwhile}"
    if facts.block:
        hint += "; `httpguard.install(reclaim=True)` gives the pool its slots back"
    return hint
