"""What is below a response of httpx: streams in streams, down to httpcore's.

Transports, and hooks of the program's, put their own in between.
"""

from __future__ import annotations

import gc
from itertools import pairwise
from typing import Any, Final

from ..._stacks.waits import reachable

# From a response down to httpcore's stream, whatever transports have put between.
_BELOW: Final = ("_stream", "_httpcore_stream", "stream")
LEASED: Final = "_httpguard_leased"
"""On a stream of httpcore's that has had a lease: another may come to have its id."""
# Of httpcore.
_CORE: Final = "PoolByteStream"
# What else one of the program's own has below it, by whatever name.
_KINDS: Final = frozenset({_CORE, "AsyncByteStream", "Response", "SyncByteStream"})
# What has no connection below it.
_BYTES: Final = "ByteStream"
_CLOSES_NOTHING: Final = frozenset({"AsyncByteStream.aclose", "SyncByteStream.close"})
_MOST_STEPS: Final = 12
# From a stream to one that it has in a list, a generator or a method of that one.
_FAR: Final = 3
_MOST_OBJECTS: Final = 200


def streams_of(response: Any) -> list[Any]:
    """The streams below a response, the innermost last."""
    found: list[Any] = []
    one = getattr(response, "stream", None)
    while one is not None and len(found) < _MOST_STEPS:
        found.append(one)
        if is_core(one):
            break
        one = _below(one, {id(response), *map(id, found)})
    return found


def _below(stream: Any, above: set[int]) -> Any:
    """What is below a stream, and is closed with it; None: nothing that we know.

    `above`: the ids of what it may refer to and is not below it.
    """
    if not _closes(type(stream)):
        return None
    near = [part for part in _parts(stream) if id(part) not in above]
    for one in (*near, *reachable(near, _FAR, _MOST_OBJECTS)):
        if _is_stream(one) and id(one) not in above:
            return one
    return None


def _parts(stream: Any) -> list[Any]:
    """What a stream has itself, that first which is below it in httpx."""
    space = getattr(stream, "__dict__", {})
    named = [space[name] for name in _BELOW if name in space]
    slots = [one for one in gc.get_referents(stream) if one is not space]
    return [*named, *space.values(), *slots]


def is_chain(streams: list[Any]) -> bool:
    """Whether each stream has the next one itself, which nobody then has otherwise."""
    return all(
        any(part is below for part in _parts(stream))
        for stream, below in pairwise(streams)
    )


def _is_stream(one: object) -> bool:
    """By type(), which no proxy answers for what it is around."""
    kinds = [kind.__name__ for kind in type(one).__mro__]
    return kinds[0] != _BYTES and not _KINDS.isdisjoint(kinds)


def is_core(stream: object) -> bool:
    return any(kind.__name__ == _CORE for kind in type(stream).__mro__)


def _closes(kind: type) -> bool:
    """Whether a stream has more than the methods of httpx that close nothing.

    What it leaves open, nobody can close who has it: its transport has lost that.
    """
    if kind.__module__.startswith("httpx"):
        return True
    names = (getattr(kind, name, None) for name in ("close", "aclose"))
    own = {getattr(one, "__qualname__", "") for one in names if one is not None}
    return not own <= _CLOSES_NOTHING


def core_stream(response: Any) -> Any:
    """The stream of httpcore, which holds the connection; None: there is none."""
    try:
        # As it is in httpx itself.
        stream = response.stream._stream._httpcore_stream
    except AttributeError:
        stream = (streams_of(response) or [None])[-1]
        return stream if is_core(stream) else None
    return stream if hasattr(stream, "_pool_request") else None
